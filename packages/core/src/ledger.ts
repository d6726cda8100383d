/** What a gate asks of its store. A store that fails is told of, and what is booked on budgets is looked at. */
import type { Alerts } from './alerts.js';
import type { Clock } from './clock.js';
import { showThrown, warn } from './errors.js';
import type { Emitter } from './events.js';
import { createSlotsInUse } from './in-use.js';
import type { Plan } from './meters/charges.js';
import type { Bill, Ending, Usage, Who } from './meters/meter.js';
import { isPromise, type May, then } from './request.js';
import type { Alternative, NotTaken, Receipt, Store, Taken } from './store/store.js';

export interface Ledger {
  /**
   * Charges the first alternative that fits as a whole, or nothing. `undefined` if the store failed.
   *
   * @param tells what the meters say then is wanted too
   */
  take(alternatives: readonly Alternative[], now: number, tells?: boolean): May<Taken | NotTaken | undefined>;
  /** Puts actual costs in place of what is booked. Fails as the store does. */
  settle(receipt: Receipt, actual: readonly number[], goesOn?: boolean): May<void>;
  /**
   * What was charged has ended, or in part, and is settled: adaptive slots are told how, the first time, and those wait no
   * longer whom it has left room.
   */
  ended(receipt: Receipt, ending: Ending): void;
  /** Gives back what was charged for nothing. Fails as the store does. */
  giveBack(receipt: Receipt): May<void>;
  /** What the meters would say to these bills. Fails as the store does. */
  peek(who: Who, bills: readonly Bill[]): May<readonly Usage[]>;
  /** The same; `undefined` if that failed, which is told. */
  tryPeek(who: Who, bills: readonly Bill[]): May<readonly Usage[] | undefined>;
  /** What was asked for; `undefined` if that failed, which is told. */
  attempt<T>(ask: () => May<T>): May<T | undefined>;
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
  let sequence = 0;
  const slotsInUse = createSlotsInUse();

  function failed(error: unknown): undefined {
    if (!emitter.hears['store.failed'])
      warn('TOLLGATE_STORE_FAILED', `The store of gate '${gate}' failed: ${showThrown(error)}`);
    emitter.emit('store.failed', { gate, error });
  }

  function taken(result: Taken | NotTaken, now: number): Taken | NotTaken {
    if (plan().hasAdaptive && 'receipt' in result) slotsInUse.began(result.receipt, plan(), now);
    if (!plan().hasBudgets) return result;
    if ('receipt' in result) alerts.look(result.receipt, plan(), now);
    else for (const usages of result.refused) alerts.lookAtRefusal(usages, plan(), now);
    return result;
  }

  const ledger: Ledger = {
    peek: (who, bills) => store.peek(who, bills, clock.now()),
    // As `attempt` does, without a closure for each request; `tryPeek` too.
    take(alternatives, now, tells = false) {
      try {
        const answer = store.take({ sequence: sequence++, alternatives, tells }, now);
        return isPromise(answer) ? answer.then((result) => taken(result, now), failed) : taken(answer, now);
      } catch (error) {
        return failed(error);
      }
    },
    settle(receipt, actual, goesOn = false) {
      const now = clock.now();
      if (!plan().hasBudgets) return store.settle(receipt, actual, now, goesOn);
      renew(receipt, plan(), now);
      const settling = store.settle(receipt, actual, now, goesOn);
      if (isPromise(settling)) return settling.then(() => alerts.look(receipt, plan(), now));
      alerts.look(receipt, plan(), now);
    },
    ended(receipt, ending) {
      if (plan().hasAdaptive) slotsInUse.ended(receipt, ending, clock.now());
      gaveBack?.(receipt);
    },
    giveBack(receipt) {
      const nothing = receipt.map(() => 0);
      return then(ledger.settle(receipt, nothing), () => ledger.ended(receipt, NOTHING_OF_THE_LOAD));
    },
    tryPeek(who, bills) {
      try {
        const answer = store.peek(who, bills, clock.now());
        return isPromise(answer) ? answer.then(undefined, failed) : answer;
      } catch (error) {
        return failed(error);
      }
    },
    attempt(ask) {
      try {
        const answer = ask();
        return isPromise(answer) ? answer.then(undefined, failed) : answer;
      } catch (error) {
        return failed(error);
      }
    },
  };
  return ledger;
}

/** Slots that were left for others, or taken in vain. */
export const NOTHING_OF_THE_LOAD: Ending = { outcome: 'failed' };

/** What the meters would say to each of several ways. */
export async function peekAll(ledger: Ledger, ways: readonly Alternative[]): Promise<(readonly Usage[])[]> {
  return Promise.all(ways.map(({ who, bills }) => ledger.peek(who, bills)));
}

/** Gives entries of periods that are over the rule of the present one, as stores ask for. */
function renew(receipt: Receipt, plan: Plan, now: number): void {
  for (const entry of receipt) {
    const { meter, rule } = entry.charge;
    if (rule.kind !== 'calendar' || now < rule.resetsAt) continue;
    const current = plan.layerOf.get(meter)?.rule;
    if (typeof current === 'function') entry.charge = { ...entry.charge, rule: current({}, now) };
  }
}
