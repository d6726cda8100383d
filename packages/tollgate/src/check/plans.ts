/** Amounts that may go by the plan of who asks. */
import type { TollgateConfig } from '@tollgate/core';

export type Layer = NonNullable<TollgateConfig['limits']>[number] | NonNullable<TollgateConfig['budgets']>[number];

type ByPlan = Readonly<Record<string, unknown>>;

/** What a limit or budget holds, by the names of its fields; nothing of what others count. */
export function amountsOf(layer: Layer): Readonly<Record<string, unknown>> {
  if (layer.kind === 'tokenBucket') return { capacity: layer.capacity, refill: layer.refill };
  return 'limit' in layer ? { limit: layer.limit } : {};
}

/** All plans that any of these amounts names; none, as one that has no name, where no amount goes by plans. */
export function plansOf(amounts: readonly unknown[]): readonly (string | undefined)[] {
  const plans = amounts.filter(isByPlan).flatMap(Object.keys);
  return plans.length === 0 ? [undefined] : [...new Set(plans)];
}

/** Of one plan; `undefined` where there is none for it, and a function as it is. */
export function amountFor(amount: unknown, plan = 'default'): unknown {
  return isByPlan(amount) ? (amount[plan] ?? amount.default) : amount;
}

/** And not bounds of slots, which adapt. */
export function isByPlan(amount: unknown): amount is ByPlan {
  return typeof amount === 'object' && amount !== null && !('min' in amount);
}
