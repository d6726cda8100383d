/**
 * Who has just been refused, and asks again for the same, is refused again without asking the store: those who hammer at a
 * limit cost no round trips. What is given back through this store is seen at once, what is given back elsewhere within
 * {@link HOLDS_MS}.
 */
import type { Bill, Charge, Usage } from '../meters/meter.js';
import { andThen, isPromise, type May } from '../request.js';
import type { Alternative, NotTaken, Receipt, Seen, Store, Taken } from './store.js';

const HOLDS_MS = 100;

/** Those refused within {@link HOLDS_MS}; where there are more, it is forgotten whom. */
const MOST_KNOWN = 10_000;

interface Denied {
  readonly alternatives: readonly Alternative[];
  readonly refused: NotTaken['refused'];
  readonly at: number;
  readonly until: number;
}

export function denyCache(store: Store): Store {
  const { join } = store;
  const known = new Map<string, Denied>();
  /** How often something was given back: what was refused before that, though told of after it, may hold no longer. */
  let returns = 0;

  function forget(): void {
    known.clear();
    returns++;
  }

  function learn(
    alternatives: readonly Alternative[],
    result: Taken | NotTaken,
    at: number,
    returnsBefore: number,
  ): Taken | NotTaken {
    if (!('refused' in result) || returns !== returnsBefore || result.refused.some(isWaitedFor)) return result;
    if (known.size >= MOST_KNOWN) known.clear();
    const until = at + Math.min(HOLDS_MS, ...result.refused.map(waitOf));
    known.set(keyOf(alternatives), { alternatives, refused: result.refused, at, until });
    return result;
  }

  /** What is known to hold still, with the time that has passed taken off. */
  function refusalOf(alternatives: readonly Alternative[], now: number): NotTaken | undefined {
    if (known.size === 0) return undefined;
    const denied = known.get(keyOf(alternatives));
    if (denied === undefined || !isSame(denied.alternatives, alternatives)) return undefined;
    const { at, until, refused } = denied;
    if (now < at || now >= until) return undefined;
    return { refused: refused.map((usages) => usages.map((usage) => later(usage, now - at))) };
  }

  function observe(seen: readonly Seen[], now: number): May<boolean> {
    return andThen(store.observe?.(seen, now) ?? false, (hasRoom) => {
      if (hasRoom) forget();
      return hasRoom;
    });
  }

  return {
    ...(store.observe && { observe }),
    take(request, now) {
      const { alternatives } = request;
      const denied = refusalOf(alternatives, now);
      if (denied !== undefined) return denied;
      const before = returns;
      const answer = store.take(request, now);
      return isPromise(answer)
        ? answer.then((result) => learn(alternatives, result, now, before))
        : learn(alternatives, answer, now, before);
    },
    settle(entries, actual, now, goesOn) {
      // Before that changes them.
      const isLess = givesBack(entries, actual);
      const settling = store.settle(entries, actual, now, goesOn);
      return isLess ? andThen(settling, forget) : settling;
    },
    peek: (who, bills, now) => store.peek(who, bills, now),
    takeLeased: store.takeLeased,
    check: (meters) => store.check?.(meters),
    records: store.records,
    shared: store.shared,
    line: store.line,
    join: join && (() => denyCache(join())),
    unsharded: store.unsharded,
    close: () => store.close(),
  };
}

function givesBack(entries: Receipt, actual: readonly number[]): boolean {
  for (let i = 0; i < entries.length; i++) if (actual[i] < entries[i].cost) return true;
  return false;
}

/** By whom it is asked, and at what costs: whoever asks on two routes in turn is known on both. */
function keyOf(alternatives: readonly Alternative[]): string {
  return JSON.stringify(
    alternatives.map(({ who, bills }) => [who, bills.map(({ charges }) => charges.map(({ cost }) => cost))]),
  );
}

/** Charged alike, where the costs are the same. */
function isSame(before: readonly Alternative[], now: readonly Alternative[]): boolean {
  return before.length === now.length && before.every(({ bills }, i) => isAlike(bills, now[i].bills));
}

function isAlike(before: readonly Bill[], now: readonly Bill[]): boolean {
  if (before === now) return true;
  const [charges, others] = [before, now].map((bills) => bills.flatMap((bill) => bill.charges));
  return charges.length === others.length && charges.every((charge, i) => hasSameLimit(charge, others[i]));
}

/** What else may change of a meter, such as its mode, does so with its rule. */
function hasSameLimit(a: Charge, b: Charge): boolean {
  return a.meter === b.meter && a.rule === b.rule && a.limit === b.limit;
}

/** Who waits for a meter is to be let in as soon as there is room, wherever that comes from. */
function isWaitedFor(usages: readonly Usage[]): boolean {
  return usages.some(({ charge, waitMs }) => charge.whenFull === 'wait' && waitMs > 0);
}

/** Until when the refusal of an alternative holds at least. */
function waitOf(usages: readonly Usage[]): number {
  return Math.max(...usages.map(({ charge, waitMs }) => (charge.shadow ? 0 : waitMs)));
}

function later(usage: Usage, ms: number): Usage {
  return { ...usage, waitMs: Math.max(0, usage.waitMs - ms), refillMs: Math.max(0, usage.refillMs - ms) };
}
