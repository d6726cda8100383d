/** How amounts and lengths of time are written. */

/** A length of time: milliseconds as a number, or a number with its unit, such as `'30s'`, `'1m'`, `'6h'` or `'1d'`. */
export type Duration = number | `${number}${'ms' | 's' | 'm' | 'h' | 'd' | 'w'}`;

/** An amount: a number, or a number with `k` for thousands or `M` for millions, such as `'200k'`. */
export type Count = number | `${number}${'k' | 'M'}`;

/** An amount per length of time, such as `'100/h'`, `'200k/m'` or `'5/10s'`. */
export type Rate = `${number}${'' | 'k' | 'M'}/${number | ''}${'s' | 'm' | 'h' | 'd' | 'w'}`;

/** How a duration is written. */
export const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d|w)$/;

const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
/** As exponents, so that decimals are read as they are written: '1.004441M' is 1004441. */
const EXPONENTS = { '': 'e0', k: 'e3', M: 'e6' };

/** The greatest cost or limit that is counted exactly. */
export const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** Milliseconds, a positive whole number; `undefined` for what is no duration. */
export function parseDuration(value: unknown): number | undefined {
  if (typeof value === 'number') return positiveWhole(value);
  const match = typeof value === 'string' ? DURATION.exec(value) : null;
  return match ? positiveWhole(Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS])) : undefined;
}

/** Likewise, and 0 is right too: no wait. */
export function parseWait(value: unknown): number | undefined {
  const isNone = value === 0 || (typeof value === 'string' && /^0(ms|s|m|h|d|w)$/.test(value));
  return isNone ? 0 : parseDuration(value);
}

/** A number from 0 to 2⁵³ − 1, or `Infinity` where it is given as such; `undefined` for what is no count. */
export function parseCount(value: unknown): number | undefined {
  if (value === Number.POSITIVE_INFINITY) return value;
  if (typeof value === 'number') return isCost(value) ? value : undefined;
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?)(k|M)?$/.exec(value) : null;
  const count = match ? Number(match[1] + EXPONENTS[(match[2] ?? '') as keyof typeof EXPONENTS]) : Number.NaN;
  return isCost(count) ? count : undefined;
}

/** A whole number from 1 to 2⁵³ − 1; `undefined` for anything else. */
export function parseWhole(value: unknown): number | undefined {
  return typeof value === 'number' ? positiveWhole(value) : undefined;
}

/** Units per millisecond, above 0; `undefined` for what is no rate. */
export function parseRate(value: unknown): number | undefined {
  const match = typeof value === 'string' ? /^([^/]+)\/(\d*(?:\.\d+)?)(s|m|h|d|w)$/.exec(value) : null;
  const count = match ? parseCount(match[1]) : undefined;
  const period = match ? parseDuration(`${match[2] || 1}${match[3]}`) : undefined;
  return count && period ? count / period : undefined;
}

/** What {@link isCost} accepts, as messages say it. */
export const A_COST = 'a finite number from 0 to 2^53 - 1';

/** True for what can be charged: a finite number from 0 to 2⁵³ − 1. */
export function isCost(value: unknown): value is number {
  return typeof value === 'number' && value >= 0 && value <= MAX_COUNT;
}

function positiveWhole(value: number): number | undefined {
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** A time as people are told it, such as `2026-12-01 00:00 UTC`. */
export function minuteText(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}
