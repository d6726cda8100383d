/** What a gate asks of its store. A store that fails is told of, and what is booked on budgets is looked at. */
import type { Alerts } from '../alerts.js';
import type { Clock } from '../clock.js';
import { showThrown, warn } from '../errors.js';
import type { Emitter } from '../events.js';
import type { Plan } from '../meters/charges.js';
import type { Bill, Ending, Usage, Who } from '../meters/meter.js';
import { andThen, isPromise, type May, together } from '../request.js';
import type { Alternative, NotTaken, Receipt, Seen, Store, Taken } from '../store/store.js';
import { createBreaker } from './breaker.js';
import { createFallback, type Fallback } from './fallback.js';
import { createSlotsInUse } from './in-use.js';
import { createSettlements } from './settlements.js';
import type { Contest } from './unsettled.js';

export interface Ledger {
  /**
   * Charges the first alternative that fits as a whole, or nothing. Where the store can't be asked, by what the limits say
   * of that: `undefined` where one is closed.
   *
   * @param tells what the meters say then is wanted too
   * @param score of a request that goes by the line
   */
  take(
    alternatives: readonly Alternative[],
    now: number,
    tells?: boolean,
    score?: number,
  ): May<Taken | NotTaken | undefined>;
  /** Puts actual costs in place of what is booked. Where the store fails, as soon as it answers again. */
  settle(receipt: Receipt, actual: readonly number[], goesOn?: boolean, contest?: Contest): May<void>;
  /** True for what was charged here in part, while the store could not be asked. */
  isLocal(receipt: Receipt): boolean;
  /**
   * What was charged has ended, or in part, and is settled: adaptive slots are told how, the first time, and those wait no
   * longer whom it has left room.
   */
  ended(receipt: Receipt, ending: Ending): void;
  /** Gives back what was charged for nothing, likewise. */
  giveBack(receipt: Receipt): May<void>;
  /**
   * Corrects meters by what was seen of them. True where that has left more room. While the store can't be asked, it corrects
   * what is counted here alone: the next answers tell anew.
   */
  observe(seen: readonly Seen[]): May<boolean>;
  /** What the meters would say to these bills. Fails as the store does. */
  peek(who: Who, bills: readonly Bill[]): May<readonly Usage[]>;
  /**
   * The same. Where that fails, which is told, by what the limits say of that: `undefined` where one is closed.
   *
   * @param receipt of what is asked about, where it has been charged: what was charged here is to be seen here, and of the
   *   rest nothing can be told where the store fails
   */
  tryPeek(who: Who, bills: readonly Bill[], receipt?: Receipt): May<readonly Usage[] | undefined>;
  /** Tells of a failure of the store, or of what counts beside it. */
  failed(error: unknown): void;
  /** Asks once more for what the store has failed. */
  close(): May<void>;
}

/**
 * @param plan the gate's present one
 * @param gaveBack told of what has ended, once adaptive slots know of it
 */
