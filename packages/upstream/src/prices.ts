/** What models cost by a public catalogue, `@pydantic/genai-prices`, which comes with the package: nothing is fetched. */
import { calcPrice, findProvider } from '@pydantic/genai-prices';
import {
  type ModelPrice,
  type Prices,
  type PriceTable,
  priceTable,
  type TokenPrice,
  TollgateError,
} from '@tollgate/core';
import { moneyFrom, nanoDollarsFrom } from '@tollgate/core/options';

export interface CatalogPricesOptions {
  /** Prices that go before the catalogue's, as in a gate's `prices`. `default` is for models that it doesn't know. */
  overrides?: Prices | undefined;
  /**
   * Whose prices hold, by the catalogue's names, such as `'groq'` or `'openrouter'`: the first that has the model. Unless
   * given, the maker that the model's name tells, or else the first of {@link DEFAULT_PROVIDERS}.
   */
  providers?: readonly string[] | undefined;
}

/** Where models are looked up whose name doesn't tell their maker. */
export const DEFAULT_PROVIDERS = ['openai', 'google', 'openrouter', 'groq', 'aws', 'together', 'azure'] as const;

/** A model's prices, each from more tokens of input on than the one before. */
type Tiers = readonly { readonly above: number; readonly table: PriceTable }[];

/** A price in dollars for a million tokens; of tiers, the whole request has that of the last which its input exceeds. */
type Listed =
  | number
  | undefined
  | { readonly base: number; readonly tiers: readonly { start: number; price: number }[] };

/** Models that are remembered: their names come from requests. */
const MAX_MODELS = 1000;
/** No model has a longer name, and to look one up takes as long as it is. */
const MAX_NAME_LENGTH = 256;
/** For how long: some prices change by the hour, and the catalogue itself can be updated. */
const MINUTE_MS = 60_000;

/**
 * A price table for a gate, by the catalogue. Costs are exact and rounded up to a whole nano-dollar. A model that neither
 * overrides nor catalogue know has no price, which a gate with budgets refuses: none is free by mistake.
 *
 * Tokens alone are priced: neither searches and other tools, nor what audio, images, service tiers and caching for an hour
 * cost beyond text.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` for overrides that are no prices, and providers that the catalogue lacks
 */
export function catalogPrices({ overrides = {}, providers }: CatalogPricesOptions = {}): PriceTable {
  checkProviders(providers);
  const { default: others, ...named } = overrides;
  const own = tableOf(named);
  const rest = others && tableOf({ default: others });
  const known = new Map<string, { readonly minute: number; readonly tiers: Tiers | undefined }>();

  function tiersAt(model: string, at: number): Tiers | undefined {
    if (model.length > MAX_NAME_LENGTH) return undefined;
    const minute = Math.floor(at / MINUTE_MS);
    const last = known.get(model);
    if (last?.minute === minute) return last.tiers;
    if (known.size >= MAX_MODELS) known.clear();
    const tiers = lookUp(model, new Date(minute * MINUTE_MS), providers);
    known.set(model, { minute, tiers });
    return tiers;
  }

  return {
    costOf(model, usage, at) {
      const cost = own?.costOf(model, usage, at);
      if (cost !== undefined) return cost;
      const tiers = model === undefined ? undefined : tiersAt(model, at);
      const tier = tiers?.findLast(({ above }) => (usage.inputTokens ?? 0) > above);
      return tier ? tier.table.costOf(model, usage, at) : rest?.costOf(model, usage, at);
    },
  };
}

function checkProviders(providers: readonly string[] = []): void {
  const expected = "a provider of the catalogue, such as 'openai', 'groq' or 'openrouter'";
  const unknown = [...providers.entries()].filter(([, providerId]) => findProvider({ providerId }) === undefined);
  const problems = unknown.map(([i, value]) => ({ path: `providers[${i}]`, value, expected }));
  if (problems.length === 0) return;
  const lines = problems.map(({ path, value }) => `${path}: got '${value}'; expected ${expected}.`);
  throw new TollgateError('TOLLGATE_CONFIG_INVALID', lines.join('\n'), problems);
}

function tableOf(prices: Prices): PriceTable | undefined {
  return Object.keys(prices).length === 0 ? undefined : priceTable(prices);
}

function lookUp(model: string, timestamp: Date, providers: readonly string[] | undefined): Tiers | undefined {
  for (const providerId of providers ?? [undefined, ...DEFAULT_PROVIDERS]) {
    const found = calcPrice({}, model, { timestamp, ...(providerId !== undefined && { providerId }) });
    const tiers = found && tiersOf(found.model_price);
    if (tiers) return tiers;
  }
  return undefined;
}

/** `undefined` for models that aren't priced by the token of text. */
function tiersOf(listed: Readonly<Record<string, Listed>>): Tiers | undefined {
  const { input_mtok: input, output_mtok: output = input } = listed;
  if (input === undefined || output === undefined) return undefined;
  const rates = { input, output, cachedInput: listed.cache_read_mtok, cacheWrite: listed.cache_write_mtok };
  const starts = new Set(Object.values(rates).flatMap((rate) => tiersIn(rate).map(({ start }) => start)));
  return [-1, ...[...starts].sort((a, b) => a - b)].map((above) => {
    const price = Object.fromEntries(
      Object.entries(rates).flatMap(([kind, rate]) =>
        rate === undefined ? [] : [[kind, tokenPrice(rateAbove(rate, above))]],
      ),
    );
    return { above, table: priceTable({ default: price as unknown as ModelPrice }) };
  });
}

function tiersIn(rate: Listed) {
  return typeof rate === 'object' ? rate.tiers : [];
}

function rateAbove(rate: Exclude<Listed, undefined>, above: number): number {
  if (typeof rate === 'number') return rate;
  return rate.tiers.findLast(({ start }) => start <= above)?.price ?? rate.base;
}

/** Exact, but for what is finer than a nano-dollar for a million tokens: that is rounded up. */
function tokenPrice(dollars: number): TokenPrice {
  return `${moneyFrom(nanoDollarsFrom(dollars))}/M`;
}
