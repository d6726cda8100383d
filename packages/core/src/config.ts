/** What `createTollgate` takes. Everything here is plain data; `validate.ts` checks it. */
import type { Clock } from './clock.js';
import type { Unit } from './meters/meter.js';
import type { Dimension, Subject, TokenCounts } from './request.js';
import type { Store } from './store/store.js';
import type { Count, Duration, Rate } from './units.js';

/** The tiers of a gate that names none, and the permits that each costs. */
export const DEFAULT_TIERS = { small: 1, medium: 3, large: 10, xlarge: 30 } as const;

export type DefaultTier = keyof typeof DEFAULT_TIERS;

/** What a tier costs: permits, and the tokens to expect where a request brings no estimate of its own. */
export type TierCost = number | ({ permits: number } & TokenCounts);

/**
 * One value for all, one for each plan, or one for each subject. By plan, `subject.plan` must be among the plans, unless
 * there is a `default`. `Infinity` counts without limiting.
 */
export type PerPlan<T> = T | { readonly [plan: string]: T } | ((subject: Subject) => T);

interface LimitOptions<Name extends string> {
  /** Unique in the gate; stands in refusals and headers. */
  name: Name;
  /** Counts each value, or each combination of values, apart. Everything together unless given. */
  by?: Dimension | readonly Dimension[];
  /** `permits` unless given. */
  unit?: Unit;
  /** `shadow` counts and reports without ever refusing. `enforce` unless given. */
  mode?: 'enforce' | 'shadow';
  /** What holds while the store can't be asked: refuse everything or pass without counting. `closed` unless given. */
  onStoreError?: 'open' | 'closed';
  /** What happens to a request that does not fit now. Only `refuse` so far. */
  whenFull?: 'refuse';
}

export interface SlidingWindowOptions<Name extends string = string> extends LimitOptions<Name> {
  /** The most that is admitted in any interval of the window's length. */
  limit: PerPlan<Count>;
  /** The window's length, from 10 ms to 366 days. */
  window: Duration;
  /**
   * How finely the window slides, from 2 to 1000: room comes back in steps of a `parts`-th of the window. 10 unless
   * given; a key's record takes 8 bytes a part.
   */
  parts?: number;
}

export interface TokenBucketOptions<Name extends string = string> extends LimitOptions<Name> {
  /** The most that can be spent at once. */
  capacity: PerPlan<Count>;
  /** How fast it fills up again, such as `'100/h'`. */
  refill: PerPlan<Rate>;
}

export interface SlidingWindow<Name extends string = string> extends SlidingWindowOptions<Name> {
  readonly kind: 'slidingWindow';
}

export interface TokenBucket<Name extends string = string> extends TokenBucketOptions<Name> {
  readonly kind: 'tokenBucket';
}

export type Limit<Name extends string = string> = SlidingWindow<Name> | TokenBucket<Name>;

/** At most `limit` in any interval of the length of `window`, wherever it begins. */
export function slidingWindow<const Name extends string>(options: SlidingWindowOptions<Name>): SlidingWindow<Name> {
  return { ...options, kind: 'slidingWindow' };
}

/** At most `capacity` at once, and `refill` in the long run. */
export function tokenBucket<const Name extends string>(options: TokenBucketOptions<Name>): TokenBucket<Name> {
  return { ...options, kind: 'tokenBucket' };
}

export interface TollgateConfig<
  Tier extends string = string,
  LimitName extends string = string,
  Feature extends string = string,
> {
  /** Tells gates apart in events and stores. `default` unless given. */
  name?: string;
  /** Cost classes and what they cost. {@link DEFAULT_TIERS} unless given. */
  tiers?: { readonly [T in Tier]: TierCost };
  /** All of them hold at once: a request passes every one or is charged by none. */
  limits: readonly Limit<LimitName>[];
  /** The features that requests may name. Any, unless given. */
  features?: readonly Feature[];
  /** Where usage is kept. `memoryStore()` unless given. */
  store?: Store;
  /** `systemClock` unless given; `manualClock()` from `@tollgate/core/testing` in tests. */
  clock?: Clock;
}

/** What can change while a gate runs. Usage is kept; what is left out stays as it is. */
export interface TollgateChange<Tier extends string = string, LimitName extends string = string> {
  tiers?: { readonly [T in Tier]?: TierCost };
  limits?: {
    readonly [L in LimitName]?:
      | Partial<Pick<SlidingWindowOptions, 'limit' | 'mode' | 'onStoreError'>>
      | Partial<Pick<TokenBucketOptions, 'capacity' | 'refill' | 'mode' | 'onStoreError'>>;
  };
}
