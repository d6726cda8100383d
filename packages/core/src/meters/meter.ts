/**
 * A meter counts one unit by one rule, and every decision of a gate is the same question put to several meters at
 * once: `used + cost ≤ limit`? A rule works on a row of doubles, as plain steps with time as an argument; a store
 * keeps the rows. An all-zero row is the initial state, so a row that has drained may be forgotten at any time.
 */
import type { Dimension } from '../request.js';
import type { Booking } from './booking.js';
import * as bucket from './bucket.js';
import * as calendar from './calendar.js';
import type { Outside } from './outside.js';
import * as slots from './slots.js';
import * as window from './window.js';

/**
 * What a meter counts. `tokens` are input and output tokens together; `usd` are whole nano-dollars; `slots` are admissions
 * that run.
 */
export type Unit = 'requests' | 'permits' | 'tokens' | 'inputTokens' | 'outputTokens' | 'usd' | 'slots';

export type Rule = window.WindowRule | bucket.BucketRule | calendar.CalendarRule | slots.SlotsRule;

/** Who asks, and for what: a value for each dimension that a gate counts by, in an order of its own. */
export type Who = readonly (string | undefined)[];

/** The dimensions that a meter is keyed by. Meters of one scope share one record per key. */
export interface Scope {
  readonly by: readonly Dimension[];
  /** Where in a {@link Who} the value of each stands. */
  readonly at: readonly number[];
}

/** The values of a scope's dimensions, in their order; `undefined` is the one key of all who lack the dimension. */
export type Key = readonly (string | undefined)[];

export interface Meter {
  /**
   * What tells it from every other meter, in whatever process: the gate, the limit, and how its rows are to be read. Gates
   * of one configuration have the same, and so share what a shared store keeps.
   */
  readonly id: string;
  readonly name: string;
  /** Among the limits of the configuration, which budgets follow. */
  readonly position: number;
  readonly unit: Unit;
  readonly scope: Scope;
  /** What counts it in place of the store. */
  readonly outside?: Outside | undefined;
}

/** A cost against a meter, with the rule and the limit that hold for this request. Requests that are charged alike share it. */
export interface Charge {
  readonly meter: Meter;
  readonly rule: Rule;
  /** 0 to 2⁵³ − 1. */
  readonly cost: number;
  /** 0 or more; `Infinity` counts without limiting. */
  readonly limit: number;
  /**
   * What the meter allows as a whole, of which an alternative may be given a part: the same as `limit` or more. Of
   * adaptive slots the most that there can be.
   */
  readonly whole: number;
  /** What becomes of a request that does not fit now. */
  readonly whenFull: 'refuse' | 'wait';
  /** Counted where it fits, but never a reason to refuse. */
  readonly shadow: boolean;
}

/**
 * All charges of a request to the meters of one scope: what a store finds in one record. Requests that are charged alike
 * share it, whoever they are.
 */
export interface Bill {
  readonly scope: Scope;
  readonly charges: readonly Charge[];
}

/** The key that somebody has in a scope. */
export function keyIn({ at }: Scope, who: Who): Key {
  const key: (string | undefined)[] = [];
  for (let i = 0; i < at.length; i++) key.push(who[at[i]]);
  return key;
}

/** Somebody of whom no more is known than the key in a scope. */
export function whoHas(key: Key, { at }: Scope): Who {
  const who: (string | undefined)[] = new Array(Math.max(0, ...at) + 1).fill(undefined);
  for (const [i, place] of at.entries()) who[place] = key[i];
  return who;
}

/** What a meter has to say to a charge. */
export interface Usage {
  readonly charge: Charge;
  readonly key: Key;
  readonly used: number;
  /**
   * Milliseconds until the charge fits: 0 now, `Infinity` never. Exact if nothing else comes; of slots the longest that it
   * takes, as they are given back by settling, too.
   */
  readonly waitMs: number;
  /** Milliseconds until there is more room than now; 0 while nothing is used, `Infinity` never. */
  readonly refillMs: number;
  /** It may fit, yet somebody who waits elsewhere for the meter goes first; `waitMs` is above 0. */
  readonly isBehind?: true;
  /** What counts it could not be asked: it is as good as full until it is worth asking again. */
  readonly failed?: true;
}

/** How what ran in a slot ended, as far as that tells how many can run at once. */
export interface Ending {
  /** `overloaded` is a 429, 503, 529 or time-out of the provider. `failed` is what says nothing of its load. */
  readonly outcome: 'succeeded' | 'failed' | 'overloaded';
  /** Where it isn't known or not from 1 to 10⁷, nothing is learned of the speed. */
  readonly outputTokens?: number | undefined;
  /** Of an overload: for how long nothing may begin. Missing, negative or infinite is unknown. */
  readonly retryAfterMs?: number | undefined;
}

/**
 * The one rule: `used + cost ≤ limit`. Asked as `used ≤ limit − cost` wherever it is asked, since the two can differ in
 * the last bit where costs are fractions, and a wait has to end exactly where the rule does.
 */
export function fits(used: number, cost: number, limit: number): boolean {
  return used <= limit - cost;
}

/** What costs no money needs no room in a budget, be that overdrawn. */
export function needsNoRoom({ rule, cost }: Charge): boolean {
  return cost === 0 && rule.kind === 'calendar';
}

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
  }
}

/** Copies a short row to a long one that is all zero. */
export function lengthen(row: Float64Array, at: number, to: Float64Array, toAt: number, rule: Rule): void {
  if (rule.kind === 'window') window.lengthen(row, at, to, toAt, rule);
  else to.set(row.subarray(at, at + width(rule)), toAt);
}

/** What counts against the limit at `now`. */
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
  }
}

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
  }
}

/** What the meter has to say to a charge at `now`. */
export function usage(row: Float64Array, at: number, charge: Charge, key: Key, now: number, long = true): Usage {
  const { rule } = charge;
  const amount = used(row, at, rule, now, long);
  const waitMs = waitOf(row, at, charge, now, long);
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
  }
}

function cells(rule: window.WindowRule, long: boolean): number {
  return long ? rule.parts + 1 : window.SHORT;
}
