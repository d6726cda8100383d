/**
 * A meter counts one unit by one rule, and every decision of a gate is the same question put to several meters at
 * once: `used + cost ≤ limit`? `rules.ts` has the steps by which each rule counts.
 */
import type { Dimension } from '../request.js';
import type { BucketRule } from './bucket.js';
import type { CalendarRule } from './calendar.js';
import type { HeadroomRule } from './headroom.js';
import type { Outside } from './outside.js';
import type { SlotsRule } from './slots.js';
import type { WindowRule } from './window.js';

/**
 * What a meter counts. `tokens` are input and output tokens together; `usd` are whole nano-dollars; `slots` are admissions
 * that run.
 */
export type Unit = 'requests' | 'permits' | 'tokens' | 'inputTokens' | 'outputTokens' | 'usd' | 'slots';

export type Rule = WindowRule | BucketRule | CalendarRule | SlotsRule | HeadroomRule;

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
  /** What of `whole` a budget's key had been given beyond the limit; none unless given. */
  readonly credit?: number | undefined;
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

/** The key that somebody has in a scope. An array that is born complete takes a fifth of one that grows. */
export function keyIn({ at }: Scope, who: Who): Key {
  if (at.length === 1) return [who[at[0]]];
  if (at.length === 2) return [who[at[0]], who[at[1]]];
  return at.map((place) => who[place]);
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
