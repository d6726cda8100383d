/** Which takes of a batch are done at once. */
import type { Charge } from '../../meters/meter.js';
import type { Sum } from './cells.js';
import type { Operation, Take } from './operation.js';

/** Takes in a row that have no choice, and so can be done at once where there is room for all of them. */
export interface Run {
  readonly kind: 'run';
  readonly takes: Take[];
  /** The cell of each charge of each take, in their order. */
  readonly cells: number[];
  /** What all of them charge, in the order in which it is answered. */
  sums: readonly Sum[];
}

/** What may leave room comes first, so that others can have it; then the takes that can be done at once, and the others. */
export function stepsOf(operations: readonly Operation[]): (Operation | Run)[] {
  const steps: (Operation | Run)[] = operations.filter(mayLeaveRoom);
  const others = steps.length === 0 ? operations : operations.filter((operation) => !mayLeaveRoom(operation));
  const takes: Take[] = [];
  for (const operation of others) {
    if (operation.kind !== 'take' || !isPlain(operation)) break;
    takes.push(operation);
  }
  if (takes.length > 0) steps.push({ kind: 'run', takes, cells: [], sums: [] });
  for (let i = takes.length; i < others.length; i++) steps.push(others[i]);
  return steps;
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
