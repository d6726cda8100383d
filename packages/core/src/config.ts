/** What `createTollgate` takes. Everything here is plain data; `validate.ts` checks it. */
import type { Clock } from './clock.js';
import type { AdaptiveLimit } from './line/concurrency-options.js';
import type { QueueOptions } from './line/queue-options.js';
import type { Unit } from './meters/meter.js';
import type { Limiter } from './meters/outside.js';
import type { Per } from './meters/periods.js';
import type { Money } from './money/nano-dollars.js';
import type { DatedPrice, ModelPrice, PriceTable } from './money/prices.js';
import type { Dimension, Subject, TokenCounts, Whom } from './request.js';
import type { Store } from './store/store.js';
import type { Count, Duration, Rate } from './units.js';

/** The tiers of a gate that names none, and the permits that each costs. */
export const DEFAULT_TIERS = { small: 1, medium: 3, large: 10, xlarge: 30 } as const;

export type DefaultTier = keyof typeof DEFAULT_TIERS;

/** What a tier costs: permits, and the tokens to expect of a request where neither an estimate, its body nor the past tells. */
export type TierCost = number | ({ permits: number } & Pick<TokenCounts, 'inputTokens' | 'outputTokens'>);

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

/** How somebody is told of a budget, besides the event `budget.threshold`. */
export interface AlertOptions {
  /** Where to post `{ "text": … }`, as Slack and many others take it. Secret. */
  webhook?: string | undefined;
  /** Takes one line of text. A warning of Node's unless given; `false` for none. */
  log?: ((line: string) => void) | false | undefined;
}

export interface TollgateConfig<
  Tier extends string = string,
  LimitName extends string = string,
  Feature extends string = string,
  Model extends string = string,
  Priced extends string = string,
> {
  /** Tells gates apart in events and stores. `default` unless given. */
  name?: string;
  /** Cost classes and what they cost. {@link DEFAULT_TIERS} unless given. */
  tiers?: { readonly [T in Tier]: TierCost };
  /** All of them hold at once: a request passes every one or is charged by none. */
  limits?: readonly Limit<LimitName>[];
  /** Caps in dollars, which hold together with the limits. */
  budgets?: readonly Budget<LimitName>[];
  /** The line in which requests wait. None unless given: then all that does not fit now is refused. */
  queue?: QueueOptions;
  /**
   * Models from the best to the cheapest: a request for one is served by the next where limits or budgets have no room
   * for it. No model stands in two. Names are in printable ASCII; each needs a price where a budget enforces.
   */
  ladders?: readonly (readonly Model[])[];
  /**
   * What models cost, for budgets. `default` is the price of those that are not named; without it a request for one is an
   * error.
   */
  prices?: { readonly [M in Priced]?: ModelPrice | readonly [ModelPrice, ...DatedPrice[]] } | PriceTable;
  /** How somebody is told of budgets. */
  alerts?: AlertOptions;
  /** The HTTP status where a budget refuses. 402 unless given: SDKs don't try that again by themselves. */
  budgetStatus?: 402 | 429;
  /** The features that requests may name. Any, unless given. */
  features?: readonly Feature[];
  /** Where usage is kept. `memoryStore()` unless given. */
  store?: Store;
  /** `systemClock` unless given; `manualClock()` from `@tollgate/core/testing` in tests. */
  clock?: Clock;
}

/** What can change while a gate runs. Usage is kept, and open admissions keep their prices; what is left out stays as it is. */
export interface TollgateChange<Tier extends string = string, LimitName extends string = string> {
  tiers?: { readonly [T in Tier]?: TierCost };
  /** In place of all prices. */
  prices?: TollgateConfig['prices'];
  budgets?: {
    readonly [L in LimitName]?: Partial<
      Pick<BudgetOptions, 'limit' | 'reserve' | 'degradeAt' | 'alertAt' | 'mode' | 'onStoreError'>
    >;
  };
  limits?: {
    readonly [L in LimitName]?:
      | Partial<Pick<SlidingWindowOptions, 'limit' | 'mode' | 'onStoreError'>>
      | Partial<Pick<TokenBucketOptions, 'capacity' | 'refill' | 'mode' | 'onStoreError'>>
      | (Partial<Pick<ConcurrencyOptions, 'mode' | 'onStoreError'>> & { limit?: PerPlan<number> });
  };
  /** Each in place of what it was. `concurrency` only where it is a number, and by another. */
  queue?: Partial<Pick<QueueOptions, 'maxDepth' | 'maxDepthEach' | 'maxWait' | 'weights'>> & { concurrency?: number };
}
