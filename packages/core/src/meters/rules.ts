/**
 * The steps of every rule, by its kind. A rule works on a row of doubles, as plain steps with time as an argument; a store
 * keeps the rows. An all-zero row is the initial state, so a row that has drained may be forgotten at any time.
 */
import type { Booking } from './booking.js';
import * as bucket from './bucket.js';
import * as calendar from './calendar.js';
import * as headroom from './headroom.js';
import { type Charge, fits, type Key, needsNoRoom, type Rule, type Usage } from './meter.js';
import * as slots from './slots.js';
import * as window from './window.js';

/** The place of what a short row has no room for: nothing was changed, and a long one has to take its place first. */
export const NO_ROOM = window.NO_ROOM;

/** Doubles in a row. A short one is enough for most keys; what takes a row is told whether it is long. */
export function width(rule: Rule, long = true): number {
  switch (rule.kind) {
    case 'window':
      return window.width(cells(rule, long));
    case 'bucket':
      return bucket.WIDTH;
    case 'calendar':
      return calendar.WIDTH;
    case 'slots':
      return slots.WIDTH;
    case 'headroom':
      return headroom.WIDTH;
  }
}

/** Copies a short row to a long one that is all zero. */
export function lengthen(row: Float64Array, at: number, to: Float64Array, toAt: number, rule: Rule): void {
  if (rule.kind === 'window') window.lengthen(row, at, to, toAt, rule);
  else to.set(row.subarray(at, at + width(rule)), toAt);
}

/** What counts against the limit at `now`; `NaN` where nothing fits, whatever it costs. */
export function used(row: Float64Array, at: number, rule: Rule, now: number, long = true): number {
  switch (rule.kind) {
    case 'window':
      return window.used(row, at, rule, now, cells(rule, long));
    case 'bucket':
      return bucket.used(row, at, rule.perMs, now);
    case 'calendar':
      return calendar.used(row, at, rule);
    case 'slots':
      return slots.used(row, at, rule, now);
    case 'headroom':
      return headroom.used(row, at, rule, now);
  }
}

/** Adds a cost. Returns its place in the row, to be named when it is settled, or {@link NO_ROOM}. */
export function book(row: Float64Array, at: number, rule: Rule, cost: number, now: number, long = true): number {
  switch (rule.kind) {
    case 'window':
      return window.book(row, at, rule, cost, now, cells(rule, long));
    case 'bucket':
      return bucket.book(row, at, rule, cost, now);
    case 'calendar':
      return calendar.book(row, at, rule, cost);
    case 'slots':
      return slots.book(row, at, rule, cost, now);
    case 'headroom':
      return headroom.book(row, at, rule, cost, now);
  }
}

/**
 * Puts `actual` in place of what is booked, and brings that up to date. What can't be given back any more stays booked, so
 * that it isn't charged a second time. False where a short row has no room: nothing was changed.
 *
 * @param goesOn the admission is not at its end: what it keeps can still be given back
 */
export function settle(
  row: Float64Array,
  at: number,
  rule: Rule,
  booking: Booking,
  actual: number,
  now: number,
  goesOn: boolean,
  long = true,
): boolean {
  switch (rule.kind) {
    case 'window':
      return window.settle(row, at, rule, booking, actual, now, cells(rule, long));
    case 'bucket':
      bucket.settle(row, at, rule, booking, actual, now, goesOn);
      return true;
    case 'calendar':
      calendar.settle(row, at, rule, booking, actual);
      return true;
    case 'slots':
      slots.settle(row, at, rule, booking, actual, now);
      return true;
    case 'headroom':
      headroom.settle(row, at, rule, booking, actual, now);
      return true;
  }
}

/** Where what was booked at a place stands once it is settled for good. */
export function settledPlace({ kind }: Rule, place: number): number {
  return kind === 'bucket' ? bucket.RELEASED : place;
}

/** Corrects a row by what was said of it. Returns true where that has left more room. */
export const observe = headroom.observe;

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, rule: Rule, now: number, long = true): boolean {
  switch (rule.kind) {
    case 'window':
      return window.drained(row, at, rule, now, cells(rule, long));
    case 'bucket':
      return bucket.drained(row, at, now);
    case 'calendar':
      return calendar.drained(row, at, rule);
    case 'slots':
      return slots.drained(row, at, rule, now);
    case 'headroom':
      return headroom.drained(row, at, now);
  }
}

/** What the meter has to say to a charge at `now`. */
export function usage(row: Float64Array, at: number, charge: Charge, key: Key, now: number, long = true): Usage {
  const { rule } = charge;
  const counted = used(row, at, rule, now, long);
  // What is shut is as good as full.
  const amount = Number.isNaN(counted) ? charge.limit : counted;
  const waitMs = fits(counted, charge.cost, charge.limit) ? 0 : waitOf(row, at, charge, now, long);
  const refillMs = amount === 0 ? 0 : waitFor(row, at, rule, Math.max(0, amount - 1), now, long);
  return { charge, key, used: amount, waitMs, refillMs };
}

function waitOf(row: Float64Array, at: number, charge: Charge, now: number, long: boolean): number {
  const { rule, cost, limit, whole } = charge;
  if (cost > (rule.kind === 'slots' ? whole : limit)) return Number.POSITIVE_INFINITY;
  if (needsNoRoom(charge)) return 0;
  const waitMs = waitFor(row, at, rule, Math.max(0, limit - cost), now, long);
  // Adaptive slots may be fewer for a while, even if none is in use.
  return cost > limit ? Math.max(1, waitMs) : waitMs;
}

/** Milliseconds until `used` is at most `room`. */
function waitFor(row: Float64Array, at: number, rule: Rule, room: number, now: number, long: boolean): number {
  switch (rule.kind) {
    case 'window':
      return window.wait(row, at, rule, room, now, cells(rule, long));
    case 'bucket':
      return bucket.wait(row, at, rule, room, now);
    case 'calendar':
      return calendar.wait(row, at, rule, room, now);
    case 'slots':
      return slots.wait(row, at, rule, room, now);
    case 'headroom':
      return headroom.wait(row, at, rule, room, now);
  }
}

function cells(rule: window.WindowRule, long: boolean): number {
  return long ? rule.parts + 1 : window.SHORT;
}
