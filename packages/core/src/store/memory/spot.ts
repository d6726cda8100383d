/** Where a bill is counted: the record of somebody's key, and in it the rows of its meters. */
import type { Bill, Scope } from '../../meters/meter.js';
import { isLong, NONE, slabOf, stampAt } from './records.js';
import { chunkAt, startAt } from './slab.js';
import { type Column, columnOf, type Table } from './table.js';

/** One for each scope, and again for the next request. */
export interface Spot {
  readonly scope: Scope;
  readonly table: Table;
  /** Of each charge of the bill that of its meter. */
  readonly columns: Column[];
  /** `NONE` where the key has no record; its rows are then of zeros, never to be written to. */
  slot: number;
  /** Of its record. */
  stamp: number;
  chunk: Float64Array;
  /** Where the record begins in the chunk. */
  start: number;
  long: boolean;
}

/** The row of a key without a record: a short one of any rule. Never written to. */
const INITIAL = new Float64Array(8);

export function createSpot(scope: Scope, table: Table): Spot {
  return { scope, table, columns: [], slot: NONE, stamp: 0, chunk: INITIAL, start: 0, long: false };
}

/** Lets the meters of a bill count by their rules. Before a slot is looked for: a full table asks what has drained. */
export function look({ table, columns }: Spot, { charges }: Bill): void {
  for (let j = 0; j < charges.length; j++) {
    columns[j] = columnOf(table, charges[j], j);
    columns[j].rule = charges[j].rule;
  }
}

/** Lets the spot be that of a record. */
export function pointTo(spot: Spot, slot: number): void {
  spot.slot = slot;
  if (slot === NONE) {
    spot.long = false;
    spot.chunk = INITIAL;
    spot.start = 0;
    return;
  }
  const { records } = spot.table;
  const slab = slabOf(records, slot);
  const { doubles, numbers } = chunkAt(slab, slot >> 1);
  const start = startAt(slab, slot >> 1);
  spot.long = isLong(slot);
  spot.chunk = doubles;
  spot.start = start;
  spot.stamp = numbers[stampAt(records, start * 2)];
}

/** Where the row of a column begins in the chunk. */
export function rowOf({ slot, start, long }: Spot, { inLong, inShort }: Column): number {
  if (slot === NONE) return 0;
  return start + (long ? inLong : inShort);
}
