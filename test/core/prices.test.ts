import fc from 'fast-check';
import { type Prices, type PriceTable, prices } from '../../packages/core/src/money/prices.js';
import type { TokenCounts } from '../../packages/core/src/request.js';
import { check } from '../../packages/core/src/schema.js';
import { thrownBy } from './support.js';

const MOST = Number.MAX_SAFE_INTEGER;
const NOW = Date.UTC(2026, 10, 24);

const read = (input: unknown) => check(prices, input);
const problemsOf = (input: unknown) => thrownBy(() => read(input)).problems;

/** The table of right prices. */
const tableOf = (input: Prices) => read(input) as PriceTable;

/** An object with one more key, which may be one that an object literal would not take for one. */
const own = (name: string, value: unknown, others: object = {}) =>
  Object.defineProperty({ ...others }, name, { value, enumerable: true }) as Prices;

const HAIKU = { input: '$1/M', output: '$5/M' } as const;

const KINDS = ['input', 'cachedInput', 'cacheWrite', 'output', 'reasoning'] as const;

/** Nano-dollars for a million tokens of each kind, and the tokens of each: what the table must agree with. */
type Counts = Record<(typeof KINDS)[number], bigint>;

function oracle(rates: Counts, tokens: Counts): number {
  const sum = KINDS.reduce((sum, kind) => sum + rates[kind] * tokens[kind], 0n);
  const cost = sum / 1_000_000n + (sum % 1_000_000n === 0n ? 0n : 1n);
  return cost > BigInt(MOST) ? MOST : Number(cost);
}

function dollars(rate: bigint) {
  const digits = String(rate).padStart(10, '0');
  return `$${digits.slice(0, -9)}.${digits.slice(-9)}/M` as '$1/M';
}

const priceOf = (rates: Counts) => ({
  input: dollars(rates.input),
  cachedInput: dollars(rates.cachedInput),
  cacheWrite: dollars(rates.cacheWrite),
  output: dollars(rates.output),
  reasoning: dollars(rates.reasoning),
});

const usageOf = (tokens: Counts): TokenCounts => ({
  inputTokens: Number(tokens.input + tokens.cachedInput + tokens.cacheWrite),
  cachedInputTokens: Number(tokens.cachedInput),
  cacheWriteTokens: Number(tokens.cacheWrite),
  outputTokens: Number(tokens.output + tokens.reasoning),
  reasoningTokens: Number(tokens.reasoning),
});

const record = (of: fc.Arbitrary<bigint>) =>
  fc.record({ input: of, cachedInput: of, cacheWrite: of, output: of, reasoning: of }) as fc.Arbitrary<Counts>;