export function createLedger(
  gate: string,
  store: Store,
  clock: Clock,
  emitter: Emitter,
  alerts: Alerts,
  plan: () => Plan,
  gaveBack?: (receipt: Receipt) => void,
): Ledger {
  const slotsInUse = createSlotsInUse();
  const breaker = createBreaker();
  /** Made when the store fails for the first time: mostly none does. */
  let fallback: Fallback | undefined;
  const settlements = createSettlements(gate, store, clock, alerts, breaker, plan, failed);

  function failed(error: unknown): undefined {
    if (!emitter.hears['store.failed'])
      warn('TOLLGATE_STORE_FAILED', `The store of gate '${gate}' failed: ${showThrown(error)}`);
    emitter.emit('store.failed', { gate, error });
  }

  function fallBack(
    error: unknown,
    alternatives: readonly Alternative[],
    now: number,
    tells: boolean,
  ): Taken | NotTaken | undefined {
    failed(error);
    if (breaker.failed(clock.now())) emitter.emit('store.down', { gate, error });
    return takeLocally(alternatives, now, tells);
  }

  function takeLocally(
    alternatives: readonly Alternative[],
    now: number,
    tells: boolean,
  ): Taken | NotTaken | undefined {
    fallback ??= createFallback(store.takeLeased);
    const result = fallback.take(alternatives, plan(), shares(), now, tells);
    return result && taken(result, now);
  }

  function peekLocally(who: Who, bills: readonly Bill[]): readonly Usage[] | undefined {
    fallback ??= createFallback(store.takeLeased);
    return fallback.peek(who, bills, plan(), shares(), clock.now());
  }

  function shares(): number {
    return store.shared?.instances(gate) ?? 1;
  }

  function answered(result: Taken | NotTaken, now: number): Taken | NotTaken {
    if (fallback !== undefined) recovered();
    return taken(result, now);
  }

  async function answeredLater(
    answer: Promise<Taken | NotTaken>,
    alternatives: readonly Alternative[],
    now: number,
    tells: boolean,
  ): Promise<Taken | NotTaken | undefined> {
    let result: Taken | NotTaken;
    try {
      result = await answer;
    } catch (error) {
      return fallBack(error, alternatives, now, tells);
    }
    return answered(result, now);
  }

  function recovered(): void {
    const downMs = breaker.succeeded(clock.now());
    if (downMs !== undefined) emitter.emit('store.recovered', { gate, downMs });
  }

  /** Settles what was charged here while the store could not be asked, and returns what is left for the store. */
  function settleLocally(
    local: Fallback,
    receipt: Receipt,
    actual: readonly number[],
    now: number,
    goesOn: boolean,
  ): { receipt: Receipt; actual: readonly number[] } {
    if (!receipt.some(local.has)) return { receipt, actual };
    const isHere = receipt.map(local.has);
    const here = receipt.filter((_, i) => isHere[i]);
    const amounts = actual.filter((_, i) => isHere[i]);
    local.settle(here, amounts, now, goesOn);
    return { receipt: receipt.filter((_, i) => !isHere[i]), actual: actual.filter((_, i) => !isHere[i]) };
  }

  function taken(result: Taken | NotTaken, now: number): Taken | NotTaken {
    if (plan().hasAdaptive && 'receipt' in result) slotsInUse.began(result.receipt, plan(), now);
    if (!plan().hasBudgets) return result;
    if ('receipt' in result) alerts.look(result.receipt, plan(), now);
    else for (const usages of result.refused) alerts.lookAtRefusal(usages, plan(), now);
    return result;
  }

  function observeLocally(error: unknown, seen: readonly Seen[]): boolean {
    failed(error);
    return fallback?.observe(seen, shares(), clock.now()) ?? false;
  }

  const ledger: Ledger = {
    peek: (who, bills) => store.peek(who, bills, clock.now()),
    take(alternatives, now, tells = false, score) {
      if (!breaker.mayAsk(now)) return takeLocally(alternatives, now, tells);
      try {
        const answer = store.take({ alternatives, tells, score }, now);
        return isPromise(answer) ? answeredLater(answer, alternatives, now, tells) : answered(answer, now);
      } catch (error) {
        return fallBack(error, alternatives, now, tells);
      }
    },
    settle(receipt, actual, goesOn = false, contest) {
      if (fallback === undefined) return settlements.settle({ receipt, actual, goesOn, contest });
      const left = settleLocally(fallback, receipt, actual, clock.now(), goesOn);
      if (left.receipt.length > 0 || contest) return settlements.settle({ ...left, goesOn, contest });
    },
    isLocal: (receipt) => fallback !== undefined && receipt.some(fallback.has),
    ended(receipt, ending) {
      if (plan().hasAdaptive) slotsInUse.ended(receipt, ending, clock.now());
      gaveBack?.(receipt);
    },
    giveBack(receipt) {
      const nothing = receipt.map(() => 0);
      return andThen(ledger.settle(receipt, nothing), () => ledger.ended(receipt, NOTHING_OF_THE_LOAD));
    },
    observe(seen) {
      const now = clock.now();
      if (breaker.isOpen) return fallback?.observe(seen, shares(), now) ?? false;
      const own = seen.map((one) => (one.entry && fallback?.has(one.entry) ? { ...one, entry: undefined } : one));
      try {
        const observed = store.observe?.(own, now) ?? false;
        return isPromise(observed) ? observed.then(undefined, (error) => observeLocally(error, seen)) : observed;
      } catch (error) {
        return observeLocally(error, seen);
      }
    },
    tryPeek(who, bills, receipt) {
      if (breaker.isOpen || (receipt && ledger.isLocal(receipt))) return peekLocally(who, bills);
      const failing = (error: unknown) => {
        failed(error);
        return receipt ? undefined : peekLocally(who, bills);
      };
      try {
        const answer = store.peek(who, bills, clock.now());
        return isPromise(answer) ? answer.then(undefined, failing) : answer;
      } catch (error) {
        return failing(error);
      }
    },
    failed,
    close: settlements.close,
  };
  return ledger;
}

/** Slots that were left for others, or taken in vain. */
export const NOTHING_OF_THE_LOAD: Ending = { outcome: 'failed' };

/**
 * What the meters would say to each of several ways.
 *
 * @param peek a ledger's, or its `tryPeek`
 */
export function peekAll<T>(
  peek: (who: Who, bills: readonly Bill[]) => May<T>,
  ways: readonly Alternative[],
): May<readonly T[]> {
  return together(ways.map(({ who, bills }) => peek(who, bills)));
}

/** The same; of a way of which nothing can be told, what another says. `undefined` where that is all of them. */
export function tryPeekAll(
  { tryPeek }: Ledger,
  ways: readonly Alternative[],
): May<readonly (readonly Usage[])[] | undefined> {
  return andThen(peekAll(tryPeek, ways), (usages) => {
    const known = usages.find((usage) => usage !== undefined);
    return known && usages.map((usage) => usage ?? known);
  });
}
