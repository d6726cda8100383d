/** Who may use the service, and where that is kept. `npx tollgate keys create keys.ts` makes a key. */
import { memoryStore } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';

const { REDIS_URL, KEY_PEPPER } = process.env;

/** Without one everything is kept in this process, and forgotten when it ends. */
export const redis = REDIS_URL === undefined ? undefined : new Redis(REDIS_URL);
export const store = redis ? redisStore(redis, { prefix: 'assistant' }) : memoryStore();

/** Each key may spend $2 a day unless it was made with more. */
export const keys = { store, pepper: KEY_PEPPER, limits: { spend: '$2' } } as const;
export const ring = keyRing(keys);
