/**
 * The budget of a calendar period: what is spent in it, in whole nano-dollars, down to the moment when the next begins.
 * Which period a time is in comes with the rule (see `periods.ts`); the steps compare numbers and know no time zones.
 *
 * A row is `period, spent, previous`: a period's number, what was spent in it, and in the one before. All zero is the
 * initial state. `spent` may exceed any limit: what was used has to be paid for, and blocks until the period ends.
 *
 * What is settled late is corrected in the period that was charged, if the row still has it. Of an older one less is not
 * given back, and more is charged to the present period.
 */
import { type Booking, giveBack } from './booking.js';

export interface CalendarRule {
  readonly kind: 'calendar';
  /** The period's number: 1 more for each that follows. */
  readonly period: number;
  /** Its first millisecond since the epoch. */
  readonly startsAt: number;
  /** That of the next. */
  readonly resetsAt: number;
}

/** Doubles in a row. */
export const WIDTH = 3;

/** What is spent in the rule's period. Where that is earlier than the row's, a clock was set back: the row's counts. */
export function used(row: Float64Array, at: number, rule: CalendarRule): number {
  return row[at] >= rule.period ? row[at + 1] : 0;
}

/** Adds a cost and returns the period that it went to, to be named when it is settled. */
export function book(row: Float64Array, at: number, rule: CalendarRule, cost: number): number {
  advance(row, at, rule.period);
  row[at + 1] += cost;
  return row[at];
}

/**
 * Puts `actual` in place of what is booked, whatever the limit. Its place stays the period that was charged, so that what
 * another period was charged since can't be taken for its own and given back; only what has come to the present period as
 * a whole can be corrected there.
 *
 * @param rule that of the present period
 */
export function settle(row: Float64Array, at: number, rule: CalendarRule, booking: Booking, actual: number): void {
  const { cost, place } = booking;
  // A record that had been forgotten knows no period yet.
  advance(row, at, Math.max(rule.period, place));
  const age = row[at] - place;
  const charged = at + 1 + age;
  if (actual < cost) {
    if (age <= 1) row[charged] -= giveBack(booking, actual, row[charged]);
    return;
  }
  row[age <= 1 ? charged : at + 1] += actual - cost;
  if (age > 1 && cost === 0) booking.place = row[at];
  booking.cost = actual;
}

/**
 * Milliseconds from `now` until `used` is at most `room`, if nothing else comes: 0, or until the period ends. Where a clock
 * was set back it may take further periods. `room` is 0 or more.
 */
export function wait(row: Float64Array, at: number, rule: CalendarRule, room: number, now: number): number {
  return used(row, at, rule) <= room ? 0 : Math.max(1, rule.resetsAt - now);
}

/**
 * True once the row means the same as the initial state: nothing was spent in the present period, nor in the one before.
 *
 * @param rule of the newest period that is known of
 */
export function drained(row: Float64Array, at: number, rule: CalendarRule): boolean {
  const age = rule.period - row[at];
  return age > 1 || (row[at + 1] === 0 && (age === 1 || row[at + 2] === 0));
}

/** Brings the row to a period, unless it is there or later. */
function advance(row: Float64Array, at: number, period: number): void {
  const age = period - row[at];
  if (age <= 0) return;
  row[at] = period;
  row[at + 2] = age === 1 ? row[at + 1] : 0;
  row[at + 1] = 0;
}
