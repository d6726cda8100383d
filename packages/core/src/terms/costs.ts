/** From a request's tier, permits and what is known of its tokens to what it costs. */
import type { Tier } from '../config/validate.js';
import { type ErrorCode, oneOfNames, show, type TollgateError, warnOnce, wrongValue } from '../errors.js';
import type { BodyEstimate } from '../money/body.js';
import type { Learned, Likely } from '../money/learned.js';
import { type AdmitRequest, type Cost, type Estimate, NOTHING, type TokenCounts } from '../request.js';
import { isRecord } from '../schema.js';
import { A_COST, isCost } from '../units.js';
import { type Pricing, priceOf, usdOf } from './pricing.js';
import { checkTokenCounts, countsOf, isComplete, sumOfCounts } from './token-counts.js';

/** What decides what requests cost. */
export interface Costing extends Pricing {
  readonly tiers: ReadonlyMap<string, Tier>;
  readonly features: ReadonlySet<string> | undefined;
  /** Something counts permits: then a request has to say what it costs. */
  readonly countsPermits: boolean;
}

/** What a request is taken to cost, and from what. */
export interface Quote {
  readonly cost: Cost;
  /** The tokens that it stands for, with their parts. */
  readonly tokens: TokenCounts;
  /** How long the answer may be, which is what the cost is at most; as it is expected where dollars were given. */
  readonly mostOutputTokens: number;
  /** How many answers are asked for, which the tokens of are together. */
  readonly choices: number;
  /** Its dollars were given, and are no price of tokens. */
  readonly isUsdGiven: boolean;
}

