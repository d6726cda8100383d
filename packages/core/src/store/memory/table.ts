/**
 * What is counted by one scope: a record for each key, in it a row for each meter of that scope. There are no timers: each
 * new key looks at {@link SWEEP} old ones and forgets those that have drained. At `maxKeys` new keys share one record, the
 * overflow, and go on doing so until it has drained, lest a key get a second helping in a record of its own.
 */
import type { Charge, Meter, Rule, Who } from '../../meters/meter.js';
import { drained, lengthen, width } from '../../meters/rules.js';
import {
  chunkOf,
  idsAt,
  isLong,
  link,
  NONE,
  numbersOf,
  type Records,
  slabOf,
  slotOf,
  stamp,
  startOf,
  unlink,
  valueIn,
} from './records.js';
import { occupy, vacate, widen } from './slab.js';
import { need, release } from './values.js';

/** Where a meter's row begins within a slot, and the rule that it was used with last, to tell when it has drained. */
export interface Column {
  readonly meter: Meter;
  rule: Rule;
  readonly inShort: number;
  readonly inLong: number;
}

export interface Table {
  readonly maxKeys: number;
  /** Called where new keys begin to share a record. */
  readonly onFull: () => void;
  readonly records: Records;
  readonly columns: Column[];
  /** The slot that new keys share while the table is full, else `NONE`. */
  overflow: number;
  /** The position that the sweep looks at next: short slots first, then long ones. */
  hand: number;
}

const SWEEP = 2;

export function createTable(maxKeys: number, records: Records, onFull: () => void): Table {
  return { maxKeys, onFull, records, columns: [], overflow: NONE, hand: 0 };
}

/**
 * The column of a charge's meter. A meter that the table has not met yet is given a row in every slot, and that moves all
 * rows.
 *
 * @param probable where it mostly is: requests have the same meters in the same order
 */
export function columnOf(
  { columns, records }: Table,
  { meter, rule }: Pick<Charge, 'meter' | 'rule'>,
  probable: number,
): Column {
  const known =
    columns[probable]?.meter === meter ? columns[probable] : columns.find((column) => column.meter === meter);
  if (known !== undefined) return known;
  const inShort = widen(records.short, width(rule, false));
  const column = { meter, rule, inShort, inLong: widen(records.long, width(rule, true)) };
  columns.push(column);
  return column;
}

/** The slot that counts for somebody: that of the own key, the overflow's while that is open, or `NONE`. */
export function find(table: Table, who: Who, now: number): number {
  const slot = slotOf(table.records, who);
  const isFull = table.overflow !== NONE || table.records.keys >= table.maxKeys;
  return slot === NONE && isFull ? overflowOf(table, now) : slot;
}

/** The slot for keys that a full table has no room for; `NONE` where there is room again. */
function overflowOf(table: Table, now: number): number {
  const { records } = table;
  if (table.overflow !== NONE && isDrained(table, table.overflow, now)) {
    vacate(records.long, table.overflow >> 1);
    table.overflow = NONE;
  }
  if (table.overflow === NONE && records.keys >= table.maxKeys) {
    sweep(table, now, SWEEP);
    if (records.keys >= table.maxKeys) {
      table.overflow = (occupy(records.long) << 1) | 1;
      stamp(records, table.overflow);
      table.onFull();
    }
  }
  return table.overflow;
}

/** Gives somebody's key a slot of its own, a short one. Only where `find` found `NONE`. */
export function insert(table: Table, who: Who, now: number): number {
  sweep(table, now, SWEEP);
  const { records } = table;
  const { short, values } = records;
  const slot = occupy(short) << 1;
  const numbers = numbersOf(records, slot);
  const ids = idsAt(records, slot);
  for (let i = 0; i < values.length; i++) numbers[ids + i] = need(values[i], valueIn(records, who, i)) + 1;
  link(records, slot);
  return slot;
}

/** Moves a record from its short slot to a long one. Returns that. */
export function move({ records, columns }: Table, from: number): number {
  const to = (occupy(records.long) << 1) | 1;
  const ids = idsAt(records, from);
  unlink(records, from);
  numbersOf(records, to).set(numbersOf(records, from).subarray(ids, ids + records.values.length), idsAt(records, to));
  const [before, after] = [chunkOf(records, from), chunkOf(records, to)];
  for (const { inShort, inLong, rule } of columns) {
    lengthen(before, startOf(records, from) + inShort, after, startOf(records, to) + inLong, rule);
  }
  vacate(records.short, from >> 1);
  link(records, to);
  return to;
}

function isDrained({ records, columns }: Table, slot: number, now: number): boolean {
  const chunk = chunkOf(records, slot);
  const start = startOf(records, slot);
  const long = isLong(slot);
  return columns.every(({ inShort, inLong, rule }) =>
    drained(chunk, start + (long ? inLong : inShort), rule, now, long),
  );
}

/** Looks at the next `count` slots and forgets the keys of those that have drained. */
function sweep(table: Table, now: number, count: number): void {
  const { records } = table;
  const { short, long, values } = records;
  for (let i = 0; i < count && records.keys > 0; i++) {
    if (table.hand >= short.slots + long.slots) table.hand = 0;
    const position = table.hand++;
    const slot = position < short.slots ? position << 1 : ((position - short.slots) << 1) | 1;
    const numbers = numbersOf(records, slot);
    const ids = idsAt(records, slot);
    if (numbers[ids] === 0 || !isDrained(table, slot, now)) continue;
    unlink(records, slot);
    for (let j = 0; j < values.length; j++) release(values[j], numbers[ids + j] - 1);
    vacate(slabOf(records, slot), slot >> 1);
  }
}
