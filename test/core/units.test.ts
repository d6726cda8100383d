import fc from 'fast-check';
import { isCost, parseCount, parseDuration, parseRate } from '../../packages/core/src/units.js';

/** What is none of duration, count or rate, whatever it looks like. */
const HOSTILE: readonly unknown[] = [
  undefined,
  null,
  true,
  false,
  '',
  ' ',
  'abc',
  '-1',
  '+1',
  '.5',
  '5.',
  '1e3',
  '0x10',
  '1_000',
  '1,000',
  'NaN',
  'Infinity',
  '١m',
  '1 m',
  ' 1m',
  '1m ',
  '1m\n',
  '1M/',
  '/h',
  'm',
  'k',
  '1m1s',
  'constructor',
  '__proto__',
  Number.NaN,
  -1,
  Number.NEGATIVE_INFINITY,
  2 ** 53,
  1n,
  Symbol('1m'),
  [],
  [5],
  ['1m'],
  {},
  { valueOf: () => 5 },
  { toString: () => '1m' },
  new String('1m'),
  new Number(5),
  new Date(5),
  () => 5,
];

const PARSERS = { parseDuration, parseCount, parseRate };

describe.each(Object.entries(PARSERS))('%s', (_, parse) => {
  test.each(HOSTILE.map((value) => [value]))('takes %p for what it is not', (value) => {
    expect(parse(value)).toBeUndefined();
  });

  test('never throws, and gives a number above or at zero or nothing', () => {
    fc.assert(
      fc.property(fc.anything(), (value) => {
        const parsed = parse(value);
        expect(parsed === undefined || parsed >= 0).toBe(true);
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[\d.]{0,30}[kM]?\/?[\d.]{0,30}(ms|s|m|h|d|w)?$/), (value) => {
        const parsed = parse(value);
        expect(parsed === undefined || parsed >= 0).toBe(true);
      }),
    );
  });
});

describe('parseDuration', () => {
  test.each([
    [1, 1],
    [60_000, 60_000],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    ['1ms', 1],
    ['30s', 30_000],
    ['1m', 60_000],
    ['6h', 21_600_000],
    ['1d', 86_400_000],
    ['2w', 1_209_600_000],
    ['1.5s', 1500],
    ['0.5m', 30_000],
    ['0.001s', 1],
    ['007s', 7000],
  ])('%p is %d ms', (value, ms) => {
    expect(parseDuration(value)).toBe(ms);
  });

  test.each([[0], [-0], [0.5], [1.5], [2 ** 53], [Number.POSITIVE_INFINITY]])('%p is none', (value) => {
    expect(parseDuration(value)).toBeUndefined();
  });

  test.each(['0s', '0.4ms', '60', '1y', '1M', '1MS', '1S', '1.2.3s', `${'9'.repeat(400)}s`, '9007199254740992ms'])(
    '%p is none',
    (value) => {
      expect(parseDuration(value)).toBeUndefined();
    },
  );

  test('a whole number of a unit is that many milliseconds of it', () => {
    const units = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 };
    const unit = fc.constantFrom(...Object.entries(units));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1_000_000 }), unit, (n, [name, ms]) => {
        expect(parseDuration(`${n}${name}`)).toBe(n * ms);
      }),
    );
  });
});

describe('parseCount', () => {
  test.each([
    [0, 0],
    [0.5, 0.5],
    [100, 100],
    [Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
    [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
    ['0', 0],
    ['100', 100],
    ['0.5', 0.5],
    ['200k', 200_000],
    ['1.5k', 1500],
    ['2M', 2_000_000],
    ['9007199254740991', Number.MAX_SAFE_INTEGER],
  ])('%p is %d', (value, count) => {
    expect(parseCount(value)).toBe(count);
  });

  test.each(['9007199254740992', '9007199254741k', '9'.repeat(400), '1K', '1m', '1G', '1kk', '1.2.3', '100/h'])(
    '%p is none',
    (value) => {
      expect(parseCount(value)).toBeUndefined();
    },
  );

  test('thousandths of a thousand and millionths of a million are whole', () => {
    fc.assert(
      fc.property(fc.nat(10_000_000), (n) => {
        const thousands = `${Math.floor(n / 1000)}.${String(n % 1000).padStart(3, '0')}`;
        const millions = `${Math.floor(n / 1e6)}.${String(n % 1e6).padStart(6, '0')}`;
        expect(parseCount(`${thousands}k`)).toBe(n);
        expect(parseCount(`${millions}M`)).toBe(n);
      }),
    );
  });

  test('a number that can be charged stays as it is', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: Number.MAX_SAFE_INTEGER, noNaN: true }), (n) => {
        expect(parseCount(n)).toBe(n);
        expect(isCost(n)).toBe(true);
      }),
    );
  });
});

describe('parseRate', () => {
  test.each([
    ['1/s', 1 / 1000],
    ['100/h', 100 / 3_600_000],
    ['200k/m', 200_000 / 60_000],
    ['1M/d', 1e6 / 86_400_000],
    ['5/10s', 5 / 10_000],
    ['0.5/s', 0.5 / 1000],
    ['1/0.5s', 1 / 500],
    ['1/2w', 1 / 1_209_600_000],
  ])('%p is %d a millisecond', (value, perMs) => {
    expect(parseRate(value)).toBe(perMs);
  });

  test.each([
    '0/s',
    '0k/s',
    '5/0s',
    '5/-1s',
    '5',
    '5/',
    '5/10',
    '5/ms',
    '5/y',
    '5//s',
    '5/s/s',
    '-5/s',
    'Infinity/s',
    '5/.',
  ])('%p is none', (value) => {
    expect(parseRate(value)).toBeUndefined();
  });

  test.each([[5], [Number.POSITIVE_INFINITY], [0]])('a bare number, %p, is none: it lacks its time', (value) => {
    expect(parseRate(value)).toBeUndefined();
  });

  test('is its count over its duration', () => {
    const count = fc.tuple(fc.integer({ min: 1, max: 100_000 }), fc.constantFrom('', 'k', 'M'));
    const period = fc.tuple(fc.integer({ min: 1, max: 1000 }), fc.constantFrom('s', 'm', 'h', 'd', 'w'));
    fc.assert(
      fc.property(count, period, ([n, scale], [length, unit]) => {
        const amount = n * { '': 1, k: 1000, M: 1_000_000 }[scale as '' | 'k' | 'M'];
        const ms = length * { s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7, w: 6.048e8 }[unit as 's' | 'm' | 'h' | 'd' | 'w'];
        expect(parseRate(`${n}${scale}/${length}${unit}`)).toBe(amount / ms);
      }),
    );
  });
});

describe('isCost', () => {
  test.each([[0], [0.1], [1], [Number.MAX_SAFE_INTEGER]])('%p can be charged', (value) => {
    expect(isCost(value)).toBe(true);
  });

  test.each([
    [-1],
    [-Number.MIN_VALUE],
    [2 ** 53],
    [Number.NaN],
    [Number.POSITIVE_INFINITY],
    ['1'],
    [1n],
    [null],
    [[1]],
  ])('%p can not', (value) => {
    expect(isCost(value)).toBe(false);
  });
});
