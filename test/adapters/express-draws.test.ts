/** What calls draw of their request's admission, from its admission to the end of the response. */
import { once } from 'node:events';
import { budget, createTollgate, type Draw, type TollgateEvents } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import express, { type Request, type Response } from 'express';
import { closeServers, deferred, listen, send, sendAndStay } from '../helpers/http-server.js';

afterEach(closeServers);

const CALL = { inputTokens: 100, outputTokens: 0 };
const MICRO = 1000;

/** `/agent` costs a µ$ a token of its prompts, by a budget of a millidollar. */
async function openAgent(
  handler: (req: Request, res: Response) => Promise<unknown>,
  refundOn = (_: { status: number }) => false,
) {
  const gate = createTollgate({
    budgets: [budget({ name: 'usd', by: 'user', limit: '$0.001', per: 'day' })],
    prices: { default: { input: '$1/M', output: '$1/M' } },
  });
  const app = express();
  app.use(tollgate(gate, { identify: () => ({ user: 'ann' }), refundOn }));
  app.get('/agent', toll('large', { model: 'm', estimate: CALL }), handler);
  const settled = new Promise<TollgateEvents['settled']>((resolve) => gate.on('settled', resolve));
  const spent = async () => (await gate.inspect({ user: 'ann' })).budgets[0].used / MICRO;
  return { server: await listen(app), settled, spent };
}

async function drawn(req: Request): Promise<Draw> {
  const one = await req.admission?.draw(CALL);
  if (!one?.admitted) throw new Error('refused');
  return one.draw;
}

test('an agent is refused the call that its budget has no room for, and pays for those that it made', async () => {
  const { server, settled, spent } = await openAgent(async (req, res) => {
    for (let made = 0; ; made++) {
      const one = await req.admission?.draw(CALL);
      if (!one?.admitted) return res.status(one?.refusal.status ?? 500).json({ made });
      one.draw.settle({ usage: { inputTokens: 60, outputTokens: 0 } });
    }
  });
  const reply = await send(server, '/agent');
  expect([reply.status, reply.text]).toEqual([402, '{"made":16}']);
  expect(await settled).toMatchObject({ provisional: true, usage: { inputTokens: 960 }, actual: { usd: 960 * MICRO } });
  expect(await spent()).toBe(960);
});

test('a handler that fails before it has spent anything pays nothing, and one that has pays that', async () => {
  const { server, settled, spent } = await openAgent(async (req) => {
    (await drawn(req)).settle({ outcome: 'failed', usage: { inputTokens: 0, outputTokens: 0 } });
    (await drawn(req)).settle({ usage: { inputTokens: 7, outputTokens: 0 } });
    throw new Error('no provider');
  });
  expect((await send(server, '/agent')).status).toBe(500);
  expect(await settled).toMatchObject({ outcome: 'failed' });
  expect(await spent()).toBe(7);
});

test('a client that provokes an answer which is refunded is charged what it has spent', async () => {
  const agent = async (req: Request, res: Response) => {
    (await drawn(req)).settle({ usage: { inputTokens: 7, outputTokens: 0 } });
    res.status(400).json({});
  };
  const { server, settled, spent } = await openAgent(agent, ({ status }) => status >= 400);
  await send(server, '/agent');
  expect(await settled).toMatchObject({ outcome: 'ignored', actual: { permits: 0 } });
  expect(await spent()).toBe(7);
});

test('a client that goes aborts the calls, and is charged what they had used by then', async () => {
  const running = deferred();
  const { server, settled, spent } = await openAgent(async (req) => {
    const { admission } = req;
    if (admission === undefined) throw new Error('not admitted');
    const draws = [await drawn(req), await drawn(req)];
    running.resolve();
    await once(admission.signal, 'abort');
    for (const [i, draw] of draws.entries()) {
      // Each hears of it, and reads what it has used, in its own time.
      await new Promise(setImmediate);
      draw.settle({ outcome: 'failed', usage: { inputTokens: 10 + i, outputTokens: 0 } });
    }
  });
  const client = sendAndStay(server, '/agent');
  await running.promise;
  expect(await spent()).toBe(200);
  client.destroy();
  expect(await settled).toMatchObject({ outcome: 'failed', provisional: true, actual: { usd: 21 * MICRO } });
  expect(await spent()).toBe(21);
});
