/**
 * What an instance has spent of budgets of late, call by call. Redis answers before its replica knows, so a failover loses
 * what was answered last. Which calls of each lane Redis still knows of tells what that was: it is spent again, neither
 * more nor less.
 */
import { recordName } from './keys.js';
import { type Origin, originOf, type RedisEntry, type Settle } from './operation.js';

/** What was spent of a budget, or given back to it. */
export interface Spend {
  /** By whom, and in which period. */
  readonly entry: RedisEntry;
  /** Nano-dollars; below 0: given back. */
  readonly amount: number;
  /** Its entry was charged by it: what comes of that later is part of the same. */
  readonly begins: boolean;
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
  /** What it has charged, if it were nothing. */
  readonly begun: ReadonlySet<Origin>;
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
  /** Those before it are forgotten. */
  let first = 0;
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
    while (first < calls.length && (kept > MOST_KEPT || !isKept(calls[first]))) kept -= weightOf(calls[first++]);
    // To move those that are left takes as long as there are many: not each time.
    if (4 * first > calls.length) {
      calls = calls.slice(first);
      first = 0;
    }
  }

  return {
    note(lane, number, epoch, spends) {
      const sums = sumsOf(spends);
      const begun = new Set(spends.filter(({ begins }) => begins).map(({ entry }) => originOf(entry)));
      if (sums.length === 0 && begun.size === 0) return;
      const call = { lane, number, epoch, at: clocks.map((time) => time()), spends: sums, begun };
      for (const origin of begun) own.add(origin);
      calls.push(call);
      last[lane] = call;
      kept += weightOf(call);
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
      const noted = calls.slice(first);
      const lost = noted.filter(isLost);
      calls = noted.filter((call) => !isLost(call));
      first = 0;
      for (const lane of last.keys()) last[lane] = calls.findLast((call) => call.lane === lane);
      own.add(again);
      for (const { begun } of lost) for (const origin of begun) origin.again = again;
      for (const call of lost) kept -= weightOf(call);
      const spends = lost.flatMap(({ spends }) => spends);
      return sumsOf(spends).filter(({ entry, amount }) => amount > 0 || own.has(originOf(entry)));
    },
  };
}

/** What a take has spent. */
export function spendsOf(receipt: readonly RedisEntry[]): Spend[] {
  return receipt.filter(isSpent).map((entry) => ({ entry, amount: entry.cost, begins: true }));
}

/** What a settling has spent or given back. @param before the costs of its entries */
export function changesOf({ entries, again }: Settle, before: readonly number[]): Spend[] {
  const changes = (entries as readonly RedisEntry[]).map((entry, i) => {
    const begins = again !== undefined && originOf(entry) === originOf({ origin: again });
    return { entry, amount: entry.cost - before[i], begins };
  });
  return changes.filter(({ entry, amount }) => isSpent(entry) && amount !== 0);
}

/** Of what is kept. */
function weightOf({ spends }: Call): number {
  return Math.max(1, spends.length);
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
    named.set(name, { entry, amount: amount + (named.get(name)?.amount ?? 0), begins: false });
  }
  return [...sums.values()].flatMap((named) => [...named.values()]).filter(({ amount }) => amount !== 0);
}
