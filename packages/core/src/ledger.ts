/** What a gate asks of its store. A store that fails is told of, and what is booked on budgets is looked at. */
import { renew, type Watch } from './budgets.js';
import type { Clock } from './clock.js';
import { showThrown, warn } from './errors.js';
import type { Emitter } from './events.js';
import type { Plan } from './meters/charges.js';
import type { Bill, Usage } from './meters/meter.js';
import { isPromise, type May } from './request.js';
import type { Alternative, NotTaken, Receipt, Store, Taken } from './store/store.js';

export interface Ledger {
  /** Charges the first alternative that fits as a whole, or nothing. `undefined` if the store failed. */
  take(
    sequence: number,
    alternatives: readonly Alternative[],
    plan: Plan,
    now: number,
  ): May<Taken | NotTaken | undefined>;
  /** Puts actual costs in place of what is booked. Fails as the store does. */
  settle(receipt: Receipt, actual: readonly number[], plan: Plan, goesOn?: boolean): May<void>;
  /** What the meters would say to these bills. `undefined` if the store failed: then only figures are lost. */
  peek(bills: readonly Bill[]): May<readonly Usage[] | undefined>;
  /** What was asked for; `undefined` if that failed, which is told. */
  attempt<T>(ask: () => May<T>): May<T | undefined>;
}

export function createLedger(gate: string, store: Store, clock: Clock, emitter: Emitter, watch: Watch): Ledger {
  function failed(error: unknown): undefined {
    if (!emitter.hears('store.failed'))
      warn('TOLLGATE_STORE_FAILED', `The store of gate '${gate}' failed: ${showThrown(error)}`);
    emitter.emit('store.failed', { gate, error });
  }

  function attempt<T>(ask: () => May<T>): May<T | undefined> {
    try {
      const answer = ask();
      return isPromise(answer) ? answer.then(undefined, failed) : answer;
    } catch (error) {
      return failed(error);
    }
  }

  function taken(result: Taken | NotTaken, plan: Plan, now: number): Taken | NotTaken {
    if (plan.hasBudgets && 'receipt' in result) watch.look(result.receipt, plan, now);
    return result;
  }

  return {
    attempt,
    peek: (bills) => attempt(() => store.peek(bills, clock.now())),
    // As `attempt` does, without a closure for each request.
    take(sequence, alternatives, plan, now) {
      try {
        const answer = store.take({ sequence, alternatives }, now);
        return isPromise(answer) ? answer.then((result) => taken(result, plan, now), failed) : taken(answer, plan, now);
      } catch (error) {
        return failed(error);
      }
    },
    settle(receipt, actual, plan, goesOn = false) {
      const now = clock.now();
      if (!plan.hasBudgets) return store.settle(receipt, actual, now, goesOn);
      renew(receipt, plan, now);
      const settling = store.settle(receipt, actual, now, goesOn);
      if (isPromise(settling)) return settling.then(() => watch.look(receipt, plan, now));
      watch.look(receipt, plan, now);
    },
  };
}
