/** From the dollars that a request was charged as it came to those that it did cost, however it ended. */
import { once } from 'node:events';
import { type Admission, budget } from '@tollgate/core';
import { quiet, sendAndStay } from '../../helpers/http-server.js';
import { parseList } from '../../helpers/http-structured-fields.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import type { Annotation, Answer, Call } from './harness.js';
import { as, type BenchSpec, type Open, ok, streamingHandler } from './workbench.js';

const prices = {
  opus: { input: '$10/M', output: '$10/M' },
  haiku: { input: '$1/M', output: '$1/M' },
  default: { input: '$10/M', output: '$10/M' },
} as const;
const tiers = { small: { permits: 1, inputTokens: 50_000, outputTokens: 50_000 }, bare: 1 } as const;
const user = budget({ name: 'user', by: 'user', limit: '$5', per: 'day' });
const each = budget({ name: 'each', by: ['user', 'model'], limit: '$4', per: 'day' });
const toll = { tier: 'small', model: 'opus', estimate: { inputTokens: 100_000, outputTokens: 200_000 } } as const;
const [ESTIMATED, ACTUAL] = [3e9, 70e3 * 10];
const usage = { inputTokens: 30, outputTokens: 40 };
const ann = { user: 'ann' };
const ask = { headers: as(ann) };

