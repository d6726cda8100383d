/** What came of an admission, and what that makes of its charges. */
import { type TollgateError, wrongValue } from '../errors.js';
import { costIn } from '../meters/charges.js';
import type { Ending, Meter } from '../meters/meter.js';
import type { Money } from '../money/nano-dollars.js';
import type { Cost, TokenCounts } from '../request.js';
import { isRecord } from '../schema.js';
import type { Receipt } from '../store/store.js';
import type { Priced, Quote } from '../terms/costs.js';
import { moneyOf, priceOf } from '../terms/pricing.js';
import { checkTokenCounts, countsOf } from '../terms/token-counts.js';
import { isCost } from '../units.js';

/** How the work of an admission ended, and what it used. Any other field is an error. */
export interface Outcome {
  /**
   * `succeeded` and `failed` keep what was charged, or the usage given; `ignored` gives everything back but what draws have
   * used.
   */
  outcome?: 'succeeded' | 'failed' | 'ignored' | undefined;
  /** The tokens used. Input and output that are left out stay as estimated. */
  usage?: TokenCounts | undefined;
  /** The model that did serve it, where that is not the admission's. */
  model?: string | undefined;
  /**
   * What it did cost in dollars, where you know better than the price of its tokens. Left out, dollars that the request
   * was admitted with stand until `outputTokens` or another `model` is told, and where those have no price.
   */
  usd?: Money | undefined;
  /**
   * What it was for, such as a provider, said that it is overloaded (429, 503 or 529) or timed out: of adaptive slots there
   * are fewer then. With the milliseconds for which nothing may begin, where it told them.
   */
  overloaded?: boolean | { readonly retryAfterMs?: number | undefined } | undefined;
}

const FIELDS = ['outcome', 'usage', 'model', 'usd', 'overloaded'];

/**
 * What it comes to: the quote's own cost where the outcome tells of no figure. At most, while nobody knows how long the
 * answer was, what the longest would have cost.
 */
export function actualOf({ costing, model, at, quote }: Priced, outcome: Outcome): Cost {
  if (!hasFigures(outcome, model)) return quote.cost;
  const { usage, usd, model: served = model } = outcome;
  const { inputTokens: input, outputTokens: output } = usage ?? {};
  // Parts belong to their whole: both are as estimated, or both as told.
  const inputs = input === undefined ? quote.tokens : usage;
  const outputs = output === undefined ? quote.tokens : usage;
  const inputTokens = inputs?.inputTokens ?? 0;
  const outputTokens = outputs?.outputTokens ?? 0;
  const tokens = countsOf(inputTokens, outputTokens, inputs, outputs);
  if (usd !== undefined) {
    const dollars = moneyOf('TOLLGATE_USAGE_INVALID', 'outcome.usd', usd);
    return costOf(quote, inputTokens, outputTokens, dollars, dollars);
  }
  const isAnswerUnknown = output === undefined && served === model;
  // Dollars that were given stand until the answer is known, or who gave it, and where that has no price.
  if (quote.isUsdGiven && (isAnswerUnknown || costing.prices?.costOf(served, tokens, at) === undefined)) {
    return { ...quote.cost, inputTokens, outputTokens };
  }
  const dollars = priceOf(costing, served, tokens, at);
  const most = output === undefined ? quote.mostOutputTokens : outputTokens;
  const worst = most === outputTokens ? dollars : priceOf(costing, served, { ...tokens, outputTokens: most }, at);
  return costOf(quote, inputTokens, outputTokens, dollars, worst);
}

/** It tells of something that was used, or of another model than the one that was to serve. */
export function hasFigures({ usage, usd, model }: Outcome, own: string | undefined): boolean {
  const hasUsage = usage?.inputTokens !== undefined || usage?.outputTokens !== undefined;
  return hasUsage || usd !== undefined || (model !== undefined && model !== own);
}

function costOf({ cost }: Quote, inputTokens: number, outputTokens: number, usd: number, worstUsd: number): Cost {
  const { requests, permits } = cost;
  return { requests, permits, inputTokens, outputTokens, usd, worstUsd };
}

