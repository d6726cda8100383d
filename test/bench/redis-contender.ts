/**
 * What is measured against each other on one Redis: `redis-contender.ts <name> <port>`. Keeps as many in flight as it is
 * told, and replies with what came of it.
 */
import type { NotTaken, Taken } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { RedisStore } from 'rate-limit-redis';
import { RateLimiterRedis } from 'rate-limiter-flexible';
import { serve } from './harness.js';
import { type Caller, someCallers } from './load.js';
import { fiveMeters } from './meters.js';

/** Who asks, each as often as others. */
export interface Population {
  readonly users: number;
  readonly tenants: number;
}

export interface Round {
  readonly inFlight: number;
  readonly population: Population;
  readonly ms: number;
}

export interface RedisSample {
  readonly perSecond: number;
  /** In milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Of Redis, in microseconds for each. */
  readonly cpu: number;
}

export type Ask = (caller: Caller) => Promise<unknown>;

const HOUR_S = 3600;
const HUGE = Number.MAX_SAFE_INTEGER;
const KEYS: readonly ((caller: Caller) => string)[] = [
  () => 'all',
  ({ user }) => user,
  ({ feature }) => feature,
  ({ tenant }) => tenant,
  ({ user }) => user,
];

export const CONTENDERS = {
  'rlf ×5, parallel': (client: Redis) => {
    const limiters = rlfFive(client);
    return (caller: Caller) => Promise.all(limiters.map((limiter, i) => limiter.consume(KEYS[i](caller), 1)));
  },
  'rlf ×5, one after the other': (client: Redis) => {
    const limiters = rlfFive(client);
    return async (caller: Caller) => {
      for (const [i, limiter] of limiters.entries()) await limiter.consume(KEYS[i](caller), 1);
    };
  },
  'rate-limit-redis ×5': async (client: Redis) => {
    const stores = await Promise.all(KEYS.map((_, i) => rateLimitRedis(client, `rlr${i}:`)));
    return async (caller: Caller) => {
      for (const [i, store] of stores.entries()) await store.increment(KEYS[i](caller));
    };
  },
  PING: (client: Redis) => () => client.ping(),
  'EVALSHA that does nothing': async (client: Redis) => {
    const digest = String(await client.script('LOAD', 'return 1'));
    return () => client.evalsha(digest, 0);
  },
  'tollgate take': (client: Redis) => {
    const store = redisStore(client);
    const requestOf = fiveMeters(Date.now());
    return async (caller: Caller) => isTaken(await store.take(requestOf(caller), Date.now()));
  },
  'tollgate take + settle': (client: Redis) => {
    const store = redisStore(client);
    const requestOf = fiveMeters(Date.now());
    return async (caller: Caller) => {
      const { receipt } = isTaken(await store.take(requestOf(caller), Date.now()));
      await store.settle(
        receipt,
        receipt.map(({ cost }) => cost / 2),
        Date.now(),
      );
    };
  },
} satisfies Record<string, (client: Redis) => Ask | Promise<Ask>>;

export type RedisContender = keyof typeof CONTENDERS;

function rlfFive(client: Redis): RateLimiterRedis[] {
  return KEYS.map(
    (_, i) => new RateLimiterRedis({ storeClient: client, keyPrefix: `rlf${i}`, points: HUGE, duration: HOUR_S }),
  );
}

async function rateLimitRedis(client: Redis, prefix: string): Promise<RedisStore> {
  const sendCommand = (command: string, ...args: string[]) => client.call(command, ...args) as Promise<never>;
  const store = new RedisStore({ prefix, sendCommand });
  await store.init({ windowMs: HOUR_S * 1000 } as never);
  return store;
}

function isTaken(result: Taken | NotTaken): Taken {
  if ('refused' in result) throw new Error('refused');
  return result;
}

const [name, port] = process.argv.slice(2);
const client = new Redis(Number(port));
const ask: Ask = await CONTENDERS[name as RedisContender](client);
let population: Population | undefined;
let callers: readonly Caller[] = [];
let next = 0;

serve(true, async ({ inFlight, population: wanted, ms }: Round): Promise<RedisSample> => {
  if (wanted.users !== population?.users) callers = someCallers(wanted.users, 50_000, wanted.users / wanted.tenants);
  population = wanted;
  const before = await cpuOf(client);
  const latencies: number[] = [];
  const began = performance.now();
  const until = began + ms;
  await Promise.all(
    Array.from({ length: inFlight }, async () => {
      for (let now = performance.now(); now < until; ) {
        await ask(callers[next++ % callers.length]);
        const answered = performance.now();
        latencies.push(answered - now);
        now = answered;
      }
    }),
  );
  const seconds = (performance.now() - began) / 1000;
  const cpu = ((await cpuOf(client)) - before) / latencies.length;
  latencies.sort((a, b) => a - b);
  const at = (share: number) => latencies[Math.floor(latencies.length * share)];
  return { perSecond: latencies.length / seconds, p50: at(0.5), p99: at(0.99), cpu };
});

/** What Redis has used of its processor, in microseconds. */
async function cpuOf(redis: Redis): Promise<number> {
  const info = await redis.info('cpu');
  const seconds = (field: string) => Number(new RegExp(`^${field}:(.*)$`, 'm').exec(info)?.[1]);
  return (seconds('used_cpu_sys') + seconds('used_cpu_user')) * 1e6;
}
