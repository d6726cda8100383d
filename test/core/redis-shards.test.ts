/** Processes that share a sharded store: what all shards share keeps to its limits, and nothing of it is lost. */
import {
  budget,
  createTollgate,
  type Meter,
  memoryStore,
  type NotTaken,
  type Receipt,
  type Rule,
  type Scope,
  type Store,
  slidingWindow,
  type Taken,
} from '@tollgate/core';
import { flexible } from '@tollgate/core/flexible';
import { redisStore } from '@tollgate/core/redis';
import fc from 'fast-check';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { passing } from '../../packages/core/src/store/redis/client.js';
import { shardedStore } from '../../packages/core/src/store/redis/shards.js';
import { alternativeOf, calendar, charge, START } from '../conformance/store/charges.js';
import { check, sumBetween } from '../helpers/oracle-log.js';

const WINDOW = { kind: 'window', ms: 1_000, parts: 10, partMs: 100 } as const;
const PER_MS = 1 / 4;
const PERIOD = 5_000;
const second = () => passing(1_000);
const LIMITS = { window: 300, bucket: 400, budget: 900, own: 120 };

const ALL = { by: [], at: [] };
const meters = {
  window: meter('window', 0, 'permits', ALL),
  bucket: meter('bucket', 1, 'permits', ALL),
  budget: meter('budget', 2, 'usd', ALL),
  own: { ...meter('own', 3, 'permits', ALL), scope: { by: ['tenant'], at: [0] } } as Meter,
};

function meter(name: string, position: number, unit: Meter['unit'], scope: Meter['scope']): Meter {
  return { id: name, name, position, unit, scope };
}

const wayOf = (cost: number, tenant: string, now: number) => {
  const rules: Record<keyof typeof LIMITS, Rule> = {
    window: WINDOW,
    bucket: { kind: 'bucket', perMs: PER_MS },
    budget: calendar(PERIOD)(now),
    own: WINDOW,
  };
  const names = Object.keys(LIMITS) as (keyof typeof LIMITS)[];
  return alternativeOf(
    names.map((name) => charge(meters[name], rules[name], name === 'own' ? [tenant] : [], cost, LIMITS[name])),
  );
};

const burst = fc.record({
  ms: fc.oneof(
    { weight: 12, arbitrary: fc.nat(30) },
    { weight: 2, arbitrary: fc.nat(150) },
    { weight: 2, arbitrary: fc.nat(2_500) },
    fc.nat(2_000_000),
  ),
  takes: fc.array(
    fc.record({
      process: fc.nat(2),
      tenant: fc.constantFrom('a', 'b', 'c', 'd'),
      cost: fc.integer({ min: 1, max: 6 }),
    }),
    { maxLength: 30, size: 'max' },
  ),
  settles: fc.array(fc.record({ open: fc.nat(60), keeps: fc.integer({ min: 0, max: 6 }) }), { maxLength: 12 }),
  turns: fc.nat(3),
  crash: fc.option(fc.nat(2), { freq: 12 }),
});

interface Lot {
  readonly time: number;
  readonly tenant: string;
  readonly process: number;
  readonly receipt: Receipt;
  amount: number;
  /** What it keeps of the bucket. */
  filled: number;
}

/** Shards as Redis has them: each answers later, and tells when it charged. */
function remoteShards({ fails = (_: Scope): boolean => false } = {}) {
  const memories = Array.from({ length: 64 }, () => memoryStore());
  const state = { asked: 0, turns: 0 };
  const later = async () => {
    for (let i = 0; i < state.turns; i++) await undefined;
  };
  const shard = (number: number): Store => ({
    ...memories[number],
    close() {},
    async take(request, now) {
      state.asked++;
      if (fails(request.alternatives[0].bills[0].scope)) throw new Error('it is down');
      const result = (await memories[number].take(request, now)) as Taken | NotTaken;
      await later();
      if ('receipt' in result)
        for (const entry of result.receipt) Object.assign(entry, { origin: { epoch: 1 }, bookedAt: now });
      return result;
    },
    async settle(...settling) {
      await later();
      await memories[number].settle(...settling);
    },
  });
  return {
    state,
    open: () => {
      const shared = ['window', 'bucket', 'budget'];
      return shardedStore(shard, memoryStore(), { shardBy: 'tenant', shared, isTimeGiven: true, later: second });
    },
  };
}

