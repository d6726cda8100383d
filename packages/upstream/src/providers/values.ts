/** What stands in headers and bodies, read whole: what is not quite right is unknown, never zero. */

/** After a day it is worth asking again, whatever was said. */
const LONGEST_DELAY = 86_400_000;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** From here on a number is a point in time: seconds since 1970, or milliseconds. */
const EPOCH_SECONDS = 1e9;
const EPOCH_MS = 1e12;

const NUMBER = /^\d{1,15}(?:\.\d{1,15})?$/;
const DURATION = /^(?:\d{1,15}(?:\.\d{1,15})?(?:ms|s|m|h|d)){1,5}$/;
const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)$/;
const HTTP_DATE = /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/;

/** A number from 0 to 10¹⁵; `undefined` for anything else, `-1` among it. */
export function readCount(value: unknown): number | undefined {
  const text = typeof value === 'number' ? String(value) : value;
  return typeof text === 'string' && NUMBER.test(text) ? Number(text) : undefined;
}

/** Milliseconds from now: `12ms`, `6m0s`, `2m59.56s`, seconds, seconds or milliseconds since 1970, or a date of RFC 3339. */
export function readReset(value: unknown, now: number): number | undefined {
  const count = readCount(value);
  if (count !== undefined) {
    if (count < EPOCH_SECONDS) return delay(count * MS.s);
    return delay((count < EPOCH_MS ? count * MS.s : count) - now);
  }
  return readDuration(value) ?? (isMatch(RFC_3339, value) ? delay(Date.parse(value) - now) : undefined);
}

/** Milliseconds of `12ms`, `34.07s` or `6m0s`. */
export function readDuration(value: unknown): number | undefined {
  if (!isMatch(DURATION, value)) return undefined;
  const parts = value.matchAll(/([\d.]+)([a-z]+)/g);
  return delay([...parts].reduce((sum, [, amount, unit]) => sum + Number(amount) * MS[unit as keyof typeof MS], 0));
}

/** Milliseconds from now, by the headers that say so: `retry-after-ms` before `retry-after`, in seconds or as a date. */
export function readRetryAfter(headers: Headers, now: number): number | undefined {
  const ms = readCount(headers.get('retry-after-ms'));
  if (ms !== undefined) return delay(ms);
  const value = headers.get('retry-after');
  const seconds = readCount(value);
  if (seconds !== undefined) return delay(seconds * MS.s);
  return isMatch(HTTP_DATE, value) ? delay(Date.parse(value) - now) : undefined;
}

/** A delay in whole milliseconds, from none to a day; `undefined` for what is no number. What is over is none. */
function delay(ms: number): number | undefined {
  return Number.isNaN(ms) ? undefined : Math.ceil(Math.min(Math.max(ms, 0), LONGEST_DELAY));
}

function isMatch(pattern: RegExp, value: unknown): value is string {
  return typeof value === 'string' && pattern.test(value);
}
