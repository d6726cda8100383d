/** What models cost: from token counts to nano-dollars. */
import { z } from 'zod';
import type { TokenCounts } from '../request.js';
import { check, field, isRecord, reading } from '../schema.js';
import { parseTokenPrice, type TokenPrice } from './nano-dollars.js';

/** What a model costs, by kind of token. */
export interface ModelPrice {
  input: TokenPrice;
  output: TokenPrice;
  /** Of input that was read from the provider's cache; as `input` unless given. */
  cachedInput?: TokenPrice | undefined;
  /** Of input that was written to the provider's cache; as `input` unless given. */
  cacheWrite?: TokenPrice | undefined;
  /** Of output that was reasoning; as `output` unless given. */
  reasoning?: TokenPrice | undefined;
}

/** A price and the day or instant from which it holds, in UTC: `'2026-12-01'` or `'2026-12-01T08:30:00Z'`. */
export type DatedPrice = ModelPrice & { from: string };

/**
 * What each model costs: one price, or a list of which the first holds from the beginning, and each other one from its
 * date on, in ascending order. `default` holds for models that are not named; without it they have no price.
 */
export type Prices = Readonly<Record<string, ModelPrice | readonly [ModelPrice, ...DatedPrice[]]>>;

/** Knows what models cost. `prices` in the configuration makes one; another one may take its place. */
export interface PriceTable {
  /**
   * Whole nano-dollars, from 0 to 2⁵³ − 1; `undefined` where the model has no price.
   *
   * @param model `undefined` where it is not known
   * @param at when the tokens were used, in milliseconds since 1970
   */
  costOf(model: string | undefined, usage: TokenCounts, at: number): number | undefined;
}

/** A price in nano-dollars for a million tokens, and the time in milliseconds from which it holds. */
export interface ParsedPrice {
  readonly from: number;
  readonly input: number;
  readonly cachedInput: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly reasoning: number;
}

const MILLION = 1_000_000;

const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?Z)?$/;

const A_TOKEN_PRICE =
  "a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)";
const A_DATE = "a date such as '2026-12-01', or an instant in UTC such as '2026-12-01T08:30:00Z'";
const A_MODEL_PRICE =
  "a price such as { input: '$1/M', output: '$5/M' }, or a list of such, all but the first with `from`";
const A_PRICE_MAP =
  "a map from models to prices such as { input: '$1/M', output: '$5/M' }, or an object with costOf(model, usage, at)";

/**
 * A table of these prices; of each model one at least, in ascending order of `from`. Costs are exact, whatever the
 * counts: only the sum of all kinds is rounded, up to a whole nano-dollar, and above 2⁵³ − 1 it is 2⁵³ − 1. A fraction
 * of a token counts as a token. Parts are charged even where the whole is not given.
 */
function tableOf(prices: ReadonlyMap<string, readonly ParsedPrice[]>): PriceTable {
  const others = prices.get('default');
  return {
    costOf(model, usage, at) {
      const list = prices.get(model ?? 'default') ?? others;
      return list && costBy(priceAt(list, at), usage);
    },
  };
}

function priceAt(list: readonly ParsedPrice[], at: number): ParsedPrice {
  let i = list.length - 1;
  while (i > 0 && at < list[i].from) i--;
  return list[i];
}

function costBy(price: ParsedPrice, usage: TokenCounts): number {
  const cachedInput = whole(usage.cachedInputTokens);
  const cacheWrite = whole(usage.cacheWriteTokens);
  const reasoning = whole(usage.reasoningTokens);
  const input = Math.max(0, whole(usage.inputTokens) - cachedInput - cacheWrite);
  const output = Math.max(0, whole(usage.outputTokens) - reasoning);
  const sum =
    input * price.input +
    cachedInput * price.cachedInput +
    cacheWrite * price.cacheWrite +
    output * price.output +
    reasoning * price.reasoning;
  // No term is negative, so a sum below 2⁵³ has none that was rounded; and below 2⁵³ a quotient that is not whole stays so.
  if (sum <= Number.MAX_SAFE_INTEGER) return Math.ceil(sum / MILLION);
  return largeCost(price, { input, cachedInput, cacheWrite, output, reasoning });
}

