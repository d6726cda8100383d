/** Draws of admissions that are kept in Redis: extended there, handed over with what they have used, and settled to the unit. */
import { type Admission, budget, createTollgate, type Draw, slidingWindow, type Tollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { START } from './support.js';

const MICRO = 1000;
const CALL = { inputTokens: 100, outputTokens: 100 };

describeWithRedis('draws of an admission in Redis', () => {
  const url = useRedis();
  const clients: Redis[] = [];
  let count = 0;
  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });

  /** Two processes of one gate. */
  async function instances() {
    const clock = manualClock(START);
    const prefix = `draws ${process.pid} ${count++}`;
    const [web, worker] = [0, 1].map(() => {
      const client = new Redis(url());
      clients.push(client);
      const gate = createTollgate({
        store: redisStore(client, { prefix, clock: 'gate', timeoutMs: 20_000 }),
        clock,
        limits: [slidingWindow({ name: 'tokens', unit: 'tokens', limit: 1000, window: '1h' })],
        budgets: [budget({ name: 'usd', limit: '$1', per: 'day' })],
        prices: { default: { input: '$1/M', output: '$5/M' } },
      });
      return gate as Tollgate;
    });
    const decision = await web.admit({ permits: 1, model: 'm', estimate: CALL });
    if (!decision.admitted) throw new Error(decision.refusal.detail);
    const charged = async () => {
      const { limits, budgets } = await worker.inspect({});
      return [limits[0].used, budgets[0].used / MICRO];
    };
    return { web, worker, clock, admission: decision.admission, charged };
  }

  async function drawn(admission: Admission): Promise<Draw> {
    const one = await admission.draw(CALL);
    if (!one.admitted) throw new Error('refused');
    return one.draw;
  }

  test('extend it together, each once, until there is no room; it is settled by what they have used', async () => {
    const { admission, charged } = await instances();
    const results = await Promise.all(Array.from({ length: 9 }, () => admission.draw(CALL)));
    const draws = results.flatMap((result) => (result.admitted ? [result.draw] : []));
    expect(draws).toHaveLength(5);
    expect(await charged()).toEqual([1000, 3000]);
    for (const draw of draws.slice(1)) draw.settle({ usage: { inputTokens: 7, outputTokens: 1 } });
    await admission.conclude();
    draws[0].settle({ outcome: 'ignored' });
    await admission.settle();
    expect(await charged()).toEqual([32, 48]);
  });

  test('are taken along where it is handed over, and settled there', async () => {
    const { admission, worker, charged } = await instances();
    (await drawn(admission)).settle({ usage: { inputTokens: 150, outputTokens: 150 } });
    await drawn(admission);
    const resumed = await worker.resume(await admission.handOver());
    (await drawn(resumed)).settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await resumed.settle();
    expect(await charged()).toEqual([300 + 200 + 2, 900 + 600 + 6]);
  });
});