describe('a cost', () => {
  test.each<[number, TokenCounts]>([
    [0, {}],
    [0, { inputTokens: 0, outputTokens: 0 }],
    [1_000_000_000, { inputTokens: 1_000_000 }],
    [5_000_000_000, { outputTokens: 1_000_000 }],
    [1_012_345 * 1000, { inputTokens: 12_345, outputTokens: 200_000 }],
    [1000, { inputTokens: 1, outputTokens: undefined }],
  ])('is %d nano-dollars for %p at $1/M and $5/M', (cost, usage) => {
    expect(tableOf({ haiku: HAIKU }).costOf('haiku', usage, NOW)).toBe(cost);
  });

  test('counts parts of input and output once, each by its own price', () => {
    const price = { ...HAIKU, cachedInput: '$0.1/M', cacheWrite: '$1.25/M', reasoning: '$10/M' } as const;
    const usage = {
      inputTokens: 1000,
      cachedInputTokens: 600,
      cacheWriteTokens: 300,
      outputTokens: 200,
      reasoningTokens: 150,
    };
    const cost = 100 * 1000 + 600 * 100 + 300 * 1250 + 50 * 5000 + 150 * 10_000;
    expect(tableOf({ m: price }).costOf('m', usage, NOW)).toBe(cost);
  });

  test('counts parts as the whole where they have no price of their own', () => {
    const { costOf } = tableOf({ m: HAIKU });
    const parts = { cachedInputTokens: 7, cacheWriteTokens: 5, reasoningTokens: 3 };
    const whole = { inputTokens: 20, outputTokens: 10 };
    expect(costOf('m', { ...whole, ...parts }, NOW)).toBe(costOf('m', whole, NOW));
  });

  test('counts parts whose whole is not given', () => {
    const { costOf } = tableOf({ m: { ...HAIKU, cachedInput: '$0.1/M' } });
    expect(costOf('m', { cachedInputTokens: 10, cacheWriteTokens: 2, reasoningTokens: 3 }, NOW)).toBe(
      10 * 100 + 2 * 1000 + 3 * 5000,
    );
  });

  test('is rounded up once, for the sum of all kinds', () => {
    const { costOf } = tableOf({
      m: { input: '$0.0003/M', output: '$0.0003/M', cachedInput: '$0.0003/M', reasoning: '$0.0001/M' },
    });
    expect(costOf('m', { inputTokens: 1 }, NOW)).toBe(1);
    expect(costOf('m', { inputTokens: 2, cachedInputTokens: 1, outputTokens: 2, reasoningTokens: 1 }, NOW)).toBe(1);
    expect(costOf('m', { inputTokens: 4 }, NOW)).toBe(2);
  });

  test('takes a fraction of a token for a token', () => {
    const { costOf } = tableOf({ m: { ...HAIKU, cachedInput: '$0.1/M' } });
    expect(costOf('m', { inputTokens: 0.001 }, NOW)).toBe(1000);
    expect(costOf('m', { inputTokens: 2.5, cachedInputTokens: 0.5, outputTokens: 0.1 }, NOW)).toBe(2000 + 100 + 5000);
    expect(costOf('m', { inputTokens: Number.MIN_VALUE }, NOW)).toBe(1000);
  });

  test('is free only where the price says so', () => {
    const { costOf } = tableOf({ local: { input: '$0/M', output: '$0/M' } });
    expect(costOf('local', { inputTokens: MOST, outputTokens: MOST }, NOW)).toBe(0);
    expect(costOf('local', { inputTokens: -0, cachedInputTokens: -0 }, NOW)).toBe(0);
  });

  test('is capped where it can no longer be counted', () => {
    const { costOf } = tableOf({ m: { input: '$9007199.254740991/M', output: '$1/M' } });
    expect(costOf('m', { inputTokens: 999_999 }, NOW)).toBe(9_007_190_247_541_737);
    expect(costOf('m', { inputTokens: 1_000_000 }, NOW)).toBe(MOST);
    expect(costOf('m', { inputTokens: 1_000_000, outputTokens: 1 }, NOW)).toBe(MOST);
    expect(costOf('m', { inputTokens: MOST, outputTokens: MOST }, NOW)).toBe(MOST);
  });

  test.each<[string, bigint, bigint]>([
    ['what requests come to', 100_000_000_000n, 200_000n],
    ['the last that a double counts', 90_071_992n, 100_000_000n],
    ['odd prices and large counts', BigInt(MOST), 1n << 20n],
    ['everything', BigInt(MOST), BigInt(MOST) / 3n],
  ])('agrees with exact arithmetic: %s', (_, mostRate, mostTokens) => {
    fc.assert(
      fc.property(record(fc.bigInt(0n, mostRate)), record(fc.bigInt(0n, mostTokens)), (rates, tokens) => {
        const { costOf } = tableOf({ m: priceOf(rates) });
        expect(costOf('m', usageOf(tokens), NOW)).toBe(oracle(rates, tokens));
      }),
    );
  });

  test('agrees with exact arithmetic on both sides of 2^53 and of a whole nano-dollar', () => {
    const sums = [1n << 53n, 9_007_199_254n * 1_000_000n, 9_007_199_255n * 1_000_000n, 12n * 10n ** 15n];
    const near = fc.tuple(fc.bigInt(2n, 1n << 30n), fc.bigInt(-3n, 3n), fc.constantFrom(...sums));
    fc.assert(
      fc.property(near, ([tokens, off, sum]) => {
        const rates = { input: sum / tokens, cachedInput: 1n, cacheWrite: 0n, output: 0n, reasoning: 0n };
        const rest = sum - rates.input * tokens + off;
        const counts = { input: tokens, cachedInput: rest < 0n ? 0n : rest, cacheWrite: 0n, output: 0n, reasoning: 0n };
        const { costOf } = tableOf({ m: priceOf(rates) });
        expect(costOf('m', usageOf(counts), NOW)).toBe(oracle(rates, counts));
      }),
    );
  });

  test('is a whole number of nano-dollars for all counts that there can be, and more for more tokens', () => {
    const count = fc.oneof(
      fc.double({ min: 0, max: MOST, noNaN: true }),
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.nat(),
      fc.constant(undefined),
    );
    const names = ['inputTokens', 'cachedInputTokens', 'cacheWriteTokens', 'outputTokens', 'reasoningTokens'] as const;
    const usages = fc.record(Object.fromEntries(names.map((name) => [name, count]))) as fc.Arbitrary<TokenCounts>;
    fc.assert(
      fc.property(record(fc.bigInt(0n, BigInt(MOST))), usages, (rates, usage) => {
        const { costOf } = tableOf({ m: priceOf(rates) });
        const cost = costOf('m', usage, NOW) as number;
        expect(Number.isSafeInteger(cost) && cost >= 0).toBe(true);
        for (const name of ['inputTokens', 'outputTokens'] as const) {
          const more = Math.min(MOST, (usage[name] ?? 0) + 1000);
          expect(costOf('m', { ...usage, [name]: more }, NOW)).toBeGreaterThanOrEqual(cost);
        }
      }),
    );
  });
});

