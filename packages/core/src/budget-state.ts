/** How a budget stands for one key. */
import { type LayerState, stateOf } from './meters/layer-state.js';
import type { Usage } from './meters/meter.js';
import { exhaustsAt } from './money/forecast.js';

export interface BudgetState extends LayerState {
  /** When it will be exhausted at the present burn, in milliseconds since 1970; `undefined` where it lasts until it resets. */
  readonly exhaustsAt: number | undefined;
}

export function budgetStateOf(usage: Usage, now: number): BudgetState {
  const { rule, whole } = usage.charge;
  const { startsAt, resetsAt } = rule.kind === 'calendar' ? rule : { startsAt: now, resetsAt: now };
  return { ...stateOf(usage), exhaustsAt: exhaustsAt(usage.used, whole, startsAt, resetsAt, now) };
}
