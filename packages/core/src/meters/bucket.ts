/**
 * The token bucket that can give back. `used` rises by each cost and falls at the refill's rate, but never below `held`:
 * the part of it that belongs to admissions not yet settled. Settling takes the kept cost out of `held` and the rest out
 * of both. So what is kept in any interval is at most capacity + rate · length, refunds included (lowering `used` at a
 * refund without that floor would break it: the refill would already have given the same tokens back).
 *
 * An admission that is never settled would stop the refill, so `held` is kept by generations of {@link GENERATION_MS}:
 * the current one and the one before. Older holds count as kept, and a later refund of theirs is void.
 *
 * A row is `used, held, held before, at, rate`: as of the time `at`, with the rate that the last charge came with. All
 * zero is the initial state: a full bucket, whatever its capacity.
 */
import { type Booking, giveBack } from './booking.js';

export interface BucketRule {
  readonly kind: 'bucket';
  /** Refill per millisecond. A raised rate holds at once, a lowered one from the key's next admission. */
  readonly perMs: number;
}

/** How long a hold lasts at least; longer than a request to an LLM takes. */
export const GENERATION_MS = 15 * 60_000;

/** The place of a cost that is no longer held; not to be taken for a window's `NO_ROOM`. */
export const RELEASED = -1;

/** Doubles in a row. */
export const WIDTH = 5;

/** What is missing from a full bucket at `now`. */
export function used(row: Float64Array, at: number, perMs: number, now: number): number {
  const left = row[at] - Math.max(perMs, row[at + 4]) * Math.max(0, now - row[at + 3]);
  return Math.max(left, held(row, at, now));
}

/** Adds a cost, held until it is settled, and returns its generation: what to name when settling it. */
export function book(row: Float64Array, at: number, rule: BucketRule, cost: number, now: number): number {
  const place = advance(row, at, rule.perMs, now);
  row[at] += cost;
  row[at + 1] += cost;
  row[at + 4] = rule.perMs;
  return place;
}

/**
 * Puts `actual` in place of what is booked: less is given back as far as it is still held; more is charged now, whatever
 * the capacity. What is kept stays held where the admission goes on, else the hold ends, and a further correction can only
 * charge more.
 */
export function settle(
  row: Float64Array,
  at: number,
  rule: BucketRule,
  booking: Booking,
  actual: number,
  now: number,
  goesOn: boolean,
): void {
  const { cost, place } = booking;
  // A record that had been forgotten has no rate yet.
  if (row[at + 4] === 0) row[at + 4] = rule.perMs;
  const age = advance(row, at, 0, now) - place;
  const refund = Math.max(0, cost - actual);
  const isHeld = place !== RELEASED && age <= 1;
  const released = isHeld ? Math.min(goesOn ? refund : cost, row[at + 1 + age]) : 0;
  if (isHeld) row[at + 1 + age] -= released;
  if (refund > 0) row[at] -= giveBack(booking, actual, released);
  else {
    row[at] += actual - cost;
    booking.cost = actual;
  }
  if (!goesOn) booking.place = RELEASED;
}

/** Milliseconds from `now` until `used` is at most `room`, if nothing else comes and what is held is kept. */
export function wait(row: Float64Array, at: number, rule: BucketRule, room: number, now: number): number {
  const excess = used(row, at, rule.perMs, now) - room;
  if (excess <= 0) return 0;
  const perMs = Math.max(rule.perMs, row[at + 4]);
  const elapsed = Math.max(0, now - row[at + 3]);
  // Rounding may put the quotient a millisecond off, but the answer has to agree with what `used` will say.
  const isEnough = (ms: number) => row[at] - perMs * (elapsed + ms) <= room;
  const ms = Math.ceil(excess / perMs);
  if (!isEnough(ms)) return ms + 1;
  return ms > 1 && isEnough(ms - 1) ? ms - 1 : ms;
}

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, now: number): boolean {
  return used(row, at, 0, now) === 0;
}

/** Brings the row to `now`, and returns its generation. Holds that have run out end first, as if they had been kept at once. */
function advance(row: Float64Array, at: number, perMs: number, now: number): number {
  const last = row[at + 3];
  const before = generation(last);
  if (now <= last) return before;
  const current = generation(now);
  if (current > before) {
    row[at + 2] = current === before + 1 ? row[at + 1] : 0;
    row[at + 1] = 0;
  }
  row[at] = Math.max(row[at] - Math.max(perMs, row[at + 4]) * (now - last), row[at + 1] + row[at + 2]);
  row[at + 3] = now;
  return current;
}

function held(row: Float64Array, at: number, now: number): number {
  if (row[at + 1] === 0 && row[at + 2] === 0) return 0;
  const ended = generation(now) - generation(row[at + 3]);
  if (ended <= 0) return row[at + 1] + row[at + 2];
  return ended === 1 ? row[at + 1] : 0;
}

function generation(ms: number): number {
  return Math.floor(ms / GENERATION_MS);
}