describe('a model', () => {
  const usage = { inputTokens: 1_000_000 };

  test('that has no price costs nothing that is known, which is not nothing', () => {
    const { costOf } = tableOf({ haiku: HAIKU });
    for (const model of ['opus', '', 'Haiku', 'haiku ', 'default', undefined]) {
      expect(costOf(model, usage, NOW)).toBeUndefined();
      expect(costOf(model, {}, NOW)).toBeUndefined();
    }
  });

  test('that is not named, or not known, has the price of `default`', () => {
    const { costOf } = tableOf({ haiku: HAIKU, default: { input: '$7/M', output: '$7/M' } });
    for (const model of ['opus', '', 'default', 'constructor', undefined]) {
      expect(costOf(model, usage, NOW)).toBe(7_000_000_000);
    }
    expect(costOf('haiku', usage, NOW)).toBe(1_000_000_000);
  });

  test.each(['__proto__', 'constructor', 'toString', 'costOf', 'hasOwnProperty', '', '0'])(
    'named %p is like any other',
    (model) => {
      expect(tableOf({ haiku: HAIKU }).costOf(model, usage, NOW)).toBeUndefined();
      expect(tableOf(own(model, HAIKU)).costOf(model, usage, NOW)).toBe(1_000_000_000);
      expect(tableOf(own(model, HAIKU)).costOf('haiku', usage, NOW)).toBeUndefined();
      expect(problemsOf(own(model, { ...HAIKU, output: '5' }))).toEqual([
        { path: `${model}.output`, value: '5', expected: expect.any(String) },
      ]);
    },
  );
});

