/** Where a charge is counted: the row of its meter in the record of its key. */
import { type Charge, fits, type Key, type Meter, needsNoRoom, type Usage, usage, used } from '../../meters/meter.js';
import { type Column, chunkOf, isLong, NONE, rowOf, type Table } from './table.js';

/** Requests of one gate look alike, so what stands here mostly serves the next one too. */
export interface Row {
  meter: Meter;
  table: Table;
  column: Column;
  /** `NONE` where the key has no record; the row is then one of zeros, never to be written to. */
  slot: number;
  chunk: Float64Array;
  at: number;
  long: boolean;
  /** What counts on it, as `hasRoom` has found. */
  used: number;
}

/** The row of a key without a record: a short one of any rule. Never written to. */
const INITIAL = new Float64Array(8);

export function createRow(meter: Meter, table: Table, column: Column): Row {
  return { meter, table, column, slot: NONE, chunk: INITIAL, at: 0, long: false, used: 0 };
}

/** Lets the row be that of a record. */
export function point(row: Row, slot: number): void {
  row.slot = slot;
  row.chunk = slot === NONE ? INITIAL : chunkOf(row.table, slot);
  row.at = slot === NONE ? 0 : rowOf(row.table, slot, row.column);
  row.long = slot !== NONE && isLong(slot);
}

/** Finds what counts on the row, and whether a charge fits. */
export function hasRoom(row: Row, charge: Charge, now: number): boolean {
  row.used = used(row.chunk, row.at, charge.rule, now, row.long);
  return fits(row.used, charge.cost, charge.limit) || needsNoRoom(charge);
}

export function usageAt(row: Row, charge: Charge, key: Key, now: number): Usage {
  return usage(row.chunk, row.at, charge, key, now, row.long);
}
