/** What of a batch is done at once. */
import type { Charge } from '../../meters/meter.js';
import type { Cells } from './cells.js';
import type { RunColumn, Sum } from './layouts.js';
import { beside, epochOf, type Operation, type RedisEntry, type Settle, type Take } from './operation.js';
import { isWaitedFor } from './waitings.js';

/** Settlings in a row of which each is booked for what it says; and takes in a row that have no choice. */
export interface Run {
  readonly settles: Settle[];
  /** What each entry of each settling is a part of, in their order. */
  readonly sums: Sum[];
  readonly takes: Take[];
  /** The cell of each charge of each take, in their order. */
  readonly cells: number[];
  /** What all of them do, in the order in which it is answered. */
  columns: readonly RunColumn[];
}

/** In the order in which they are done: the run's settlings, `first`, the run's takes, `others`. */
export interface Steps {
  readonly run: Run;
  /** In which all that the run settles was charged; -1: it settles nothing. */
  readonly epoch: number;
  /** What else may leave room: it comes before what may have it. */
  readonly first: readonly Operation[];
  readonly others: readonly Operation[];
}

const NO_EPOCH = -1;

/** Sums of multiples of its inverse are exact up to 2⁴³. */
const EXACT = 1024;

export function stepsOf(operations: readonly Operation[]): Steps {
  const run: Run = { settles: [], sums: [], takes: [], cells: [], columns: [] };
  const first: Operation[] = [];
  const others: Operation[] = [];
  let epoch = NO_EPOCH;
  for (const operation of operations) {
    if (operation.kind === 'settle' && first.length === 0 && isPlainSettle(operation, epoch)) {
      run.settles.push(operation);
      epoch = epochOfFirst(operation) ?? epoch;
    } else if (operation.kind === 'settle' || operation.kind === 'observe') first.push(operation);
    else if (operation.kind === 'take' && others.length === 0 && isPlainTake(operation)) run.takes.push(operation);
    else others.push(operation);
  }
  return { run, epoch, first, others };
}

/** Counts what a run does, column by column. */
export function countRun({ settles, sums, takes, cells: charged }: Run, cells: Cells): void {
  for (const { entries, actual } of settles) {
    for (let i = 0; i < entries.length; i++) {
      const { charge, who, place: at, cost } = entries[i];
      const place = cells.placeOf(charge.meter.scope, who, beside(entries, i));
      sums.push(cells.addSettled(place, cells.columnIn(place, charge, 0), at, cost, actual[i]));
    }
  }
  for (const { alternatives } of takes) {
    const { who, bills } = alternatives[0];
    for (let i = 0; i < bills.length; i++) {
      const { scope, charges } = bills[i];
      const place = cells.placeOf(scope, who, charges);
      for (let j = 0; j < charges.length; j++) {
        const column = cells.columnIn(place, charges[j], j);
        cells.add(place, column, charges[j]);
        charged.push(place.cells[column]);
      }
    }
  }
}

/**
 * At its end, of one epoch, not waited for; it stays in the places where it is, and sums of it are exact.
 *
 * @param epoch of those before it
 */
function isPlainSettle(settle: Settle, epoch: number): boolean {
  const { entries, actual, goesOn } = settle;
  if (goesOn) return false;
  const own = epoch === NO_EPOCH ? epochOfFirst(settle) : epoch;
  for (let i = 0; i < entries.length; i++) {
    const { charge, cost } = entries[i];
    const { kind } = charge.rule;
    const isMore = actual[i] > cost;
    if (epochOf(entries[i] as RedisEntry) !== own) return false;
    if (kind === 'headroom' || !isExact(cost) || !isExact(actual[i])) return false;
    if (isMore && (kind === 'slots' || cost === 0)) return false;
    if (actual[i] < cost && isWaitedFor(charge)) return false;
  }
  return true;
}

function epochOfFirst({ entries }: Settle): number | undefined {
  return entries.length === 0 ? undefined : epochOf(entries[0] as RedisEntry);
}

/** It has no choice, no turn to wait for, and is told nothing, and sums of what it charges are exact. */
function isPlainTake({ alternatives, tells, score }: Take): boolean {
  return (
    !tells &&
    score === undefined &&
    alternatives.length === 1 &&
    alternatives[0].bills.every(({ charges }) => charges.every(isPlainCharge))
  );
}

/** Charges of headroom have places of their own. */
function isPlainCharge({ cost, shadow, rule }: Charge): boolean {
  return !shadow && isExact(cost) && rule.kind !== 'headroom';
}

function isExact(amount: number): boolean {
  return Number.isInteger(amount * EXACT);
}
