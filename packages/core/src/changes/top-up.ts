/** Gives budgets more room while their periods last. */
import { type BudgetState, budgetStateOf } from '../budget-state.js';
import { wrongValue } from '../errors.js';
import type { Ledger } from '../ledger/ledger.js';
import { billOf } from '../meters/bills.js';
import type { MeteredLayer, Plan } from '../meters/charges.js';
import { addCredit, type Grant } from '../meters/credits.js';
import { type Dimension, isGiven, NOTHING, type Whom } from '../request.js';
import { isRecord } from '../schema.js';

/** Room that a key of a budget is given, as processes tell each other. As JSON has it: null where a key has no value. */
export interface Given extends Grant {
  readonly budget: string;
}

/**
 * Gives a key of a budget more room until its period ends: some nano-dollars, or all that it has used.
 *
 * @param give called with what is to be given, and for how many milliseconds it holds: until the period ends
 * @throws TollgateError `TOLLGATE_UNKNOWN_BUDGET`, or `TOLLGATE_REQUEST_INVALID` where a dimension is missing
 */
export async function giveRoom(
  plan: Plan,
  ledger: Ledger,
  name: string,
  whom: Whom,
  room: number | 'all used',
  now: number,
  give: (given: Omit<Given, 'id'>, ttlMs: number) => Promise<void>,
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
    const amount = room === 'all used' ? { used } : { amount: room };
    await give({ budget: name, key, period: rule.period, room: amount }, rule.resetsAt - now);
  }
  return budgetStateOf(await state(), now);
}

/** False where the gate has no such budget, or the room already. */
export function applyRoom({ layerOf }: Plan, given: Given): boolean {
  const layer = [...layerOf.values()].find(({ name, unit }) => name === given.budget && unit === 'usd');
  return layer !== undefined && addCredit(layer.credits, given);
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
