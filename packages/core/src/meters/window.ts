/**
 * The strict sliding window. Time is cut into sub-buckets of a `parts`-th of the window, and a record holds the cost
 * of the newest `parts + 1` of them. All are counted whole, the oldest too, so that every interval of the window's
 * length, wherever it begins, lies inside what is counted: the limit holds in each of them, and what is lost is at most
 * a `parts`-th of the window. (Interpolating between two windows, as is common, admits up to twice the limit.)
 *
 * A row is `newest, cost 0 … cost parts`: the newest sub-bucket's number, then a ring of costs, where sub-bucket `b`
 * stands at `b mod (parts + 1)`. All zero is the initial state. A short row is a ring with {@link SHORT} cell, and says
 * the same for as long as no sub-bucket but the newest has a cost that counts: most keys need no more.
 */
import { type Booking, giveBack } from './booking.js';

export interface WindowRule {
  readonly kind: 'window';
  /** The window's length in milliseconds. */
  readonly ms: number;
  /** Sub-buckets in a window. */
  readonly parts: number;
  /** A sub-bucket's length in whole milliseconds. */
  readonly partMs: number;
}

/** @param parts sub-buckets; fewer where the window is too short for so many of whole milliseconds */
export function windowRule(ms: number, parts: number): WindowRule {
  const partMs = Math.ceil(ms / parts);
  return { kind: 'window', ms, parts: Math.ceil(ms / partMs), partMs };
}

/** Cells of a short row. */
export const SHORT = 1;

/** Doubles in a row with so many cells. */
export function width(cells: number): number {
  return cells + 1;
}

/** The place of what a short row has no room for: nothing was changed, and a long one has to take its place first. */
export const NO_ROOM = -2;

/** Cost that counts at `now`, summed from the newest sub-bucket back, so that `wait` comes to the very same sums. */
export function used(row: Float64Array, at: number, rule: WindowRule, now: number, cells = rule.parts + 1): number {
  let total = 0;
  let i = newestCell(row, at, cells);
  for (let left = counted(row, at, rule, now, cells); left > 0; left--) {
    total += row[i];
    i = i === at + 1 ? at + cells : i - 1;
  }
  return total;
}

/** How many sub-buckets count, from the newest back; 0 or less where none does. */
function counted(row: Float64Array, at: number, rule: WindowRule, now: number, cells: number): number {
  return Math.min(cells, row[at] - subBucket(rule, now) + rule.parts + 1);
}

function newestCell(row: Float64Array, at: number, cells: number): number {
  return at + 1 + cell(row[at], cells);
}

/** Adds a cost and returns the sub-bucket that it went to, to be named when it is settled, or {@link NO_ROOM}. */
export function book(
  row: Float64Array,
  at: number,
  rule: WindowRule,
  cost: number,
  now: number,
  cells = rule.parts + 1,
): number {
  const current = subBucket(rule, now);
  if (cells !== SHORT) return bookIn(row, at, current, cost, cells);
  const newest = row[at];
  if (current <= newest) {
    row[at + 1] += cost;
    return newest;
  }
  if (row[at + 1] !== 0 && newest >= current - rule.parts) return NO_ROOM;
  row[at] = current;
  row[at + 1] = cost;
  return current;
}

function bookIn(row: Float64Array, at: number, current: number, cost: number, cells: number): number {
  const newest = row[at];
  if (current > newest) {
    if (current - newest >= cells) row.fill(0, at + 1, at + 1 + cells);
    else for (let b = newest + 1; b <= current; b++) row[at + 1 + cell(b, cells)] = 0;
    row[at] = current;
  }
  const place = row[at];
  row[at + 1 + cell(place, cells)] += cost;
  return place;
}

/**
 * Puts `actual` in place of what is booked: less is given back to the sub-bucket that was charged, if it still counts; more
 * is charged now, whatever the limit. False where a short row has no room for that: nothing was changed.
 */
export function settle(
  row: Float64Array,
  at: number,
  rule: WindowRule,
  booking: Booking,
  actual: number,
  now: number,
  cells = rule.parts + 1,
): boolean {
  const { cost, place } = booking;
  if (actual < cost) {
    const oldest = Math.max(subBucket(rule, now) - rule.parts, row[at] - cells + 1);
    const charged = at + 1 + cell(place, cells);
    if (place >= oldest && place <= row[at]) row[charged] -= giveBack(booking, actual, row[charged]);
    return true;
  }
  if (actual > cost && book(row, at, rule, actual - cost, now, cells) === NO_ROOM) return false;
  booking.cost = actual;
  return true;
}

/** Milliseconds from `now` until `used` is at most `room`, if nothing else comes. `room` is 0 or more. */
export function wait(
  row: Float64Array,
  at: number,
  rule: WindowRule,
  room: number,
  now: number,
  cells = rule.parts + 1,
): number {
  let total = 0;
  let i = newestCell(row, at, cells);
  const left = counted(row, at, rule, now, cells);
  for (let age = 0; age < left; age++) {
    total += row[i];
    // There is room once this one has left.
    if (total > room) return (row[at] - age + rule.parts + 1) * rule.partMs - now;
    i = i === at + 1 ? at + cells : i - 1;
  }
  return 0;
}

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, rule: WindowRule, now: number, cells = rule.parts + 1): boolean {
  return used(row, at, rule, now, cells) === 0;
}

/** Copies a short row to a long one that is all zero. */
export function lengthen(row: Float64Array, at: number, to: Float64Array, toAt: number, rule: WindowRule): void {
  to[toAt] = row[at];
  to[toAt + 1 + cell(row[at], rule.parts + 1)] = row[at + 1];
}

function subBucket(rule: WindowRule, now: number): number {
  return Math.floor(now / rule.partMs);
}

/** `b mod size`, by the instructions that a processor has for doubles: `%` on them is a slow call. */
function cell(b: number, size: number): number {
  return b - Math.floor(b / size) * size;
}
