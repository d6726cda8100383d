/** What rings and keys are made of. All of it is plain data; `check-keys.ts` checks it. */
import type { Clock } from '../clock.js';
import type { Limiter } from '../meters/outside.js';
import type { Money } from '../money/nano-dollars.js';
import type { Subject } from '../request.js';
import type { Store } from '../store/store.js';
import type { Count, Duration, Rate } from '../units.js';
import type { KeyScopes } from './key.js';

/** A limit of a key's own: dollars, a rate, or a number. */
export type KeyLimit = Money | Rate | Count;

/** The kind of limit that a value is one of. */
export type LimitLike<T> = T extends Money ? Money : T extends Rate ? Rate : T extends number ? number : Count;

export type KeyLimits = Readonly<Record<string, KeyLimit>>;

export interface KeyRingOptions<L extends KeyLimits> {
  /** Where keys are kept: `memoryStore()`, or a `redisStore(…)`, by which processes share them. */
  store: Store;
  /**
   * Where it takes keys: those of other environments are refused (403). Keys of `production`, which is where it is unless
   * given, begin with `tg_live_`, all others with `tg_test_`.
   */
  environment?: string | undefined;
  /** The longest that a key lives, and how long it does unless told otherwise. `'90d'` unless given. */
  maxExpiry?: Duration;
  /**
   * Limits that keys can have of their own, by name, with what holds for those that have none: `{ spend: '$5' }`. A limit
   * or budget takes it by `limit: keys.limit('spend')`.
   */
  limits?: L;
  /**
   * Counts bad keys by whence they come, and locks out who shows too many: a limiter of rate-limiter-flexible with a
   * `blockDuration`, such as `new RateLimiterRedis({ …, points: 20, duration: 60, blockDuration: 600 })`. None unless given.
   */
  guard?: Limiter;
  /** While the store fails, keys are taken that were read from it no longer ago than this. `'5m'` unless given; `0` for none. */
  staleFor?: Duration | 0;
  /**
   * Hashes are made with it, so that they are of no use to who has the store alone. Secret, of 16 characters at least, and the
   * same for all processes: with another one, no key is known any more. None unless given.
   */
  pepper?: string | undefined;
  /** `systemClock` unless given. */
  clock?: Clock;
}

/** Each in place of what it was as a whole. */
export interface KeyChange<L extends KeyLimits> {
  /** On whose behalf requests come that show the key: user, tenant, plan and whatever else the app counts by. */
  subject?: Omit<Subject, 'key' | 'ip' | 'limits'>;
  /** What it may be used for. Everything unless given. */
  scopes?: KeyScopes;
  /** Limits of its own, of those that the ring names. */
  limits?: { readonly [N in keyof L]?: LimitLike<L[N]> };
  /** How long it lives from now on, up to the ring's `maxExpiry`. */
  expiresIn?: Duration;
}

export interface NewKey<L extends KeyLimits> extends KeyChange<L> {
  /** What is to use it, such as `'search'`. */
  service: string;
  /** The ring's unless given. */
  environment?: string | undefined;
}

export interface Rotation {
  /** For how long the old key is still taken. `'1d'` unless given; `0` for not at all. */
  overlap?: Duration | 0;
  /** How long the new one lives. The ring's `maxExpiry` unless given. */
  expiresIn?: Duration;
}
