/** G6 over instances that share a Redis: freed room goes to who is first in all of them, by being told of it alone. */
import { type Admission, createTollgate, type Priority } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { check } from '../helpers/oracle-log.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

const START = Date.UTC(2026, 0, 1);
const BEHIND = { interactive: 0, standard: 5, batch: 11, background: 23 };
const INSTANCES = 3;

const requests = fc.array(
  fc.record({
    at: fc.nat(INSTANCES - 1),
    priority: fc.constantFrom(...(Object.keys(BEHIND) as Priority[])),
  }),
  { minLength: 1, maxLength: 30 },
);

describeWithRedis('G6 order over instances, on Redis', () => {
  const url = useRedis();
  let clients: Redis[];
  beforeAll(() => {
    clients = Array.from({ length: INSTANCES }, () => new Redis(url()));
  });
  afterAll(async () => {
    for (const client of clients) await client.quit();
  });

  let count = 0;

  function open(slots: number) {
    // It never moves while they end, so that nobody is tried but who is told.
    const clock = manualClock(START);
    const prefix = `order ${process.pid} ${count++}`;
    const { interactive: _, ...ageing } = BEHIND;
    const queue = { concurrency: slots, lease: '1d', maxWait: '1d', shedding: false, ageing: ageing as never } as const;
    const gates = clients.map((client) =>
      createTollgate({ limits: [], queue, clock, store: redisStore(client, { prefix, timeoutMs: 10_000 }) }),
    );
    return { clock, gates };
  }

  /** All that has been sent is done. */
  async function settled(): Promise<void> {
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate);
      for (const client of clients) await client.ping();
    }
  }

  it('is that of one line in which all wait', async () => {
    await check(
      fc.asyncProperty(requests, fc.integer({ min: 1, max: 3 }), async (asked, slots) => {
        const { clock, gates } = open(slots);
        const running: Admission[] = [];
        for (let i = 0; i < slots; i++) {
          const decision = await gates[i].admit({ permits: 1 });
          if (decision.admitted) running.push(decision.admission);
        }
        expect(running).toHaveLength(slots);
        const began: number[] = [];
        let tellBegan = () => {};
        const waiting: { readonly name: number; readonly score: number }[] = [];
        for (const [name, { at, priority }] of asked.entries()) {
          const score = clock.now() + BEHIND[priority];
          clock.advance(1);
          if (waiting.some((one) => one.score === score)) continue;
          waiting.push({ name, score });
          void gates[at].admit({ permits: 1, priority }).then((decision) => {
            began.push(name);
            if (decision.admitted) running.push(decision.admission);
            tellBegan();
          });
          await settled();
        }
        const expected = waiting.toSorted((a, b) => a.score - b.score).map(({ name }) => name);
        for (let i = 0; i < expected.length; i++) {
          const begins = new Promise<void>((resolve) => {
            tellBegan = resolve;
          });
          await running.shift()?.settle();
          await begins;
          await settled();
        }
        expect(began).toEqual(expected);
        for (const admission of running) await admission.settle();
        await Promise.all(gates.map((gate) => gate.close()));
      }),
      15,
    );
  }, 60_000);
});