describe('a store in shards', () => {
  it('admits within all limits, shared ones too, and gives back what is not used', async () => {
    let admitted = 0;
    const bursts = fc.array(burst, { minLength: 1, maxLength: 40, size: 'max' });
    const history = fc.record({ bursts, mayCrash: fc.boolean() });
    const play = async ({ bursts, mayCrash }: typeof history extends fc.Arbitrary<infer T> ? T : never) => {
      const { state, open } = remoteShards();
      const processes = [open(), open(), open()];
      const lots: Lot[] = [];
      let now = START;
      let hasCrashed = false;

      for (const { ms, takes, settles, turns: next, crash } of bursts) {
        now += ms;
        state.turns = next;
        if (mayCrash && crash !== null) {
          hasCrashed = true;
          processes[crash] = open();
        }
        // One settling of a lot at a time: the order of others is the store's matter.
        const busy = new Set<Lot>();
        const settling = settles.map(async ({ open, keeps }) => {
          const lot = lots.findLast((_, i) => i % 60 === open);
          if (lot === undefined || lot.amount <= keeps || busy.has(lot)) return;
          busy.add(lot);
          const { receipt, process } = lot;
          await processes[process].settle(
            receipt,
            receipt.map(() => keeps),
            now,
          );
          lot.amount = keeps;
          // A bucket gives back once; what is void of a refund stays charged.
          lot.filled = receipt.find(({ charge }) => charge.meter === meters.bucket)?.cost ?? 0;
        });
        const taking = takes.map(async ({ process, tenant, cost }) => {
          const request = { alternatives: [wayOf(cost, tenant, now)] };
          const result = await processes[process].take(request, now);
          if ('refused' in result) {
            expect(result.refused[0].some(({ waitMs }) => waitMs > 0)).toBe(true);
            return;
          }
          admitted++;
          lots.push({ time: now, tenant, process, receipt: result.receipt, amount: cost, filled: cost });
        });
        await Promise.all([...settling, ...taking]);

        expect(sumBetween(lots, now - WINDOW.ms + 1, now)).toBeLessThanOrEqual(LIMITS.window);
        const periodAt = now - (now % PERIOD);
        expect(sumBetween(lots, periodAt, now)).toBeLessThanOrEqual(LIMITS.budget);
        const fillings = lots.map(({ time, filled }) => ({ time, amount: filled }));
        for (const { time } of lots) {
          expect(sumBetween(fillings, time, now)).toBeLessThanOrEqual(LIMITS.bucket + PER_MS * (now - time));
        }
        for (const tenant of ['a', 'b', 'c', 'd']) {
          const own = lots.filter((lot) => lot.tenant === tenant);
          expect(sumBetween(own, now - WINDOW.ms + 1, now)).toBeLessThanOrEqual(LIMITS.own);
        }
      }

      await Promise.all(processes.map((process) => process.close()));
      const { who, bills } = wayOf(0, 'a', now);
      const used = new Map((await open().peek(who, bills, now)).map(({ charge, used }) => [charge.meter.name, used]));
      const oldest = (Math.floor(now / WINDOW.partMs) - WINDOW.parts) * WINDOW.partMs;
      const wanted = { window: sumBetween(lots, oldest, now), budget: sumBetween(lots, now - (now % PERIOD), now) };
      for (const [name, amount] of Object.entries(wanted)) {
        if (hasCrashed) expect(used.get(name)).toBeGreaterThanOrEqual(amount);
        else expect(used.get(name)).toBe(amount);
      }
    };
    await check(fc.asyncProperty(history, play), 15);
    expect(admitted).toBeGreaterThan(1_000);
  }, 60_000);

  const take = async (store: Store, charges: Parameters<typeof alternativeOf>[0]) =>
    (await store.take({ alternatives: [alternativeOf(charges)] }, START)) as Taken & NotTaken;
  const shared = (cost: number, limit: number) => charge(meters.window, WINDOW, [], cost, limit);
  const own = (tenant: string, cost: number, limit: number) => charge(meters.own, WINDOW, [tenant], cost, limit);
  const used = async (store: Store, limit: number) =>
    (await store.peek([], [{ scope: ALL, charges: [shared(0, limit).charge] }], START))[0].used;

  it('asks a shared meter seldom where there is room', async () => {
    const { state, open } = remoteShards();
    const store = open();
    for (let i = 0; i < 5_000; i++) await take(store, [shared(1, 1_000_000)]);
    expect(state.asked).toBeLessThan(20);
    await store.close();
    expect(await used(open(), 1_000_000)).toBe(5_000);
  });

  it('fills a shared limit to the last unit, by processes that all lease of it', async () => {
    const { open } = remoteShards();
    const stores = [open(), open(), open()];
    const results = await Promise.all(
      Array.from({ length: 2_000 }, (_, i) => take(stores[i % 3], [shared(1, 999), own(`${i % 7}`, 1, 2_000)])),
    );
    // What is held ahead by one while another asks may refuse that.
    const admitted = () => results.filter(({ receipt }) => receipt).length;
    for (const store of stores) {
      for (;;) {
        const result = await take(store, [shared(1, 999)]);
        if (result.refused) break;
        results.push(result);
      }
      await store.close();
    }
    for (const store of [open()]) {
      for (;;) {
        const result = await take(store, [shared(1, 999)]);
        if (result.refused) break;
        results.push(result);
      }
    }
    expect(admitted()).toBe(999);
  });

  it('gives back what is shared before it tells that a shard refuses', async () => {
    for (const [limit, isLeased] of [
      [3, false],
      [1_000_000, true],
    ] as const) {
      const { open } = remoteShards();
      const [one, other] = [open(), open()];
      await take(one, [shared(1, limit), own('a', 1, 1)]);
      const { refused } = await take(one, [shared(1, limit), own('a', 1, 1)]);
      expect(refused[0].map(({ used, waitMs }) => [used, waitMs > 0])).toEqual([
        [1, false],
        [1, true],
      ]);
      // What may be leased is kept for the next, until it is idle.
      expect(await used(other, limit)).toBe(isLeased ? 4 : 1);
      await one.close();
      expect(await used(other, limit)).toBe(1);
    }
  });

  it('gives back what is idle, also once a gate that shared the store has closed it', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    try {
      const { open } = remoteShards();
      const [one, other] = [open(), open()];
      await take(one, [shared(1, 1_000_000)]);
      await one.close();
      for (let i = 0; i < 2; i++) await take(one, [shared(1, 1_000_000)]);
      expect(await used(other, 1_000_000)).toBeGreaterThan(3);
      await jest.advanceTimersByTimeAsync(2_000);
      expect(await used(other, 1_000_000)).toBe(3);
    } finally {
      jest.useRealTimers();
    }
  });

  it('charges nothing in a shard where a shared limit refuses', async () => {
    const store = remoteShards().open();
    await take(store, [shared(2, 3), own('a', 2, 10)]);
    const refused = await take(store, [shared(2, 3), own('a', 2, 10)]);
    expect(refused).toMatchObject({ refused: [[{ used: 2 }, { used: 2 }]] });
    expect((await take(store, [shared(1, 3), own('a', 8, 10)])).taken).toBe(0);
  });

  it('gives back what is shared where a shard fails', async () => {
    const { open } = remoteShards({ fails: ({ by }) => by.length > 0 });
    const store = open();
    await expect(take(store, [shared(1, 3), own('a', 1, 10)])).rejects.toThrow('it is down');
    expect(await used(open(), 3)).toBe(0);
    await take(store, [shared(3, 3)]);
    expect(await used(open(), 3)).toBe(3);
  });

  it('charges nothing where one of several shared limits fails', async () => {
    const { open } = remoteShards({ fails: ({ by }) => by.includes('user') });
    const byUser = { ...meters.window, id: 'by user', scope: { by: ['user'], at: [1] } } as Meter;
    const ways = [shared(1, 3), own('a', 1, 1), charge(byUser, WINDOW, ['ann'], 1)];
    const store = open();
    await expect(take(store, ways)).rejects.toThrow('it is down');
    expect((await take(store, [shared(3, 3), own('a', 1, 1)])).taken).toBe(0);
  });

  it('gives back at its end also what it was asking for', async () => {
    const { state, open } = remoteShards();
    const store = open();
    for (let i = 0; i < 20; i++) await take(store, [shared(1, 1_000_000)]);
    state.turns = 20;
    const asked = Array.from({ length: 15 }, () => take(store, [shared(1, 1_000_000)]));
    await Promise.all([store.close(), ...asked]);
    expect(await used(open(), 1_000_000)).toBe(35);
  });

  it('counts slots one by one', async () => {
    const { open } = remoteShards();
    const [one, other] = [open(), open()];
    const slots = { ...meters.window, id: 'slots', name: 'slots', unit: 'slots' } as Meter;
    const slot = () => charge(slots, { kind: 'slots', leaseMs: 60_000 }, [], 1, 100);
    const receipts: Receipt[] = [];
    for (let i = 0; i < 100; i++) receipts.push((await take(i % 2 ? one : other, [slot()])).receipt);
    expect(await take(one, [slot()])).toMatchObject({ refused: [[{ used: 100 }]] });
    await other.settle(receipts[0], [0], START);
    expect((await take(one, [slot()])).taken).toBe(0);
    expect(await take(other, [slot()])).toMatchObject({ refused: [[{ used: 100 }]] });
  });

  it('lets what is on trial alter no answer', async () => {
    const store = remoteShards().open();
    const trial = (cost: number) => charge(meters.budget, calendar(PERIOD)(START), [], cost, 3, true);
    await take(store, [trial(2), own('a', 2, 10)]);
    const { receipt, shadowRefused } = await take(store, [trial(2), own('a', 2, 10)]);
    expect([receipt.length, shadowRefused.map(({ used }) => used)]).toEqual([1, [2]]);
  });

  it('is asked whether it can keep what a gate counts, whatever stands between them', () => {
    const client = { callBuffer: () => Promise.reject(new Error('not to be asked')) };
    const store = redisStore(client, { shardBy: 'tenant' });
    const limits = [
      slidingWindow({ name: 'global', limit: 9, window: '1m' }),
      flexible(new RateLimiterMemory({ points: 1, duration: 1 }), { name: 'other' }),
    ];
    for (const some of [limits, limits.slice(0, 1)]) {
      expect(() => createTollgate({ store, limits: some })).toThrow(
        expect.objectContaining({ problems: [expect.objectContaining({ path: "the limit 'global'" })] }),
      );
    }
  });

  it('is made only where all shared limits are said to be', () => {
    const store = shardedStore(() => memoryStore(), memoryStore(), {
      shardBy: 'tenant',
      shared: ['global'],
      isTimeGiven: false,
      later: second,
    });
    const limit = (name: string, ...by: ('tenant' | 'user')[]) => slidingWindow({ name, by, limit: 9, window: '1m' });
    const make = (...limits: ReturnType<typeof limit>[]) =>
      createTollgate({ store, limits, budgets: [budget({ name: 'company', limit: '$5', per: 'day' })] });
    expect(() => make(limit('global'), limit('user', 'user'), limit('own', 'tenant'))).toThrow(
      expect.objectContaining({
        code: 'TOLLGATE_CONFIG_INVALID',
        problems: [
          expect.objectContaining({ path: "the limit 'user'", value: 'user' }),
          expect.objectContaining({ path: "the budget 'company'", value: undefined }),
        ],
      }),
    );
    expect(() => createTollgate({ store, limits: [limit('global'), limit('own', 'tenant')] })).not.toThrow();
  });
});
