/** Which takes of a batch are done at once. */
import { type Charge, needsNoRoom } from '../../meters/meter.js';
import type { Operation, Take } from './operation.js';

/** Takes in a row that have no choice, and so can be done at once where there is room for all of them. */
export interface Run {
  readonly kind: 'run';
  readonly takes: Take[];
  /** The cell of each charge of each take, in their order. */
  readonly cells: number[];
  /** By cell what all of them charge there, and the least of the limits. */
  readonly sums: Map<number, Sum>;
}

interface Sum {
  readonly isBudget: boolean;
  cost: number;
  limit: number;
}

/** What may leave room comes first, so that others can have it. */
export function stepsOf(operations: readonly Operation[]): (Operation | Run)[] {
  const steps: (Operation | Run)[] = operations.filter(mayLeaveRoom);
  for (const operation of operations) {
    const last = steps.at(-1);
    if (mayLeaveRoom(operation)) continue;
    if (operation.kind !== 'take' || !isPlain(operation)) steps.push(operation);
    else if (last?.kind === 'run') last.takes.push(operation);
    else steps.push({ kind: 'run', takes: [operation], cells: [], sums: new Map() });
  }
  return steps.map((step) => (step.kind === 'run' && step.takes.length === 1 ? step.takes[0] : step));
}

function mayLeaveRoom({ kind }: Operation): boolean {
  return kind === 'settle' || kind === 'observe';
}

/** It has no choice, no turn to wait for, and is told nothing, and sums of what it charges are exact. */
function isPlain({ alternatives, tells, score }: Take): boolean {
  return (
    !tells &&
    score === undefined &&
    alternatives.length === 1 &&
    alternatives[0].bills.every(({ charges }) => charges.every(isPlainCharge))
  );
}

/** Charges of headroom have places of their own. */
function isPlainCharge({ cost, shadow, rule }: Charge): boolean {
  return !shadow && Number.isInteger(cost) && rule.kind !== 'headroom';
}

/** Counts a charge of a take that is being written. */
export function addTo({ cells, sums }: Run, cell: number, charge: Charge): void {
  cells.push(cell);
  const limit = needsNoRoom(charge) ? Number.POSITIVE_INFINITY : charge.limit;
  const sum = sums.get(cell);
  if (sum === undefined) sums.set(cell, { isBudget: charge.rule.kind === 'calendar', cost: charge.cost, limit });
  else {
    sum.cost += charge.cost;
    sum.limit = Math.min(sum.limit, limit);
  }
}
