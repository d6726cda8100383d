/**
 * Configurations to begin with, one for each stage of an app. Plain data, made anew by each call: spread one, and put your own
 * in place of what you know better. Each has all of the one before it, but for the prototype's shadow.
 */
import { budget, slidingWindow, tokenBucket } from './config/layers.js';
import type { TollgateConfig } from './config.js';
import { wrongValue } from './errors.js';
import { isRecord } from './schema.js';
import type { Store } from './store/store.js';

const ALERTS = [0.5, 0.8, 1];

/** What models cost until somebody says it: more than most do, so that budgets refuse too early rather than too late. */
const prices = () => ({ default: { input: '$15/M', output: '$75/M' } }) as const;

const perUser = () => tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '100/h' });

/** A bucket for each user; what is spent is counted and alerted of, and refused to nobody. */
function prototype() {
  return {
    limits: [perUser()],
    budgets: [budget({ name: 'spend', limit: '$20', per: 'day', alertAt: ALERTS, mode: 'shadow' })],
    prices: prices(),
  } satisfies TollgateConfig;
}

/** Limits for all, for each user and for each of their features; caps on what is spent by all and by each. */
function earlyProduction() {
  return {
    limits: [
      slidingWindow({ name: 'global', limit: 600, window: '1m' }),
      perUser(),
      slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: 60, window: '1m' }),
    ],
    budgets: [
      budget({ name: 'spend', limit: '$100', per: 'day', alertAt: ALERTS }),
      budget({ name: 'user-spend', by: 'user', limit: '$5', per: 'day' }),
    ],
    prices: prices(),
  } satisfies TollgateConfig;
}

/** So many run at once; the others wait, by priority, with a fair share for each user. */
function growth() {
  return {
    ...earlyProduction(),
    queue: { concurrency: 64, fairBy: 'user', shedding: false },
  } satisfies TollgateConfig;
}

/**
 * In an overload the less urgent is given up for the more urgent, and all processes share what they count.
 *
 * @param needs.store that processes share: a `redisStore(…)`
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` without one
 */
function scale(needs: { readonly store: Store }) {
  const base = growth();
  return {
    ...base,
    queue: { ...base.queue, shedding: true },
    store: checkShared(needs?.store),
  } satisfies TollgateConfig;
}

function checkShared(store: unknown): Store {
  if (isRecord(store) && store.shared !== undefined) return store as unknown as Store;
  const expected = "a store that processes share, such as redisStore(new Redis(…)) from '@tollgate/core/redis'";
  throw wrongValue('TOLLGATE_CONFIG_INVALID', 'presets.scale: store', store, expected);
}

/** {@link prototype}, {@link earlyProduction}, {@link growth} and {@link scale}. */
export const presets = { prototype, earlyProduction, growth, scale };
