/** Limits and budgets as they are configured. Everything here is plain data; `validate-layers.ts` reads it. */
import type { AdaptiveLimit } from '../line/concurrency-options.js';
import type { Unit } from '../meters/meter.js';
import type { Limiter } from '../meters/outside.js';
import type { Per } from '../meters/periods.js';
import type { Money } from '../money/nano-dollars.js';
import type { Dimension, Subject, Whom } from '../request.js';
import type { Count, Duration, Rate } from '../units.js';

/**
 * One value for all, one for each plan, or one for each subject. By plan, `subject.plan` must be among the plans, unless
 * there is a `default`. `Infinity` counts without limiting.
 */
export type PerPlan<T> = T | { readonly [plan: string]: T } | ((subject: Subject) => T);

interface LayerOptions<Name extends string> {
  /** Unique in the gate; stands in refusals and headers. */
  name: Name;
  /** Counts each value, or each combination of values, apart. Everything together unless given. */
  by?: Dimension | readonly Dimension[];
  /** `shadow` counts and reports without ever refusing. `enforce` unless given. */
  mode?: 'enforce' | 'shadow';
  /**
   * What becomes of a request that does not fit now: it is refused, or waits in the line, for which there has to be a
   * `queue`. `wait` of concurrency limits and headroom where there is one, else `refuse`, unless given.
   */
  whenFull?: 'refuse' | 'wait';
}

interface RateOptions<Name extends string> extends LayerOptions<Name> {
  /**
   * What holds while the store can't be asked: this process counts for itself, from empty, against its share of the limit
   * (as many as share the store, so many shares); all is refused; or all passes uncounted. `local` unless given.
   */
  onStoreError?: 'local' | 'closed' | 'open';
}

interface LimitOptions<Name extends string> extends RateOptions<Name> {
  /** `permits` unless given. */
  unit?: Exclude<Unit, 'usd' | 'slots'>;
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

export interface ConcurrencyOptions<Name extends string = string> extends RateOptions<Name> {
  /** The most that run at once: a whole number from 1, or bounds between which it follows what is borne. */
  limit: PerPlan<number> | AdaptiveLimit;
  /**
   * How long at least an admission that is never settled keeps its slot; at most twice that. Longer than any takes, since
   * one that runs on does so without a slot. From 1 s to 1 day; `'10m'` unless given.
   */
  lease?: Duration;
}

export interface HeadroomOptions<Name extends string = string> extends RateOptions<Name> {
  /** `requests` unless given. */
  unit?: Exclude<Unit, 'permits' | 'usd' | 'slots'>;
  /** The window of the limit, from 10 ms to 366 days. */
  window: Duration;
  /**
   * What is allowed in a window: one value, or by a function of the subject, provider and model, of the way where there are
   * ways. Where that returns `undefined` nothing is counted, such as while the limit isn't known; `Infinity` counts without
   * limiting, and can be shut.
   */
  limit: Count | ((whom: Whom) => number | undefined);
}

export interface SlidingWindow<Name extends string = string> extends SlidingWindowOptions<Name> {
  readonly kind: 'slidingWindow';
}

export interface TokenBucket<Name extends string = string> extends TokenBucketOptions<Name> {
  readonly kind: 'tokenBucket';
}

export interface ConcurrencyLimit<Name extends string = string> extends ConcurrencyOptions<Name> {
  readonly kind: 'concurrency';
}

export interface FlexibleOptions<Name extends string = string> extends Omit<LayerOptions<Name>, 'whenFull'> {
  /** `permits` unless given. */
  unit?: Exclude<Unit, 'usd' | 'slots'>;
  /**
   * What holds where the limiter fails, or the store: what it would be charged for is refused, or passes uncounted. `closed`
   * unless given.
   */
  onStoreError?: 'closed' | 'open';
}

export interface FlexibleLimit<Name extends string = string> extends FlexibleOptions<Name> {
  readonly kind: 'flexible';
  readonly limiter: Limiter;
}

export interface Headroom<Name extends string = string> extends HeadroomOptions<Name> {
  readonly kind: 'headroom';
}

export type Limit<Name extends string = string> =
  | SlidingWindow<Name>
  | TokenBucket<Name>
  | ConcurrencyLimit<Name>
  | Headroom<Name>
  | FlexibleLimit<Name>;

export interface BudgetOptions<Name extends string = string> extends LayerOptions<Name> {
  /** The most that is spent in a period, such as `'$500'`; up to $9,007,199. */
  limit: PerPlan<Money>;
  /** Each begins anew with the hour, day, week (on Monday) or month of the time zone. */
  per: Per;
  /** A name of the IANA database, such as `'Europe/Berlin'`. `UTC` unless given. */
  timeZone?: string;
  /** What holds while the store can't be asked: what costs dollars is refused, or passes uncounted. `closed` unless given. */
  onStoreError?: 'closed' | 'open';
  /**
   * Charges on admission what a request will likely cost (what was given, or learned: the 95th percentile, else the
   * most that it may), or in any case the most that it may. `likely` unless given; `worst` where the budget must not be passed.
   */
  reserve?: 'likely' | 'worst';
  /**
   * Shares of the budget, ascending, above which a ladder's first, second … model is no longer used: `[0.8, 0.95]` keeps
   * the last fifth for the cheaper models, and the last twentieth for the third and those after it. None unless given.
   */
  degradeAt?: readonly number[];
  /**
   * Shares of the budget, ascending, at which somebody is told: by event, log and webhook. The last one also where the
   * budget refuses while above the one before it. None unless given.
   */
  alertAt?: readonly number[];
}

export interface Budget<Name extends string = string> extends BudgetOptions<Name> {
  readonly kind: 'budget';
}

/** At most `limit` in any interval of the length of `window`, wherever it begins. */
export function slidingWindow<const Name extends string>(options: SlidingWindowOptions<Name>): SlidingWindow<Name> {
  return { ...options, kind: 'slidingWindow' };
}

/** At most `capacity` at once, and `refill` in the long run. */
export function tokenBucket<const Name extends string>(options: TokenBucketOptions<Name>): TokenBucket<Name> {
  return { ...options, kind: 'tokenBucket' };
}

/**
 * At most `limit` at once: an admission takes a slot, and gives it back when it is settled or its lease ends. What it is
 * extended by takes none.
 */
export function concurrency<const Name extends string>(options: ConcurrencyOptions<Name>): ConcurrencyLimit<Name> {
  return { ...options, kind: 'concurrency' };
}

/**
 * What somebody else, such as an LLM provider, has left for us: `limit` at once, and as much again per window. It follows
 * what they say with their answers (`admission.observe`), and is no limit of yours: it keeps you below theirs. Waits where
 * there is a `queue`, unless given otherwise.
 */
export function headroom<const Name extends string>(options: HeadroomOptions<Name>): Headroom<Name> {
  return { ...options, kind: 'headroom' };
}

/**
 * At most `limit` dollars a calendar period: charged with an estimate on admission and with the truth on settling. What is
 * found to be above the estimate is always booked, whatever the limit, and blocks all that costs dollars until the period
 * ends or room is given.
 */
export function budget<const Name extends string>(options: BudgetOptions<Name>): Budget<Name> {
  return { ...options, kind: 'budget' };
}
