import { calcPrice } from '@pydantic/genai-prices';
import { createTollgate, type PriceTable, TollgateError } from '@tollgate/core';
import { catalogPrices } from '@tollgate/upstream/prices';
import fc from 'fast-check';

const NOW = Date.UTC(2026, 10, 24, 12);

/** Models of all kinds: one price, cached input, tiers by the length of the prompt, prices by date and time of day. */
const MODELS = [
  'gpt-4o',
  'gpt-4o-2024-08-06',
  'gpt-5.4',
  'o3',
  'claude-sonnet-4-5-20250929',
  'claude-opus-4-6',
  'gemini-2.5-pro',
  'deepseek-chat',
  'mistral-large-latest',
];

const usages = fc
  .record({
    fresh: fc.nat(300_000),
    cached: fc.nat(300_000),
    cacheWrite: fc.nat(300_000),
    outputTokens: fc.nat(100_000),
  })
  .map(({ fresh, cached, cacheWrite, outputTokens }) => ({
    inputTokens: fresh + cached + cacheWrite,
    cachedInputTokens: cached,
    cacheWriteTokens: cacheWrite,
    outputTokens,
  }));

/** What the catalogue itself says, in floating dollars. */
function catalogued(model: string, usage: { [count: string]: number }, at: number): number {
  const result = calcPrice(
    {
      input_tokens: usage.inputTokens,
      cache_read_tokens: usage.cachedInputTokens,
      cache_write_tokens: usage.cacheWriteTokens,
      output_tokens: usage.outputTokens,
    },
    model,
    { timestamp: new Date(at) },
  );
  return (result?.total_price ?? Number.NaN) * 1e9;
}

test('a cost is what the catalogue says, rounded up to a whole nano-dollar', () => {
  const table = catalogPrices();
  const at = fc.integer({ min: Date.UTC(2026, 0, 1), max: Date.UTC(2026, 11, 31) });
  fc.assert(
    fc.property(fc.constantFrom(...MODELS), usages, at, (model, usage, at) => {
      const cost = table.costOf(model, usage, at) as number;
      expect(Number.isSafeInteger(cost)).toBe(true);
      const floating = catalogued(model, usage, at);
      // The sum of floating dollars is off by as much as its last digits.
      expect(cost).toBeGreaterThanOrEqual(floating - 1e-15 * floating - 1e-3);
      expect(cost).toBeLessThan(floating + 1 + 1e-15 * floating + 1e-3);
    }),
  );
});

test.each([
  [0, 200_000, 3_000],
  [0, 200_001, 6_000],
])('a request has the price of the tier that its prompt is in: %d, %d', (outputTokens, inputTokens, rate) => {
  const cost = catalogPrices().costOf('claude-sonnet-4-5', { inputTokens, outputTokens }, NOW);
  expect(cost).toBe(inputTokens * rate);
});

test('prices change with the date', () => {
  const table = catalogPrices();
  const usage = { inputTokens: 1000 };
  expect(table.costOf('o3', usage, Date.UTC(2025, 5, 9))).toBe(10_000_000);
  expect(table.costOf('o3', usage, Date.UTC(2025, 5, 10))).toBe(2_000_000);
  expect(table.costOf('o3', usage, Date.UTC(2025, 5, 9))).toBe(10_000_000);
});

test.each(['nosuch', '', 'toString', '__proto__', undefined])('a model that is not known has no price: %p', (model) => {
  expect(catalogPrices().costOf(model, { inputTokens: 1, outputTokens: 1 }, NOW)).toBeUndefined();
});

test('a name that is longer than any model has is not looked up', () => {
  const table = catalogPrices();
  const costOf = (length: number) => table.costOf('claude-opus-4-6-'.padEnd(length, 'x'), { inputTokens: 1 }, NOW);
  expect(costOf(256)).toBe(5000);
  expect(costOf(257)).toBeUndefined();
});

test('an embedding costs by its input', () => {
  expect(catalogPrices().costOf('text-embedding-3-small', { inputTokens: 1_000_000, outputTokens: 0 }, NOW)).toBe(2e7);
});

test('overrides go first, and their default last', () => {
  const table = catalogPrices({
    overrides: { 'gpt-4o': { input: '$1/M', output: '$1/M' }, default: { input: '$7/M', output: '$7/M' } },
  });
  const usage = { inputTokens: 1_000_000 };
  expect(table.costOf('gpt-4o', usage, NOW)).toBe(1e9);
  expect(table.costOf('gpt-5', usage, NOW)).toBe(1.25e9);
  expect(table.costOf('nosuch', usage, NOW)).toBe(7e9);
  expect(table.costOf(undefined, usage, NOW)).toBe(7e9);
});

test('providers that are named are asked in their order, and no others', () => {
  const usage = { inputTokens: 1_000_000 };
  const model = 'llama-3.3-70b-versatile';
  expect(catalogPrices({ providers: ['groq'] }).costOf(model, usage, NOW)).toBe(0.59e9);
  expect(catalogPrices({ providers: ['openai'] }).costOf(model, usage, NOW)).toBeUndefined();
  expect(catalogPrices({ providers: ['openai', 'groq'] }).costOf(model, usage, NOW)).toBe(0.59e9);
});

test.each<[object, string]>([
  [{ providers: ['opnai'] }, "providers[0]: got 'opnai'"],
  [{ overrides: { 'gpt-4o': { input: '1', output: '$1/M' } } }, "gpt-4o.input: got '1'"],
])('says what is wrong with %j', (options, message) => {
  expect(() => catalogPrices(options)).toThrow(TollgateError);
  expect(() => catalogPrices(options)).toThrow(message);
});

test('a gate takes it for its prices', async () => {
  const prices: PriceTable = catalogPrices();
  const gate = createTollgate({ prices, budgets: [{ kind: 'budget', name: 'all', limit: '$1', per: 'day' }] });
  const decision = await gate.admit({ permits: 1, model: 'gpt-4o', estimate: { inputTokens: 100, outputTokens: 10 } });
  expect(decision.admitted).toBe(true);
  const { budgets } = await gate.inspect({});
  expect(budgets[0]?.used).toBe(100 * 2500 + 10 * 10_000);
});
