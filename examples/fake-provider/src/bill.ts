/** The provider's bill: its own price list, its own arithmetic. */

/** Tokens as the provider counts them: all of the prompt and all of the answer, and the parts that are priced apart. */
export interface Usage {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWritten: number;
  readonly output: number;
  /** The part of `output` that was reasoning. */
  readonly reasoning: number;
}

/** Thousandths of a nano-dollar for a token: a million of them is $1 for a million tokens. */
interface Price {
  readonly input: bigint;
  readonly cacheRead: bigint;
  readonly cacheWritten: bigint;
  readonly output: bigint;
}

const PRICE_LIST: ReadonlyMap<string, Price> = new Map([
  ['gpt-5', { input: 1_250_000n, cacheRead: 125_000n, cacheWritten: 1_250_000n, output: 10_000_000n }],
  ['gpt-5-mini', { input: 250_000n, cacheRead: 25_000n, cacheWritten: 250_000n, output: 2_000_000n }],
  ['openai/gpt-5', { input: 1_250_000n, cacheRead: 125_000n, cacheWritten: 1_250_000n, output: 10_000_000n }],
  ['openai/gpt-5-mini', { input: 250_000n, cacheRead: 25_000n, cacheWritten: 250_000n, output: 2_000_000n }],
  ['text-embedding-3-small', { input: 20_000n, cacheRead: 20_000n, cacheWritten: 20_000n, output: 0n }],
  ['claude-sonnet-4-6', { input: 3_000_000n, cacheRead: 300_000n, cacheWritten: 3_750_000n, output: 15_000_000n }],
  ['claude-haiku-4-5', { input: 1_000_000n, cacheRead: 100_000n, cacheWritten: 1_250_000n, output: 5_000_000n }],
  ['gemini-2.5-flash', { input: 300_000n, cacheRead: 30_000n, cacheWritten: 300_000n, output: 2_500_000n }],
]);

export const MODELS: readonly string[] = [...PRICE_LIST.keys()];

/** Nano-dollars, rounded up to a whole one. Nothing for a model that the provider does not have. */
export function priceOf(model: string, { input, cacheRead, cacheWritten, output }: Usage): bigint {
  const price = PRICE_LIST.get(model);
  if (!price) return 0n;
  const thousandths =
    price.input * BigInt(input - cacheRead - cacheWritten) +
    price.cacheRead * BigInt(cacheRead) +
    price.cacheWritten * BigInt(cacheWritten) +
    price.output * BigInt(output);
  return (thousandths + 999n) / 1000n;
}
