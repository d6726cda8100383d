/** What a gate decides: an admission to be settled, or a refusal. */
import type { Drawn } from './admission/draws.js';
import type { Outcome } from './admission/outcome.js';
import type { Refusal } from './http/problem.js';
import type { LayerState } from './meters/layer-state.js';
import type { AdmitRequest, Cost, DrawEstimate, Estimate, May } from './request.js';
import type { Duration } from './units.js';

export interface DrawOptions {
  /**
   * What is sent, in the shape of OpenAI, Anthropic or Gemini: tokens that the estimate leaves out are estimated from it, and
   * from what such calls did use. Then the prices are those that hold now.
   */
  body?: unknown;
}

/** Leave to go on, and the duty to settle: what is never settled stays charged as estimated. */
export interface Admission {
  readonly id: string;
  /** What was asked for, as it was changed last: on whose behalf, for which feature, and how urgently. */
  readonly request: Readonly<AdmitRequest>;
  /** The model to use: the one asked for, or a cheaper one of its ladder. */
  readonly model: string | undefined;
  /** The name of the way to use, of those that the request offered; `undefined` where it offered none. */
  readonly way: string | undefined;
  /** A cheaper model than the one asked for is to be used. */
  readonly degraded: boolean;
  /** Milliseconds that the request waited in the line before it was charged; 0 if it didn't. */
  readonly waitedMs: number;
  /** Aborts when whoever asked has gone, or the lease of a slot has ended: pass it to what the request sets off. */
  readonly signal: AbortSignal;
  /** The tokens, and their price in nano-dollars, that it is expected to use, extensions included. */
  readonly estimate: Pick<Cost, 'inputTokens' | 'outputTokens' | 'usd'>;
  /** How the limits stand that it met. */
  layers(): May<readonly LayerState[]>;
  /**
   * Charges for more work under the same admission, such as an agent's next call: all of it or, when refused, nothing.
   * What was admitted before stays so. Its price is that of the admission's model when it was admitted, unless `usd` is
   * given; tokens that are left out are none.
   *
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` after settling, `TOLLGATE_REQUEST_INVALID` for a count or an amount
   *   that is none, `TOLLGATE_UNKNOWN_MODEL` where its tokens have no price
   */
  extend(estimate: Estimate): Promise<Decision>;
  /**
   * Lets one of several calls be made, such as an agent's: it takes of what the admission was charged what other calls leave.
   * Where that is too little the admission is extended by what is lacking, or the call is refused as `extend` is and takes
   * nothing. Its price is that of its own model when the admission was made, unless `usd` is given; tokens that are left
   * out are none, or as `body` tells. Limits by `model` count the admission's.
   *
   * An admission that ends without a usage of its own is settled by what its draws have used, together.
   *
   * @throws TollgateError as `extend` does
   */
  draw(estimate: DrawEstimate, options?: DrawOptions): Promise<Drawn>;
  /**
   * Takes in what the answer to this admission said of what is left, such as a provider's headers: it corrects the limits
   * that are `headroom`, for all that count there. They are taken to have counted all that was charged up to this admission,
   * but not what was charged since. Whatever leaves less room holds at once, what leaves more step by step. Also once it is
   * settled. Where the store fails it is lost.
   *
   * @throws TollgateError `TOLLGATE_OBSERVATION_INVALID` for a reading that is none, and for a layer that is no headroom
   */
  observe(readings: readonly Observation[]): May<void>;
  /** Aborts `signal`: whoever asked has gone. The admission is still to be settled. */
  abort(reason?: unknown): void;
  /** Leaves settling to you alone: work goes on after the response. */
  keepOpen(): void;
  /**
   * Keeps it in the store, for any process to take up by its id (see `Tollgate.resume`), such as the worker of a job queue.
   * Whoever settles it first does, here or elsewhere. Nothing can be added to it here from then on, and the end of the
   * response doesn't settle it. Draws that are open then count as estimated there. Resolves to its id; rejects where the
   * store fails, and it stays as it was, kept open.
   *
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` after settling, `TOLLGATE_REQUEST_INVALID` for a time that is none,
   *   `TOLLGATE_NOT_KEPT` where the store keeps none
   */
  handOver(options?: HandOverOptions): Promise<string>;
  /**
   * Puts actual usage in place of the estimate: that of the outcome or, where it tells of none, of all draws. The first call
   * counts; after a provisional one, one more does. Where the store fails, that is done once it answers again, and not waited
   * for; nor is the end of open draws, by which it is to be settled: that is done as the last of them is settled, or after
   * ten minutes, with the estimates of those that are not, and then once more as they are.
   *
   * @throws TollgateError `TOLLGATE_USAGE_INVALID` for an outcome or a usage that is none, or has an unknown field;
   *   `TOLLGATE_UNKNOWN_MODEL` where its tokens have no price. The admission stays as it was
   */
  settle(outcome?: Outcome): Promise<void>;
  /**
   * Settles provisionally: one later `settle` still counts. For who knows only that the response has ended, such as an
   * adapter. Does nothing once settled or kept open, and makes no promise where the store makes none.
   */
  conclude(outcome?: Outcome): May<void>;
}

/** What was said of one limit that is `headroom`. What is left out isn't known; any other field is an error. */
export interface Observation {
  /** The name of the limit. */
  layer: string;
  /** What is allowed in a window, which counts where it is below the limit's own. That one, unless given. */
  limit?: number | undefined;
  /** What was left of it. */
  remaining?: number | undefined;
  /**
   * Milliseconds for which nothing is to pass from now on, such as those of `Retry-After`. It never ends an earlier one that
   * lasts longer, but for 0: that ends any.
   */
  shutMs?: number | undefined;
}

export interface HandOverOptions {
  /** Until then it can be settled, and stays charged as estimated after that: from 1 s to 30 days, `'1d'` unless given. */
  within?: Duration | undefined;
}

export type Decision =
  | {
      readonly admitted: true;
      readonly admission: Admission;
      /** How the limits stand now, where that was asked for and is known at once. */
      readonly layers: readonly LayerState[] | undefined;
    }
  | { readonly admitted: false; readonly refusal: Refusal };
