/** What stands in headers is read whole, or not at all. */
import fc from 'fast-check';
import { readCount, readDuration, readReset, readRetryAfter } from '../../../packages/upstream/src/providers/values.js';
import { NOW } from './support.js';

const DAY = 86_400_000;

test.each([
  ['0', 0],
  ['1999', 1999],
  ['12.5', 12.5],
  [150_000, 150_000],
])('a number is read: %p', (value, expected) => {
  expect(readCount(value)).toBe(expected);
});

test.each(['-1', '', ' ', 'NaN', 'Infinity', '1e9', '0x10', '5, 7', '12ms', '2026-11-23T12:00:00Z'])(
  'what is no number is unknown, never zero: %p',
  (value) => {
    expect(readCount(value)).toBeUndefined();
  },
);

test.each([
  ['12ms', 12],
  ['6m0s', 360_000],
  ['2m59.56s', 179_560],
  ['1h2m3s', 3_723_000],
  ['34.074824224s', 34_075],
  ['1d', DAY],
  ['90d', DAY],
])('a duration is read, up to a day: %s', (value, ms) => {
  expect(readDuration(value)).toBe(ms);
  expect(readReset(value, NOW)).toBe(ms);
});

test.each(['6m0', '1s extra', '-5s', 's', '12 ms', ''])('what is no duration is unknown: %p', (value) => {
  expect(readDuration(value)).toBeUndefined();
});

test.each([
  ['30', 30_000],
  ['0.5', 500],
  [String(NOW / 1000 + 20), 20_000],
  [String(NOW + 20_000), 20_000],
  ['2026-11-23T12:00:07Z', 7000],
  ['2026-11-23T14:00:07.250+02:00', 7250],
  ['2026-11-23T11:59:00Z', 0],
  ['2027-11-23T12:00:00Z', DAY],
  [String(NOW / 1000 - 20), 0],
])('a reset in seconds, since 1970 or as a date is a delay, none where it is over: %s', (value, ms) => {
  expect(readReset(value, NOW)).toBe(ms);
});

test.each(['2026-13-45T99:00:00Z', '2026-11-23', '2026-11-23T12:00:07Z and more', 'tomorrow'])(
  'a reset that is none is unknown: %s',
  (value) => {
    expect(readReset(value, NOW)).toBeUndefined();
  },
);

test.each([
  [{ 'retry-after': '7' }, 7000],
  [{ 'retry-after': '0' }, 0],
  [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:09 GMT' }, 9000],
  [{ 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }, 0],
  [{ 'retry-after-ms': '250', 'retry-after': '7' }, 250],
  [{ 'retry-after-ms': '-1', 'retry-after': '7' }, 7000],
  [{ 'retry-after': '-7' }, undefined],
  [{ 'retry-after': 'soon' }, undefined],
  [{ 'retry-after': 'Mon, 23 Nov 2026 12:00:09 GMT, 7' }, undefined],
  [{}, undefined],
])('Retry-After in all its forms: %p', (headers, ms) => {
  expect(readRetryAfter(new Headers(headers as Record<string, string>), NOW)).toBe(ms);
});

test('what is too long is unknown', () => {
  for (const value of ['9'.repeat(10_000), '1m'.repeat(10_000), `${'9'.repeat(10_000)}s`]) {
    expect([readCount(value), readDuration(value), readReset(value, NOW)]).toEqual([undefined, undefined, undefined]);
  }
});

test('whatever stands there, a delay is unknown or a whole number from 0 to a day', () => {
  const text = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.stringMatching(/^[\d.msh:TZ-]{0,40}$/),
    fc.date().map(String),
  );
  fc.assert(
    fc.property(text, fc.integer({ min: 0, max: 2e12 }), (value, now) => {
      for (const ms of [readReset(value, now), readDuration(value)]) {
        if (ms === undefined) continue;
        expect(Number.isInteger(ms)).toBe(true);
        expect(ms).toBeGreaterThanOrEqual(0);
        expect(ms).toBeLessThanOrEqual(DAY);
      }
    }),
  );
});
