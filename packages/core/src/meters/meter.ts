/**
 * A meter counts one unit by one rule, and every decision of a gate is the same question put to several meters at
 * once: `used + cost ≤ limit`? A rule works on a row of doubles, as plain steps with time as an argument; a store
 * keeps the rows. An all-zero row is the initial state, so a row that has drained may be forgotten at any time.
 */
import type { Dimension } from '../request.js';
import * as bucket from './bucket.js';
import * as calendar from './calendar.js';
import * as window from './window.js';

/** What a meter counts. `tokens` are input and output tokens together; `usd` are whole nano-dollars. */
export type Unit = 'requests' | 'permits' | 'tokens' | 'inputTokens' | 'outputTokens' | 'usd';

export type Rule = window.WindowRule | bucket.BucketRule | calendar.CalendarRule;

/** The dimensions that a meter is keyed by. Meters of one scope share one record per key. */
export interface Scope {
  readonly by: readonly Dimension[];
}

/** The values of a scope's dimensions, in their order; `undefined` is the one key of all who lack the dimension. */
export type Key = readonly (string | undefined)[];

export interface Meter {
  readonly name: string;
  /** Among the limits of the configuration, which budgets follow. */
  readonly position: number;
  readonly unit: Unit;
  readonly scope: Scope;
}

/** A cost against a meter, with the rule and the limit that hold for this request. Requests that are charged alike share it. */
export interface Charge {
  readonly meter: Meter;
  readonly rule: Rule;
  /** 0 to 2⁵³ − 1. */
  readonly cost: number;
  /** 0 or more; `Infinity` counts without limiting. */
  readonly limit: number;
  /** What the meter allows as a whole, of which an alternative may be given a part: the same as `limit` or more. */
  readonly whole: number;
  /** Counted where it fits, but never a reason to refuse. */
  readonly shadow: boolean;
}

/** All charges of a request to the meters of one scope, for one key: what a store finds in one record. */
export interface Bill {
  readonly scope: Scope;
  readonly key: Key;
  readonly charges: readonly Charge[];
}

/** What a meter has to say to a charge. */
export interface Usage {
  readonly charge: Charge;
  readonly key: Key;
  readonly used: number;
  /** Milliseconds until the charge fits: 0 now, `Infinity` never. Exact if nothing else comes. */
  readonly waitMs: number;
  /** Milliseconds until there is more room than now; 0 while nothing is used. */
  readonly refillMs: number;
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
  if (rule.kind === 'window') return window.width(cells(rule, long));
  return rule.kind === 'bucket' ? bucket.WIDTH : calendar.WIDTH;
}

/** Copies a short row to a long one that is all zero. */
export function lengthen(row: Float64Array, at: number, to: Float64Array, toAt: number, rule: Rule): void {
  if (rule.kind === 'window') window.lengthen(row, at, to, toAt, rule);
  else to.set(row.subarray(at, at + width(rule)), toAt);
}

/** What counts against the limit at `now`. */
export function used(row: Float64Array, at: number, rule: Rule, now: number, long = true): number {
  if (rule.kind === 'window') return window.used(row, at, rule, now, cells(rule, long));
  return rule.kind === 'bucket' ? bucket.used(row, at, rule.perMs, now) : calendar.used(row, at, rule);
}

/** Adds a cost. Returns its place in the row, to be named when it is settled, or {@link NO_ROOM}. */
export function book(row: Float64Array, at: number, rule: Rule, cost: number, now: number, long = true): number {
  if (rule.kind === 'window') return window.book(row, at, rule, cost, now, cells(rule, long));
  return rule.kind === 'bucket' ? bucket.book(row, at, rule, cost, now) : calendar.book(row, at, rule, cost);
}

/**
 * Puts `actual` in place of the `cost` charged at `place`. Returns the place for a further correction, or {@link NO_ROOM}.
 *
 * @param goesOn the admission is not at its end: what it keeps can still be given back
 */
export function settle(
  row: Float64Array,
  at: number,
  rule: Rule,
  place: number,
  cost: number,
  actual: number,
  now: number,
  goesOn: boolean,
  long = true,
): number {
  if (rule.kind === 'window') return window.settle(row, at, rule, place, cost, actual, now, cells(rule, long));
  return rule.kind === 'bucket'
    ? bucket.settle(row, at, rule, place, cost, actual, now, goesOn)
    : calendar.settle(row, at, rule, place, cost, actual);
}

/** True once the row means the same as the initial state. */
export function drained(row: Float64Array, at: number, rule: Rule, now: number, long = true): boolean {
  if (rule.kind === 'window') return window.drained(row, at, rule, now, cells(rule, long));
  return rule.kind === 'bucket' ? bucket.drained(row, at, now) : calendar.drained(row, at, rule);
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
  const { rule, cost, limit } = charge;
  if (cost > limit) return Number.POSITIVE_INFINITY;
  return needsNoRoom(charge) ? 0 : waitFor(row, at, rule, limit - cost, now, long);
}

/** Milliseconds until `used` is at most `room`. */
function waitFor(row: Float64Array, at: number, rule: Rule, room: number, now: number, long: boolean): number {
  if (rule.kind === 'window') return window.wait(row, at, rule, room, now, cells(rule, long));
  return rule.kind === 'bucket' ? bucket.wait(row, at, rule, room, now) : calendar.wait(row, at, rule, room, now);
}

function cells(rule: window.WindowRule, long: boolean): number {
  return long ? rule.parts + 1 : window.SHORT;
}
