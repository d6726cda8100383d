/** What is under way while a failover loses what was answered, or comes once more: still no spend is lost, nor spent twice. */
import { once } from 'node:events';
import type { Store, Taken } from '@tollgate/core';
import { readReceipt, writeReceipt } from '../../packages/core/src/admission/written-receipt.js';
import { alternativeOf, charge, daily, makeMeters, START } from '../conformance/store/charges.js';
import { until } from '../helpers/redis-cluster.js';
import { type RedisFailover, startFailover } from '../helpers/redis-failover.js';
import { describeWithOwnRedis } from '../helpers/redis-server.js';

const LIMIT = 1_000_000;

describeWithOwnRedis('what a failover loses', () => {
  let redis: RedisFailover;
  const meters = makeMeters();

  beforeEach(async () => {
    redis = await startFailover();
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  });

  afterEach(async () => {
    jest.restoreAllMocks();
    await redis.stop();
  });

  const open = (spendLedger = true) => redis.open({ spendLedger }).store;
  const wayOf = (user: string, cost: number) =>
    alternativeOf([charge(meters.budget, daily(START), [user], cost, LIMIT)]);
  const take = async (store: Store, user: string, cost: number) =>
    (await store.take({ alternatives: [wayOf(user, cost)] }, START)) as Taken;
  const settle = (store: Store, { receipt }: Taken, actual: number) => store.settle(receipt, [actual], START);

  async function spent(store: Store, user: string): Promise<number> {
    const { who, bills } = wayOf(user, 0);
    return (await store.peek(who, bills, START))[0].used;
  }

  /** So that what is asked next is sent, and isn't answered until replies are let go and Redis goes on. */
  async function stall(server: 'master' | 'replica'): Promise<void> {
    await redis[server].call('client', 'pause', 10_000, 'all');
  }

  const sent = () => new Promise((resolve) => setTimeout(resolve, 50));

  it('is not hidden by a call that was under way as it was answered', async () => {
    const store = open();
    await take(store, 'all', 1);
    await redis.replicated();
    await redis.lag();
    redis.proxy.hold();
    const one = take(store, 'ann', 10);
    await sent();
    await stall('master');
    const other = take(store, 'bob', 1);
    await sent();
    redis.proxy.letGo();
    const taken = await one;
    await redis.takeOver();
    await other;
    await take(open(false), 'ann', 5);
    await settle(store, taken, 3);
    expect([await spent(store, 'ann'), await spent(store, 'bob')]).toEqual([8, 1]);
  });

  it('is spent again before anything else is done, though the connection breaks meanwhile', async () => {
    // What a broken connection takes along is not sent again by the client, which is ready as soon as it is connected.
    const impatient = { maxRetriesPerRequest: 0, enableReadyCheck: false, enableOfflineQueue: false };
    const { store, client } = redis.open({ spendLedger: true }, impatient);
    await once(client, 'ready');
    await take(store, 'bob', 1);
    await redis.replicated();
    await redis.lag();
    const taken = await take(store, 'ann', 10);
    await redis.takeOver();
    const other = open(false);
    await take(other, 'ann', 5);
    await until(async () => client.status === 'ready');
    redis.proxy.hold();
    const failing = take(store, 'bob', 1).catch(() => 'failed');
    await sent();
    await redis.replica.call('client', 'pause', 250, 'all');
    redis.proxy.letGo();
    await sent();
    const ready = once(client, 'ready');
    redis.proxy.cut();
    redis.proxy.mend();
    expect(await failing).toBe('failed');
    await ready;
    await settle(store, taken, 3);
    expect(await spent(other, 'ann')).toBe(8);
  });

  it('is spent again where more is lost before that is known to be done, and settled there', async () => {
    const { store, client } = redis.open({ spendLedger: true });
    const taken = await take(store, 'ann', 10);
    await redis.takeOver(true);
    await take(open(false), 'bob', 0);
    await until(async () => client.status === 'ready');
    redis.proxy.hold();
    const peeking = spent(store, 'ann');
    await sent();
    await stall('replica');
    redis.proxy.letGo();
    await sent();
    await redis.takeOverAnew();
    expect(await peeking).toBe(10);
    await settle(store, taken, 3);
    expect(await spent(store, 'ann')).toBe(3);
  });

  it('is spent again each time that it is lost, and settled there', async () => {
    const store = open();
    const taken = await take(store, 'ann', 10);
    await redis.takeOver(true);
    expect(await spent(store, 'ann')).toBe(10);
    await redis.takeOverAnew();
    await settle(store, taken, 3);
    expect(await spent(store, 'ann')).toBe(3);
  });

  it('is given back of what was charged as nothing, and came to something', async () => {
    const store = open();
    const taken = await take(store, 'ann', 0);
    await redis.takeOver(true);
    await store.settle(taken.receipt, [5], START, true);
    await settle(store, taken, 3);
    expect(await spent(store, 'ann')).toBe(3);
  });

  it.each([true, false])(
    'is not given back of what others have spent, of what another process has charged',
    async (isEmpty) => {
      const [web, worker] = [open(false), open()];
      await take(worker, 'bob', 1);
      await redis.replicated();
      await redis.lag();
      const { receipt, ...rest } = await take(web, 'ann', 10);
      const resumed = { ...rest, receipt: readReceipt(writeReceipt(receipt), [meters.budget]) };
      await settle(worker, resumed, 3);
      await redis.takeOver(isEmpty);
      const other = open(false);
      await take(other, 'ann', 20);
      await take(worker, 'bob', 1);
      expect(await spent(other, 'ann')).toBe(20);
    },
  );

  it('is spent again of thousands of keys, however short the time is in which calls have to be answered', async () => {
    const { store } = redis.open({ spendLedger: true, timeoutMs: 150 });
    const users = Array.from({ length: 4_000 }, (_, i) => `user ${i}`);
    const takeInTime = (user: string) => take(store, user, 2).catch((): Promise<Taken> => takeInTime(user));
    for (let i = 0; i < users.length; i += 100) await Promise.all(users.slice(i, i + 100).map(takeInTime));
    await redis.takeOver(true);
    const reader = open(false);
    await until(async () => (await spent(reader, users[0])) === 2 && (await spent(reader, users[3_999])) === 2);
    expect(new Set(await Promise.all(users.map((user) => spent(reader, user))))).toEqual(new Set([2]));
  });

  it.each(Array.from({ length: 8 }, (_, i) => [i % 2 === 1 ? 'all' : 'some', i]))(
    'comes to what was spent, where %s is lost while two processes take, extend and settle (%i)',
    async (what) => {
      const stores = [open(), open()];
      const taken: { readonly store: Store; readonly receipt: Taken['receipt'] }[] = [];
      let isOver = false;
      const any = (count: number) => Math.floor(Math.random() * count);
      const waited = () => new Promise((resolve) => setTimeout(resolve, any(6)));

      async function work(store: Store): Promise<void> {
        while (!isOver) {
          const user = `u${any(3)}`;
          const charges = [
            charge(meters.budget, daily(START), [user], 10, LIMIT),
            charge(meters.longer, daily(START), [user, 'f'], 10, LIMIT),
            charge(meters.window, { kind: 'window', ms: 1_000, parts: 10, partMs: 100 }, [user], 1, LIMIT),
          ];
          const way = alternativeOf(charges.slice(0, 2 + any(2)));
          const receipt = [...((await store.take({ alternatives: [way] }, START)) as Taken).receipt];
          taken.push({ store, receipt });
          if (any(3) === 0) await waited();
          if (any(4) === 0) receipt.push(...((await store.take({ alternatives: [way] }, START)) as Taken).receipt);
          const actual = receipt.map(() => any(13));
          if (any(2) === 0) await store.settle([...receipt], actual, START, any(2) === 0);
          if (any(2) === 0) await waited();
        }
      }

      /** By meter and user; in the books, and by the entries. */
      async function books(reader: Store): Promise<readonly [string, string]> {
        const sums = new Map<string, number>();
        const used = new Map<string, number>();
        for (const { charge: one, who, cost } of taken.flatMap(({ receipt }) => receipt)) {
          if (one.rule.kind !== 'calendar') continue;
          const name = `${one.meter.id} ${who[1]}`;
          sums.set(name, (sums.get(name) ?? 0) + cost);
          if (used.has(name)) continue;
          const [usage] = await reader.peek(who, [{ scope: one.meter.scope, charges: [one] }], START);
          used.set(name, usage.used);
        }
        return [JSON.stringify([...used]), JSON.stringify([...sums])];
      }

      const working = stores.flatMap((store) => Array.from({ length: 3 }, () => work(store)));
      await new Promise((resolve) => setTimeout(resolve, 100 + any(100)));
      await redis.lag();
      await new Promise((resolve) => setTimeout(resolve, any(60)));
      await redis.takeOver(what === 'all');
      await new Promise((resolve) => setTimeout(resolve, any(300)));
      isOver = true;
      await Promise.all(working);
      const reader = open(false);
      // Who asks for nothing more notices within two seconds.
      await Promise.all(stores.map((store) => take(store, 'nobody', 0)));
      await Promise.all(stores.map((store) => take(store, 'nobody', 0)));
      let [inBooks, wanted] = await books(reader);
      expect(inBooks).toBe(wanted);
      await Promise.all(
        taken.map(({ store, receipt }) =>
          store.settle(
            receipt,
            receipt.map(() => any(9)),
            START,
          ),
        ),
      );
      [inBooks, wanted] = await books(reader);
      expect(inBooks).toBe(wanted);
    },
  );
});
