/**
 * What an instance has spent of budgets of late, call by call. Redis answers before its replica knows, so a failover loses
 * what was answered last. Which calls of each lane Redis still knows of tells what that was: it is spent again, neither
 * more nor less.
 */
import { recordName } from './keys.js';
import { type Origin, originOf, type RedisEntry } from './operation.js';

/** What was spent of a budget, or given back to it. */
export interface Spend {
  /** By whom, and in which period. */
  readonly entry: RedisEntry;
  /** Nano-dollars; below 0: given back. */
  readonly amount: number;
}

export interface SpendLedger {
  /** Notes what came of a call, once it has been answered. */
  note(lane: number, number: number, epoch: number, spends: readonly Spend[]): void;
  /** The last call of each lane that has one: Redis has to know of them, and then it knows of all before. */
  last(): readonly Noted[];
  /**
   * Removes what is lost and returns it, to be spent again. What it had charged stands in the respend from then on. What is given
   * back of others' charges isn't part of that: they may be lost as well.
   *
   * @param gaps of lanes whose last call was named
   * @param again of the respend, in the present epoch: what was done in another is lost as a whole
   */
  takeLost(gaps: readonly Gap[], again: Origin): readonly Spend[];
}

/** For longer no replica that takes over has been without its master, by Redis's own defaults. */
const KEPT_MS = 5 * 60_000;

/** The oldest are forgotten where there are more. */
const MOST_KEPT = 100_000;

/** A call by its lane, and by its number there. */
export interface Noted {
  readonly lane: number;
  readonly number: number;
}

/** Redis had to know of a call, and knows of the lane's calls up to one. */
export interface Gap extends Noted {
  readonly known: number;
}

interface Call extends Noted {
  /** In which it was done. */
  readonly epoch: number;
  /** By each of the clocks. */
  readonly at: readonly number[];
  readonly spends: readonly Spend[];
  /** What it has charged. */
  readonly begun: readonly Origin[];
}

/**
 * A call is too old by whichever of them says so first. While a machine sleeps, the process's own clock stands still, and
 * Redis's may not; the wall clock may be set back.
 */
const CLOCKS = [() => performance.now(), () => Date.now()];

/** @param clocks milliseconds, each since whenever */
export function createSpendLedger(clocks: readonly (() => number)[] = CLOCKS): SpendLedger {
  /** In the order of their answers. */
  let calls: Call[] = [];
  let kept = 0;
  /** By lane. */
  const last: (Call | undefined)[] = [];
  /** Of all that was noted; others were charged elsewhere. */
  const own = new WeakSet<Origin>();

  function isKept({ at }: Call): boolean {
    return clocks.every((time, i) => time() < at[i] + KEPT_MS);
  }

  /** Lets go of what is too old, or too much. */
  function forget(): void {
    let count = 0;
    while (count < calls.length && (kept > MOST_KEPT || !isKept(calls[count]))) kept -= calls[count++].spends.length;
    if (count > 0) calls = calls.slice(count);
  }

  return {
    note(lane, number, epoch, spends) {
      const sums = sumsOf(spends);
      if (sums.length === 0) return;
      const begun = spends.filter(isCharge).map(({ entry }) => originOf(entry));
      const call = { lane, number, epoch, at: clocks.map((time) => time()), spends: sums, begun: [...new Set(begun)] };
      for (const origin of begun) own.add(origin);
      calls.push(call);
      last[lane] = call;
      kept += sums.length;
    },
    last() {
      forget();
      return last.filter((call) => call !== undefined && isKept(call)) as Call[];
    },
    takeLost(gaps, again) {
      forget();
      // What was answered since they were named is not told of.
      const isIn = (gap: Gap, { lane, number, epoch }: Call) =>
        gap.lane === lane && number <= gap.number && (number > gap.known || epoch !== again.epoch);
      const isLost = (call: Call) => gaps.some((gap) => isIn(gap, call));
      const lost = calls.filter(isLost);
      calls = calls.filter((call) => !isLost(call));
      for (const lane of last.keys()) last[lane] = calls.findLast((call) => call.lane === lane);
      own.add(again);
      for (const { begun } of lost) for (const origin of begun) origin.again = again;
      const spends = lost.flatMap(({ spends }) => spends);
      kept -= spends.length;
      return sumsOf(spends).filter(({ entry, amount }) => amount > 0 || own.has(originOf(entry)));
    },
  };
}

/** What a take has spent. */
export function spendsOf(receipt: readonly RedisEntry[]): Spend[] {
  return receipt.filter(isSpent).map((entry) => ({ entry, amount: entry.cost }));
}

/** What a settling has spent or given back. @param before the costs of its entries */
export function changesOf(entries: readonly RedisEntry[], before: readonly number[]): Spend[] {
  const changes = entries.map((entry, i) => ({ entry, amount: entry.cost - before[i] }));
  return changes.filter(({ entry, amount }) => isSpent(entry) && amount !== 0);
}

/** All that its entry costs, so nothing was charged before. */
function isCharge({ entry, amount }: Spend): boolean {
  return amount > 0 && amount === entry.cost;
}

function isSpent({ charge }: RedisEntry): boolean {
  return charge.rule.kind === 'calendar';
}

/** One for each budget, key and period, of each data. */
function sumsOf(spends: readonly Spend[]): Spend[] {
  const sums = new Map<Origin, Map<string, Spend>>();
  for (const { entry, amount } of spends) {
    const { meter } = entry.charge;
    const name = recordName(`${entry.place} ${meter.id}`, meter.scope, entry.who);
    const origin = originOf(entry);
    const named = sums.get(origin) ?? new Map<string, Spend>();
    sums.set(origin, named);
    named.set(name, { entry, amount: amount + (named.get(name)?.amount ?? 0) });
  }
  return [...sums.values()].flatMap((named) => [...named.values()]).filter(({ amount }) => amount !== 0);
}
