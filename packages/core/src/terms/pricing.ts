/** What tokens come to in dollars, and dollars as they are given. */
import { type ErrorCode, show, type TollgateError, warnOnce, wrongValue } from '../errors.js';
import { parseMoney } from '../money/nano-dollars.js';
import type { PriceTable } from '../money/prices.js';
import type { AdmitRequest, TokenCounts } from '../request.js';
import { A_COST, isCost } from '../units.js';

export interface Pricing {
  readonly prices: PriceTable | undefined;
  /** Something counts dollars: then what has no price is an error, unless all that does is on trial. */
  readonly countsUsd: boolean;
  readonly onTrial: boolean;
  /** What has been warned of. */
  readonly warned: Set<string>;
}

const PRICE_IT = "Add it to prices, or a 'default'";
const NAME_IT = "Name it on the toll, or give that `usd` ('$0' where it costs none), or `prices` a 'default'";
const NO_PRICES =
  'Budgets count dollars, and there are no prices: a request that says no `usd` counts as free of cost where it names no model ' +
  'and has no text, and is an error where it does. Give `prices`, with a `default` for what names no model, or each toll ' +
  "its `usd` ('$0' where it costs none).";

/** In nano-dollars: what was given, else what the tokens cost. */
export function usdOf(
  pricing: Pricing,
  model: string | undefined,
  tokens: TokenCounts,
  usd: unknown,
  at: number,
): number {
  return usd === undefined ? priceOf(pricing, model, tokens, at) : moneyOf('TOLLGATE_REQUEST_INVALID', 'usd', usd);
}

/**
 * What tokens cost, in nano-dollars; 0 where dollars aren't counted. Whatever uses no tokens and names no model is free.
 *
 * @throws TollgateError `TOLLGATE_UNKNOWN_MODEL` where the model has no price
 */
export function priceOf(
  { prices, countsUsd, onTrial, warned }: Pricing,
  model: string | undefined,
  usage: TokenCounts,
  at: number,
): number {
  if (!countsUsd) return 0;
  const price = prices?.costOf(model, usage, at);
  if (isCost(price)) return Math.ceil(price);
  if (price === undefined && model === undefined && !usage.inputTokens && !usage.outputTokens) {
    if (prices === undefined && !onTrial) warnOnce(warned, 'prices', 'TOLLGATE_NO_PRICES', NO_PRICES);
    return 0;
  }
  const error = price === undefined ? withoutPrice(prices, model) : wrongPrice(model, price);
  if (!onTrial) throw error;
  warnOnce(
    warned,
    'price',
    'TOLLGATE_SHADOW_FAILED',
    `Budgets, all in shadow mode, counted a request as free: ${error.message}`,
  );
  return 0;
}

/** @throws TollgateError `TOLLGATE_UNKNOWN_MODEL` where a request names no model and needs one, to have a price */
export function checkNamed({ prices, countsUsd, onTrial }: Pricing, { model, usd }: AdmitRequest, at: number): void {
  if (!countsUsd || onTrial || prices === undefined || model !== undefined || usd !== undefined) return;
  if (prices.costOf(model, {}, at) === undefined) throw withoutPrice(prices, model);
}

/** Without any prices no model that is named can be to blame, whoever has chosen it. */
function withoutPrice(prices: PriceTable | undefined, model: string | undefined): TollgateError {
  if (prices === undefined && model !== undefined) {
    const expected = `a price for ${show(model)}, or a 'default', since budgets count what it costs`;
    return wrongValue('TOLLGATE_UNKNOWN_MODEL', 'prices', prices, expected);
  }
  const what = model === undefined ? NAME_IT : PRICE_IT;
  const expected = `one that has a price, since budgets count what it costs. ${what}`;
  return wrongValue('TOLLGATE_UNKNOWN_MODEL', 'model', model, expected);
}

function wrongPrice(model: string | undefined, price: unknown): TollgateError {
  const field = `prices.costOf(${show(model)}, …)`;
  return wrongValue('TOLLGATE_UNKNOWN_MODEL', field, price, `nano-dollars, ${A_COST}, or undefined`);
}

/** @throws TollgateError with `code` for what is no amount of money */
export function moneyOf(code: ErrorCode, field: string, value: unknown): number {
  const nanoDollars = parseMoney(value);
  if (nanoDollars !== undefined) return nanoDollars;
  throw wrongValue(code, field, value, "an amount such as '$5' or '$0.000125'");
}
