export type { Draw, Drawn } from './admission/draws.js';
export type { Outcome } from './admission/outcome.js';
export type { Admission, Decision, DrawOptions, HandOverOptions, Observation } from './admission.js';
export type { BudgetState } from './budget-state.js';
export { type Clock, steadyClock, systemClock } from './clock.js';
export {
  type Budget,
  type BudgetOptions,
  budget,
  type ConcurrencyLimit,
  type ConcurrencyOptions,
  concurrency,
  type Headroom,
  type HeadroomOptions,
  headroom,
  type Limit,
  type PerPlan,
  type SlidingWindow,
  type SlidingWindowOptions,
  slidingWindow,
  type TokenBucket,
  type TokenBucketOptions,
  tokenBucket,
} from './config/layers.js';
export {
  type AlertOptions,
  DEFAULT_TIERS,
  type DefaultTier,
  type TierCost,
  type TollgateChange,
  type TollgateConfig,
} from './config.js';
export { type ErrorCode, type Problem, TollgateError } from './errors.js';
export type { EventName, TollgateEvents } from './events.js';
export type { AdmitOptions, Explanation, Inspection, Tollgate } from './gate.js';
export type { ProblemBody, Refusal, RefusalReason } from './http/problem.js';
export type { HeaderStyle } from './http/rate-limit-headers.js';
export type { Register } from './http/toll.js';
export type { AdaptiveLimit } from './line/concurrency-options.js';
export type { LineState, LineValueState } from './line/line.js';
export type { QueueOptions } from './line/queue-options.js';
export type { AgeingInput } from './line/score.js';
export type { PerLevel, SheddingOptions } from './line/shedding.js';
export type { LayerState } from './meters/layer-state.js';
export type { Bill, Charge, Key, Meter, Rule, Scope, Unit, Usage, Who } from './meters/meter.js';
export type { BudgetAlert } from './money/alert-text.js';
export { weighOnce } from './money/body.js';
export type { EstimateState } from './money/learned.js';
export { formatMoney, type Money, type TokenPrice } from './money/nano-dollars.js';
export { type DatedPrice, type ModelPrice, type Prices, type PriceTable, priceTable } from './money/prices.js';
export { presets } from './presets.js';
export type {
  AdmitRequest,
  Cost,
  Dimension,
  DrawEstimate,
  Estimate,
  May,
  Priority,
  RequestFacts,
  Subject,
  TokenCounts,
  Way,
  Whom,
} from './request.js';
export { type MemoryStoreOptions, memoryStore } from './store/memory/memory.js';
export type {
  Alternative,
  Entry,
  NotTaken,
  Put,
  Receipt,
  Records,
  Seen,
  Shared,
  Store,
  Taken,
  TakeRequest,
} from './store/store.js';
export { createTollgate } from './tollgate.js';
export type { Count, Duration, Rate } from './units.js';