function largeCost(price: ParsedPrice, counts: Omit<ParsedPrice, 'from'>): number {
  let sum = 0n;
  for (const [kind, count] of Object.entries(counts)) sum += BigInt(count) * BigInt(price[kind as keyof typeof counts]);
  return Math.min(Number((sum + 999_999n) / 1_000_000n), Number.MAX_SAFE_INTEGER);
}

function whole(count = 0): number {
  return Math.ceil(count);
}

const tokenPrice = field(A_TOKEN_PRICE, parseTokenPrice);

const modelPrice = {
  input: tokenPrice,
  output: tokenPrice,
  cachedInput: tokenPrice.optional(),
  cacheWrite: tokenPrice.optional(),
  reasoning: tokenPrice.optional(),
};

const firstPrice = z
  .strictObject(
    { ...modelPrice, from: z.undefined({ error: 'no date: the first price holds from the beginning' }).optional() },
    { error: A_MODEL_PRICE },
  )
  .transform((price) => parsedPrice({ ...price, from: Number.NEGATIVE_INFINITY }));

const laterPrice = z
  .strictObject({ ...modelPrice, from: field(A_DATE, parseDate) }, { error: A_MODEL_PRICE })
  .transform(parsedPrice);

/** The configuration's `prices`: nothing, a {@link PriceTable}, which is taken as it is, or {@link Prices}. */
export const prices = reading((value, context): PriceTable | undefined => {
  if (value === undefined || isPriceTable(value)) return value;
  if (!isRecord(value) || Object.keys(value).length === 0) {
    return refused(context);
  }
  const entries = Object.entries(value);
  return tableOf(new Map(entries.map(([model, entry]) => [model, readEntry(model, entry, context)])));
});

/**
 * A table of prices as the configuration has them, for tables of your own that build on it.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` for what are no prices
 */
export function priceTable(given: Prices): PriceTable {
  return check(
    prices.transform((table, context) => table ?? refused(context)),
    given,
  );
}

function refused(context: z.core.$RefinementCtx): never {
  context.addIssue({ code: 'custom', message: A_PRICE_MAP });
  return z.NEVER;
}

/** The prices of a model, or issues in the context. */
function readEntry(model: string, entry: unknown, context: z.core.$RefinementCtx): ParsedPrice[] {
  const list: readonly unknown[] = Array.isArray(entry) ? [...entry] : [entry];
  if (list.length === 0) context.addIssue({ code: 'custom', message: A_MODEL_PRICE, path: [model] });
  let latest = Number.NEGATIVE_INFINITY;
  return list.flatMap((one, i) => {
    const at = Array.isArray(entry) ? [model, i] : [model];
    const { data, error } = (i === 0 ? firstPrice : laterPrice).safeParse(one);
    for (const issue of error?.issues ?? []) context.addIssue({ ...issue, path: [...at, ...issue.path] });
    const from = isRecord(one) ? parseDate(one.from) : undefined;
    if (from !== undefined && from <= latest) {
      context.addIssue({
        code: 'custom',
        message: 'a date after those of the prices before it',
        path: [...at, 'from'],
      });
    }
    latest = from ?? latest;
    return data ?? [];
  });
}

function parsedPrice(
  price: Pick<ParsedPrice, 'from' | 'input' | 'output'> & Partial<Record<keyof ParsedPrice, number | undefined>>,
): ParsedPrice {
  const { from, input, output, cachedInput = input, cacheWrite = input, reasoning = output } = price;
  return { from, input, cachedInput, cacheWrite, output, reasoning };
}

/** Milliseconds since 1970. A day that the month lacks is none, as it does not come back as it was written. */
function parseDate(value: unknown): number | undefined {
  if (typeof value !== 'string' || !DATE.test(value)) return undefined;
  const ms = Date.parse(value);
  return Number.isNaN(ms) || !new Date(ms).toISOString().startsWith(value.replace('Z', '')) ? undefined : ms;
}

function isPriceTable(value: unknown): value is PriceTable {
  return isRecord(value) && typeof value.costOf === 'function';
}
