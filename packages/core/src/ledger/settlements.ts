/** How what was charged is settled in the store: at once, or in its turn once a store that has failed answers again. */
import type { Alerts } from '../alerts.js';
import type { Clock } from '../clock.js';
import { warn } from '../errors.js';
import type { Plan } from '../meters/charges.js';
import { isPromise, type May } from '../request.js';
import type { Entry, Receipt, Store } from '../store/store.js';
import type { Breaker } from './breaker.js';
import { type Contest, createUnsettled, type Settling } from './unsettled.js';

export interface Settlements {
  settle(settling: Settling): May<void>;
  /** Asks once more for what the store has failed. */
  close(): May<void>;
}

/**
 * @param plan the gate's present one
 * @param failed told where the store fails
 */
export function createSettlements(
  gate: string,
  store: Store,
  clock: Clock,
  alerts: Alerts,
  breaker: Breaker,
  plan: () => Plan,
  failed: (error: unknown) => void,
): Settlements {
  const unsettled = createUnsettled(
    clock,
    settleInStore,
    () => breaker.isOpen,
    () =>
      warn(
        'TOLLGATE_SETTLE_FAILED',
        `The store of gate '${gate}' has failed for so long that some admissions stay unsettled.`,
      ),
  );

  /** By entry of a store that takes its time, the last settling that was asked for. */
  const last = new WeakMap<Entry, Settling>();

  /** Fails as the store does. */
  function settleInStore({ receipt, actual, goesOn, contest }: Settling): May<void> {
    if (contest !== undefined) return settleIfOurs(contest, { receipt, actual, goesOn });
    const now = clock.now();
    if (!plan().hasBudgets) return store.settle(receipt, actual, now, goesOn);
    renew(receipt, plan(), now);
    const settling = store.settle(receipt, actual, now, goesOn);
    if (isPromise(settling)) return lookLater(settling, receipt, now);
    alerts.look(receipt, plan(), now);
  }

  async function settleIfOurs({ claim, won }: Contest, settling: Settling): Promise<void> {
    if (!(await claim())) return;
    await settleInStore(settling);
    won();
  }

  async function lookLater(settling: Promise<void>, receipt: Receipt, now: number): Promise<void> {
    await settling;
    alerts.look(receipt, plan(), now);
  }

  /** Behind those of the same admission that wait for the store. */
  function settle(settling: Settling): May<void> {
    if (breaker.isOpen || unsettled.holds(settling.receipt)) {
      noteLast(settling);
      return unsettled.add(settling);
    }
    try {
      const settled = settleInStore(settling);
      if (!isPromise(settled)) return settled;
      noteLast(settling);
      return orLater(settled, settling);
    } catch (error) {
      settleLater(error, settling);
    }
  }

  function noteLast(settling: Settling): void {
    for (const entry of settling.receipt) last.set(entry, settling);
  }

  async function orLater(settled: Promise<void>, settling: Settling): Promise<void> {
    try {
      await settled;
    } catch (error) {
      settleLater(error, settling);
    }
  }

  /** Where another has followed that says what all of its entries have come to, that one holds. */
  function settleLater(error: unknown, settling: Settling): void {
    failed(error);
    const { receipt } = settling;
    const isSuperseded = receipt.length > 0 && receipt.every((entry) => (last.get(entry) ?? settling) !== settling);
    if (!isSuperseded) unsettled.add(settling);
  }

  return { settle, close: unsettled.close };
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
