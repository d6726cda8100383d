/**
 * Fairness between the keys of a dimension, such as tenants: start-time fair queueing (P. Goyal, H. Vin, H. Cheng, 1996),
 * told in milliseconds so that it goes with a score that never changes.
 *
 * Each key has a finish: what it has asked for, by its weight. A request's start is its key's finish, or where the line
 * is if that is further: the latest start of all that began. How far the start is ahead of the line is how far the key is
 * ahead of its share, and is turned into the time that it takes to serve so much at that share. By so much later the
 * request counts as waiting, but never by more than the allowance. So a key that asks for no more than its share waits as
 * if it were alone, and a key that floods waits for itself.
 *
 * The line is where what begins has brought it, and not where a clock says: a rate that is wrong shifts all keys alike,
 * and holds none back for good. Requests count from a time as if one more key had come, as heavy as their own: a key that
 * does come then needs not wait for what was queued before it.
 *
 * This is for one priority; each has its own. With one for all, what a tenant floods as `batch` would hold up what it
 * asks as `interactive`; and what it gets of one priority is no part of another, between which ageing decides.
 */
import { add, extract, first, heapBy, reorder } from './heap.js';

/** `undefined` for what has none: all of it is one key. */
export type FairKey = string | undefined;

export interface FairnessOptions {
  /** The most that a request is held back for what its key asked before: milliseconds, 0 or more. Its `maxWait`. */
  readonly allowanceMs: number;
  /** How many shares a key has: above 0 and finite; 1 unless given. */
  readonly weights?: ReadonlyMap<FairKey, number> | undefined;
  /** Keys that are told apart; of more at once, new ones are as one key of weight 1 until others have drained. */
  readonly maxKeys?: number | undefined;
}

/** A request's place in the order of its priority. */
export interface Turn {
  /** Where it is told that it enters, and that it begins. */
  readonly of: Fairness;
  /** From when it counts as waiting, in milliseconds since 1970: its arrival, or up to the allowance after it. */
  readonly since: number;
  /**
   * Milliseconds until it begins if its key gets its share and no more. A request for which that is too long does best
   * not to enter: what enters counts, though it gives up before it begins, and so of keys that all ask for more than
   * their shares those that ask for most get least.
   */
  readonly waitMs: number;
  readonly key: FairKey | typeof OVERFLOW;
  readonly cost: number;
  /** Where its key is, in cost by weight. */
  readonly start: number;
}

export interface Fairness {
  /**
   * The turn that a request would have.
   *
   * @param cost 0 or more, in any unit
   * @param rate the cost that the line admits of this priority in a millisecond; 0 where it isn't known yet. A rate that
   *   is too low moves who asks for too much further back; the more it is too high, the more the order is by arrival.
   */
  turnOf(key: FairKey, cost: number, now: number, rate: number): Turn;
  /** Milliseconds until what a key has asked for has begun, if it gets its share and no more. */
  waitMs(key: FairKey, rate: number): number;
  /** The request waits in the line from now on. */
  enter(turn: Turn): void;
  /** It leaves the line because it begins. One that gives up needs not say so. */
  begin(turn: Turn): void;
  /** How many keys are remembered: those that are ahead of the line. */
  keys(): number;
}

/** The key of all beyond `maxKeys`. */
const OVERFLOW = Symbol('overflow');

/** A key that is ahead of the line. */
interface Ahead {
  readonly key: Turn['key'];
  readonly weight: number;
  finish: number;
  /** In the heap of finishes. */
  place: number;
}

export function createFairness({ allowanceMs, weights, maxKeys = 10_000 }: FairnessOptions): Fairness {
  /** Keys that are not ahead of the line are as those that never asked, and forgotten. */
  const ahead = new Map<Turn['key'], Ahead>();
  const finishes = heapBy<Ahead>((a, b) => a.finish < b.finish);
  /** Of all that are ahead. */
  let totalWeight = 0;
  let line = 0;

  function weightOf(key: Turn['key']): number {
    return key === OVERFLOW ? 1 : (weights?.get(key) ?? 1);
  }

  function remember(key: Turn['key'], finish: number): void {
    const one: Ahead = { key, weight: weightOf(key), finish, place: 0 };
    add(finishes, one);
    ahead.set(key, one);
    totalWeight += one.weight;
  }

  function forget(one: Ahead): void {
    extract(finishes, one);
    ahead.delete(one.key);
    // Sums of fractions drift; of none it is exactly nothing.
    totalWeight = ahead.size === 0 ? 0 : totalWeight - one.weight;
  }

  function keyOf(asking: FairKey): Turn['key'] {
    return ahead.has(asking) || ahead.size < maxKeys ? asking : OVERFLOW;
  }

  const fairness: Fairness = {
    turnOf(asking, cost, now, rate) {
      const key = keyOf(asking);
      const start = ahead.get(key)?.finish ?? line;
      if (start === line) return { of: fairness, key, cost, start, since: now, waitMs: 0 };
      const msPerWeight = (start - line) / rate;
      const heldBack = msPerWeight * (totalWeight + weightOf(key));
      const since = now + Math.min(allowanceMs, heldBack);
      return { of: fairness, key, cost, start, since, waitMs: msPerWeight * totalWeight };
    },

    waitMs(asking, rate) {
      const start = ahead.get(keyOf(asking))?.finish ?? line;
      return start === line ? 0 : ((start - line) / rate) * totalWeight;
    },

    enter({ key, cost }) {
      const one = ahead.get(key);
      const finish = (one?.finish ?? line) + cost / weightOf(key);
      if (one !== undefined) {
        one.finish = finish;
        reorder(finishes, one);
      } else if (finish > line) {
        remember(key, finish);
      }
    },

    begin({ start }) {
      line = Math.max(line, start);
      for (let one = first(finishes); one && one.finish <= line; one = first(finishes)) forget(one);
    },

    keys: () => ahead.size,
  };
  return fairness;
}
