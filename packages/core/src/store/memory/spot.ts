/** Where a bill is counted: the record of its key, and in it the rows of its meters. */
import type { Bill, Charge, Scope } from '../../meters/meter.js';
import { chunkOf, isLong, NONE, startOf } from './records.js';
import { type Column, columnOf, type Table } from './table.js';

/** One for each scope, and again for the next request: most look alike, so what stands here mostly serves that too. */
export interface Spot {
  readonly scope: Scope;
  readonly table: Table;
  /** Those of the bill, and of each the column of its meter. */
  charges: readonly Charge[];
  readonly columns: Column[];
  /** `NONE` where the key has no record; its rows are then of zeros, never to be written to. */
  slot: number;
  chunk: Float64Array;
  /** Where the record begins in the chunk. */
  start: number;
  long: boolean;
}

/** The row of a key without a record: a short one of any rule. Never written to. */
const INITIAL = new Float64Array(8);

export function createSpot(scope: Scope, table: Table): Spot {
  return { scope, table, charges: [], columns: [], slot: NONE, chunk: INITIAL, start: 0, long: false };
}

/** Lets the meters of these charges count by their rules. Before a slot is looked for: a full table asks what has drained. */
export function look(spot: Spot, charges: readonly Charge[]): void {
  for (let j = 0; j < charges.length; j++) spot.columns[j] = columnOf(spot.table, charges[j], j);
  spot.charges = charges;
}

/** Lets the spot be that of a record, and the bill remember it. */
export function pointTo(spot: Spot, bill: Bill, slot: number): void {
  bill.found = slot;
  spot.slot = slot;
  spot.long = slot !== NONE && isLong(slot);
  spot.chunk = slot === NONE ? INITIAL : chunkOf(spot.table.records, slot);
  spot.start = slot === NONE ? 0 : startOf(spot.table.records, slot);
}

/** Where the row of a column begins in the chunk. */
export function rowOf({ slot, start, long }: Spot, { inLong, inShort }: Column): number {
  if (slot === NONE) return 0;
  return start + (long ? inLong : inShort);
}
