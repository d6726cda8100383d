/** A preset as a newcomer has it, spread into a gate and nothing else: no request fails, and none is free by mistake. */
import { createTollgate, presets, type TollgateConfig } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';
import { errorHandler } from '../helpers/http-express.js';
import { closeServers, listen, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';
import { keyStore } from '../helpers/key-store.js';

const warnings = recordWarnings();
afterEach(closeServers);

const STAGES: readonly [string, () => TollgateConfig][] = [
  ['prototype', presets.prototype],
  ['earlyProduction', presets.earlyProduction],
  ['growth', presets.growth],
  ['scale', () => presets.scale({ store: keyStore().join() })],
];

const USAGE = { inputTokens: 10, outputTokens: 20 };
const BODY = JSON.stringify({ messages: [{ role: 'user', content: 'Tell me of tolls and gates.' }], max_tokens: 50 });

/** What has been asked of it, and what it has counted in nano-dollars by then. */
async function openApp(config: TollgateConfig) {
  const gate = createTollgate({ ...config, alerts: { log: false } });
  const errors: unknown[] = [];
  const app = express();
  app.use(express.json(), tollgate(gate, { identify: () => ({ user: 'ann' }) }));
  app.post('/plain', toll('small', { feature: 'ask' }), (_req, res) => void res.json({}));
  app.post('/model', toll('small', { feature: 'ask', model: 'gpt-5' }), (_req, res) => void res.json({}));
  app.post(
    '/chosen',
    toll('small', { feature: 'ask', model: (req) => req.body?.model }),
    (_req, res) => void res.json({}),
  );
  app.post('/settled', toll('small', { feature: 'ask' }), async (req, res) => {
    await req.admission?.settle({ usage: USAGE, model: 'served' });
    res.json({});
  });
  app.use(errorHandler((error) => errors.push(error)));
  const server = await listen(app);

  async function ask(path: string, body?: string): Promise<{ status: number; spent: number }> {
    const before = await spent();
    const { status } = await send(server, path, { method: 'POST', ...(body !== undefined && { body }) });
    return { status, spent: (await spent()) - before };
  }

  async function spent(): Promise<number> {
    return (await gate.inspect({ user: 'ann' })).budgets.find(({ layer }) => layer === 'spend')?.used ?? Number.NaN;
  }

  return { ask, errors };
}

describe.each(STAGES)('a gate of %s, with nothing of its own', (_, preset) => {
  test.each([
    ['that names no model', '/plain', 0],
    ['that names a model', '/model', 4096 * 75_000],
    ['whose model is up to the client', '/chosen', 0],
    ['that tells what was used, and by which model', '/settled', 10 * 15_000 + 20 * 75_000],
  ])('answers by a toll %s, with a body and without', async (_, path, withoutBody) => {
    const { ask, errors } = await openApp(preset());
    expect(await ask(path)).toEqual({ status: 200, spent: withoutBody });
    const withBody = await ask(path, BODY);
    expect([withBody.status, errors]).toEqual([200, []]);
    const written = (path === '/settled' ? 20 : 50) * 75_000;
    expect(withBody.spent).toBeGreaterThan(written);
    expect(withBody.spent).toBeLessThan(written + 50 * 15_000);
    expect((await ask(path, JSON.stringify({ model: 'unheard of', prompt: 'Hi' }))).status).toBe(200);
    expect(warnings().filter((code) => code !== 'TOLLGATE_ESTIMATE_MISSING')).toEqual([]);
  });
});

test('budgets without any prices are warned of, once, by the first request that nothing prices', async () => {
  const { budgets } = presets.earlyProduction();
  const { ask, errors } = await openApp({ budgets });
  expect(warnings()).toEqual([]);
  expect([(await ask('/plain')).status, (await ask('/plain')).status]).toEqual([200, 200]);
  expect(warnings()).toEqual(['TOLLGATE_NO_PRICES']);
  expect((await ask('/plain', BODY)).status).toBe(500);
  expect(errors).toEqual([expect.objectContaining({ code: 'TOLLGATE_UNKNOWN_MODEL' })]);
  expect(String(errors[0])).toContain("Name it on the toll, or give that `usd` ('$0' where it costs none)");
});

test('while they are on trial, by the first request that they can’t count, which is answered all the same', async () => {
  const { budgets } = presets.prototype();
  const { ask, errors } = await openApp({ budgets });
  expect([(await ask('/plain')).status, warnings()]).toEqual([200, []]);
  expect([(await ask('/plain', BODY)).status, (await ask('/plain', BODY)).status]).toEqual([200, 200]);
  expect([warnings(), errors]).toEqual([['TOLLGATE_SHADOW_FAILED'], []]);
});
