/** What `createTollgate` takes. Everything here is plain data; `validate.ts` checks it. */
import type { Clock } from './clock.js';
import type {
  Budget,
  BudgetOptions,
  ConcurrencyOptions,
  Limit,
  PerPlan,
  SlidingWindowOptions,
  TokenBucketOptions,
} from './config/layers.js';
import type { QueueOptions } from './line/queue-options.js';
import type { DatedPrice, ModelPrice, PriceTable } from './money/prices.js';
import type { TokenCounts } from './request.js';
import type { Store } from './store/store.js';

/** The tiers of a gate that names none, and the permits that each costs. */
export const DEFAULT_TIERS = { small: 1, medium: 3, large: 10, xlarge: 30 } as const;

export type DefaultTier = keyof typeof DEFAULT_TIERS;

/** What a tier costs: permits, and the tokens to expect of a request where neither an estimate, its body nor the past tells. */
export type TierCost = number | ({ permits: number } & Pick<TokenCounts, 'inputTokens' | 'outputTokens'>);

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
