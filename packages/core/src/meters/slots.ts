/**
 * Slots: how many are running now. A slot is given back when what runs in it is settled, and by itself when its lease
 * ends, so that what is never settled is not lost for good.
 *
 * Leases end by generations of `leaseMs`: what is booked in one counts through that and the next, which makes a lease at
 * least `leaseMs` and at most twice that. So a meter needs no list of leases and no timer.
 *
 * A row is `generation, current, previous`: the newest generation, the slots booked in it, and in the one before. All
 * zero is the initial state. A clock that goes back is ignored: the row's generation counts until it is reached again.
 */
import { type Booking, giveBack } from './booking.js';

export interface SlotsRule {
  readonly kind: 'slots';
  /** How long a slot lasts at least, in whole milliseconds above 0. The same for as long as the meter has a row. */
  readonly leaseMs: number;
}

/** Doubles in a row. */
export const WIDTH = 3;

/** When the lease of slots ends that were booked at a place, in milliseconds since 1970. */
export function leaseEnd(rule: SlotsRule, place: number): number {
  return (place + 2) * rule.leaseMs;
}

/** Slots in use at `now`. */
export function used(row: Float64Array, at: number, rule: SlotsRule, now: number): number {
  const age = generation(rule, now) - row[at];
  if (age <= 0) return row[at + 1] + row[at + 2];
  return age === 1 ? row[at + 1] : 0;
}

/** Adds slots, whole numbers, and returns their generation: what to name when settling them. */
export function book(row: Float64Array, at: number, rule: SlotsRule, cost: number, now: number): number {
  const place = advance(row, at, rule, now);
  row[at + 1] += cost;
  return place;
}

/**
 * Puts `actual` in place of what is booked: 0 gives the slots back. More is booked now, and takes along what was there: the
 * lease of all begins anew. Slots whose lease has ended are back already, and nothing happens.
 */
export function settle(
  row: Float64Array,
  at: number,
  rule: SlotsRule,
  booking: Booking,
  actual: number,
  now: number,
): void {
  const { cost, place } = booking;
  const present = advance(row, at, rule, now);
  const age = present - place;
  // Below 0 where the record was forgotten and the clock set back.
  if (age < 0 || age > 1) return;
  const booked = at + 1 + age;
  if (actual <= cost) {
    row[booked] -= giveBack(booking, actual, row[booked]);
    return;
  }
  row[booked] = Math.max(0, row[booked] - cost);
  row[at + 1] += actual;
  booking.cost = actual;
  booking.place = present;
}

/** Milliseconds from `now` until `used` is at most `room`, if nothing is settled and nothing else comes. `room` is 0 or more. */
export function wait(row: Float64Array, at: number, rule: SlotsRule, room: number, now: number): number {
  if (used(row, at, rule, now) <= room) return 0;
  const generations = row[at + 1] <= room ? 1 : 2;
  return (row[at] + generations) * rule.leaseMs - now;
}

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, rule: SlotsRule, now: number): boolean {
  return used(row, at, rule, now) === 0;
}

/** Brings the row to the generation of `now`, unless it is there or later, and returns the row's. */
function advance(row: Float64Array, at: number, rule: SlotsRule, now: number): number {
  const present = generation(rule, now);
  const age = present - row[at];
  if (age > 0) {
    row[at] = present;
    row[at + 2] = age === 1 ? row[at + 1] : 0;
    row[at + 1] = 0;
  }
  return row[at];
}

function generation(rule: SlotsRule, now: number): number {
  return Math.floor(now / rule.leaseMs);
}