describe('a price that changes', () => {
  const usage = { inputTokens: 1_000_000 };
  const { costOf } = tableOf({
    m: [
      { input: '$1/M', output: '$1/M' },
      { input: '$2/M', output: '$1/M', from: '2026-12-01' },
      { input: '$3/M', output: '$1/M', from: '2026-12-01T08:30Z' },
      { input: '$4/M', output: '$1/M', from: '2026-12-01T08:30:00.001Z' },
      { input: '$5/M', output: '$1/M', from: '2028-02-29T23:59:59Z' },
    ],
  });

  test.each<[number, number, string]>([
    [1, Number.NEGATIVE_INFINITY, 'the beginning'],
    [1, 0, '1970'],
    [1, Date.UTC(2026, 11, 1) - 1, 'the last millisecond before'],
    [2, Date.UTC(2026, 11, 1), 'the day'],
    [2, Date.UTC(2026, 11, 1, 8, 30) - 1, 'the last millisecond before the instant'],
    [3, Date.UTC(2026, 11, 1, 8, 30), 'the instant'],
    [4, Date.UTC(2026, 11, 1, 8, 30, 0, 1), 'a millisecond later'],
    [4, Date.UTC(2028, 1, 29, 23, 59, 59) - 1, 'the last millisecond before a leap day ends'],
    [5, Date.UTC(2028, 1, 29, 23, 59, 59), 'the last second of a leap day'],
    [5, 8.64e15, 'the end of time'],
  ])('is $%d at %d: %s', (price, at) => {
    expect(costOf('m', usage, at)).toBe(price * 1_000_000_000);
  });

  test('holds what each price holds, parts included', () => {
    const dated = tableOf({
      default: [
        { ...HAIKU, cachedInput: '$0.1/M' },
        { ...HAIKU, from: '2026-12-01' },
      ],
    });
    const cached = { inputTokens: 10, cachedInputTokens: 10 };
    expect(dated.costOf(undefined, cached, Date.UTC(2026, 11, 1) - 1)).toBe(1000);
    expect(dated.costOf(undefined, cached, Date.UTC(2026, 11, 1))).toBe(10_000);
  });

  test('may be a list of one', () => {
    expect(tableOf({ m: [HAIKU] }).costOf('m', usage, NOW)).toBe(1_000_000_000);
  });

  test('is the last of those whose date has come', () => {
    const days = fc.uniqueArray(fc.integer({ min: 0, max: 40_000 }), { maxLength: 8 });
    fc.assert(
      fc.property(days, fc.integer({ min: -1, max: 40_001 }), fc.constantFrom(-1, 0, 1), (list, day, off) => {
        const ascending = list.toSorted((a, b) => a - b).map((one) => one * 86_400_000);
        const later = ascending.map((ms, i) => ({
          input: `$${i + 2}/M` as const,
          output: '$0/M' as const,
          from: new Date(ms).toISOString().slice(0, 10),
        }));
        const at = day * 86_400_000 + off;
        const come = ascending.filter((ms) => ms <= at).length;
        const table = tableOf({ m: [{ input: '$1/M', output: '$0/M' }, ...later] });
        expect(table.costOf('m', usage, at)).toBe((come + 1) * 1_000_000_000);
      }),
    );
  });
});

