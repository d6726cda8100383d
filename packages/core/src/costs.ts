/** From a request's tier, permits and what is known of its tokens to what it costs. */
import type { Offer } from './admission.js';
import { type ErrorCode, show, TollgateError, warnOnce } from './errors.js';
import type { BodyEstimate } from './money/body.js';
import type { Learned, Likely } from './money/learned.js';
import { parseMoney } from './money/nano-dollars.js';
import type { PriceTable } from './money/prices.js';
import type { Outcome } from './outcome.js';
import type { AdmitRequest, Cost, TokenCounts } from './request.js';
import { checkTokenCounts } from './token-counts.js';
import { A_COST, isCost } from './units.js';
import type { Tier } from './validate.js';

/** What decides what requests cost. */
export interface Costing {
  readonly tiers: ReadonlyMap<string, Tier>;
  readonly features: ReadonlySet<string> | undefined;
  readonly prices: PriceTable | undefined;
  /** Something counts dollars: then what has no price is an error, unless all that does is on trial. */
  readonly countsUsd: boolean;
  readonly onTrial: boolean;
  /** What has been warned of. */
  readonly warned: Set<string>;
}

/** What a request costs where a model serves it, and as far as its body says what that will take. */
export type CostOf = (
  request: AdmitRequest,
  model: string | undefined,
  body: BodyEstimate | undefined,
  now: number,
) => Cost;

/**
 * Gives what a request costs where a model serves it. What names a tier and says no more, as most do where dollars aren't
 * counted, shares one cost that is made once.
 *
 * The function throws a TollgateError for a tier, feature or model that is not known, and for permits, estimates or
 * dollars that are none.
 */
export function costsBy(costing: Costing, learned: Learned): CostOf {
  const { tiers, features, countsUsd } = costing;
  const costs = new Map([...tiers].map(([name, tier]) => [name, tierCost(tier)]));
  return (request, model, body, now) => {
    const { tier, permits, estimate, feature, usd } = request;
    const named = tier === undefined ? undefined : costs.get(tier);
    if (tier !== undefined && !named) throw unknown('TOLLGATE_UNKNOWN_TIER', 'tier', tier, costs.keys());
    if (feature !== undefined && features && !features.has(feature)) {
      throw unknown('TOLLGATE_UNKNOWN_FEATURE', 'feature', feature, features);
    }
    const likely = model === undefined ? undefined : learned.likely(feature, model);
    const isPlain = permits === undefined && estimate === undefined && likely === undefined && body === undefined;
    if (named && isPlain && usd === undefined && !countsUsd) return named;
    checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', estimate);
    // A body without text says nothing of what is sent.
    const read = body?.inputTokens || undefined;
    const inputTokens = estimate?.inputTokens ?? read ?? likely?.inputTokens ?? named?.inputTokens ?? 0;
    const outputTokens = estimate?.outputTokens ?? likelyOutput(likely, body) ?? named?.outputTokens ?? 0;
    const most = estimate?.outputTokens ?? body?.maxOutputTokens ?? Math.max(outputTokens, named?.outputTokens ?? 0);
    const dollars = (outputTokens: number) =>
      usd === undefined
        ? priceOf(costing, model, { ...estimate, inputTokens, outputTokens }, now)
        : moneyOf('TOLLGATE_REQUEST_INVALID', 'usd', usd);
    const expected = dollars(outputTokens);
    return {
      requests: 1,
      permits: permitsOf(permits ?? named?.permits),
      inputTokens,
      outputTokens,
      usd: expected,
      worstUsd: most === outputTokens ? expected : dollars(most),
    };
  };
}

/** What was learned, where the body allows so much. */
function likelyOutput(likely: Likely | undefined, body: BodyEstimate | undefined): number | undefined {
  const declared = body?.maxOutputTokens;
  return likely?.outputTokens === undefined
    ? declared
    : Math.min(likely.outputTokens, declared ?? Number.POSITIVE_INFINITY);
}

/**
 * What tokens cost, in nano-dollars; 0 where dollars aren't counted. Whatever uses no tokens and names no model is free.
 *
 * @throws TollgateError `TOLLGATE_UNKNOWN_MODEL` where the model has no price
 */
export function priceOf(
  { prices, countsUsd, onTrial, warned }: Costing,
  model: string | undefined,
  usage: TokenCounts,
  at: number,
): number {
  if (!countsUsd) return 0;
  const price = prices?.costOf(model, usage, at);
  if (isCost(price)) return Math.ceil(price);
  if (price === undefined && model === undefined && !usage.inputTokens && !usage.outputTokens) return 0;
  const message =
    price === undefined
      ? `model: got ${show(model)}; expected one that has a price, since budgets count what it costs. Add it to prices, or a 'default'.`
      : `prices.costOf(${show(model)}, …): got ${show(price)}; expected nano-dollars, ${A_COST}, or undefined.`;
  if (!onTrial) throw new TollgateError('TOLLGATE_UNKNOWN_MODEL', message);
  warnOnce(
    warned,
    'price',
    'TOLLGATE_SHADOW_FAILED',
    `Budgets, all in shadow mode, counted a request as free: ${message}`,
  );
  return 0;
}

/** What a request comes to that was offered at this cost. */
export function actualOf({ costing, cost, model, at }: Offer, { usage, usd, model: served = model }: Outcome): Cost {
  if (usage === undefined && usd === undefined && served === model) return cost;
  const { inputTokens = cost.inputTokens, outputTokens = cost.outputTokens } = usage ?? {};
  const dollars =
    usd === undefined
      ? priceOf(costing, served, { ...usage, inputTokens, outputTokens }, at)
      : moneyOf('TOLLGATE_USAGE_INVALID', 'outcome.usd', usd);
  return { ...cost, inputTokens, outputTokens, usd: dollars, worstUsd: dollars };
}

/** What two costs come to. */
export function sumOf(a: Cost, b: Cost): Cost {
  return {
    requests: a.requests + b.requests,
    permits: a.permits + b.permits,
    inputTokens: a.inputTokens + b.inputTokens,
    outputTokens: a.outputTokens + b.outputTokens,
    usd: a.usd + b.usd,
    worstUsd: a.worstUsd + b.worstUsd,
  };
}

/** @throws TollgateError with `code` for what is no amount of money */
export function moneyOf(code: ErrorCode, field: string, value: unknown): number {
  const nanoDollars = parseMoney(value);
  if (nanoDollars !== undefined) return nanoDollars;
  throw new TollgateError(code, `${field}: got ${show(value)}; expected an amount such as '$5' or '$0.000125'.`);
}

function tierCost({ permits, inputTokens = 0, outputTokens = 0 }: Tier): Cost {
  return { requests: 1, permits, inputTokens, outputTokens, usd: 0, worstUsd: 0 };
}

function permitsOf(value: unknown): number {
  if (isCost(value)) return value;
  throw new TollgateError(
    'TOLLGATE_REQUEST_INVALID',
    `permits: got ${show(value)}; expected ${A_COST} (or name a tier).`,
  );
}

function unknown(code: ErrorCode, field: string, value: unknown, known: Iterable<string>): TollgateError {
  const names = [...known].map((name) => `'${name}'`).join(', ');
  return new TollgateError(code, `${field}: got ${show(value)}; expected one of ${names}.`);
}
