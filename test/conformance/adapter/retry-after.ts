/**
 * Retry-After is exact. The oracle is the gate's own answer later: alone, a request that waits that many seconds is
 * admitted, and one that comes a second earlier is not. A refused request charges nothing, so both can ask one gate.
 */
import { type Limit, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { byHeader, costing, type Open, ok, problemOf } from './workbench.js';

const burst = slidingWindow({ name: 'burst', by: 'user', limit: 20, window: '10s' });
const fine = slidingWindow({ name: 'fine', by: 'user', limit: 25, window: 7777, parts: 60 });
const bucket = tokenBucket({ name: 'bucket', by: 'user', capacity: 30, refill: '30/m' });
const odd = tokenBucket({ name: 'odd', by: 'user', capacity: 21, refill: '7/11s' });
const global = slidingWindow({ name: 'global', limit: 60, window: '1m' });
const calls = slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 4, window: '15s' });

const CASES: [string, Limit[]][] = [
  ['a window', [burst]],
  ['a window of odd length', [fine]],
  ['a bucket', [bucket]],
  ['a bucket that refills oddly', [odd]],
  ['several windows', [burst, fine, calls, global]],
  ['several buckets', [bucket, odd]],
  ['windows and buckets at once', [global, bucket, burst, odd, calls]],
];

/** Of some requests the cost is given back, by the status that they ask for. */
const steps = fc.array(
  fc.record({
    cost: fc.integer({ min: 0, max: 12 }),
    pause: fc.integer({ min: 0, max: 3000 }),
    status: fc.constantFrom(200, 503),
  }),
  { maxLength: 15 },
);

export function retryAfterContract(open: Open): void {
  test.each(CASES)('is exact: %s', async (_, limits) => {
    const answers = fc.asyncProperty(steps, fc.integer({ min: 5, max: 20 }), async (history, cost) => {
      const { send, clock } = await open({
        limits,
        options: { refundOn: ({ status }) => status === 503 },
        routes: [
          { path: '/', toll: byHeader, handler: ({ req }) => ({ status: Number(req.headers['x-status'] ?? 200) }) },
        ],
      });
      for (const { cost, pause, status } of history) {
        const { headers } = costing(cost);
        await send('/', { headers: { ...headers, 'x-status': String(status) } });
        clock.advance(pause);
      }
      const ask = () => send('/', costing(cost));
      let reply = await ask();
      while (reply.status === 200) reply = await ask();
      const seconds = Number(reply.headers['retry-after']);
      expect(reply.status).toBe(429);
      expect(problemOf(reply).retryAfter).toBe(seconds);
      clock.advance((seconds - 1) * 1000);
      expect((await ask()).status).toBe(429);
      clock.advance(1000);
      expect((await ask()).status).toBe(200);
    });
    await fc.assert(answers, { numRuns: 25 });
  });

  test('is a whole number of seconds, at least one', async () => {
    const { send } = await open({
      limits: [tokenBucket({ name: 'quick', by: 'user', capacity: 1, refill: '1000/s' })],
      routes: [{ path: '/', toll: byHeader, handler: ok }],
    });
    await send('/', costing(1));
    expect((await send('/', costing(1))).headers['retry-after']).toBe('1');
  });

  test('shadow limits have no say in it', async () => {
    const { send } = await open({
      limits: [burst, slidingWindow({ name: 'day', by: 'user', limit: 20, window: '1d', mode: 'shadow' })],
      routes: [{ path: '/', toll: byHeader, handler: ok }],
    });
    await send('/', costing(20));
    expect(Number((await send('/', costing(1))).headers['retry-after'])).toBeLessThanOrEqual(11);
  });
}
