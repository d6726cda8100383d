/** A store in a cluster whose slots move and whose masters die: charged once, settled once, and always answered. */
import type { Alternative, Meter, NotTaken, Rule, Store, Taken } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { alternativeOf, BUCKET, charge, daily, makeMeters, START, WINDOW } from '../conformance/store/charges.js';
import { type RedisCluster, startCluster, until } from '../helpers/redis-cluster.js';
import { describeWithOwnRedis } from '../helpers/redis-server.js';

const LIMIT = 1_000_000;
const meters = makeMeters();

/** Charged to somebody alone, and to all together. */
const way = (cost: number, user: string) =>
  alternativeOf([
    charge(meters.window, WINDOW, [user], cost, LIMIT),
    charge(meters.bucket, BUCKET, [user], cost, LIMIT),
    charge(meters.budget, daily(START), [user], cost, LIMIT),
  ]);

const take = async (store: Store, cost: number, user: string) =>
  (await store.take({ alternatives: [way(cost, user)] }, START)) as Taken;

async function used(store: Store, user: string): Promise<readonly number[]> {
  const { who, bills } = way(0, user);
  return (await store.peek(who, bills, START)).map(({ used }) => used);
}

/** What everybody is charged to together. */
const ALL = { by: [], at: [] };
const company: Meter = { ...meters.budget, id: 'company', name: 'company', scope: ALL };

async function companyUsed(store: Store): Promise<number> {
  const { charge: nothing } = charge(company, daily(START), [], 0, LIMIT);
  return (await store.peek([], [{ scope: ALL, charges: [nothing] }], START))[0].used;
}

describeWithOwnRedis('a store in a cluster', () => {
  let cluster: RedisCluster;
  let count = 0;
  let tag: string;
  beforeAll(async () => {
    cluster = await startCluster();
  }, 30_000);
  afterAll(() => cluster.stop());
  beforeEach(() => {
    tag = `{${count++}}`;
  });

  const nextOf = async (key: string) => ((await cluster.masterOf(key)) + 1) % 3;

  describe.each([
    ['ioredis 6', Cluster],
    ['ioredis 5', Cluster5],
  ])('by %s', (_, by) => {
    const open = () => redisStore(cluster.connect(by), { prefix: tag.slice(1, -1), clock: 'gate', timeoutMs: 5_000 });

    it('goes on where a node has not met its scripts', async () => {
      const store = open();
      for (let i = 0; i < 6; i++) {
        const node = await nextOf(tag);
        await cluster.admin(node).script('FLUSH');
        await cluster.moveSlotOf(tag, node);
        const { receipt } = await take(store, 5, 'ann');
        await store.settle(receipt, [1, 1, 1], START);
      }
      expect(await used(store, 'ann')).toEqual([6, 6, 6]);
    });

    it('waits while half of what it asks for has moved', async () => {
      const store = open();
      const { receipt } = await take(store, 5, 'ann');
      const asked: unknown[] = [];
      await cluster.moveSlotOf(tag, await nextOf(tag), () => {
        asked.push(take(store, 7, 'ann'), take(store, 2, 'bob'), store.settle(receipt, [3, 3, 3], START));
      });
      await Promise.all(asked);
      expect(await used(store, 'ann')).toEqual([10, 10, 10]);
      expect(await used(store, 'bob')).toEqual([2, 2, 2]);
    });

    it('charges each once while its slot moves, and answers everybody', async () => {
      const stores = [open(), open(), open()];
      let isMoving = true;
      let number = 0;
      const taken: string[] = [];
      const failed: string[] = [];
      let all = 0;
      async function admit(store: Store): Promise<void> {
        while (isMoving) {
          const user = `user-${number++}`;
          const [own, other] = await Promise.allSettled([take(store, 3, user), take(store, 2, 'all')]);
          (own.status === 'fulfilled' ? taken : failed).push(user);
          if (other.status === 'fulfilled') all++;
          for (const result of [own, other]) if (result.status === 'fulfilled') await settle(store, result.value);
        }
      }
      /** Where it fails, it is asked for again. */
      const settle = (store: Store, { receipt }: Taken) =>
        until(async () => (await store.settle(receipt, [1, 1, 1], START)) === undefined);
      const working = stores.flatMap((store) => Array.from({ length: 8 }, () => admit(store)));
      for (let i = 1; i <= 6; i++) {
        const before = taken.length;
        await until(async () => taken.length >= before + 24);
        await cluster.moveSlotOf(tag, await nextOf(tag));
      }
      isMoving = false;
      await Promise.all(working);
      const eventually = (user: string, amount: number) =>
        until(async () => (await used(stores[0], user)).every((each) => each === amount));
      await eventually('all', all);
      for (const user of taken) expect(await used(stores[1], user)).toEqual([1, 1, 1]);
      for (const user of failed) await eventually(user, 0);
    }, 30_000);
  });
});

