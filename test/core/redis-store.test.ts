/** What belongs to the Redis store alone: its keys, its options, and records that gates of several configurations share. */
import { once } from 'node:events';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  type Alternative,
  concurrency,
  createTollgate,
  type Rule,
  type Store,
  slidingWindow,
  type Taken,
} from '@tollgate/core';
import { type RedisClient, redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import {
  alternativeOf,
  BUCKET,
  charge,
  daily,
  makeMeters,
  PERIOD,
  START,
  WINDOW,
} from '../conformance/store/charges.js';
import { check } from '../helpers/oracle-log.js';
import type { Keyed } from '../helpers/oracle-store.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

describe('redisStore', () => {
  const client: RedisClient = { callBuffer: () => Promise.reject(new Error('not to be asked')) };

  it.each([
    ['prefix', { prefix: '' }],
    ['prefix', { prefix: 'a{b' }],
    ['prefix', { prefix: 'a}b' }],
    ['prefix', { prefix: 'x'.repeat(101) }],
    ['prefix', { prefix: 7 as unknown as string }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: 1.5 }],
    ['timeoutMs', { timeoutMs: Number.POSITIVE_INFINITY }],
    ['clock', { clock: 'wall' as 'gate' }],
    ['shardBy', { shardBy: '' as 'tenant' }],
    ['shardBy', { shardBy: ['tenant'] as unknown as 'tenant' }],
    ['shared', { shared: ['global'] }],
    ['shared', { shardBy: 'tenant' as const, shared: 'global' as unknown as string[] }],
    ['shared[1]', { shardBy: 'tenant' as const, shared: ['global', 7 as unknown as string] }],
    ['prefx', { prefx: 'app' } as object],
    ['spendledger', { spendledger: true } as object],
  ])('refuses what is no %s: %p', (field, options) => {
    expect(() => redisStore(client, options)).toThrow(
      expect.objectContaining({
        code: 'TOLLGATE_CONFIG_INVALID',
        message: expect.stringContaining(`redisStore.${field}`),
      }),
    );
  });

  it.each([undefined, null, {}, 'redis://localhost'])('refuses %p as a client', (client) => {
    expect(() => redisStore(client as unknown as RedisClient)).toThrow(/redisStore\.client: .*ioredis/);
  });

  it('lets a client whose Redis is gone print nothing, and leaves a listener of its user alone', async () => {
    const printed = jest.spyOn(console, 'error').mockImplementation(() => {});
    const gone = () => new Redis({ port: 1, lazyConnect: true, retryStrategy: null });
    const [silent, heard] = [gone(), gone()];
    const listener = jest.fn();
    heard.on('error', listener);
    for (const client of [silent, silent, heard]) redisStore(client);
    await expect(silent.connect()).rejects.toThrow('Connection is closed');
    await expect(heard.connect()).rejects.toThrow('Connection is closed');
    expect(printed).not.toHaveBeenCalled();
    expect([silent.listenerCount('error'), heard.listenerCount('error')]).toEqual([1, 1]);
    expect(listener).toHaveBeenCalled();
    printed.mockRestore();
  });

  it('tells of a failure without what was sent, which names callers', async () => {
    const error = Object.assign(new Error('READONLY'), { command: { name: 'evalsha', args: ['ann'] } });
    const store = redisStore({ callBuffer: () => Promise.reject(error) });
    const put = { collection: 'keys', name: 'ann', was: undefined, text: 'ann', ttlMs: 1_000 };
    for (const ask of [
      () => store.peek(['ann'], [], START),
      () => store.records?.get('keys', 'ann', START),
      () => store.records?.put(put, START),
      () => store.records?.list('keys', START),
      () => store.shared?.claim('ann', 1_000),
      () => store.shared?.publish('api', 'ann', 0),
    ]) {
      const asked = ask();
      await expect(asked).rejects.toMatchObject({
        code: 'TOLLGATE_STORE_FAILED',
        message: expect.stringContaining('READONLY'),
      });
      await expect(asked).rejects.not.toHaveProperty('command');
      await expect(asked).rejects.not.toHaveProperty('cause');
    }
  });

  it('closes as soon as all that was asked has failed', async () => {
    let fail = (_: Error) => {};
    const failing: RedisClient = {
      callBuffer: () =>
        new Promise((_, reject) => {
          fail = reject;
        }),
    };
    const store = redisStore(failing, { timeoutMs: 60_000 });
    const asked = Promise.resolve(store.peek(['ann'], [], START));
    await new Promise(setImmediate);
    const closed = store.close();
    fail(new Error('READONLY'));
    await expect(asked).rejects.toMatchObject({ code: 'TOLLGATE_STORE_FAILED' });
    await closed;
  });
});

