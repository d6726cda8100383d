/**
 * Headroom: what somebody else, such as an LLM provider, has left for us. They count; the row follows, as a level that
 * rises by each cost and falls by the limit per window. It promises nothing by itself: what they say of it (`observe`)
 * holds.
 *
 * They say it with their answer to an admission, and have counted by then what was charged up to that, but maybe not what
 * was charged since. For that the row keeps a second level, `own`, of charges alone: an admission's place is what `own` was
 * once it was charged, and by what `own` has grown since comes on top of what they say. So neither what is on its way is
 * forgotten, nor what has come back meanwhile counted twice.
 *
 * What they say raises the level at once. It lowers it by half of the difference, and by half of what the admission was
 * charged at most; while nothing may pass the level stands still. So where a window of theirs begins anew, those that wait
 * don't begin all together, but up to twice as fast as what comes back.
 *
 * A row is `used, at, own, shut until, rate`: as of the time `at`, with the rate that was known last. All zero is the initial
 * state.
 */
import { type Booking, giveBack } from './booking.js';

export interface HeadroomRule {
  readonly kind: 'headroom';
  /** The window that the limit is one of, in milliseconds. */
  readonly ms: number;
  /** What comes back per millisecond: the limit by the window, `Infinity` where there is none. */
  readonly perMs: number;
}

/** What was said. */
export interface Said {
  /** What they had counted; `undefined` where they didn't say. */
  readonly used: number | undefined;
  /** The level is never raised above it: there is no less than nothing left. */
  readonly limit: number;
  /** For how long nothing is to pass from now on, unless it is longer already: 0 opens. `undefined` where they didn't say. */
  readonly shutMs: number | undefined;
}

/** What is used while nothing may pass: no cost fits, as no comparison with it holds. */
const SHUT = Number.NaN;

/** What nothing comes back of is over once nothing has happened for so long: a limit of 0 that was told may be no more. */
const STANDS_MS = 86_400_000;

/** Doubles in a row. */
export const WIDTH = 5;

export function headroomRule(ms: number, limit: number): HeadroomRule {
  return { kind: 'headroom', ms, perMs: limit / ms };
}

/** The level at `now`; `NaN` while nothing may pass. */
export function used(row: Float64Array, at: number, rule: HeadroomRule, now: number): number {
  return now < row[at + 3] ? SHUT : after(row[at], row, at, fasterOf(row, at, rule), now);
}

/** Adds a cost, and returns its place: the level of charges alone. */
export function book(row: Float64Array, at: number, rule: HeadroomRule, cost: number, now: number): number {
  advance(row, at, fasterOf(row, at, rule), now);
  row[at] += cost;
  row[at + 2] += cost;
  row[at + 4] = rule.perMs;
  return row[at + 2];
}

/** Puts `actual` in place of what is booked. No more is given back than there is. */
export function settle(
  row: Float64Array,
  at: number,
  rule: HeadroomRule,
  booking: Booking,
  actual: number,
  now: number,
): void {
  advance(row, at, row[at + 4] || rule.perMs, now);
  const more = actual - booking.cost;
  // What is given back was charged once, and they may have counted it: `own` stays.
  if (more < 0) {
    row[at] -= giveBack(booking, actual, row[at]);
    return;
  }
  row[at] += more;
  row[at + 2] += more;
  row[at + 4] ||= rule.perMs;
  booking.cost = actual;
}

/**
 * Takes in what was said.
 *
 * @param rule by the limit as it is known now
 * @param answered what the admission that it was the answer to was charged at first; `undefined` where that was nothing here
 * @returns true where that has left more room
 */
export function observe(
  row: Float64Array,
  at: number,
  rule: HeadroomRule,
  { used: counted, limit, shutMs }: Said,
  answered: Readonly<Booking> | undefined,
  now: number,
): boolean {
  advance(row, at, row[at + 4] || rule.perMs, now);
  // Who knows of no limit says nothing of its rate.
  if (rule.perMs < Number.POSITIVE_INFINITY) row[at + 4] = rule.perMs;
  const before = row[at];
  const wasShut = now < row[at + 3];
  if (counted !== undefined) {
    const { cost, place } = answered ?? { cost: 0, place: row[at + 2] };
    const told = Math.min(limit, counted + Math.max(0, row[at + 2] - place));
    row[at] = told < before ? before - Math.min(before - told, cost) / 2 : told;
  }
  if (shutMs !== undefined) row[at + 3] = shutMs === 0 ? 0 : Math.max(row[at + 3], now + shutMs);
  return row[at] < before || (wasShut && now >= row[at + 3]);
}

/** Milliseconds from `now` until `used` is at most `room`, if nothing else comes; `Infinity` where nothing comes back. */
export function wait(row: Float64Array, at: number, rule: HeadroomRule, room: number, now: number): number {
  const perMs = fasterOf(row, at, rule);
  const excess = after(row[at], row, at, perMs, now) - room;
  if (excess <= 0) return Math.max(0, row[at + 3] - now);
  const since = sinceOf(row, at);
  if (perMs === 0) return room < 0 ? Number.POSITIVE_INFINITY : since + STANDS_MS - now;
  const from = Math.max(now, since);
  // Rounding may put the quotient a millisecond off, but the answer has to agree with what `used` will say.
  const isEnough = (ms: number) => after(row[at], row, at, perMs, from + ms) <= room;
  const ms = Math.ceil(excess / perMs);
  const exact = isEnough(ms) ? (ms > 1 && isEnough(ms - 1) ? ms - 1 : Math.max(1, ms)) : ms + 1;
  return from - now + exact;
}

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, now: number): boolean {
  return now >= row[at + 3] && after(row[at], row, at, row[at + 4], now) === 0;
}

/** Brings the row to `now`, unless it is there or later. */
function advance(row: Float64Array, at: number, perMs: number, now: number): void {
  if (now <= row[at + 1]) return;
  row[at] = after(row[at], row, at, perMs, now);
  row[at + 2] = after(row[at + 2], row, at, perMs, now);
  row[at + 1] = now;
}

/** A raised rate holds at once, a lowered one from the next charge or observation: by the other the row may be forgotten. */
function fasterOf(row: Float64Array, at: number, { perMs }: HeadroomRule): number {
  return Math.max(perMs, row[at + 4]);
}

/** From when on something comes back. */
function sinceOf(row: Float64Array, at: number): number {
  return Math.max(row[at + 1], row[at + 3]);
}

/** What is left at `now` of a level of the row's time. */
function after(level: number, row: Float64Array, at: number, perMs: number, now: number): number {
  const elapsed = now - sinceOf(row, at);
  if (perMs === 0) return elapsed < STANDS_MS ? level : 0;
  return elapsed > 0 ? Math.max(0, level - perMs * elapsed) : level;
}