describeWithOwnRedis('a store in shards of a cluster', () => {
  const PARTS: Rule = { kind: 'window', ms: 500, parts: 5, partMs: 100 };
  const global: Meter = { ...meters.window, id: 'global', name: 'global', scope: ALL };
  let cluster: RedisCluster;
  let prefix: string;
  let count = 0;
  beforeAll(async () => {
    cluster = await startCluster();
  }, 30_000);
  afterAll(() => cluster.stop());
  beforeEach(() => {
    prefix = `sharded ${count++}`;
  });

  const open = (clock: 'gate' | 'redis' = 'gate') =>
    redisStore(cluster.connect(), {
      prefix,
      clock,
      shardBy: 'user',
      shared: ['global', 'company'],
      timeoutMs: 5_000,
    });
  const wayOf = (cost: number, user: string, limit: number, own: number) =>
    alternativeOf([
      charge(global, PARTS, [], cost, limit),
      charge(company, daily(START), [], cost, LIMIT),
      charge(meters.window, PARTS, [user], cost, own),
    ]);
  const ask = async (store: Store, way: Alternative) =>
    (await store.take({ alternatives: [way] }, START)) as Taken & NotTaken;
  const sharedUsed = async (store: Store) => {
    const [{ charges }] = wayOf(0, '', LIMIT, LIMIT).bills;
    return (await store.peek([], [{ scope: ALL, charges }], START)).map(({ used }) => used);
  };

  it('spreads over all nodes, and charges all or nothing over shards while slots move', async () => {
    const stores = [open(), open(), open()];
    let [spent, refused, isMoving] = [0, 0, true];
    async function admit(store: Store, index: number): Promise<void> {
      for (let i = index; isMoving; i += 24) {
        const { receipt } = await ask(store, wayOf(3, `user-${i % 50}`, LIMIT, 12));
        if (receipt === undefined) {
          refused++;
          continue;
        }
        const actual = receipt.map(() => 1);
        await store.settle(receipt, actual, START);
        spent++;
      }
    }
    const working = stores.flatMap((store, i) => Array.from({ length: 8 }, (_, j) => admit(store, 8 * i + j)));
    for (let i = 1; i <= 3; i++) {
      const before = spent + refused;
      await until(async () => spent + refused > before + 100);
      // The record of all together is named by its tag alone.
      const records = await Promise.all([0, 1, 2].map((node) => cluster.admin(node).keys(`{${prefix}{*}`)));
      const key = records.flat().find((key) => key.endsWith('}')) as string;
      await cluster.moveSlotOf(key, ((await cluster.masterOf(key)) + 1) % 3);
    }
    isMoving = false;
    await Promise.all(working);
    for (const node of [0, 1, 2]) expect(await cluster.admin(node).keys(`{${prefix}{*`)).not.toHaveLength(0);
    await Promise.all(stores.map((store) => store.close()));
    expect(refused).toBeGreaterThan(0);
    expect(await sharedUsed(open())).toEqual([spent, spent]);
  }, 30_000);

  it("keeps every window by Redis's time, whatever a process's own clock is", async () => {
    const stores = [open('redis'), open('redis'), open('redis')];
    const limit = 400;
    const log: { from: number; to: number }[] = [];
    const end = performance.now() + 2_500;
    async function admit(store: Store, user: string): Promise<void> {
      while (performance.now() < end) {
        const from = performance.now();
        const { receipt } = await ask(store, wayOf(1, user, limit, LIMIT));
        if (receipt) log.push({ from, to: performance.now() });
      }
    }
    await Promise.all(Array.from({ length: 12 }, (_, i) => admit(stores[i % 3], `user-${i}`)));
    await Promise.all(stores.map((store) => store.close()));
    // It was admitted at some time between: these were so within the interval, without doubt.
    for (const { from } of log) {
      const within = log.filter((one) => one.from >= from && one.to <= from + 500);
      expect(within.length).toBeLessThanOrEqual(limit);
    }
    expect(log.length).toBeGreaterThan(2 * limit);
  }, 30_000);

  it('gives back what is leased when it is idle', async () => {
    const [store, other] = [open(), open()];
    for (let i = 0; i < 30; i++) await ask(store, wayOf(1, 'ann', LIMIT, LIMIT));
    expect((await sharedUsed(other))[1]).toBeGreaterThan(30);
    await until(async () => (await sharedUsed(other)).every((used) => used === 30));
  }, 30_000);
});

