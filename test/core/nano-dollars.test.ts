import fc from 'fast-check';
import {
  formatMoney,
  type Money,
  parseMoney,
  parseTokenPrice,
  type TokenPrice,
} from '../../packages/core/src/money/nano-dollars.js';

const MOST = Number.MAX_SAFE_INTEGER;

/** What is neither money nor the price of a token, whatever it looks like. */
const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  true,
  0,
  5,
  0.25,
  -1,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  5n,
  '',
  ' ',
  '$',
  '5',
  '5$',
  '€5',
  'USD 5',
  '$-5',
  '-$5',
  '$+5',
  '$$5',
  '$ 5',
  ' $5',
  '$5 ',
  '$5\n',
  '\n$5',
  '$.5',
  '$5.',
  '$.',
  '$1.2.3',
  '$1e3',
  '$1e-9',
  '$1E3',
  '$0x10',
  '$0b1',
  '$1,000',
  '$1_000',
  '$1 000',
  "$1'000",
  '$0,25',
  '$Infinity',
  '$NaN',
  '$5k',
  '$5M',
  '$٥',
  '$５',
  '$/M',
  '$./M',
  '$5/',
  '$5/m',
  '$5/K',
  '$5/MM',
  '$5/kM',
  '$5/1M',
  '$5/ M',
  '$5 /M',
  '$5/M ',
  '$5/M\n',
  '$5/M/M',
  '$-5/M',
  '$1e3/M',
  '$1,000/M',
  '5/M',
  '/M',
  'constructor',
  '__proto__',
  Symbol('$5'),
  [],
  ['$5'],
  ['$5/M'],
  {},
  { toString: () => '$5' },
  new String('$5'),
  () => '$5',
];

describe.each(Object.entries({ parseMoney, parseTokenPrice }))('%s', (_, parse) => {
  test.each(HOSTILE.map((value) => [value]))('takes %p for what it is not', (value) => {
    expect(parse(value)).toBeUndefined();
  });

  test('takes endless digits for what they are not', () => {
    const digits = '9'.repeat(1_000_000);
    for (const text of [`$${digits}`, `$0.${digits}`, `$${digits}.${digits}`]) {
      for (const value of [text, `${text}/M`, `${text}/k`, `${text}x`]) expect(parse(value)).toBeUndefined();
    }
  });

  test('never throws, and gives a whole number of nano-dollars or nothing', () => {
    const texts = fc.stringMatching(/^[$\d.]{0,3}[\d.,e+-]{0,30}(\/[kM])?$/);
    fc.assert(
      fc.property(fc.oneof(fc.anything(), texts), (value) => {
        const parsed = parse(value);
        expect(parsed === undefined || (Number.isSafeInteger(parsed) && parsed >= 0)).toBe(true);
      }),
    );
  });
});

