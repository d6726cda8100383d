/** Tollgate's books beside the provider's bill, budget by budget. */
import type { BudgetState, Dimension } from '@tollgate/core';
import type { Bill } from './bill.js';

/** All money in whole nano-dollars. */
export interface BudgetSummary {
  budget: string;
  by: readonly Dimension[];
  key: readonly (string | undefined)[];
  limit: number;
  /** By Tollgate's books. While requests are under way, with what is reserved for them. */
  spent: number;
  /** On the provider's bill. */
  billed: number;
  agrees: boolean;
}

/** @param budgets each for every key that it counts */
export function compare(budgets: readonly BudgetState[], bill: Bill): BudgetSummary[] {
  return budgets.map(({ layer, by, key, limit, used }) => {
    const billed = bill.total(Object.fromEntries(by.map((dimension, i) => [dimension, key[i]])));
    return { budget: layer, by, key, limit, spent: used, billed: Number(billed), agrees: BigInt(used) === billed };
  });
}
