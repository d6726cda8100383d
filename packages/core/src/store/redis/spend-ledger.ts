/**
 * What an instance has spent of budgets of late, call by call. Redis answers before its replica knows, so a failover loses
 * what was answered last. Which calls Redis still knows of tells what that was: it is spent again, neither more nor less.
 */
import { recordName } from './keys.js';
import { type Data, dataOf, type RedisEntry } from './operation.js';

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
  /** The last call that is noted: Redis has to know of it, and then it knows of all before it. */
  newest(): { readonly lane: number; readonly number: number } | undefined;
  /** The number of the last one of a lane; 0: none is. */
  last(lane: number): number;
  /** Lets go of what is too old, or too much. */
  forget(): void;
  /**
   * Takes out what is lost: of a lane what was noted behind a call, and of all lanes what was done in another epoch. What is left
   * of it stands where it is spent again; what was charged before anything was noted doesn't, and has nothing to give back there.
   */
  takeLost(lane: number, number: number, epoch: number): readonly Spend[];
}

/** For longer no replica that takes over has been without its master, by Redis's own defaults. */
const KEPT_MS = 5 * 60_000;

/** The oldest are forgotten where there are more. */
const MOST_KEPT = 100_000;

interface Call {
  readonly lane: number;
  readonly number: number;
  /** In which it was done. */
  readonly epoch: number;
  /** By each of the clocks. */
  readonly at: readonly number[];
  readonly spends: readonly Spend[];
  /** Nothing was noted of these before: with it they are lost as a whole. */
  readonly begun: readonly Data[];
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
  const known = new WeakSet<Data>();

  function isKept({ at }: Call): boolean {
    return clocks.every((time, i) => time() < at[i] + KEPT_MS);
  }

  function forget(): void {
    let count = 0;
    while (count < calls.length && (kept > MOST_KEPT || !isKept(calls[count]))) kept -= calls[count++].spends.length;
    if (count > 0) calls = calls.slice(count);
  }

  return {
    note(lane, number, epoch, spends) {
      const sums = sumsOf(spends);
      if (sums.length === 0) return;
      const begun = [...new Set(sums.map(({ entry }) => dataOf(entry)))].filter((data) => !known.has(data));
      for (const data of begun) known.add(data);
      calls.push({ lane, number, epoch, at: clocks.map((time) => time()), spends: sums, begun });
      kept += sums.length;
    },
    newest() {
      const call = calls.at(-1);
      return call && isKept(call) ? call : undefined;
    },
    last: (lane) => calls.findLast((call) => call.lane === lane && isKept(call))?.number ?? 0,
    takeLost(lane, number, epoch) {
      forget();
      const isLost = (call: Call) => call.epoch !== epoch || (call.lane === lane && call.number > number);
      const lost = calls.filter(isLost);
      calls = calls.filter((call) => !isLost(call));
      const again: Data = { epoch };
      for (const { begun } of lost) for (const data of begun) data.again = again;
      const spends = lost.flatMap(({ spends }) => spends);
      kept -= spends.length;
      return sumsOf(spends);
    },
    forget,
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

function isSpent({ charge }: RedisEntry): boolean {
  return charge.rule.kind === 'calendar';
}

/** One for each budget, key and period, of each data. */
function sumsOf(spends: readonly Spend[]): Spend[] {
  const sums = new Map<Data, Map<string, Spend>>();
  for (const { entry, amount } of spends) {
    const { meter } = entry.charge;
    const name = recordName(`${entry.place} ${meter.id}`, meter.scope, entry.who);
    const data = dataOf(entry);
    const named = sums.get(data) ?? new Map<string, Spend>();
    sums.set(data, named);
    named.set(name, { entry, amount: amount + (named.get(name)?.amount ?? 0) });
  }
  return [...sums.values()].flatMap((named) => [...named.values()]).filter(({ amount }) => amount !== 0);
}
