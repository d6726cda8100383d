/** What budgets do beside limiting: tell somebody before the money is gone, forecast, and be given more while they last. */
import type { Clock } from './clock.js';
import type { AlertOptions } from './config.js';
import { show, showThrown, TollgateError, warn } from './errors.js';
import type { Emitter } from './events.js';
import { addCredit, billOf, layerOf, type MeteredLayer, type Plan, wholeNow } from './meters/charges.js';
import { type BudgetState, stateOf } from './meters/layer-state.js';
import type { Usage } from './meters/meter.js';
import { alertText, type BudgetAlert } from './money/alert-text.js';
import { exhaustsAt } from './money/forecast.js';
import { createThresholds } from './money/thresholds.js';
import { createWebhook } from './money/webhook.js';
import { type Dimension, isGiven, isPromise, NOTHING, type Whom } from './request.js';
import type { Receipt, Store } from './store/store.js';

export function budgetState(usage: Usage, now: number): BudgetState {
  const { rule, whole } = usage.charge;
  const startsAt = rule.kind === 'calendar' ? rule.startsAt : now;
  const resetsAt = rule.kind === 'calendar' ? rule.resetsAt : now;
  return { ...stateOf(usage), exhaustsAt: exhaustsAt(usage.used, whole, startsAt, resetsAt, now) };
}

/** Gives entries of periods that are over the rule of the present one, as stores ask for. */
export function renew(receipt: Receipt, plan: Plan, now: number): void {
  for (const entry of receipt) {
    const { meter, rule } = entry.charge;
    if (rule.kind !== 'calendar' || now < rule.resetsAt) continue;
    const current = layerOf(plan, meter)?.rule;
    if (typeof current === 'function') entry.charge = { ...entry.charge, rule: current({}, now) };
  }
}

/** Tells of thresholds. */
export interface Watch {
  /** Looks at what has been booked or settled. */
  look(receipt: Receipt, plan: Plan, now: number): void;
  close(): void;
}

export function watchBudgets(gate: string, emitter: Emitter, clock: Clock, { webhook: url, log }: AlertOptions): Watch {
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

  return {
    look(receipt, plan, now) {
      if (plan.alertAt.size === 0) return;
      for (const { charge, key, place, used } of receipt) {
        const { meter, rule } = charge;
        const alertAt = plan.alertAt.get(meter);
        // What is settled late belongs to a period that is over.
        if (alertAt === undefined || rule.kind !== 'calendar' || place < rule.period) continue;
        const limit = wholeNow(plan, charge, key);
        const { startsAt, resetsAt } = rule;
        for (const threshold of thresholds.reached(meter.name, key, rule.period, alertAt, used, limit)) {
          const exhausts = exhaustsAt(used, limit, startsAt, resetsAt, now);
          const { by } = meter.scope;
          tell({ gate, budget: meter.name, by, key, threshold, spent: used, limit, resetsAt, exhaustsAt: exhausts });
        }
      }
    },
    close: () => webhook?.close(),
  };
}

/**
 * Gives a key of a budget more room until its period ends: some nano-dollars, or all that it has used.
 *
 * @throws TollgateError `TOLLGATE_UNKNOWN_BUDGET`, or `TOLLGATE_REQUEST_INVALID` where a dimension is missing
 */
export async function giveRoom(
  plan: Plan,
  store: Store,
  name: string,
  whom: Whom,
  room: number | 'all used',
  now: number,
): Promise<BudgetState> {
  const budget = budgetNamed(plan, name);
  for (const dimension of budget.by) {
    const value = (whom as Partial<Record<Dimension, unknown>>)[dimension];
    if (isGiven(value)) continue;
    const expected = `whose budget it is: '${name}' counts by ${budget.by.join(' and ')}`;
    throw new TollgateError('TOLLGATE_REQUEST_INVALID', `${dimension}: got ${show(value)}; expected ${expected}.`);
  }
  const rung = { model: whom.model, index: 0, last: true };
  const state = async () => {
    const bill = billOf(budget, { request: whom, subject: whom, rung, cost: NOTHING, now }, plan.warned);
    const [usage] = await store.peek([bill], now);
    return usage;
  };
  const { charge, key, used } = await state();
  if (charge.rule.kind === 'calendar')
    addCredit(budget, key, charge.rule.period, room === 'all used' ? { used } : { amount: room });
  return budgetState(await state(), now);
}

function budgetNamed({ groups }: Plan, name: string): MeteredLayer {
  const budgets = groups.flatMap(({ layers }) => layers.filter(({ terms }) => terms !== undefined));
  const found = budgets.find((budget) => budget.name === name);
  if (found) return found;
  const names = budgets.map((budget) => `'${budget.name}'`).join(', ') || 'none, as the gate has no budgets';
  throw new TollgateError('TOLLGATE_UNKNOWN_BUDGET', `budget: got ${show(name)}; expected one of ${names}.`);
}
