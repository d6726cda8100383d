/** G6 over instances that share a Redis: freed room goes to who is first in all of them, by being told of it alone. */
import { type Admission, type Clock, createTollgate, type Priority, slidingWindow } from '@tollgate/core';
import { type RedisClient, redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
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
  { minLength: 1, maxLength: 30, size: 'max' },
);

/** How many end at once, one time after the other. */
const ends = fc.array(fc.integer({ min: 1, max: 3 }), { minLength: 30, maxLength: 30 });

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

  function open(slots: number, shareStore: boolean) {
    // It never moves while they end, so that nobody is tried but who is told.
    const clock = manualClock(START);
    const prefix = `order ${process.pid} ${count++}`;
    const { interactive: _, ...ageing } = BEHIND;
    const queue = { concurrency: slots, lease: '1d', maxWait: '1d', shedding: false, ageing: ageing as never } as const;
    const stores = clients.map((client) => redisStore(client, { prefix, timeoutMs: 10_000 }));
    const gates = stores.map((own) =>
      createTollgate({ limits: [], queue, clock, store: shareStore ? stores[0] : own }),
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

  it.each([
    ['of processes', false],
    ['of gates that share a store', true],
  ])(
    '%s is that of one line in which all wait',
    async (_, shareStore) => {
      await check(
        fc.asyncProperty(requests, fc.integer({ min: 1, max: 3 }), ends, async (asked, slots, ends) => {
          const { clock, gates } = open(slots, shareStore);
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
            gates[at].admit({ permits: 1, priority }).then(
              (decision) => {
                began.push(name);
                if (decision.admitted) running.push(decision.admission);
                tellBegan();
              },
              () => {},
            );
            await settled();
          }
          const left = waiting.toSorted((a, b) => a.score - b.score).map(({ name }) => name);
          for (const end of ends) {
            if (left.length === 0) break;
            const ended = running.splice(0, end);
            const expected = left.splice(0, ended.length);
            const begin = new Promise<void>((resolve) => {
              tellBegan = () => began.length === expected.length && resolve();
            });
            await Promise.all(ended.map((admission) => admission.settle()));
            await begin;
            await settled();
            expect(began.splice(0).toSorted()).toEqual(expected.toSorted());
          }
          await Promise.all(gates.map((gate) => gate.close()));
        }),
        8,
      );
    },
    60_000,
  );

  it('gives room to those of whom it was not known yet that they wait when it came', async () => {
    const prefix = `order ${process.pid} ${count++}`;
    const queue = { concurrency: 1, lease: '1d', maxWait: '1d' } as const;
    const clock = manualClock(START);
    let isHeld = true;
    let release = () => {};
    const isReleased = new Promise<void>((resolve) => {
      release = resolve;
    });
    let tellHeld = () => {};
    const held = new Promise<void>((resolve) => {
      tellHeld = resolve;
    });
    const slow: RedisClient = {
      async callBuffer(command, args) {
        if (isHeld && args[2] === `{${prefix}}/waiting`) {
          tellHeld();
          await isReleased;
        }
        return clients[1].callBuffer(command, args);
      },
      duplicate: () => clients[1].duplicate(),
    };
    const [early, late] = [clients[0], slow].map((client) =>
      createTollgate({ limits: [], queue, clock, store: redisStore(client, { prefix, timeoutMs: 10_000 }) }),
    );
    const first = await early.admit({ permits: 1 });
    const second = late.admit({ permits: 1 });
    await held;
    if (first.admitted) await first.admission.settle();
    await settled();
    isHeld = false;
    release();
    expect(await second).toMatchObject({ admitted: true });
    await Promise.all([early.close(), late.close()]);
  });

  it('forgets the instances that have died, though others go on waiting where they did', async () => {
    const prefix = `order ${process.pid} ${count++}`;
    const queue = { concurrency: 1, lease: '1d', maxWait: '1d' } as const;
    const store = redisStore(clients[0], { prefix, timeoutMs: 10_000 });
    const gate = createTollgate({ limits: [], queue, clock: manualClock(START), store });
    const first = await gate.admit({ permits: 1 });
    const second = gate.admit({ permits: 1 });
    await new Promise((resolve) => gate.on('queued', resolve));
    await settled();
    const [waiters] = await clients[0].keys(`{${prefix}}/waiters/*`);
    for (let i = 0; i < 9; i++) await clients[0].zadd(waiters, i, `dead ${i}`);
    expect(await clients[0].zcard(waiters)).toBe(10);
    if (first.admitted) await first.admission.settle();
    expect(await second).toMatchObject({ admitted: true });
    await settled();
    expect(await clients[0].zcard(waiters)).toBe(0);
    await gate.close();
  });

  it('goes by what is told where clients put a prefix of their own before all keys', async () => {
    const prefix = `order ${process.pid} ${count++}`;
    const queue = { concurrency: 1, lease: '1d', maxWait: '1d' } as const;
    const apps = clients.slice(0, 2).map((client) => client.duplicate({ keyPrefix: 'app/' }));
    const [one, other] = apps.map((client) => {
      const store = redisStore(client, { prefix, timeoutMs: 10_000 });
      return createTollgate({ limits: [], queue, clock: manualClock(START), store });
    });
    const first = await one.admit({ permits: 1 });
    const second = other.admit({ permits: 1 });
    await new Promise((resolve) => other.on('queued', resolve));
    await settled();
    if (first.admitted) await first.admission.settle();
    expect(await second).toMatchObject({ admitted: true });
    await Promise.all([one.close(), other.close()]);
    for (const client of apps) client.disconnect();
  });

  it('goes by what is told though clients wait for an answer for a moment only', async () => {
    const prefix = `order ${process.pid} ${count++}`;
    const queue = { concurrency: 1, lease: '1d', maxWait: '1d' } as const;
    let asked = 0;
    let hasAskedAgain = () => {};
    const askedAgain = new Promise<void>((resolve) => {
      hasAskedAgain = resolve;
    });
    const hasty: RedisClient = {
      callBuffer: (command, args) => clients[1].callBuffer(command, args),
      duplicate(override) {
        const connection = clients[1].duplicate({ commandTimeout: 1, ...(override as object) });
        connection.on('error', () => {});
        return {
          on: () => {},
          disconnect: () => connection.disconnect(),
          callBuffer(command, args) {
            const answer = connection.callBuffer(command, args);
            // The first is told of the waiting itself.
            if (++asked === 2) setTimeout(hasAskedAgain, 10);
            return answer;
          },
        };
      },
    };
    const [one, other] = [clients[0], hasty].map((client) => {
      const store = redisStore(client, { prefix, timeoutMs: 10_000 });
      return createTollgate({ limits: [], queue, clock: manualClock(START), store });
    });
    const first = await one.admit({ permits: 1 });
    const second = other.admit({ permits: 1 });
    await askedAgain;
    if (first.admitted) await first.admission.settle();
    expect(await second).toMatchObject({ admitted: true });
    await Promise.all([one.close(), other.close()]);
  });

  it('waits to be told by a connection that is in all else as the client is, in a cluster too', () => {
    const redisOptions = { commandTimeout: 1, password: 'secret' };
    const one = new Redis({ ...redisOptions, lazyConnect: true });
    for (const Any of [Cluster, Cluster5]) {
      const many = new Any([{ host: '127.0.0.1', port: 1 }], { lazyConnect: true, redisOptions }) as Cluster;
      for (const client of [one, many]) {
        const duplicate = jest.spyOn(client, 'duplicate');
        redisStore(client).line?.onRoom(() => {})();
        const { options } = duplicate.mock.results[0].value;
        expect('redisOptions' in options ? options.redisOptions : options).toMatchObject({
          commandTimeout: undefined,
          password: 'secret',
        });
        duplicate.mockRestore();
      }
    }
  });

  it('listens to a client once, however many gates share it', async () => {
    const client = clients[0].duplicate();
    const store = redisStore(client);
    const gates = Array.from({ length: 11 }, () => createTollgate({ limits: [], queue: { concurrency: 1 }, store }));
    expect([client.listenerCount('end'), client.listenerCount('error')]).toEqual([1, 1]);
    await Promise.all(gates.map((gate) => gate.close()));
    client.disconnect();
  });

  it('has who finds room that is for another tell that one', async () => {
    const prefix = `order ${process.pid} ${count++}`;
    const limits = [slidingWindow({ name: 'window', limit: 1, window: '10s', whenFull: 'wait' })];
    const open = (client: Redis, clock: Clock) => {
      const store = redisStore(client, { prefix, timeoutMs: 10_000, clock: 'gate' });
      return createTollgate({ limits, queue: { maxWait: '1d' }, clock, store });
    };
    const clock = manualClock(START);
    // The one that goes first doesn't look by itself.
    const timeless: Clock = { now: clock.now, after: () => () => {} };
    const [first, other] = [open(clients[0], timeless), open(clients[1], clock)];
    await first.admit({ permits: 1 });
    const ahead = first.admit({ permits: 1, priority: 'interactive' });
    const behind = other.admit({ permits: 1, priority: 'batch' });
    behind.catch(() => {});
    await settled();
    const keys = await clients[0].keys(`{${prefix}}/*`);
    expect(keys.length).toBeGreaterThan(3);
    for (const key of keys) expect(await clients[0].pttl(key)).toBeGreaterThan(0);
    // What has found no room before it comes looks again a second later.
    clock.advance(11_000);
    await settled();
    clock.advance(1_000);
    expect(await ahead).toMatchObject({ admitted: true });
    await Promise.all([first.close(), other.close()]);
    await expect(behind).rejects.toMatchObject({ code: 'TOLLGATE_CLOSED' });
  });
});
