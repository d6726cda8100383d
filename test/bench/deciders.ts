/** What is measured against each other: each decides on batches of callers, and refuses none. */
import {
  budget,
  createTollgate,
  memoryStore,
  type NotTaken,
  slidingWindow,
  type Taken,
  tokenBucket,
} from '@tollgate/core';
import { MemoryStore, type Options } from 'express-rate-limit';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Caller } from './load.js';
import { fiveMeters } from './meters.js';

/** Decides on all of them, one after the other. Resolves with the nanoseconds that the decisions took. */
export type Decide = (callers: readonly Caller[]) => Promise<number>;

const HUGE = Number.MAX_SAFE_INTEGER;
const HOUR_S = 3600;

export const DECIDERS = {
  'rlf ×1': () => rlfOne(),
  'rlf ×1 (A/A)': () => rlfOne(),
  'rlf ×5': () => rlfFive(),
  'express-rate-limit store ×1': () => expressRateLimit(),
  'tollgate admit, 3 layers': (users: number) => admit(users, false),
  'tollgate admit + settle, 3 layers': (users: number) => admit(users, true),
  'tollgate admit + settle, 3 layers + 2 budgets': (users: number) => admitWithBudgets(users),
  'tollgate store ×5': (users: number) => storeFive(users),
} satisfies Record<string, (users: number) => Decide>;

export type DeciderName = keyof typeof DECIDERS;

function rlfOne(): Decide {
  const limiter = new RateLimiterMemory({ keyPrefix: 'user', points: HUGE, duration: HOUR_S });
  return timed(async (callers) => {
    for (const { user } of callers) await limiter.consume(user, 1);
  });
}

/** Counts by the same keys as {@link storeFive}. */
function rlfFive(): Decide {
  const [all, byUser, byFeature, byTenant, byUserToo] = ['all', 'user', 'feature', 'tenant', 'month'].map(
    (keyPrefix) => new RateLimiterMemory({ keyPrefix, points: HUGE, duration: HOUR_S }),
  );
  return timed(async (callers) => {
    for (const { user, feature, tenant } of callers) {
      await all.consume('all', 1);
      await byUser.consume(user, 1);
      await byFeature.consume(feature, 1);
      await byTenant.consume(tenant, 1);
      await byUserToo.consume(user, 1);
    }
  });
}

function expressRateLimit(): Decide {
  const store = new MemoryStore();
  store.init({ windowMs: HOUR_S * 1000 } as Options);
  return timed(async (callers) => {
    for (const { user } of callers) await store.increment(user);
  });
}

const LIMITS = [
  slidingWindow({ name: 'global', limit: HUGE, window: '1h' }),
  tokenBucket({ name: 'user', by: 'user', capacity: HUGE, refill: '100/h' }),
  slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: HUGE, window: '1h' }),
];

function admit(users: number, settling: boolean): Decide {
  const gate = createTollgate({ limits: LIMITS, store: memoryStore({ maxKeys: 2 * users }) });
  return timed(async (callers) => {
    for (const { user, feature } of callers) {
      const decision = await gate.admit({ subject: { user }, feature, tier: 'small' });
      if (!decision.admitted) throw new Error('refused');
      if (settling) await decision.admission.settle();
    }
  });
}

function admitWithBudgets(users: number): Decide {
  const gate = createTollgate({
    limits: LIMITS,
    budgets: [
      budget({ name: 'company', limit: '$9000000', per: 'day' }),
      budget({ name: 'dollars', by: 'user', limit: '$9000000', per: 'day' }),
    ],
    prices: { default: { input: '$1/M', output: '$5/M' } },
    store: memoryStore({ maxKeys: 2 * users }),
  });
  const estimate = { inputTokens: 800, outputTokens: 400 };
  const usage = { inputTokens: 812, outputTokens: 287 };
  return timed(async (callers) => {
    for (const { user, feature, model } of callers) {
      const decision = await gate.admit({ subject: { user }, feature, tier: 'small', model, estimate });
      if (!decision.admitted) throw new Error('refused');
      await decision.admission.settle({ usage });
    }
  });
}

/** Few enough to stay in the processor's cache: the requests are made before, and only the store's part is timed. */
const BATCH = 64;

/** Counts by five meters. */
function storeFive(users: number): Decide {
  const store = memoryStore({ maxKeys: 2 * users });
  const requestOf = fiveMeters(Date.now());
  return async (callers) => {
    let ns = 0;
    for (let from = 0; from < callers.length; from += BATCH) {
      const requests = callers.slice(from, from + BATCH).map(requestOf);
      const now = Date.now();
      const begin = process.hrtime.bigint();
      for (const request of requests) {
        const result = store.take(request, now) as Taken | NotTaken;
        if ('refused' in result) throw new Error('refused');
      }
      ns += Number(process.hrtime.bigint() - begin);
    }
    return ns;
  };
}

function timed(work: (callers: readonly Caller[]) => Promise<void>): Decide {
  return async (callers) => {
    const begin = process.hrtime.bigint();
    await work(callers);
    return Number(process.hrtime.bigint() - begin);
  };
}