describeWithRedis('a store in Redis', () => {
  const url = useRedis();
  let client: Redis;
  let prefix: string;
  let count = 0;
  const meters = makeMeters();
  beforeAll(() => {
    client = new Redis(url());
  });
  afterAll(() => client.disconnect());
  beforeEach(() => {
    prefix = `own ${process.pid} ${count++}`;
  });

  const open = (options = {}) => redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000, ...options });
  const take = async (store: Store, way: Alternative, at = START) =>
    (await store.take({ alternatives: [way] }, at)) as Taken;
  const used = async (store: Store, charges: readonly Keyed[], at = START) => {
    const { who, bills } = alternativeOf(charges);
    return (await store.peek(who, bills, at)).map(({ used }) => used);
  };
  const keys = () => client.keys(`{${prefix}}*`);
  const recordKeys = async () => (await keys()).filter((key) => !key.startsWith(`{${prefix}}/`));

  describe('its keys', () => {
    const nasty = fc.string({
      unit: fc.constantFrom('a', ':', '-', '~', '{', '}', '/', '\0', '\r\n', 'é', '😀', '\ud800', '\udfff', '2', '1'),
    });
    const value = fc.oneof({ weight: 5, arbitrary: nasty }, fc.constant(undefined));

    it('keep all that callers may be called apart, in the slot of the prefix', async () => {
      const sets = fc.uniqueArray(fc.tuple(value, value), {
        selector: ([a, b]) => JSON.stringify([a ?? null, b ?? null]),
        minLength: 2,
        maxLength: 30,
      });
      await check(
        fc.asyncProperty(sets, async (sets) => {
          prefix = `own ${process.pid} ${count++}`;
          const store = open();
          await Promise.all(
            sets.map((key, i) => take(store, alternativeOf([charge(meters.coarse, WINDOW, key, i + 1, 1_000)]))),
          );
          const amounts = sets.map((key) => used(store, [charge(meters.coarse, WINDOW, key, 0)]));
          expect((await Promise.all(amounts)).flat()).toEqual(sets.map((_, i) => i + 1));
          const names = await keys();
          expect(await recordKeys()).toHaveLength(sets.length);
          for (const name of names) expect(name.slice(name.indexOf('{') + 1, name.indexOf('}'))).toBe(prefix);
        }),
        50,
      );
    });

    it('are apart by prefix, and shared by stores of the same one', async () => {
      const ann = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost);
      const [first, second, other] = [open(), open(), open({ prefix: `${prefix} other` })];
      await take(first, alternativeOf([ann(4)]));
      expect([await used(second, [ann(0)]), await used(other, [ann(0)])]).toEqual([[4], [0]]);
    });

    it('live for as long as the longest of their meters counts, and a little longer', async () => {
      const store = open();
      const minutes = async () => Math.round((await client.pttl((await recordKeys())[0])) / 60_000);
      await take(store, alternativeOf([charge(meters.window, WINDOW, ['ann'], 1)]));
      expect(await minutes()).toBeLessThanOrEqual(3);
      await take(store, alternativeOf([charge(meters.budget, daily(START), ['ann'], 1)]));
      const budget = (3 * PERIOD) / 60_000;
      expect(Math.abs((await minutes()) - budget)).toBeLessThanOrEqual(3);
      await take(store, alternativeOf([charge(meters.window, WINDOW, ['ann'], 1)]));
      expect(Math.abs((await minutes()) - budget)).toBeLessThanOrEqual(3);
    });

    it('are of an epoch that goes on with each process that begins, however soon that ends', async () => {
      const days = async (name: string) => Math.round((await client.pttl(name)) / 86_400_000);
      const ann = alternativeOf([charge(meters.window, WINDOW, ['ann'], 1)]);
      await take(open(), ann);
      const epoch = (await keys()).find((name) => name.endsWith('/epoch')) ?? '';
      const before = await client.getBuffer(epoch);
      await client.pexpire(epoch, 60_000);
      expect(await days(epoch)).toBe(0);
      await take(open(), ann);
      expect([await days(epoch), await client.getBuffer(epoch)]).toEqual([30, before]);
    });

    it('live longer as more is charged, for all the time that it takes to come back', async () => {
      const store = open();
      const perMs = 2 ** -10;
      const lasting = async (cost: number) => {
        await take(store, alternativeOf([charge(meters.bucket, { kind: 'bucket', perMs }, ['ann'], cost, 1e9)]));
        return (await client.pttl((await recordKeys())[0])) / 3_600_000;
      };
      const hours = (amount: number) => amount / perMs / 3_600_000;
      const whole = Math.ceil(10 * 3_600_000 * perMs);
      expect(await lasting(1)).toBeLessThan(hours(whole));
      expect(await lasting(whole)).toBeGreaterThan(hours(whole));
      expect(await lasting(whole)).toBeGreaterThan(hours(2 * whole));
    });

    it('of a caller who has a bucket and three budgets take little memory', async () => {
      const store = redisStore(client, { prefix, timeoutMs: 60_000 });
      const own = ['hour', 'day', 'month'].map((id) => ({ ...meters.budget, id, name: id }));
      await take(
        store,
        alternativeOf([
          charge(meters.bucket, BUCKET, ['user-1234'], 1),
          ...own.map((meter) => charge(meter, daily(Date.now()), ['user-1234'], 1)),
        ]),
      );
      const [key] = await recordKeys();
      expect(await client.strlen(key)).toBe(4 * 11 + 8 * (5 + 3 * 3));
    });
  });

  describe('records that gates of several configurations share', () => {
    const old: Rule = { kind: 'window', ms: 1_000, parts: 10, partMs: 100 };
    const next: Rule = { kind: 'window', ms: 2_000, parts: 4, partMs: 500 };
    const changed = { ...meters.window, id: 'window, changed' };
    const added = { ...meters.window, id: 'added', name: 'added' };
    const before = (cost: number) => [
      charge(meters.window, old, ['ann'], cost, 100),
      charge(meters.budget, daily(START), ['ann'], cost, 100),
    ];
    const after = (cost: number) => [
      charge(added, old, ['ann'], cost, 100),
      charge(meters.budget, daily(START), ['ann'], cost, 100),
      charge(changed, next, ['ann'], cost, 100),
    ];

    it('keep what each of them counts, whoever writes last', async () => {
      const [one, two] = [open(), open()];
      const { receipt: mine } = await take(one, alternativeOf(before(3)));
      const { receipt: other } = await take(two, alternativeOf(after(4)));
      await take(one, alternativeOf(before(1)));
      await Promise.all([take(two, alternativeOf(after(1))), take(two, alternativeOf(before(1)))]);
      expect(await used(one, before(0))).toEqual([5, 10]);
      expect(await used(two, after(0))).toEqual([5, 10, 5]);
      await Promise.all([one.settle(mine, [0, 0], START), two.settle(other, [0, 0, 0], START)]);
      expect(await used(two, before(0))).toEqual([2, 3]);
      expect(await used(one, after(0))).toEqual([1, 3, 1]);
      expect(await recordKeys()).toHaveLength(1);
    });

    it('lose what nobody counts any more once it is over', async () => {
      const store = open();
      await take(store, alternativeOf(before(3)));
      const [key] = await recordKeys();
      await take(store, alternativeOf(after(3)));
      const both = await client.strlen(key);
      const later = START + 600_000;
      await take(store, alternativeOf(after(3)), later);
      expect(both - (await client.strlen(key))).toBe(11 + 8 * 12);
    });

    it('hold meters of very many parts', async () => {
      const fine: Rule = { kind: 'window', ms: 100_000, parts: 1_000, partMs: 100 };
      const many = Array.from({ length: 12 }, (_, i) => ({ ...meters.window, id: `fine ${i}`, name: `fine ${i}` }));
      const all = (cost: number) => many.map((meter) => charge(meter, fine, ['ann'], cost, 100));
      const store = open();
      for (const at of [START, START + 5_000, START + 90_000]) await take(store, alternativeOf(all(2)), at);
      expect(await used(store, all(0), START + 90_000)).toEqual(many.map(() => 6));
      expect(await store.take({ alternatives: [alternativeOf(all(95))] }, START + 90_000)).toMatchObject({
        refused: [many.map(() => ({ used: 6, waitMs: 10_100 }))],
      });
      expect(await used(store, all(0), START + 100_100)).toEqual(many.map(() => 4));
    });
  });

  it('takes numbers for what they are where its client gives them as texts', async () => {
    const texts = new Redis(url(), { stringNumbers: true });
    const store = redisStore(texts, { prefix });
    const put = { collection: 'keys', name: 'ann', was: undefined, text: 'ann', ttlMs: 1_000 };
    expect(await store.records?.put(put, START)).toBe(true);
    expect(await store.records?.put({ ...put, text: 'bob' }, START)).toBe(false);
    let end: (() => void) | undefined;
    const heard = new Promise((resolve) => {
      end = store.shared?.listen('api', resolve);
    });
    await store.shared?.publish('api', 'ann', 0);
    expect(await heard).toBe('ann');
    expect(store.shared?.instances('api')).toBe(1);
    end?.();
    texts.disconnect();
  });

  it.each([
    ['6', Redis],
    ['5', Redis5 as unknown as typeof Redis],
  ])('takes a client of ioredis %s that pipelines by itself', async (_, Any) => {
    const limits = [slidingWindow({ name: 'user', by: 'user', limit: 3, window: '1m' })];
    const piping = new Any(url(), { enableAutoPipelining: true });
    const gates = [0, 1].map(() =>
      createTollgate({ limits, queue: { concurrency: 1 }, store: redisStore(piping, { prefix, timeoutMs: 10_000 }) }),
    );
    await client.script('FLUSH');
    const asked = gates.map(async (gate) => {
      const decision = await gate.admit({ subject: { user: 'ann' }, permits: 1 });
      if (decision.admitted) await decision.admission.settle();
      return decision.admitted;
    });
    expect(await Promise.all(asked)).toEqual([true, true]);
    const { limits: told } = await gates[1].inspect({ user: 'ann' });
    expect(told).toMatchObject([{ used: 2 }, { used: 0 }]);
    await Promise.all(gates.map((gate) => gate.close()));
    piping.disconnect();
  });

  it('tells of requests that go by a line how their limits stand then, whatever else is asked in that call', async () => {
    const limits = [slidingWindow({ name: 'user', by: 'user', limit: 60, window: '1m' })];
    const gate = createTollgate({ limits, queue: { concurrency: 4 }, store: redisStore(client, { prefix }) });
    const admit = (user: string) => gate.admit({ subject: { user }, permits: 10 }, { layers: true });
    const decisions = await Promise.all([admit('ann'), admit('bob'), admit('ann'), gate.inspect({ user: 'cleo' })]);
    const user = (used: number) => ({ layer: 'user', used, limit: 60, remaining: 60 - used });
    expect(decisions).toMatchObject([
      { layers: [user(10), { layer: 'concurrency', used: 1 }] },
      { layers: [user(10), { used: 2 }] },
      { layers: [user(20), { used: 3 }] },
      { limits: [user(0), { layer: 'concurrency', used: 3 }] },
    ]);
    await gate.close();
  });

  it('settles one meter several times in one step, by rules of different rates', async () => {
    const store = open();
    const slow = (cost: number) => charge(meters.bucket, BUCKET, ['ann'], cost, 100);
    const fast = (cost: number) => charge(meters.bucket, { kind: 'bucket', perMs: 2 ** -9 }, ['ann'], cost, 100);
    const receipt = [
      ...(await take(store, alternativeOf([slow(5)]))).receipt,
      ...(await take(store, alternativeOf([fast(6)]))).receipt,
      ...(await take(store, alternativeOf([slow(7)]))).receipt,
    ];
    await store.settle(receipt, [1, 2, 3], START);
    expect(await used(store, [slow(0)])).toEqual([6]);
    expect(receipt.map(({ cost }) => cost)).toEqual([1, 2, 3]);
  });

  it('takes settlings of one receipt in the order in which they are asked for', async () => {
    const store = open();
    const ann = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost, 1_000);
    const { receipt } = await take(store, alternativeOf([ann(10)]));
    const asked = [30, 2, 50, 7].map((actual, i) => store.settle(receipt, [actual], START + i, true));
    await Promise.all(asked);
    expect(receipt).toMatchObject([{ cost: 7 }]);
    // What was raised is booked anew, so the last lowering left the higher of them.
    const inOrder = open({ prefix: `${prefix} in order` });
    const { receipt: same } = await take(inOrder, alternativeOf([ann(10)]));
    for (const [i, actual] of [30, 2, 50, 7].entries()) await inOrder.settle(same, [actual], START + i, true);
    expect(await used(store, [ann(0)])).toEqual(await used(inOrder, [ann(0)]));
  });

  it('sends what is asked for in one turn as one call', async () => {
    let calls = 0;
    const counting: RedisClient = {
      callBuffer(command, args) {
        calls++;
        return client.callBuffer(command, args);
      },
    };
    const store = redisStore(counting, { prefix, timeoutMs: 60_000 });
    await take(store, alternativeOf([charge(meters.window, WINDOW, ['ann'], 1)]));
    calls = 0;
    await Promise.all(
      Array.from({ length: 128 }, (_, i) =>
        take(store, alternativeOf([charge(meters.window, WINDOW, [`user-${i}`], 1)])),
      ),
    );
    expect(calls).toBe(1);
    calls = 0;
    await Promise.all(
      Array.from({ length: 1_000 }, () =>
        take(store, alternativeOf([charge(meters.window, WINDOW, ['bob'], 1, 2_000)])),
      ),
    );
    expect(calls).toBe(8);
  });

  it('asks once more, and for some time in full, where not all that is asked can be done', async () => {
    const calls: number[] = [];
    const counting: RedisClient = {
      callBuffer(command, args) {
        calls.push(args.length);
        return client.callBuffer(command, args);
      },
    };
    const store = redisStore(counting, { prefix, timeoutMs: 60_000 });
    const spend = (user: string, cost: number) =>
      store.take({ alternatives: [alternativeOf([charge(meters.budget, daily(START), [user], cost, 10)])] }, START);
    await spend('ann', 5);
    calls.length = 0;
    await spend('ann', 5);
    expect(calls).toHaveLength(1);
    const [brief] = calls;
    expect(await spend('ann', 1)).toMatchObject({ refused: [[{ used: 10 }]] });
    expect(calls).toHaveLength(3);
    // Each for more than the one before, since what has just been refused is not asked again.
    for (let cost = 2; cost < 65; cost++) expect(await spend('ann', cost)).toMatchObject({ refused: [[{ used: 10 }]] });
    expect(calls).toHaveLength(66);
    expect(calls.slice(2).every((length) => length > brief)).toBe(true);
    await spend('bob', 1);
    expect(calls.slice(66)).toEqual([brief]);
  });

  it('does nothing by a call that comes once more after what it asks was sent in full', async () => {
    const late: Parameters<RedisClient['callBuffer']>[] = [];
    const keeping: RedisClient = {
      callBuffer(command, args) {
        late.push([command, args]);
        return client.callBuffer(command, args);
      },
    };
    const store = redisStore(keeping, { prefix, timeoutMs: 60_000 });
    const way = (cost: number) => alternativeOf([charge(meters.budget, daily(START), ['ann'], cost, 10)]);
    await take(store, way(1));
    late.length = 0;
    const answers = [7, 7].map((cost) => store.take({ alternatives: [way(cost)] }, START));
    expect(await Promise.all(answers)).toMatchObject([{ taken: 0 }, { refused: [[{ used: 8 }]] }]);
    expect(late).toHaveLength(2);
    for (const [command, args] of late) await client.callBuffer(command, args);
    const { bills, who } = way(0);
    expect(await store.peek(who, bills, START)).toMatchObject([{ used: 8 }]);
  });

  it('does nothing by a call that comes once more before what it asks is sent in full, though there is room by then', async () => {
    const other = open();
    const way = (cost: number) => alternativeOf([charge(meters.budget, daily(START), ['ann'], cost, 10)]);
    const { receipt } = await take(other, way(8));
    const answers: unknown[] = [];
    const twice: RedisClient = {
      async callBuffer(command, args) {
        const answer = await client.callBuffer(command, args);
        if (answers.push(answer) > 1) return answer;
        await other.settle(receipt, [0], START);
        answers.push(await client.callBuffer(command, args));
        return answer;
      },
    };
    const store = redisStore(twice, { prefix, timeoutMs: 60_000 });
    expect(await store.take({ alternatives: [way(3)] }, START)).toMatchObject({ taken: 0 });
    const [first, again, ...full] = answers;
    expect(again).toEqual(first);
    expect(full).toHaveLength(1);
    const { bills, who } = way(0);
    expect(await store.peek(who, bills, START)).toMatchObject([{ used: 3 }]);
  });

  it('answers a call that is sent again as it did before, be that shorter than what it answered the call before', async () => {
    const twice: RedisClient = {
      async callBuffer(command, args) {
        const answer = await client.callBuffer(command, args);
        expect(await client.callBuffer(command, args)).toEqual(answer);
        return answer;
      },
    };
    const store = redisStore(twice, { prefix, timeoutMs: 60_000 });
    const spent = Array.from({ length: 60 }, () => 0);
    for (const count of [5, 60, 1, 30, 2]) {
      const users = spent.slice(0, count).map((_, i) => `user-${i}`);
      const taken = await Promise.all(
        users.map((user) => take(store, alternativeOf([charge(meters.budget, daily(START), [user], 1, 1_000)]))),
      );
      expect(taken.map(({ receipt }) => receipt[0].used)).toEqual(users.map((_, i) => ++spent[i]));
    }
  });

  it('settles in one call what was taken by many, each for less, for more, or too late', async () => {
    const store = open();
    const way = (cost: number) =>
      alternativeOf([
        charge(meters.window, WINDOW, ['ann'], cost, 1_000),
        charge(meters.budget, daily(START), ['ann'], cost, 1_000),
      ]);
    const PART_MS = 100;
    const times = [START, START + PART_MS, START + 2 * PART_MS];
    const receipts = [];
    for (const at of times) for (const cost of [10, 20]) receipts.push((await take(store, way(cost), at)).receipt);
    // By then what the first two had taken of the window is over.
    const end = START + 11 * PART_MS;
    const actual = [4, 25, 0, 20, 15, 7];
    await Promise.all(receipts.map((receipt, i) => store.settle(receipt, [actual[i], actual[i]], end)));
    expect(receipts.map(([{ cost }]) => cost)).toEqual([10, 25, 0, 20, 15, 7]);
    expect(receipts.map(([, { cost }]) => cost)).toEqual(actual);
    expect(receipts.map(([, { used }]) => used)).toEqual([84, 89, 79, 79, 84, 71]);
    // 5 and 5 were booked at the end, and of the others 20 + 10 + 7 stand.
    expect(await used(store, [charge(meters.window, WINDOW, ['ann'], 0)], end)).toEqual([47]);
  });

  it('takes in one call what fits behind what is given back there, and no more', async () => {
    const store = redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 });
    const way = (user: string, cost: number) =>
      alternativeOf([
        charge(meters.window, WINDOW, [user], cost, 100),
        charge(meters.budget, daily(START), [user], cost, 100),
      ]);
    const { receipt } = await take(store, way('ann', 100));
    const settled = store.settle(receipt, [40, 40], START);
    const one = { alternatives: [way('ann', 1)] };
    const takes = Array.from({ length: 80 }, () => store.take(one, START));
    const other = take(store, way('bob', 7));
    const results = await Promise.all(takes);
    await settled;
    const spent = results.flatMap((result) => ('receipt' in result ? [result.receipt[1].used] : []));
    expect(spent).toEqual(Array.from({ length: 60 }, (_, i) => 41 + i));
    expect((await other).receipt.map(({ used }) => used)).toEqual([undefined, 7]);
    for (const [user, all] of [
      ['ann', 100],
      ['bob', 7],
    ] as const) {
      const { who, bills } = way(user, 0);
      expect((await store.peek(who, bills, START)).map(({ used }) => used)).toEqual([all, all]);
    }
  });

  it('takes in one call where others, whose clock is ahead, have charged some of them', async () => {
    const [ahead, store] = [0, 1].map(() => redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 }));
    const way = (user: string) => alternativeOf([charge(meters.window, WINDOW, [user], 1, 100)]);
    const late = START + 300;
    await take(ahead, way('ann'), late);
    const users = ['ann', 'bob'];
    const taken = await Promise.all(users.map((user) => take(store, way(user))));
    await Promise.all(taken.map(({ receipt }) => store.settle(receipt, [0], START)));
    const left = users.map((user) => used(ahead, [charge(meters.window, WINDOW, [user], 0)], late));
    expect(await Promise.all(left)).toEqual([[1], [0]]);
  });

  it('lets those begin within a second, where it is sharded, who wait for what another process has given back', async () => {
    const clock = manualClock(START);
    const limits = [concurrency({ name: 'slots', by: 'tenant', limit: 1 })];
    const gates = [0, 1].map(() => createTollgate({ clock, limits, queue: {}, store: open({ shardBy: 'tenant' }) }));
    const [one, other] = gates;
    const asked = { subject: { tenant: 'a' } };
    const first = await one.admit(asked);
    const queued = new Promise((resolve) => void other.on('queued', resolve));
    const second = other.admit(asked);
    await queued;
    if (first.admitted) await first.admission.settle();
    clock.advance(1_000);
    expect(await second).toMatchObject({ admitted: true, admission: { waitedMs: 1_000 } });
    await Promise.all(gates.map((gate) => gate.close()));
  });

  it('settles in one call as much as it can hold', async () => {
    const store = redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 });
    const way = alternativeOf([
      charge(meters.window, WINDOW, ['ann'], 1, 1_000),
      charge(meters.bucket, BUCKET, ['ann'], 1, 1_000),
      charge(meters.budget, daily(START), ['ann'], 1, 1_000),
    ]);
    const all = await Promise.all(Array.from({ length: 128 }, () => take(store, way)));
    const other = redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 });
    await Promise.all(all.map(({ receipt }) => other.settle(receipt, [0, 0, 0], START)));
    expect((await store.peek(way.who, way.bills, START)).map(({ used }) => used)).toEqual([0, 0, 0]);
  });

  it('settles an admission that was extended very often', async () => {
    const store = redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 });
    const way = alternativeOf([charge(meters.window, WINDOW, ['ann'], 1, 10_000)]);
    const all = await Promise.all(Array.from({ length: 1_700 }, () => take(store, way)));
    const receipt = all.flatMap(({ receipt }) => receipt);
    await store.settle(
      receipt,
      receipt.map((_, i) => (i < 100 ? 1 : 0)),
      START,
    );
    expect(await used(store, [charge(meters.window, WINDOW, ['ann'], 0)])).toEqual([100]);
  });

  it('closes, though what it asks while nothing else is asked is never answered', async () => {
    let unanswered = () => {};
    let isSilent = false;
    const falling = {
      status: 'ready',
      callBuffer(...[command, args]: Parameters<RedisClient['callBuffer']>) {
        if (!isSilent) return client.callBuffer(command, args);
        unanswered();
        return new Promise(() => {});
      },
    };
    const store = redisStore(falling, { prefix, spendLedger: true, timeoutMs: 100 });
    await take(store, alternativeOf([charge(meters.budget, daily(START), ['ann'], 1, 100)]));
    isSilent = true;
    await new Promise<void>((resolve) => {
      unanswered = resolve;
    });
    await store.close();
    falling.status = 'end';
  });

  it('asks whether Redis knows what was spent for as long as that is noted, though a gate that shares it has closed it', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    let asked = 0;
    const counted: RedisClient = {
      callBuffer(command, args) {
        asked++;
        return client.callBuffer(command, args);
      },
    };
    const store = redisStore(counted, { prefix, spendLedger: true });
    await take(store, alternativeOf([charge(meters.budget, daily(START), ['ann'], 1, 100)]));
    await store.close();
    for (const isNoted of [true, false]) {
      asked = 0;
      for (let second = 0; second < 300; second++) {
        await jest.advanceTimersByTimeAsync(1_000);
        await client.ping();
      }
      expect(asked > 100).toBe(isNoted);
    }
    expect(asked).toBe(0);
    jest.useRealTimers();
  });

  it('asks for nothing once its client has ended, and goes on where that is connected again', async () => {
    jest.useFakeTimers({ doNotFake: ['setImmediate', 'nextTick', 'queueMicrotask'] });
    const own = client.duplicate();
    const ask: RedisClient['callBuffer'] = own.callBuffer.bind(own);
    let isLast = false;
    const asked = jest.spyOn(own as RedisClient, 'callBuffer').mockImplementation(async (command, args) => {
      const reply = await ask(command, args);
      if (!isLast || !`${args}`.includes('/lane/')) return reply;
      own.disconnect();
      throw new Error('Connection is closed.');
    });
    const connected = jest.spyOn(own, 'duplicate');
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const options = { prefix, timeoutMs: 100, spendLedger: true } as const;
    const shards = { shardBy: 'tenant', shared: ['budget'] } as const;
    const [store, sharded] = [redisStore(own, options), redisStore(own, { ...options, ...shards })];
    const ofAnn = (cost: number) => charge(meters.budget, daily(START), ['ann'], cost, 1_000_000);
    const spending = (cost: number) => alternativeOf([ofAnn(cost)]);
    const spent = async () =>
      (await Promise.all([open(), open(shards)].map((store) => used(store, [ofAnn(0)])))).flat();
    const { receipt } = await take(store, spending(1));
    for (let i = 0; i < 3; i++) await take(sharded, spending(1));
    const heard = jest.fn();
    const unlisten = store.shared?.listen('api', heard);
    store.line?.waits(meters.budget, ['ann'], 1);
    store.line?.onRoom(() => {});
    const [connection] = connected.mock.results.map(({ value }): Redis => value);
    const failed = { code: 'TOLLGATE_STORE_FAILED' };
    isLast = true;
    await expect(take(store, spending(7))).rejects.toMatchObject(failed);
    isLast = false;
    if (own.status !== 'end') await once(own, 'end');
    await jest.advanceTimersByTimeAsync(10_000);
    asked.mockClear();
    await jest.advanceTimersByTimeAsync(600_000);
    expect(connection.status).toBe('end');
    expect(jest.getTimerCount()).toBe(0);
    await expect(take(store, spending(1))).rejects.toMatchObject(failed);
    await expect(store.settle(receipt, [0], START)).rejects.toMatchObject(failed);
    expect(asked).not.toHaveBeenCalled();
    expect(await spent()).toEqual([8, 4]);

    await own.connect();
    expect(connected).toHaveBeenCalledTimes(1);
    await open().shared?.publish('api', 'news', 60_000);
    // What was charged for nobody is given back, and so is what was leased.
    while (`${await spent()}` !== '1,3' || heard.mock.calls.length === 0) await jest.advanceTimersByTimeAsync(100);
    expect(connected).toHaveBeenCalledTimes(2);
    expect(heard.mock.calls).toEqual([['news']]);
    await store.settle(receipt, [0], START);
    expect(await spent()).toEqual([0, 3]);
    unlisten?.();
    jest.useRealTimers();
    own.disconnect();
    await once(own, 'end');
    jest.restoreAllMocks();
  });

  it('keeps nothing of attempts to settle that have failed while it is not known what became of the first', async () => {
    setFlagsFromString('--expose-gc');
    const collect: () => void = runInNewContext('gc');
    const { receipt } = await take(open(), alternativeOf([charge(meters.window, WINDOW, ['ann'], 1)]));
    const store = redisStore({ callBuffer: () => new Promise(() => {}) }, { prefix, timeoutMs: 20 });
    const attempt = async () => {
      const actual = [0];
      await expect(store.settle(receipt, actual, START)).rejects.toMatchObject({ code: 'TOLLGATE_STORE_TIMEOUT' });
      return new WeakRef(actual);
    };
    await attempt();
    const attempts = await Promise.all(Array.from({ length: 10 }, attempt));
    await new Promise(setImmediate);
    collect();
    expect(attempts.filter((attempt) => attempt.deref() !== undefined)).toEqual([]);
  });

  it('answers in time who settles what is being settled, though others are settled meanwhile', async () => {
    const [mine, others] = await Promise.all(
      ['ann', 'bob'].map((user) => take(open(), alternativeOf([charge(meters.window, WINDOW, [user], 1)]))),
    );
    let lost = '';
    const losing: RedisClient = {
      callBuffer(command, args) {
        lost ||= String(args[2]);
        return args[2] === lost ? new Promise(() => {}) : client.callBuffer(command, args);
      },
    };
    const store = redisStore(losing, { prefix, timeoutMs: 50 });
    const asked = [2, 3].map((actual) => store.settle(mine.receipt, [actual], START));
    const failed = Promise.allSettled(asked);
    let isAnswered = false;
    void failed.then(() => {
      isAnswered = true;
    });
    for (let i = 0; i < 200; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1));
      await Promise.resolve(store.settle(others.receipt, [i % 2], START)).catch(() => {});
    }
    expect(isAnswered).toBe(true);
    expect(await failed).toMatchObject(asked.map(() => ({ reason: { code: 'TOLLGATE_STORE_TIMEOUT' } })));
  });

  it("counts by Redis's time, whatever the gate's is, and budgets by the gate's periods", async () => {
    const store = redisStore(client, { prefix, timeoutMs: 60_000 });
    const day: Rule = { kind: 'calendar', period: 3, startsAt: 0, resetsAt: 1_000 };
    const ways = (cost: number) => [
      charge(meters.window, { kind: 'window', ms: 86_400_000, parts: 10, partMs: 8_640_000 }, ['ann'], cost),
      charge(meters.budget, day, ['ann'], cost),
    ];
    await take(store, alternativeOf(ways(6)), 400);
    const result = await store.take({ alternatives: [alternativeOf(ways(6))] }, 400);
    const [[window, budget]] = 'refused' in result ? result.refused : [[]];
    expect(budget).toMatchObject({ used: 6, waitMs: 600 });
    expect(window.waitMs).toBeGreaterThan(86_400_000);
    expect(window.waitMs).toBeLessThanOrEqual(86_400_000 + 8_640_000);
  });

  it('keeps what gates of different names and of one name charge in one call', async () => {
    const store = open();
    const limits = () => [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })];
    const gates = ['web', 'jobs', 'jobs'].map((name) =>
      createTollgate({ name, store, limits: limits(), clock: manualClock(START) }),
    );
    const ann = { subject: { user: 'ann' } };
    const asked = gates.flatMap((gate, i) => [3, 4].map((cost) => gate.admit({ ...ann, permits: cost + 10 * i })));
    const admissions = (await Promise.all(asked)).map((decision) => {
      if (!decision.admitted) throw new Error(decision.refusal.detail);
      return decision.admission;
    });
    const used = async () =>
      Promise.all(gates.map(async (gate) => (await gate.inspect(ann.subject)).limits.map(({ used }) => used)));
    expect(await used()).toEqual([[7], [27 + 47], [27 + 47]]);
    await Promise.all(admissions.map((admission) => admission.settle({ outcome: 'ignored' })));
    expect(await used()).toEqual([[0], [0], [0]]);
    await Promise.all(gates.map((gate) => gate.close()));
  });

  it('is shared by the gates of one name, in any process, and leaves its client alone when they close', async () => {
    const limits = [slidingWindow({ name: 'user', by: 'user', limit: 3, window: '1m' })];
    const [a, b] = [open(), open()].map((store) => createTollgate({ store, limits, clock: manualClock(START) }));
    const admit = async (gate: typeof a) => (await gate.admit({ subject: { user: 'ann' }, permits: 2 })).admitted;
    expect([await admit(a), await admit(b)]).toEqual([true, false]);
    await a.close();
    expect(await client.ping()).toBe('PONG');
    expect((await b.admit({ subject: { user: 'ann' }, permits: 1 })).admitted).toBe(true);
    await b.close();
  });
});
