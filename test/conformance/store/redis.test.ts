import { redisStore } from '@tollgate/core/redis';
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
    afterAll(() => client.quit());

    storeContract(`redisStore(), by ${name},`, () =>
      redisStore(client, { prefix: `${name} ${process.pid} ${count++}`, clock: 'gate', timeoutMs: 60_000 }),
    );
  });

  describe('sharded', () => {
    let client: Redis;
    let count = 0;
    beforeAll(() => {
      client = new Redis(url());
    });
    afterAll(() => client.quit());
    const open = (shardBy: 'user' | 'tenant') =>
      redisStore(client, { prefix: `sharded ${process.pid} ${count++}`, clock: 'gate', shardBy, shared: ['user'] });

    storeContract('redisStore(), sharded by what all counts by,', () => open('user'));
    storeContract('redisStore(), sharded by what nothing counts by,', () => open('tenant'), false);
  });
});