export function budgetEndingContract(open: Open): void {
  const openFor = (handler: (call: Call) => Answer | Promise<Answer>, more: Partial<BenchSpec> = {}) =>
    open({ budgets: [user], prices, tiers, routes: [{ path: '/', toll, handler }], ...more });

  test('a handler that settles after it has answered puts the actual cost in place of the estimate', async () => {
    let admission: Admission | undefined;
    const { send, used, settlements } = await openFor((call) => {
      admission = call.admission;
      return { body: '{}' };
    });
    await send('/', ask);
    expect(await used('user', ann)).toBe(ESTIMATED);
    await admission?.settle({ usage });
    expect(await used('user', ann)).toBe(ACTUAL);
    expect(settlements.map(({ actual }) => actual?.usd)).toEqual([ESTIMATED, ACTUAL]);
  });

  test('another model than the admission’s is billed at its own price, and dollars as they are given', async () => {
    const outcomes = [{ model: 'haiku', usage }, { usd: '$0.5' }] as const;
    let nth = 0;
    const { send, used } = await openFor(async ({ admission }) => {
      await admission?.settle(outcomes[nth++]);
      return {};
    });
    await send('/', ask);
    expect(await used('user', ann)).toBe(70e3);
    await send('/', ask);
    expect(await used('user', ann)).toBe(70e3 + 500e6);
  });

  test('what it cost above the estimate is booked, and blocks', async () => {
    const { send, used } = await openFor(async ({ admission }) => {
      await admission?.settle({ usage: { inputTokens: 0, outputTokens: 600_000 } });
      return {};
    });
    await send('/', ask);
    expect(await used('user', ann)).toBe(6e9);
    const reply = await send('/', ask);
    expect(reply.status).toBe(402);
    expect(parseList(String(reply.headers.ratelimit))).toMatchObject([{ params: { r: 0 } }]);
    expect(JSON.parse(reply.text).detail).toContain('You have spent $6 of the $5');
  });

  test('a call too many of an agent is refused to the handler, and the others stay charged', async () => {
    const { send, used } = await openFor(async ({ admission }) => {
      const calls: unknown[] = [];
      for (let i = 0; i < 3; i++) {
        const more = await admission?.extend({ outputTokens: 100_000 });
        calls.push(more?.admitted || [more?.refusal.status, more?.refusal.layer]);
      }
      return { body: JSON.stringify(calls) };
    });
    const reply = await send('/', ask);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([200, [true, true, [402, 'user']]]);
    expect(await used('user', ann)).toBe(5e9);
  });

  describe('a handler that fails', () => {
    const fail = () => {
      throw new Error('no provider');
    };

    test('keeps the estimate', async () => {
      const { send, used } = await openFor(fail);
      expect((await send('/', ask)).status).toBe(500);
      expect(await used('user', ann)).toBe(ESTIMATED);
      expect((await send('/', ask)).status).toBe(402);
    });

    test('gives it back where `refundOn` says so', async () => {
      const { send, used } = await openFor(fail, { options: { refundOn: ({ status }) => status === 500 } });
      for (let i = 0; i < 3; i++) expect((await send('/', ask)).status).toBe(500);
      expect(await used('user', ann)).toBe(0);
    });
  });

  test('a client that leaves a stream keeps the estimate, until the handler says what was used', async () => {
    const { started, handler } = streamingHandler();
    const { server, used, gate } = await openFor(handler);
    const over = new Promise((resolve) => gate.on('settled', resolve));
    const client = sendAndStay(server, '/', as(ann));
    const admission = await started;
    await once(client, 'data');
    client.destroy();
    expect(await over).toMatchObject({ outcome: 'failed', provisional: true, actual: { usd: ESTIMATED } });
    expect(await used('user', ann)).toBe(ESTIMATED);
    await admission.settle({ usage });
    await admission.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await quiet();
    expect(await used('user', ann)).toBe(ACTUAL);
  });

  describe('a route that is reached by another toll', () => {
    recordWarnings();
    const arrive = (route: { earlierToll?: Annotation; toll?: Annotation | 'free' }, more: Partial<BenchSpec> = {}) =>
      openFor(ok, { budgets: [user, each], routes: [{ path: '/', handler: ok, ...route }], ...more });
    const byDefault = { options: { defaultTier: 'small' } } as const;

    test('is charged the default tier where it has none of its own', async () => {
      const { send, used } = await arrive({}, byDefault);
      expect((await send('/', ask)).status).toBe(200);
      expect(await used('user', ann)).toBe(1e9);
    });

    test('is charged that whatever comes in the body, and priced by its own model if it names one', async () => {
      const { default: _, ...named } = prices;
      const routes = [
        { method: 'POST', path: '/', handler: ok },
        { method: 'POST', path: '/own', toll, handler: ok },
      ] as const;
      const { send, used } = await openFor(ok, {
        prices: named,
        tiers: { ...tiers, medium: 3 },
        routes,
        options: { defaultTier: 'medium' },
      });
      const post = { ...ask, body: JSON.stringify({ title: 'A note', text: 'Buy milk. '.repeat(1000) }) };
      expect((await send('/', post)).status).toBe(200);
      expect(await used('user', ann)).toBe(0);
      expect((await send('/own', post)).status).toBe(200);
      expect(await used('user', ann)).toBe(ESTIMATED);
    });

    test('and is free gives the dollars back, and says so', async () => {
      const { send, used } = await arrive({ toll: 'free' }, byDefault);
      for (let i = 0; i < 7; i++) {
        const { status, headers } = await send('/', ask);
        expect(status).toBe(200);
        // Nothing is told where nothing was charged on the way.
        const [told] = headers.ratelimit === undefined ? [] : parseList(String(headers.ratelimit));
        expect(told?.params.r ?? 5_000_000).toBe(5_000_000);
      }
      expect(await used('user', ann)).toBe(0);
    });

    test('is charged for its own alone', async () => {
      const { send, used } = await arrive({ toll }, byDefault);
      expect((await send('/', ask)).status).toBe(200);
      expect(await used('user', ann)).toBe(ESTIMATED);
      expect(await used('each', ann, { model: 'opus' })).toBe(ESTIMATED);
    });

    test.each([
      ['dearer', 'haiku', 'opus', 3e9],
      ['cheaper', 'opus', 'haiku', 0.3e9],
    ] as const)('and names a %s model gives the first one’s budget its money back', async (_, from, to, cost) => {
      const { send, used, settlements } = await arrive({
        earlierToll: { ...toll, model: from },
        toll: { ...toll, model: to },
      });
      expect((await send('/', ask)).status).toBe(200);
      expect(await used('each', ann, { model: from })).toBe(0);
      expect(await used('each', ann, { model: to })).toBe(cost);
      expect(await used('user', ann)).toBe(cost);
      expect(settlements).toMatchObject([{ model: to, actual: { usd: cost } }]);
    });

    test('and is refused gives all of it back', async () => {
      const { send, used } = await arrive({ earlierToll: toll, toll: { ...toll, usd: '$4.5' } });
      const reply = await send('/', ask);
      expect(reply.status).toBe(422);
      expect(await used('user', ann)).toBe(0);
      expect(await used('each', ann, { model: 'opus' })).toBe(0);
    });
  });
}