/**
 * What each entry comes to, from what it was charged at first: an earlier, provisional end doesn't count. Of several entries
 * of one meter the earlier are filled first; the last takes the rest. While nobody knows how long the answer was, a budget
 * that has reserved the worst keeps that, at the price of the model that did serve. Slots are given back, however it ended.
 *
 * @param estimated what was charged as a whole
 * @param total what it comes to: `undefined` where all is given back, `estimated` itself where nothing is known. Of requests and
 *   permits all is kept, or nothing
 */
export function actualCosts(receipt: Receipt, estimated: Cost, total: Cost | undefined): number[] {
  const actual: number[] = new Array(receipt.length);
  for (let i = 0; i < receipt.length; i++) {
    const { meter, cost } = receipt[i].charge;
    if (total === undefined || meter.unit === 'slots') actual[i] = 0;
    else if (total === estimated) actual[i] = cost;
    else if (meter.unit === 'requests' || meter.unit === 'permits') actual[i] = total[meter.unit] === 0 ? 0 : cost;
    else if (actual[i] === undefined) share(actual, receipt, i, totalOf(meter, receipt, estimated, total));
  }
  return actual;
}

/** Shares out what all entries of a meter come to together: one walk for a meter, since an agent may extend a thousand times. */
function share(actual: number[], receipt: Receipt, first: number, total: number): void {
  const { meter } = receipt[first].charge;
  let left = total;
  let last = first;
  for (let i = first + 1; i < receipt.length; i++) {
    if (receipt[i].charge.meter !== meter) continue;
    const { cost } = receipt[last].charge;
    actual[last] = Math.min(left, cost);
    left = Math.max(0, left - cost);
    last = i;
  }
  actual[last] = left;
}

/** What all entries of a meter come to together. */
function totalOf(meter: Meter, receipt: Receipt, estimated: Cost, total: Cost): number {
  const isWorst = meter.unit === 'usd' && chargedTo(meter, receipt) >= estimated.worstUsd;
  return isWorst ? total.worstUsd : costIn(meter.unit, total);
}

/** What a meter was charged at first. */
function chargedTo(meter: Meter, receipt: Receipt): number {
  let sum = 0;
  for (let i = 0; i < receipt.length; i++) if (receipt[i].charge.meter === meter) sum += receipt[i].charge.cost;
  return sum;
}

/** @throws TollgateError `TOLLGATE_USAGE_INVALID` for what is no outcome, or has a field that none has */
export function checkOutcome(given: Outcome): void {
  if (!isRecord(given)) throw wrongOutcome('outcome', given, "an object such as { outcome: 'succeeded', usage }");
  for (const name in given) {
    if (!FIELDS.includes(name)) throw wrongOutcome(`outcome.${name}`, given[name], `${FIELDS.join(', ')} alone`);
  }
  const { outcome = 'succeeded', usage, model, overloaded } = given;
  if (outcome !== 'succeeded' && outcome !== 'failed' && outcome !== 'ignored') {
    throw wrongOutcome('outcome.outcome', outcome, "'succeeded', 'failed' or 'ignored'");
  }
  checkTokenCounts('TOLLGATE_USAGE_INVALID', 'outcome.usage', usage);
  if (model !== undefined && (typeof model !== 'string' || model === '')) {
    throw wrongOutcome('outcome.model', model, 'the name of a model, or undefined');
  }
  if (!isOverload(overloaded)) {
    throw wrongOutcome('outcome.overloaded', overloaded, 'true, false, or { retryAfterMs } with milliseconds from 0');
  }
}

function isOverload(value: unknown): value is Outcome['overloaded'] {
  if (!isRecord(value)) return value === undefined || typeof value === 'boolean';
  const { retryAfterMs = 0, ...others } = value;
  return isCost(retryAfterMs) && Object.keys(others).length === 0;
}

/** What it tells of the load. A failure that is no overload tells nothing, nor does what was never sent. */
export function endingOf({ outcome = 'succeeded', usage, overloaded = false }: Outcome): Ending {
  if (overloaded === false) {
    return { outcome: outcome === 'succeeded' ? outcome : 'failed', outputTokens: usage?.outputTokens };
  }
  return { outcome: 'overloaded', retryAfterMs: overloaded === true ? undefined : overloaded.retryAfterMs };
}

function wrongOutcome(field: string, value: unknown, expected: string): TollgateError {
  return wrongValue('TOLLGATE_USAGE_INVALID', field, value, expected);
}
