import type { Records } from '@tollgate/core';
import { type RedisClient, redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { describeWithRedis, useRedis } from '../../helpers/redis-server.js';
import { storeContract } from './store-contract.js';

describeWithRedis('on Redis', () => {
  const url = useRedis();

  describe.each([
    ['ioredis 6', (url: string) => new Redis(url)],
    ['ioredis 5', (url: string) => new Redis5(url)],
  ])('by %s', (name, connect) => {
    let client: ReturnType<typeof connect>;
    let count = 0;
    beforeAll(() => {
      client = connect(url());
    });
    afterAll(() => client.disconnect());

    storeContract(`redisStore(), by ${name},`, () =>
      redisStore(client, { prefix: `${name} ${process.pid} ${count++}`, clock: 'gate', timeoutMs: 60_000 }),
    );
  });

  describe('records by name', () => {
    let client: Redis;
    beforeAll(() => {
      client = new Redis(url());
    });
    afterAll(() => client.disconnect());
    const put = { collection: 'c', name: 'a', was: undefined, text: 'x', ttlMs: 60_000 };

    it('end by themselves, and so does what lists them, but not before them', async () => {
      const prefix = `records ${process.pid}`;
      const records = redisStore(client, { prefix, timeoutMs: 60_000 }).records as Records;
      await records.put({ ...put, ttlMs: 7_200_000 }, 0);
      await records.put({ ...put, name: 'b' }, 0);
      const keys = await client.keys(`{${prefix}}*`);
      const ends = await Promise.all(keys.map((key) => client.pttl(key)));
      expect(ends.filter((ms) => ms > 0 && ms <= 60_000)).toHaveLength(1);
      expect(ends.filter((ms) => ms > 7_000_000 && ms <= 7_200_000)).toHaveLength(2);
    });

    it('are put once by who sends again what was not answered', async () => {
      const resending: RedisClient = {
        async callBuffer(command, args) {
          await client.callBuffer(command, args);
          return client.callBuffer(command, args);
        },
      };
      const records = redisStore(resending, { prefix: `records again ${process.pid}` }).records as Records;
      expect(await records.put(put, 0)).toBe(true);
      expect(await records.put({ ...put, was: 'x', text: 'y' }, 0)).toBe(true);
      expect(await records.put({ ...put, was: 'x', text: 'z' }, 0)).toBe(false);
    });
  });

  describe('sharded', () => {
    let client: Redis;
    let count = 0;
    beforeAll(() => {
      client = new Redis(url());
    });
    afterAll(() => client.disconnect());
    const open = (shardBy: 'user' | 'tenant') =>
      redisStore(client, {
        prefix: `sharded ${process.pid} ${count++}`,
        clock: 'gate',
        timeoutMs: 60_000,
        shardBy,
        shared: ['user'],
      });

    storeContract('redisStore(), sharded by what all counts by,', () => open('user'));
    storeContract('redisStore(), sharded by what nothing counts by,', () => open('tenant'), false);
  });
});
