/** What becomes of takes and settles where the network or Redis itself fails: charged once, settled once, and always answered. */
import type { Store, Taken } from '@tollgate/core';
import { type RedisStoreOptions, redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { alternativeOf, BUCKET, charge, daily, makeMeters, START, WINDOW } from '../conformance/store/charges.js';
import { type FaultyProxy, startFaultyProxy } from '../helpers/faulty-proxy.js';
import { describeWithOwnRedis, type RedisServer, startRedis } from '../helpers/redis-server.js';

const LIMIT = 1_000_000;

describeWithOwnRedis('a store whose Redis fails', () => {
  let server: RedisServer;
  let proxy: FaultyProxy;
  let admin: Redis;
  let clients: Redis[] = [];
  const meters = makeMeters();

  async function begin(keeps: boolean): Promise<void> {
    server = await startRedis({ keeps });
    proxy = await startFaultyProxy(server.port);
    admin = new Redis(server.port, { retryStrategy: () => 20 });
    admin.on('error', () => {});
  }

  afterEach(async () => {
    for (const client of [admin, ...clients]) client.disconnect();
    clients = [];
    await proxy.close();
    await server.stop();
  });

  function connect(options: RedisStoreOptions = {}, autoResendUnfulfilledCommands = true): Store {
    const redis = new Redis(proxy.port, { retryStrategy: () => 20, autoResendUnfulfilledCommands });
    redis.on('error', () => {});
    clients.push(redis);
    return redisStore(redis, { clock: 'gate', timeoutMs: 5_000, ...options });
  }

  const way = (cost: number, user = 'ann') =>
    alternativeOf([
      charge(meters.window, WINDOW, [user], cost, LIMIT),
      charge(meters.bucket, BUCKET, [user], cost, LIMIT),
      charge(meters.budget, daily(START), [user], cost, LIMIT),
    ]);
  const take = async (store: Store, cost: number, user?: string) =>
    (await store.take({ alternatives: [way(cost, user)] }, START)) as Taken;
  const used = async (store: Store, user?: string) => {
    const { who, bills } = way(0, user);
    return (await store.peek(who, bills, START)).map(({ used }) => used);
  };
  const codeOf = (promise: unknown) =>
    Promise.resolve(promise).then(
      () => 'done',
      (error) => error.code,
    );

  /** Asks until it is so: what is given back is so in the background. */
  async function until(is: () => Promise<boolean>): Promise<void> {
    while (!(await is().catch(() => false))) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  describe('and keeps its data', () => {
    beforeEach(() => begin(true));

    it('answers a call that is sent again as it did before', async () => {
      const store = connect();
      proxy.loseNextReply();
      const { receipt } = await take(store, 7);
      expect(await used(store)).toEqual([7, 7, 7]);
      proxy.loseNextReply();
      await store.settle(receipt, [3, 3, 3], START);
      expect(receipt.map(({ cost }) => cost)).toEqual([3, 3, 3]);
      expect(await used(store)).toEqual([3, 3, 3]);
    });

    it('answers where the client never does, and gives back what was charged', async () => {
      const store = connect({ timeoutMs: 100 }, false);
      proxy.loseNextReply();
      expect(await codeOf(take(store, 7))).toBe('TOLLGATE_STORE_TIMEOUT');
      await until(async () => (await used(store)).every((amount) => amount === 0));
    });

    it('gives back what was charged for a take that nobody waits for any more, however late that is learned', async () => {
      const [store, other] = [connect({ timeoutMs: 50 }), connect()];
      await take(other, 1);
      proxy.hold();
      expect(await codeOf(take(store, 7))).toBe('TOLLGATE_STORE_TIMEOUT');
      proxy.letGo();
      await until(async () => (await used(other)).every((amount) => amount === 1));
    });

    it('never does what it has said was not done', async () => {
      const [store, other] = [connect({ timeoutMs: 50 }), connect()];
      await take(other, 1);
      proxy.cut();
      const takes = Array.from({ length: 300 }, () => codeOf(take(store, 5)));
      expect(new Set(await Promise.all(takes))).toEqual(new Set(['TOLLGATE_STORE_TIMEOUT']));
      proxy.mend();
      await until(async () => (await take(store, 0)).taken === 0);
      await until(async () => (await used(other)).every((amount) => amount === 1));
    });

    it('does nothing when a call that was sent again arrives late', async () => {
      const store = connect();
      await take(store, 1);
      proxy.delayNext();
      await take(store, 5);
      for (let i = 0; i < 3; i++) await take(store, 1);
      proxy.deliver();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await used(store)).toEqual([9, 9, 9]);
    });

    it('leaves word for a call that has been cancelled and arrives later', async () => {
      const [store, other] = [connect({ timeoutMs: 100 }, false), connect()];
      await take(other, 1);
      proxy.delayNext();
      expect(await codeOf(take(store, 5))).toBe('TOLLGATE_STORE_TIMEOUT');
      const isCancelled = async () => {
        const lanes = await admin.keys('*/lane/*');
        return (await Promise.all(lanes.map((lane) => admin.strlen(lane)))).includes(24);
      };
      await until(isCancelled);
      proxy.deliver();
      await new Promise((resolve) => setTimeout(resolve, 50));
      expect(await isCancelled()).toBe(true);
      expect(await used(other)).toEqual([1, 1, 1]);
    });

    it('settles once, be the answer late, and what comes next starts from there', async () => {
      const [store, other] = [connect({ timeoutMs: 50 }), connect()];
      const { receipt } = await take(other, 10);
      proxy.hold();
      expect(await codeOf(store.settle(receipt, [4, 4, 4], START, true))).toBe('TOLLGATE_STORE_TIMEOUT');
      const next = codeOf(store.settle(receipt, [6, 6, 6], START));
      expect(await next).toBe('TOLLGATE_STORE_TIMEOUT');
      proxy.letGo();
      await until(async () => (await codeOf(store.settle(receipt, [5, 5, 5], START))) === 'done');
      expect(receipt.map(({ cost }) => cost)).toEqual([5, 5, 5]);
      expect(await used(other)).toEqual([5, 5, 5]);
    });

    it('answers in time as an outage is over, whatever an idle process has asked meanwhile', async () => {
      const redis = new Redis(proxy.port, { retryStrategy: () => 20, maxRetriesPerRequest: 1 });
      redis.on('error', () => {});
      clients.push(redis);
      const store = redisStore(redis, { clock: 'gate', timeoutMs: 300, spendLedger: true });
      await take(store, 1);
      proxy.cut();
      // As long as it takes to ask by each of its lanes, once a second, and to pause for longer than others may wait.
      await new Promise((resolve) => setTimeout(resolve, 7_000));
      proxy.mend();
      await until(async () => redis.status === 'ready');
      expect(await codeOf(take(store, 1))).toBe('done');
      await store.close();
    });

    it('goes on where its scripts are flushed at any moment', async () => {
      const store = connect();
      const receipts: Taken[] = [];
      for (let i = 0; i < 40; i++) {
        const flushing = admin.script('FLUSH', 'ASYNC');
        const takes = Array.from({ length: 5 }, () => take(store, 2));
        if (receipts.length > 0) await store.settle((receipts.pop() as Taken).receipt, [1, 1, 1], START);
        receipts.push(...(await Promise.all(takes)));
        await flushing;
      }
      expect(receipts).toHaveLength(161);
      expect(await used(store)).toEqual([361, 361, 361]);
    });

    it('charges each once over a restart, or tells that it did not', async () => {
      const store = connect({ timeoutMs: 10_000 });
      const results: Promise<Taken | string>[] = [];
      for (let round = 0; round < 20; round++) {
        for (let i = 0; i < 20; i++) results.push(take(store, 1).catch(({ code }) => code));
        if (round === 10) await server.kill().then(server.start);
        await new Promise(setImmediate);
      }
      const taken = (await Promise.all(results)).filter((result) => typeof result !== 'string');
      await until(async () => (await used(store))[0] === taken.length);
      expect(await used(store)).toEqual([taken.length, taken.length, taken.length]);
      await Promise.all(taken.map(({ receipt }) => store.settle(receipt, [0, 0, 0], START)));
      expect(await used(store)).toEqual([0, 0, 0]);
    });
  });

  describe('and loses its data', () => {
    beforeEach(() => begin(false));

    it('starts anew, and gives nothing back of what is gone', async () => {
      const store = connect();
      const { receipt } = await take(store, 8);
      await server.kill();
      await server.start();
      await take(store, 5);
      await store.settle(receipt, [2, 2, 2], START);
      expect(await used(store)).toEqual([5, 5, 5]);
      const { receipt: next } = await take(store, 4);
      await store.settle(next, [1, 1, 1], START);
      expect(await used(store)).toEqual([6, 6, 6]);
    });

    it('books what is found to be above the estimate, though that is gone', async () => {
      const store = connect();
      const { receipt } = await take(store, 8);
      await server.kill();
      await server.start();
      await store.settle(receipt, [10, 10, 10], START);
      expect(await used(store)).toEqual([2, 2, 2]);
    });

    it('answers everybody in time while it is away, and goes on when it is back', async () => {
      const store = connect({ timeoutMs: 100 });
      const { receipt } = await take(connect(), 3);
      await server.kill();
      const asked = [
        ...Array.from({ length: 600 }, () => take(store, 1)),
        store.settle(receipt, [1, 1, 1], START),
        store.settle(receipt, [2, 2, 2], START),
        used(store),
      ];
      expect(new Set(await Promise.all(asked.map(codeOf)))).toEqual(new Set(['TOLLGATE_STORE_TIMEOUT']));
      await store.close();
      await server.start();
      await until(async () => (await take(store, 1, 'bob')).taken === 0);
    });

    it('answers everybody where the client has been closed', async () => {
      const store = connect({ timeoutMs: 100 });
      clients.pop()?.disconnect();
      expect(await codeOf(take(store, 1))).toBe('TOLLGATE_STORE_FAILED');
      expect(await Promise.all(Array.from({ length: 600 }, () => codeOf(take(store, 1))))).not.toContain('done');
      await store.close();
    });
  });
});
