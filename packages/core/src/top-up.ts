/** Gives budgets more room while their periods last. */
import { type BudgetState, budgetStateOf } from './budget-state.js';
import { wrongValue } from './errors.js';
import type { Ledger } from './ledger.js';
import { billOf } from './meters/bills.js';
import type { MeteredLayer, Plan } from './meters/charges.js';
import { addCredit } from './meters/credits.js';
import type { Key } from './meters/meter.js';
import { type Dimension, isGiven, NOTHING, type Whom } from './request.js';
import { isRecord } from './schema.js';

/** Room that a key of a budget is given for a period: some nano-dollars, or as much as it had used. */
export interface Given {
  readonly budget: string;
  /** As JSON has it: null where there is no value. Credits go by the same JSON. */
  readonly key: Key;
  readonly period: number;
  readonly room: { readonly amount: number } | { readonly used: number };
  /** Until its period ends. */
  readonly ttlMs: number;
}

/**
 * Gives a key of a budget more room until its period ends: some nano-dollars, or all that it has used.
 *
 * @param tell called before it is given; if that fails, it isn't
 * @throws TollgateError `TOLLGATE_UNKNOWN_BUDGET`, or `TOLLGATE_REQUEST_INVALID` where a dimension is missing
 */
export async function giveRoom(
  plan: Plan,
  ledger: Ledger,
  name: string,
  whom: Whom,
  room: number | 'all used',
  now: number,
  tell: (given: Given) => Promise<unknown>,
): Promise<BudgetState> {
  const budget = budgetNamed(plan, name);
  assertWhom(whom);
  for (const dimension of budget.by) {
    const value = (whom as Partial<Record<Dimension, unknown>>)[dimension];
    if (isGiven(value)) continue;
    const expected = `whose budget it is: '${name}' counts by ${budget.by.join(' and ')}`;
    throw wrongValue('TOLLGATE_REQUEST_INVALID', dimension, value, expected);
  }
  const rung = { model: whom.model, index: 0, last: true };
  const state = async () => {
    const { who, bill } = billOf(plan, budget, { request: whom, subject: whom, rung, cost: NOTHING, now });
    const [usage] = await ledger.peek(who, [bill]);
    return usage;
  };
  const { charge, key, used } = await state();
  const { rule } = charge;
  if (rule.kind === 'calendar') {
    const given = { key, period: rule.period, room: room === 'all used' ? { used } : { amount: room } };
    await tell({ budget: name, ...given, ttlMs: rule.resetsAt - now });
    addCredit(budget.credits, key, rule.period, given.room);
  }
  return budgetStateOf(await state(), now);
}

/** Gives what was given in another process. False where the gate has no such budget. */
export function applyRoom({ layerOf }: Plan, { budget, key, period, room }: Given): boolean {
  const layer = [...layerOf.values()].find(({ name, unit }) => name === budget && unit === 'usd');
  if (layer === undefined) return false;
  addCredit(layer.credits, key, period, room);
  return true;
}

function budgetNamed({ groups }: Plan, name: string): MeteredLayer {
  const budgets = groups.flatMap(({ layers }) => layers.filter(({ budget }) => budget !== undefined));
  const found = budgets.find((budget) => budget.name === name);
  if (found) return found;
  const names = budgets.map((budget) => `'${budget.name}'`).join(', ') || 'none, as the gate has no budgets';
  throw wrongValue('TOLLGATE_UNKNOWN_BUDGET', 'budget', name, `one of ${names}`);
}

function assertWhom(whom: unknown): void {
  if (isRecord(whom)) return;
  throw wrongValue('TOLLGATE_REQUEST_INVALID', 'whom', whom, "whose budget it is, such as { user: 'u1' }");
}
