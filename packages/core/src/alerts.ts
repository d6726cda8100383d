/** Tells somebody of a budget before its money is gone: by event, log and webhook. */
import type { Clock } from './clock.js';
import type { AlertOptions } from './config.js';
import { showThrown, warn } from './errors.js';
import type { Emitter } from './events.js';
import type { Plan } from './meters/charges.js';
import { withCredit } from './meters/credits.js';
import { type Charge, type Key, keyIn, type Usage } from './meters/meter.js';
import { alertText, type BudgetAlert } from './money/alert-text.js';
import { exhaustsAt } from './money/forecast.js';
import { createThresholds } from './money/thresholds.js';
import { createWebhook } from './money/webhook.js';
import { isPromise } from './request.js';
import type { Receipt, Shared } from './store/store.js';

export interface Alerts {
  /** Looks at what has been booked or settled. */
  look(receipt: Receipt, plan: Plan, now: number): void;
  /**
   * Looks at what has refused. A budget is seldom used to the last nano-dollar: one that is told of at 1 has reached it
   * where it refuses, above the threshold before that, what it would have had room for.
   */
  lookAtRefusal(usages: readonly Usage[], plan: Plan, now: number): void;
  close(): void;
}

/** Clocks differ: for so long after a period has ended, it may not have for another process. */
const LATE_MS = 60_000;

export function createAlerts(
  gate: string,
  emitter: Emitter,
  clock: Clock,
  { webhook: url, log }: AlertOptions,
  shared: Shared | undefined,
): Alerts {
  const thresholds = createThresholds();
  const webhook = url === undefined ? undefined : createWebhook({ url, clock });

  function tell(alert: BudgetAlert): void {
    emitter.emit('budget.threshold', alert);
    const text = alertText(alert);
    webhook?.send(text);
    if (log === undefined) warn('TOLLGATE_BUDGET_THRESHOLD', text);
    if (!log) return;
    const failed = (error: unknown) => warn('TOLLGATE_LISTENER_FAILED', `alerts.log failed: ${showThrown(error)}`);
    try {
      const done: unknown = log(text);
      if (isPromise(done)) done.then(undefined, failed);
    } catch (error) {
      failed(error);
    }
  }

  function tellOf(charge: Charge, key: Key, plan: Plan, spent: number, hasRefused: boolean, now: number): void {
    const { meter, rule } = charge;
    const alertAt = plan.alertAt.get(meter);
    if (alertAt === undefined || rule.kind !== 'calendar') return;
    const limit = wholeNow(plan, charge, key);
    const { period, startsAt, resetsAt } = rule;
    const isExhausted = hasRefused && alertAt.at(-1) === 1 && spent / limit >= (alertAt.at(-2) ?? 0);
    const used = isExhausted ? Math.max(spent, limit) : spent;
    for (const threshold of thresholds.reached(meter.name, key, period, alertAt, used, limit)) {
      const exhausts = exhaustsAt(spent, limit, startsAt, resetsAt, now);
      const { by } = meter.scope;
      const alert = { gate, budget: meter.name, by, key, threshold, spent, limit, resetsAt, exhaustsAt: exhausts };
      if (shared === undefined) tell(alert);
      else tellOnce(shared, alert, JSON.stringify([gate, meter.name, key, period, threshold]), resetsAt - now);
    }
  }

  /** In one of the processes that share the store; where it fails, rather in several than in none. */
  function tellOnce(shared: Shared, alert: BudgetAlert, name: string, ttlMs: number): void {
    shared.claim(name, ttlMs + LATE_MS).then(
      (isFirst) => isFirst && tell(alert),
      () => tell(alert),
    );
  }

  return {
    look(receipt, plan, now) {
      if (plan.alertAt.size === 0) return;
      for (const { charge, who, place, used = 0 } of receipt) {
        // What is settled late belongs to a period that is over.
        const { rule } = charge;
        if (rule.kind === 'calendar' && place >= rule.period) {
          tellOf(charge, keyIn(charge.meter.scope, who), plan, used, false, now);
        }
      }
    },
    lookAtRefusal(usages, plan, now) {
      if (plan.alertAt.size === 0) return;
      for (const { charge, key, used, waitMs } of usages) {
        const hasRefused = waitMs > 0 && waitMs < Number.POSITIVE_INFINITY && charge.limit === charge.whole;
        if (hasRefused) tellOf(charge, key, plan, used, true, now);
      }
    },
    close: () => webhook?.close(),
  };
}

/** What a budget holds now for a key; its limit as it was when it was charged, where that depends on more than the key. */
function wholeNow(plan: Plan, { meter, rule, whole, credit = 0 }: Charge, key: Key): number {
  const layer = plan.layerOf.get(meter);
  if (layer === undefined) return whole;
  const limit = typeof layer.limit === 'number' ? layer.limit : whole - credit;
  return withCredit(limit, layer.credits, key, rule);
}
