/** What processes tell each other by Redis. */
import { budget, createTollgate, type Shared, slidingWindow, type Tollgate } from '@tollgate/core';
import { type RedisClient, redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../../helpers/redis-server.js';

describeWithRedis('what processes share by Redis', () => {
  const url = useRedis();
  let client: Redis;
  let count = 0;
  let prefix: string;
  let closing: { close(): unknown }[];

  beforeAll(() => {
    client = new Redis(url());
  });
  afterAll(() => client.disconnect());
  beforeEach(() => {
    prefix = `shared ${process.pid} ${count++}`;
    closing = [];
  });
  afterEach(() => Promise.all(closing.map((one) => one.close())));

  function join(by: RedisClient = client): Shared {
    const store = redisStore(by, { prefix, timeoutMs: 60_000 });
    closing.push(store);
    return store.shared as Shared;
  }

  /** What is heard, until the end of the test, and a promise of the first so many. */
  function listen(shared: Shared, gate = 'api') {
    const heard: string[] = [];
    const waiting: { count: number; resolve: (heard: string[]) => void }[] = [];
    const end = shared.listen(gate, (message) => {
      heard.push(message);
      for (const { count, resolve } of waiting) if (heard.length >= count) resolve(heard);
    });
    closing.push({ close: end });
    const first = (count: number) =>
      new Promise<string[]>((resolve) => {
        if (heard.length >= count) resolve(heard);
        else waiting.push({ count, resolve });
      });
    return { heard, first, end };
  }

  /** A client that sends all twice, as one does that has lost the connection before the answer. */
  const resending: RedisClient = {
    async callBuffer(command, args) {
      await client.callBuffer(command, args);
      return client.callBuffer(command, args);
    },
  };

  test('all hear what one publishes, in its order, and it does so too', async () => {
    const [one, other] = [join(), join()];
    const all = [listen(one), listen(other), listen(one)];
    const elsewhere = listen(other, 'other');
    for (const message of ['a', '"b"\n{}', 'ü☃']) await one.publish('api', message, 0);
    await other.publish('other', 'last', 0);
    for (const { first } of all) expect(await first(3)).toEqual(['a', '"b"\n{}', 'ü☃']);
    expect(await elsewhere.first(1)).toEqual(['last']);
  });

  test('all hear in one order what several publish at once', async () => {
    const members = [join(), join(), join()];
    const all = members.map((member) => listen(member));
    const messages = Array.from({ length: 30 }, (_, i) => `${i}`);
    await Promise.all(messages.map((message, i) => members[i % 3].publish('api', message, 0)));
    const [order, ...others] = await Promise.all(all.map(({ first }) => first(30)));
    expect([...order].sort()).toEqual([...messages].sort());
    for (const other of others) expect(other).toEqual(order);
  });

  test('who begins to listen later hears what still holds, and nothing else', async () => {
    const [one, late] = [join(), join()];
    await client.xadd(`{${prefix}}/told/api`, '1-1', 'ends', '2', 'told', 'over');
    await one.publish('api', 'holds', 60_000);
    await listen(one).first(1);
    expect(await listen(late).first(1)).toEqual(['holds']);
    // Also where another listens by the same store already, and has heard all.
    expect(await listen(one).first(1)).toEqual(['holds']);
  });

  test('who listens hears all from then on, though it could not ask before', async () => {
    let isDown = true;
    const late = join({
      callBuffer: async (command, args) => {
        if (isDown) throw new Error('connection lost');
        return client.callBuffer(command, args);
      },
    });
    jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
    const one = join();
    const hearing = listen(late);
    await one.publish('api', 'since', 0);
    isDown = false;
    expect(await hearing.first(1)).toEqual(['since']);
    jest.restoreAllMocks();
  });

  test('more than is read at once is heard at once', async () => {
    const one = join();
    await Promise.all(Array.from({ length: 2_500 }, (_, i) => one.publish('api', `${i}`, 60_000)));
    expect(await listen(join()).first(2_500)).toHaveLength(2_500);
  });

  test('who has ended hears nothing, and others by the same store go on, also once that is closed', async () => {
    const store = redisStore(client, { prefix, timeoutMs: 60_000 });
    const shared = store.shared as Shared;
    const [one, other] = [listen(shared), listen(shared)];
    await shared.publish('api', 'first', 0);
    await Promise.all([one.first(1), other.first(1)]);
    one.end();
    await store.close();
    await shared.publish('api', 'second', 0);
    expect(await other.first(2)).toEqual(['first', 'second']);
    expect(one.heard).toEqual(['first']);
    expect(shared.instances('api')).toBe(2);
  });

  test('who has ended asks no more, whether it ends while it hears or between', async () => {
    const asked = { hearing: 0, between: 0 };
    const counting = (who: keyof typeof asked): RedisClient => ({
      callBuffer(command, args) {
        asked[who]++;
        return client.callBuffer(command, args);
      },
    });
    const one = join();
    for (const message of ['a', 'b']) await one.publish('api', message, 60_000);
    const heard: string[] = [];
    const end = join(counting('hearing')).listen('api', (message) => {
      heard.push(message);
      end();
    });
    const between = listen(join(counting('between')));
    const other = listen(one);
    await Promise.all([between.first(2), other.first(2)]);
    between.end();
    const before = { ...asked };
    // Each takes a time of asking.
    for (let i = 3; i <= 6; i++) {
      await one.publish('api', 'more', 0);
      await other.first(i);
    }
    expect(asked).toEqual(before);
    expect(heard).toEqual(['a']);
  });

  test('what is sent twice is told once', async () => {
    const [one, other] = [join(resending), join()];
    const { first } = listen(other);
    await one.publish('api', 'first', 1000);
    await one.publish('api', 'last', 1000);
    expect(await first(2)).toEqual(['first', 'last']);
  });

  test('a name is claimed by one, also where that sends twice, until its time is over', async () => {
    const [one, other] = [join(resending), join()];
    expect(await one.claim('alert', 60_000)).toBe(true);
    expect(await other.claim('alert', 60_000)).toBe(false);
    expect(await one.claim('alert', 60_000)).toBe(false);
    expect(await other.claim('another', 60_000)).toBe(true);
    const claims = await Promise.all(Array.from({ length: 50 }, (_, i) => [one, other][i % 2].claim('crowd', 1000)));
    expect(claims.filter((isFirst) => isFirst)).toHaveLength(1);
  });

  test('knows how many of a gate there are, without those that were not heard of for long', async () => {
    const [one, other] = [join(), join()];
    expect(one.instances('api')).toBe(1);
    await client.zadd(`{${prefix}}/listening/api`, Date.now() - 60_000, 'gone');
    const hearing = [one, other].map((each) => listen(each));
    const elsewhere = listen(one, 'other');
    await join().publish('api', 'hello', 0);
    await join().publish('other', 'hello', 0);
    await Promise.all([...hearing, elsewhere].map(({ first }) => first(1)));
    await other.publish('api', 'once more', 0);
    await Promise.all(hearing.map(({ first }) => first(2)));
    expect([one.instances('api'), other.instances('api')]).toEqual([2, 2]);
    expect([one.instances('other'), other.instances('other')]).toEqual([1, 1]);
    await expect(client.zcard(`{${prefix}}/listening/other`)).resolves.toBe(1);
  });

  test('every key has an end', async () => {
    const [one, other] = [join(), join()];
    const { first } = listen(other);
    await one.publish('api', 'hello', 7_200_000);
    await one.claim('alert', 1000);
    await first(1);
    const keys = await client.keys(`{${prefix}}*`);
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0);
    expect(await client.pttl(`{${prefix}}/told/api`)).toBeGreaterThan(7_000_000);
  });

  describe('gates', () => {
    function open(): Tollgate {
      const gate = createTollgate({
        name: 'api',
        limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })],
        budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'day', alertAt: [0.5] })],
        prices: { m: { input: '$1/M', output: '$1/M' } },
        alerts: { log: false },
        store: redisStore(client, { prefix, timeoutMs: 60_000 }),
      }) as Tollgate;
      closing.push(gate);
      return gate;
    }

    test('follow each other: limits, room for a budget, and alerts that are given once', async () => {
      const [one, other] = [open(), open()];
      const updated = new Promise((resolve) => other.on('updated', resolve));
      const alerts: string[] = [];
      one.on('budget.threshold', () => alerts.push('one'));
      other.on('budget.threshold', () => alerts.push('other'));
      const settled = new Promise((resolve) => other.on('settled', resolve));
      await one.topUp('spend', { user: 'ann' }, '$1');
      one.update({ limits: { user: { limit: 2 } } });
      await updated;
      const ann = { subject: { user: 'ann' } };
      expect(await other.admit({ ...ann, permits: 3 })).toMatchObject({ admitted: false });
      expect((await other.inspect(ann.subject)).budgets).toMatchObject([{ limit: 2_000_000_000 }]);
      const spend = { ...ann, permits: 1, model: 'm', estimate: { inputTokens: 1_100_000, outputTokens: 0 } };
      for (const gate of [one, other]) {
        const decision = await gate.admit({ ...spend, usd: '$0.6' });
        if (decision.admitted) await decision.admission.settle();
      }
      await settled;
      await Promise.all([one.inspect({}), other.inspect({})]);
      expect(alerts).toHaveLength(1);
    });
  });
});
