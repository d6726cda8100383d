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
  afterAll(() => client.quit());
  beforeEach(() => {
    prefix = `shared ${process.pid} ${count++}`;
    closing = [];
  });
  afterEach(() => Promise.all(closing.map((one) => one.close())));

  function join(by: RedisClient = client): Shared {
    const store = redisStore(by, { prefix });
    closing.push(store);
    return store.shared as Shared;
  }

  /** The next that is told. */
  const next = (shared: Shared) =>
    new Promise<string>((resolve) => {
      const end = shared.listen((message) => {
        end();
        resolve(message);
      });
    });

  /** A client that sends all twice, as one does that has lost the connection before the answer. */
  const resending: RedisClient = {
    async callBuffer(command, args) {
      await client.callBuffer(command, args);
      return client.callBuffer(command, args);
    },
  };

  test('others hear what one publishes, in its order, and oneself does not', async () => {
    const [one, other] = [join(), join()];
    const heard: string[] = [];
    const all = new Promise<void>((resolve) => {
      other.listen((message) => heard.push(message) === 3 && resolve());
    });
    const own: string[] = [];
    one.listen((message) => own.push(message));
    for (const message of ['a', '"b"\n{}', 'ü☃']) await one.publish(message, 0);
    await all;
    expect(heard).toEqual(['a', '"b"\n{}', 'ü☃']);
    expect(own).toEqual([]);
  });

  test('who begins to listen later hears what still holds, and nothing else', async () => {
    const [one, late] = [join(), join()];
    await one.publish('over', 0);
    await one.publish('holds', 60_000);
    expect(await next(late)).toBe('holds');
  });

  test('what is sent twice is told once', async () => {
    const [one, other] = [join(resending), join()];
    const heard: string[] = [];
    const last = new Promise<void>((resolve) => {
      other.listen((message) => {
        heard.push(message);
        if (message === 'last') resolve();
      });
    });
    await one.publish('first', 1000);
    await one.publish('last', 1000);
    await last;
    expect(heard).toEqual(['first', 'last']);
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

  test('knows how many there are, without those that were not heard of for long', async () => {
    const [one, other] = [join(), join()];
    expect(one.instances()).toBe(1);
    await client.zadd(`{${prefix}}/processes`, Date.now() - 60_000, 'gone');
    const heard = [next(one), next(other)];
    await join().publish('hello', 60_000);
    await Promise.all(heard);
    await expect(client.zcard(`{${prefix}}/processes`)).resolves.toBe(2);
    const again = next(one);
    await other.publish('once more', 0);
    await again;
    expect(one.instances()).toBe(2);
  });

  test('every key has an end', async () => {
    const [one, other] = [join(), join()];
    const heard = next(other);
    await one.publish('hello', 3_600_000);
    await one.claim('alert', 1000);
    await heard;
    const keys = await client.keys(`{${prefix}}*`);
    expect(keys).toHaveLength(4);
    for (const key of keys) expect(await client.pttl(key)).toBeGreaterThan(0);
    expect(await client.pttl(`{${prefix}}/told`)).toBeGreaterThan(3_500_000);
  });

  describe('gates', () => {
    function open(): Tollgate {
      const gate = createTollgate({
        name: 'api',
        limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })],
        budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'day', alertAt: [0.5] })],
        prices: { m: { input: '$1/M', output: '$1/M' } },
        alerts: { log: false },
        store: redisStore(client, { prefix }),
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
