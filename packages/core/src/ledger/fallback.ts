/**
 * What holds while the store can't be asked. Each limit says so itself: `open` lets pass without counting, `closed`
 * refuses what the store has not charged ahead, and `local` counts in this process, from empty, against this process's share
 * of what is allowed.
 */
import type { Plan } from '../meters/charges.js';
import { type Bill, type Charge, needsNoRoom, type Rule, type Usage, type Who } from '../meters/meter.js';
import { memoryStore } from '../store/memory/memory.js';
import type { Alternative, Entry, NotTaken, Receipt, Seen, Store, Taken } from '../store/store.js';

export interface Fallback {
  /**
   * Charges the first alternative that fits, by what its limits say of a store that can't be asked. `undefined` where
   * nothing can be judged, since of every alternative some limit is closed.
   *
   * @param shares how many processes share what is allowed; 1 or more
   */
  take(
    alternatives: readonly Alternative[],
    plan: Plan,
    shares: number,
    now: number,
    tells: boolean,
  ): Taken | NotTaken | undefined;
  /** What the meters would say to bills here; `undefined` where a limit is closed. */
  peek(who: Who, bills: readonly Bill[], plan: Plan, shares: number, now: number): readonly Usage[] | undefined;
  /** True for what was charged here, and is nothing that the store knows of. */
  has(entry: Entry): boolean;
  settle(receipt: Receipt, actual: readonly number[], now: number, goesOn: boolean): void;
  /** Corrects what is counted here: by a share of what was seen. True where that has left more room. */
  observe(seen: readonly Seen[], shares: number, now: number): boolean;
}

/** Bills as they are here, for so many shares. */
interface Local {
  readonly shares: number;
  readonly bills: readonly Bill[];
  /** What is closed. */
  readonly closed: readonly Charge[];
}

/** @param takeLeased charges what a store has charged ahead, where it does that */
export function createFallback(takeLeased: Store['takeLeased']): Fallback {
  const memory = memoryStore();
  const charged = new WeakSet<Entry>();
  /** Requests that are charged alike share their bills, and then they do so here. A changed plan makes bills of its own. */
  const known = new WeakMap<readonly Bill[], Local>();

  function localOf(bills: readonly Bill[], plan: Plan, shares: number): Local {
    const before = known.get(bills);
    if (before?.shares === shares) return before;
    const closed: Charge[] = [];
    const here = bills.map(({ scope, charges }) => {
      const local = charges.map((charge) => localCharge(charge, plan, shares));
      closed.push(...charges.filter((_, i) => local[i] === 'closed'));
      return { scope, charges: local.filter(isCharge) };
    });
    const local = { shares, bills: here, closed };
    known.set(bills, local);
    return local;
  }

  /** `undefined` where it is closed, and not charged ahead. */
  function takeOne(
    { name, who }: Alternative,
    { bills, closed }: Local,
    now: number,
    tells: boolean,
  ): Taken | NotTaken | undefined {
    // Memory answers at once.
    const result = memory.take({ alternatives: [{ name, who, bills }], tells }, now) as Taken | NotTaken;
    if ('receipt' in result) for (const entry of result.receipt) charged.add(entry);
    if (closed.length === 0) return result;
    if ('refused' in result) return undefined;
    const leased = takeLeased?.(closed, who, now);
    if (leased !== undefined) return { ...result, receipt: [...result.receipt, ...leased] };
    memory.settle(result.receipt, result.receipt.map(nothing), now);
    return undefined;
  }

  return {
    has: (entry) => charged.has(entry),
    settle: (receipt, actual, now, goesOn) => void memory.settle(receipt, actual, now, goesOn),
    observe(seen, shares, now) {
      const here = seen.map(({ entry, ...one }) => ({
        ...one,
        entry: entry && charged.has(entry) ? entry : undefined,
        rule: shareOf(one.rule, shares),
        used: one.used && one.used / shares,
        limit: one.limit / shares,
      }));
      return memory.observe?.(here, now) as boolean;
    },
    take(alternatives, plan, shares, now, tells) {
      const refused: (readonly Usage[] | undefined)[] = [];
      for (const [taken, way] of alternatives.entries()) {
        const result = takeOne(way, localOf(way.bills, plan, shares), now, tells);
        if (result !== undefined && 'receipt' in result) return { ...result, taken };
        refused.push(result?.refused[0]);
      }
      // Of those that are closed there is nothing to be had but what the others say.
      const known = refused.find((usages) => usages !== undefined);
      return known && { refused: refused.map((usages) => usages ?? known) };
    },
    peek(who, bills, plan, shares, now) {
      const local = localOf(bills, plan, shares);
      return local.closed.length > 0 ? undefined : (memory.peek(who, local.bills, now) as readonly Usage[]);
    },
  };
}

/** What is charged here in place of a charge: nothing where its limit is open or on trial. */
function localCharge(charge: Charge, { layerOf }: Plan, shares: number): Charge | 'closed' | undefined {
  const { meter, rule, cost, limit, whole, whenFull, shadow } = charge;
  const onStoreError = layerOf.get(meter)?.onStoreError ?? 'closed';
  if (shadow || onStoreError === 'open' || needsNoRoom(charge)) return undefined;
  const share = Math.floor(limit / shares);
  // What a share can never hold, though the limit can, is not to be refused for good.
  if (onStoreError === 'closed' || (cost <= limit && cost > share)) return 'closed';
  return {
    meter,
    rule: shareOf(rule, shares),
    cost,
    limit: share,
    whole: Math.floor(whole / shares),
    whenFull,
    shadow,
  };
}

function shareOf<R extends Rule>(rule: R, shares: number): R {
  return rule.kind === 'bucket' || rule.kind === 'headroom' ? { ...rule, perMs: rule.perMs / shares } : rule;
}

function nothing(): number {
  return 0;
}

function isCharge(charge: Charge | 'closed' | undefined): charge is Charge {
  return typeof charge === 'object';
}