describe('the configuration', () => {
  test('may have no prices', () => {
    expect(read(undefined)).toBeUndefined();
  });

  test('may have a table, which is taken as it is', () => {
    class Table {
      readonly #cost = 42;
      costOf() {
        return this.#cost;
      }
    }
    const table = new Table();
    expect(read(table)).toBe(table);
    expect(read(table)?.costOf('any', {}, NOW)).toBe(42);
  });

  test('is read once: what is done to it later changes nothing', () => {
    const changing = { m: { ...HAIKU } as { input: '$1/M' | '$9/M'; output: '$5/M' } };
    const { costOf } = tableOf(changing);
    changing.m.input = '$9/M';
    Object.assign(changing, { other: HAIKU });
    expect(costOf('m', { inputTokens: 1 }, NOW)).toBe(1000);
    expect(costOf('other', { inputTokens: 1 }, NOW)).toBeUndefined();
  });

  test('may have parts that are undefined', () => {
    const none = { cachedInput: undefined, cacheWrite: undefined, reasoning: undefined };
    expect(tableOf({ m: { ...HAIKU, ...none } }).costOf('m', { inputTokens: 1, cachedInputTokens: 1 }, NOW)).toBe(1000);
  });

  test('is told of everything that is wrong with it at once', () => {
    const error = thrownBy(() =>
      read({
        'claude-haiku-4-5': { input: '$1/M', output: 5, cached: '$0.1/M' },
        opus: [
          { ...HAIKU, from: '2026-01-01' },
          { ...HAIKU, from: '2026-02-30' },
          { ...HAIKU, from: '2026-03-01', reasoning: '$5' },
          { ...HAIKU, from: '2026-03-01', input: '$1.0000000001/M' },
          HAIKU,
        ],
        sonnet: {},
        empty: [],
        none: null,
      }),
    );
    expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
    expect(error.message).toMatchInlineSnapshot(`
"Tollgate's configuration has 12 problems:
  claude-haiku-4-5.output: got 5; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  claude-haiku-4-5.cached: got a value that is not shown; expected no such field
  opus[0].from: got '2026-01-01'; expected no date: the first price holds from the beginning
  opus[1].from: got '2026-02-30'; expected a date such as '2026-12-01', or an instant in UTC such as '2026-12-01T08:30:00Z'
  opus[2].reasoning: got '$5'; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  opus[3].input: got '$1.0000000001/M'; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  opus[3].from: got '2026-03-01'; expected a date after those of the prices before it
  opus[4].from: got undefined; expected a date such as '2026-12-01', or an instant in UTC such as '2026-12-01T08:30:00Z'
  sonnet.input: got undefined; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  sonnet.output: got undefined; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  empty: got a list; expected a price such as { input: '$1/M', output: '$5/M' }, or a list of such, all but the first with \`from\`
  none: got null; expected a price such as { input: '$1/M', output: '$5/M' }, or a list of such, all but the first with \`from\`"
`);
  });

  test('that is all right in one model is no excuse for another', () => {
    expect(problemsOf({ good: HAIKU, bad: 5, alsoGood: [HAIKU] }).map(({ path }) => path)).toEqual(['bad']);
  });

  const HOSTILE: readonly unknown[] = [
    null,
    true,
    0,
    5,
    Number.NaN,
    '',
    '$1/M',
    [],
    {},
    new Map([['m', HAIKU]]),
    new Date(),
    () => 5,
    Symbol('s'),
    9n,
    [[HAIKU]],
    Object.create(null),
  ];

  test.each(HOSTILE.map((value) => [value]))('whose prices are %p is wrong', (value) => {
    expect(problemsOf(value)).toEqual([
      { path: 'config', value, expected: expect.stringContaining('a map from models') },
    ]);
  });

  test.each(HOSTILE.map((value) => [value]))('whose model costs %p is wrong there', (value) => {
    for (const { path } of problemsOf({ m: value })) expect(path).toMatch(/^m/);
    for (const { path } of problemsOf({ m: [value] })) expect(path).toMatch(/^m\[0\]/);
    for (const { path } of problemsOf({ m: [HAIKU, value] })) expect(path).toMatch(/^m\[1\]/);
  });

  test.each(['input', 'cachedInput', 'cacheWrite', 'output', 'reasoning'])('whose %s is hostile is wrong', (kind) => {
    const wrong = HOSTILE.filter((value) => value !== '$1/M');
    for (const value of [...wrong, '$1', '1/M', '$-1/M', '$1e3/M', '$1/m', '$1,000/M']) {
      expect(problemsOf({ m: { ...HAIKU, [kind]: value } })).toEqual([
        { path: `m.${kind}`, value, expected: expect.stringContaining("'$1.25/M'") },
      ]);
    }
  });

  test.each(['input', 'output'])('needs %s', (kind) => {
    for (const missing of [{ [kind]: undefined }, {}]) {
      const { [kind as 'input']: _, ...rest } = HAIKU;
      expect(problemsOf({ m: { ...rest, ...missing } }).map(({ path }) => path)).toEqual([`m.${kind}`]);
    }
  });

  test.each(['form', 'price', 'inputTokens', 'cached_input', '__proto__', 'constructor'])(
    'knows no field %s',
    (field) => {
      const price = own(field, '$1/M', HAIKU);
      for (const [path, model] of [
        ['m', price],
        ['m[0]', [price]],
        ['m[1]', [HAIKU, own('from', '2026-12-01', price)]],
      ]) {
        const problem = { path: `${path}.${field}`, value: 'a value that is not shown', expected: 'no such field' };
        expect(problemsOf({ m: model })).toEqual([problem]);
      }
    },
  );

  test('has no date in the first price', () => {
    const from = '2026-12-01';
    const problem = { value: from, expected: 'no date: the first price holds from the beginning' };
    expect(problemsOf({ m: { ...HAIKU, from } })).toEqual([{ path: 'm.from', ...problem }]);
    expect(problemsOf({ m: [{ ...HAIKU, from }] })).toEqual([{ path: 'm[0].from', ...problem }]);
  });

  test.each([
    '2026-13-01',
    '2026-00-01',
    '2026-02-29',
    '2026-04-31',
    '2026-12-32',
    '2026-12',
    '2026',
    '26-12-01',
    '2026-12-1',
    '2026-12-01T24:00:00Z',
    '2026-12-01T08:60Z',
    '2026-12-01T08:30:60Z',
    '2026-12-01T08:30:00.0001Z',
    '2026-12-01T08:30:00',
    '2026-12-01T08:30:00+01:00',
    '2026-12-01 08:30Z',
    '2026-12-01Z',
    '2026-12-01\n',
    'December 1, 2026',
    '+002026-12-01',
    '',
    'now',
    1_796_083_200_000,
    new Date(),
    null,
    undefined,
    Number.NaN,
  ])('knows no date %p', (from) => {
    expect(problemsOf({ m: [HAIKU, { ...HAIKU, from }] })).toEqual([
      { path: 'm[1].from', value: from, expected: expect.stringContaining("'2026-12-01'") },
    ]);
  });

  test('has its dates in ascending order', () => {
    const list = (...dates: string[]) => ({ m: [HAIKU, ...dates.map((from) => ({ ...HAIKU, from }))] });
    const ascending = expect.stringContaining('after');
    expect(problemsOf(list('2026-12-01', '2026-12-01'))).toEqual([
      { path: 'm[2].from', value: '2026-12-01', expected: ascending },
    ]);
    expect(problemsOf(list('2026-12-01', '2026-12-01T00:00Z', '2026-11-30')).map(({ path }) => path)).toEqual([
      'm[2].from',
      'm[3].from',
    ]);
    expect(() => read(list('2026-12-01', '2026-12-01T00:00:00.001Z', '2026-12-02'))).not.toThrow();
  });

  test('has no holes in its lists', () => {
    // biome-ignore lint/suspicious/noSparseArray: what a list may look like that was filled in out of order
    expect(problemsOf({ m: [, { ...HAIKU, from: '2026-12-01' }] }).map(({ path }) => path)).toEqual(['m[0]']);
  });

  test('is read or refused with a TollgateError, whatever it is', () => {
    const price = fc.record(
      { input: fc.anything(), output: fc.constantFrom('$1/M', 5), from: fc.constantFrom('2026-01-01', 5) },
      { requiredKeys: [] },
    );
    const maps = fc.dictionary(fc.string(), fc.oneof(price, fc.array(price, { maxLength: 3 }), fc.anything()));
    fc.assert(
      fc.property(fc.oneof(fc.anything(), maps), (value) => {
        try {
          const table = read(value);
          expect(table === undefined || typeof table.costOf === 'function').toBe(true);
        } catch (error) {
          expect(error).toMatchObject({ code: 'TOLLGATE_CONFIG_INVALID' });
        }
      }),
    );
  });
});