describeWithOwnRedis('a store in a cluster whose master dies', () => {
  let cluster: RedisCluster;
  beforeEach(async () => {
    cluster = await startCluster({ hasReplicas: true });
  }, 30_000);
  afterEach(() => cluster.stop());

  it.each([
    ['in one slot', {}, '{tollgate}'],
    ['in shards', { shardBy: 'user', shared: ['company'] } as const, undefined],
  ])(
    'keeps what was replicated, %s, charges each once or not at all, and answers everybody',
    async (_, options, tag) => {
      const open = () => redisStore(cluster.connect(), { clock: 'gate', ...options });
      const store = open();
      const ask = async (cost: number, user: string) => {
        const { who, bills } = way(cost, user);
        const shared = { scope: ALL, charges: [charge(company, daily(START), [], cost, LIMIT).charge] };
        const alternatives = [{ name: '', who, bills: [...bills, shared] }];
        return (await store.take({ alternatives }, START)) as Taken;
      };
      const { receipt } = await ask(9, 'ann');
      const [master] = await Promise.all([0, 1, 2].map((node) => cluster.masterOf(tag ?? `{node ${node}}`)));
      for (const node of [0, 1, 2]) await until(async () => (await cluster.admin(node).wait(1, 1_000)) === 1);

      const users = Array.from({ length: 1_200 }, (_, i) => `user-${i}`);
      const told = (user: string) =>
        ask(3, user).then(
          () => 3,
          () => 0,
        );
      const asked = users.slice(600).map(told);
      await Promise.race(asked);
      await cluster.kill(master);
      const most = await Promise.all([...users.slice(0, 600).map(told), ...asked]);
      await until(async () => (await ask(3, 'bob')).taken === 0);
      for (const user of users) await until(async () => (await used(store, user)).length === 3);

      expect(await used(store, 'ann')).toEqual([9, 9, 9]);
      const actual = receipt.map(() => 4);
      await store.settle(receipt, actual, START);
      expect(await used(store, 'ann')).toEqual([4, 4, 4]);
      // What was told and not replicated is lost. What nobody was told of is given back, as soon as it is known.
      await until(async () => {
        const amounts = await Promise.all(users.map((user) => used(store, user)));
        return amounts.every((each, i) => each.every((amount) => amount <= most[i]));
      });
      await store.close();
      const all = most.reduce((sum, amount) => sum + amount, 4 + 3);
      await until(async () => (await companyUsed(open())) <= all);
    },
    60_000,
  );
});