/** Digits of a whole number with the point moved to the left, as one would write them. */
function written(amount: bigint, places: number): string {
  const digits = String(amount).padStart(places + 1, '0');
  return places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

const anyAmount = fc.oneof(fc.bigInt(0n, 10n ** 12n), fc.bigInt(0n, BigInt(MOST)), fc.bigInt(0n, 1n << 70n));

/** The amount itself if it can be counted. */
const counted = (amount: bigint) => (amount <= BigInt(MOST) ? Number(amount) : undefined);

describe('parseMoney', () => {
  test.each<[Money, number]>([
    ['$0', 0],
    ['$0.000000000', 0],
    ['$0.000000001', 1],
    ['$0.1', 100_000_000],
    ['$0.25', 250_000_000],
    ['$0.29', 290_000_000],
    ['$1.005', 1_005_000_000],
    ['$5', 5_000_000_000],
    ['$5.00', 5_000_000_000],
    ['$007', 7_000_000_000],
    ['$500', 500_000_000_000],
    ['$4503599.627370497', 4_503_599_627_370_497],
    ['$9007199.254740991', MOST],
  ])('%p is %d nano-dollars', (value, nanoDollars) => {
    expect(parseMoney(value)).toBe(nanoDollars);
  });

  test.each(['$9007199.254740992', '$9007200', '$9007199254740993', '$0.0000000001', '$1.0000000000', '$5/M', '$5/k'])(
    '%p is none',
    (value) => {
      expect(parseMoney(value)).toBeUndefined();
    },
  );

  test('reads every amount, with however many decimals, to the nano-dollar', () => {
    fc.assert(
      fc.property(anyAmount, fc.integer({ min: 0, max: 9 }), (amount, places) => {
        const value = `$${written(amount, places)}`;
        expect(parseMoney(value)).toBe(counted(amount * 10n ** BigInt(9 - places)));
      }),
    );
  });

  test('takes nothing finer than a nano-dollar, not even zeros', () => {
    fc.assert(
      fc.property(anyAmount, fc.integer({ min: 10, max: 40 }), (amount, places) => {
        expect(parseMoney(`$${written(amount, places)}`)).toBeUndefined();
      }),
    );
  });
});

describe('parseTokenPrice', () => {
  test.each<[TokenPrice, number]>([
    ['$0/M', 0],
    ['$0.000000001/M', 1],
    ['$0.0375/M', 37_500_000],
    ['$1.25/M', 1_250_000_000],
    ['$9/M', 9_000_000_000],
    ['$600/M', 600_000_000_000],
    ['$0.01/k', 10_000_000_000],
    ['$0.000000000001/k', 1],
    ['$0.0000003/k', 300_000],
    ['$9007199.254740991/M', MOST],
    ['$9007.199254740991/k', MOST],
  ])('%p is %d nano-dollars for a million', (value, nanoDollars) => {
    expect(parseTokenPrice(value)).toBe(nanoDollars);
  });

  test.each(['$5', '$9007199.254740992/M', '$9007.199254740992/k', '$9008/k', '$0.0000000001/M', '$0.0000000000001/k'])(
    '%p is none',
    (value) => {
      expect(parseTokenPrice(value)).toBeUndefined();
    },
  );

  test('reads every price exactly', () => {
    fc.assert(
      fc.property(anyAmount, fc.integer({ min: 0, max: 12 }), (amount, places) => {
        const value = written(amount, places);
        const aMillion = places <= 9 ? counted(amount * 10n ** BigInt(9 - places)) : undefined;
        expect(parseTokenPrice(`$${value}/M`)).toBe(aMillion);
        expect(parseTokenPrice(`$${value}/k`)).toBe(counted(amount * 10n ** BigInt(12 - places)));
      }),
    );
  });
});

describe('formatMoney', () => {
  test.each([
    ['$0', 0],
    ['$0', -0],
    ['$5', 5_000_000_000],
    ['$0.25', 250_000_000],
    ['$0.50', 500_000_000],
    ['$0.01', 10_000_000],
    ['$12.50', 12_500_000_000],
    ['$500', 500_000_000_000],
    ['$1,200', 1_200_000_000_000],
    ['$1,234,567.89', 1_234_567_890_000_000],
    ['-$5', -5_000_000_000],
    ['-$0.25', -250_000_000],
    ['-$1,200.05', -1_200_050_000_000],
  ])('%s is %d nano-dollars', (text, nanoDollars) => {
    expect(formatMoney(nanoDollars)).toBe(text);
  });

  test.each([
    ['$0.0031', 3_100_000],
    ['$0.0032', 3_100_001],
    ['$4.9973', 4_997_300_000],
    ['$4.9974', 4_997_300_001],
    ['$5', 4_999_999_999],
    ['$0.001', 999_001],
    ['$0.00099', 990_000],
    ['$0.000013', 12_345],
    ['$0.00000001', 10],
    ['$0.000000001', 1],
    ['-$0.000013', -12_345],
    ['-$5.0001', -5_000_000_001],
    ['$9,007,199.2548', MOST],
    ['-$9,007,199.2548', -MOST],
  ])('%s is as fine as a person needs of %d', (text, nanoDollars) => {
    expect(formatMoney(nanoDollars)).toBe(text);
  });

  const read = (text: string) => Number(text.replace(/[$,]/g, ''));
  const anyBalance = fc.oneof(
    fc.maxSafeInteger(),
    fc.integer(),
    fc.integer({ min: -9999, max: 9999 }).map((cents) => cents * 10_000_000),
  );

  test('looks like money', () => {
    fc.assert(
      fc.property(anyBalance, (nanoDollars) => {
        expect(formatMoney(nanoDollars)).toMatch(/^-?\$(0|[1-9]\d{0,2}(,\d{3})*)(\.\d{2}|\.\d{2,8}[1-9])?$/);
      }),
    );
  });

  test('is exact to a ten-thousandth of a dollar, or to two figures', () => {
    fc.assert(
      fc.property(fc.bigInt(0n, 99n), fc.integer({ min: 0, max: 8 }), (figures, zeros) => {
        const nanoDollars = Number(figures) * 10 ** zeros;
        expect(parseMoney(formatMoney(nanoDollars).replaceAll(',', ''))).toBe(nanoDollars);
      }),
    );
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 90_071_992_547 }), (hundredths) => {
        const nanoDollars = hundredths * 100_000;
        expect(parseMoney(formatMoney(nanoDollars).replaceAll(',', ''))).toBe(nanoDollars);
      }),
    );
  });

  test('never makes a cost or a debt look smaller, nor larger by more than a hundredth of a cent', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9_000_000_000_000_000 }), (nanoDollars) => {
        const shown = parseMoney(formatMoney(nanoDollars).replaceAll(',', '')) as number;
        expect(shown).toBeGreaterThanOrEqual(nanoDollars);
        expect(shown - nanoDollars).toBeLessThan(100_000);
        expect(shown - nanoDollars).toBeLessThanOrEqual(nanoDollars / 10);
        expect(formatMoney(-nanoDollars)).toBe(`-${formatMoney(nanoDollars)}`);
      }),
    );
  });

  test('keeps the order of amounts', () => {
    fc.assert(
      fc.property(anyBalance, anyBalance, (a, b) => {
        expect(Math.sign(read(formatMoney(a)) - read(formatMoney(b))) * Math.sign(a - b)).toBeGreaterThanOrEqual(0);
      }),
    );
  });
});