/** What its quote is of: by which model and prices, and as of when. What it comes to is priced likewise, whatever prices have become. */
export interface Priced {
  readonly model: string | undefined;
  readonly quote: Quote;
  readonly costing: Costing;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/** Quotes for a request where a model serves it, and as far as its body says what that will take. */
export type QuoteFor = (
  request: AdmitRequest,
  model: string | undefined,
  body: BodyEstimate | undefined,
  now: number,
) => Quote;

/** How long an answer is taken to be where dollars count and nothing tells: never nothing, since that would be free. */
const ASSUMED_OUTPUT_TOKENS = 4096;

/**
 * What names a tier and says no more, as most requests do where dollars aren't counted, shares one quote that is made once.
 *
 * The function throws a TollgateError for a tier, feature or model that is not known, and for permits, estimates or
 * dollars that are none.
 */
export function quotesBy(costing: Costing, learned: Learned): QuoteFor {
  const { tiers, features, countsUsd, countsPermits } = costing;
  const unsaid = countsPermits ? undefined : 0;
  const quotes = new Map([...tiers].map(([name, tier]) => [name, tierQuote(tier)]));
  return (request, model, body, now) => {
    const { tier, permits, estimate, feature, usd } = request;
    const named = tier === undefined ? undefined : quotes.get(tier);
    if (tier !== undefined && !named) throw unknown('TOLLGATE_UNKNOWN_TIER', 'tier', tier, quotes.keys());
    if (feature !== undefined && features && !features.has(feature)) {
      throw unknown('TOLLGATE_UNKNOWN_FEATURE', 'feature', feature, features);
    }
    const likely = model === undefined || isComplete(estimate) ? undefined : learned.likely(feature, model);
    const isPlain = permits === undefined && estimate === undefined && likely === undefined && body === undefined;
    if (named && isPlain && usd === undefined && !countsUsd) return named;
    checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', estimate);
    // A body without text says nothing of what is sent.
    const read = body?.inputTokens || undefined;
    const { inputTokens: least = 0, outputTokens: fallback } = named?.tokens ?? {};
    const inputTokens = estimate?.inputTokens ?? read ?? likely?.inputTokens ?? least;
    // What is known of answers holds for each that is asked for.
    const choices = body?.choices ?? 1;
    const usual = fallback === undefined ? undefined : fallback * choices;
    const told = estimate?.outputTokens ?? likelyOutput(likely, body) ?? usual;
    // Who gives an estimate without an answer expects none, as of embeddings; but not whose tokens of it turn out to be missing.
    const isOpen = estimate === undefined || 'outputTokens' in estimate;
    const outputTokens = told ?? (usd === undefined && isOpen ? assumedOutput(costing, model) * choices : 0);
    const longest = estimate?.outputTokens ?? body?.maxOutputTokens ?? Math.max(outputTokens, usual ?? 0);
    const most = usd === undefined ? longest : outputTokens;
    const tokens = countsOf(inputTokens, outputTokens, estimate, estimate);
    const expected = usdOf(costing, model, tokens, usd, now);
    return {
      cost: {
        requests: 1,
        permits: permitsOf(permits ?? named?.cost.permits ?? unsaid),
        inputTokens,
        outputTokens,
        usd: expected,
        worstUsd: most === outputTokens ? expected : priceOf(costing, model, { ...tokens, outputTokens: most }, now),
      },
      tokens,
      mostOutputTokens: most,
      choices,
      isUsdGiven: usd !== undefined,
    };
  };
}

/** What was learned, where the body allows so much. */
function likelyOutput(likely: Likely | undefined, body: BodyEstimate | undefined): number | undefined {
  const declared = body?.maxOutputTokens;
  return likely?.outputTokens === undefined
    ? declared
    : Math.min(likely.outputTokens * (body?.choices ?? 1), declared ?? Number.POSITIVE_INFINITY);
}

function assumedOutput({ countsUsd, warned }: Costing, model: string | undefined): number {
  if (!countsUsd || model === undefined) return 0;
  warnOnce(
    warned,
    'output',
    'TOLLGATE_ESTIMATE_MISSING',
    `Nothing tells how long the answer to a request for ${show(model)} may be, so ${ASSUMED_OUTPUT_TOKENS} tokens are ` +
      'charged until it is settled. Say it in an estimate, in the body (max_tokens), or as outputTokens of the tier.',
  );
  return ASSUMED_OUTPUT_TOKENS;
}

/** What is asked for in addition, as priced as what it is added to. @throws TollgateError for what is no estimate */
export function quoteMore({ costing, model, at }: Omit<Priced, 'quote'>, estimate: Estimate): Quote {
  const { usd, ...counts } = checkedEstimate(estimate);
  checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', counts);
  const { inputTokens = 0, outputTokens = 0 } = counts;
  const tokens = countsOf(inputTokens, outputTokens, counts, counts);
  const dollars = usdOf(costing, model, tokens, usd, at);
  const cost = { requests: 0, permits: 0, inputTokens, outputTokens, usd: dollars, worstUsd: dollars };
  return { cost, tokens, mostOutputTokens: outputTokens, choices: 1, isUsdGiven: usd !== undefined };
}

/** A call of what is so priced, by a model of its own where it names one. @throws TollgateError for what is no estimate */
export function callOf(
  { costing, model: own, at }: Priced,
  estimate: Estimate & { readonly model?: string | undefined },
): Priced {
  const { model = own, ...more } = checkedEstimate(estimate);
  checkModelName(model);
  return { costing, model, at, quote: quoteMore({ costing, model, at }, more) };
}

/** @throws TollgateError for what is no name of a call's model */
export function checkModelName(model: unknown): void {
  if (model === undefined || (typeof model === 'string' && model !== '')) return;
  throw wrongValue('TOLLGATE_REQUEST_INVALID', 'estimate.model', model, 'a name, or undefined');
}

/** @throws TollgateError for what is no estimate */
export function checkedEstimate<E extends Estimate>(estimate: E): E {
  if (!isRecord(estimate)) checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', estimate ?? null);
  return estimate;
}

/** What two quotes come to. */
export function sumOf(a: Quote, b: Quote): Quote {
  return {
    cost: replaced(a.cost, NOTHING, b.cost),
    tokens: sumOfCounts(a.tokens, b.tokens),
    mostOutputTokens: a.mostOutputTokens + b.mostOutputTokens,
    choices: a.choices,
    isUsdGiven: a.isUsdGiven || b.isUsdGiven,
  };
}

/** A total with `to` in place of `from`. */
export function replaced(total: Cost, from: Cost, to: Cost): Cost {
  return {
    requests: total.requests - from.requests + to.requests,
    permits: total.permits - from.permits + to.permits,
    inputTokens: total.inputTokens - from.inputTokens + to.inputTokens,
    outputTokens: total.outputTokens - from.outputTokens + to.outputTokens,
    usd: total.usd - from.usd + to.usd,
    worstUsd: total.worstUsd - from.worstUsd + to.worstUsd,
  };
}

function tierQuote({ permits, ...tokens }: Tier): Quote {
  const { inputTokens = 0, outputTokens = 0 } = tokens;
  return {
    cost: { requests: 1, permits, inputTokens, outputTokens, usd: 0, worstUsd: 0 },
    tokens,
    mostOutputTokens: outputTokens,
    choices: 1,
    isUsdGiven: false,
  };
}

function permitsOf(value: unknown): number {
  if (isCost(value)) return value;
  throw wrongValue('TOLLGATE_REQUEST_INVALID', 'permits', value, `${A_COST} (or name a tier)`);
}

function unknown(code: ErrorCode, field: string, value: unknown, known: Iterable<string>): TollgateError {
  return wrongValue(code, field, value, oneOfNames(known));
}
