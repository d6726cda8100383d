/**
 * The records of one scope: per key one slot with the rows of all meters of that scope side by side. A key is a few
 * numbers, one for each dimension (see `values.ts`), and an index of numbers leads from it to its slot: no key is built
 * by concatenation, and no string is hashed twice.
 *
 * A record begins in a short slot, where rows have room for what most keys ever need, and moves to a long one when it
 * needs more. There are no timers: each new key looks at {@link SWEEP} old ones and forgets those that have drained. At
 * `maxKeys` new keys share one record, the overflow, and go on doing so until it has drained, lest a key get a second
 * helping in a record of its own.
 */
import { drained, type Key, lengthen, type Meter, type Rule, width } from '../../meters/meter.js';
import { type Chunk, chunkAt, createSlab, occupy, type Slab, startAt, vacate, widen } from './slab.js';
import { need, numberOf, release, UNKNOWN, type Values } from './values.js';

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
  /** For each dimension. */
  readonly values: readonly Values[];
  readonly columns: Column[];
  readonly short: Slab;
  readonly long: Slab;
  /** Open addressing: a slot + 1 or, where it is free, 0. A power of 2 in length, at most two thirds full. */
  index: Int32Array;
  /** Keys that have a slot of their own. */
  keys: number;
  /** The slot that new keys share while the table is full, else `NONE`. */
  overflow: number;
  /** The position that the sweep looks at next: short slots first, then long ones. */
  hand: number;
  /** The key that is looked for, in numbers. */
  readonly sought: Int32Array;
}

/** No slot: the record is absent, which means the initial state. */
export const NONE = -1;

const SWEEP = 2;

/** @param values for each dimension of the scope; one where it has none, for its one key */
export function createTable(maxKeys: number, values: readonly Values[], onFull: () => void): Table {
  return {
    maxKeys,
    onFull,
    values,
    columns: [],
    short: createSlab(values.length),
    long: createSlab(values.length),
    index: new Int32Array(16),
    keys: 0,
    overflow: NONE,
    hand: 0,
    sought: new Int32Array(values.length),
  };
}

// A slot's last bit says in which slab it is, the others where in it.

export function isLong(slot: number): boolean {
  return (slot & 1) === 1;
}

/** The doubles of the chunk that holds the slot. */
export function chunkOf(table: Table, slot: number): Float64Array {
  return chunkAt(slabOf(table, slot), slot >> 1).doubles;
}

/** Where a meter's row begins in the chunk that holds the slot. */
export function rowOf(table: Table, slot: number, { inShort, inLong }: Column): number {
  return startAt(slabOf(table, slot), slot >> 1) + (isLong(slot) ? inLong : inShort);
}

/** The column of a meter. One that the table has not met yet is given a row in every slot, and that moves all rows. */
export function columnOf(table: Table, meter: Meter, rule: Rule): Column {
  const { columns } = table;
  for (let i = 0; i < columns.length; i++) if (columns[i].meter === meter) return columns[i];
  const inShort = widen(table.short, width(rule, false));
  const column = { meter, rule, inShort, inLong: widen(table.long, width(rule, true)) };
  columns.push(column);
  return column;
}

/** The slot that counts for a key: its own, the overflow's while that is open, or `NONE`. */
export function find(table: Table, key: Key, now: number): number {
  const slot = seek(table, key) ? table.index[cellFor(table, table.sought, 0)] - 1 : NONE;
  const isFull = table.overflow !== NONE || table.keys >= table.maxKeys;
  return slot === NONE && isFull ? overflowOf(table, now) : slot;
}

/** The slot for keys that a full table has no room for; `NONE` where there is room again. */
function overflowOf(table: Table, now: number): number {
  if (table.overflow !== NONE && isDrained(table, table.overflow, now)) {
    vacate(table.long, table.overflow >> 1);
    table.overflow = NONE;
  }
  if (table.overflow === NONE && table.keys >= table.maxKeys) {
    sweep(table, now, SWEEP);
    if (table.keys >= table.maxKeys) {
      table.overflow = (occupy(table.long) << 1) | 1;
      table.onFull();
    }
  }
  return table.overflow;
}

/** Gives a key a slot of its own, a short one. Only for a key for which `find` found `NONE`. */
export function insert(table: Table, key: Key, now: number): number {
  sweep(table, now, SWEEP);
  if ((table.keys + 1) * 3 > table.index.length * 2) growIndex(table);
  const { short, values } = table;
  const slot = occupy(short) << 1;
  const { numbers } = chunkAt(short, slot >> 1);
  const ids = idsAt(table, slot);
  for (let i = 0; i < values.length; i++) numbers[ids + i] = need(values[i], key[i]) + 1;
  table.index[cellFor(table, numbers, ids)] = slot + 1;
  table.keys++;
  return slot;
}

/** Moves a record from its short slot to a long one. Returns that. */
export function move(table: Table, from: number): number {
  const to = (occupy(table.long) << 1) | 1;
  const [short, long] = [numbersOf(table, from), numbersOf(table, to)];
  const ids = idsAt(table, from);
  const cell = cellFor(table, short, ids);
  long.set(short.subarray(ids, ids + table.values.length), idsAt(table, to));
  for (const column of table.columns) {
    const [before, after] = [chunkOf(table, from), chunkOf(table, to)];
    lengthen(before, rowOf(table, from, column), after, rowOf(table, to, column), column.rule);
  }
  table.index[cell] = to + 1;
  vacate(table.short, from >> 1);
  return to;
}

function slabOf(table: Table, slot: number): Slab {
  return isLong(slot) ? table.long : table.short;
}

/** The numbers of the chunk that holds the slot. */
function numbersOf(table: Table, slot: number): Chunk['numbers'] {
  return chunkAt(slabOf(table, slot), slot >> 1).numbers;
}

/** Where those begin that identify the slot's record. */
function idsAt(table: Table, slot: number): number {
  return startAt(slabOf(table, slot), slot >> 1) * 2;
}

/** Puts a key's numbers into `sought`. False where one of its values is in no record: then the key has none either. */
function seek({ values, sought }: Table, key: Key): boolean {
  for (let i = 0; i < values.length; i++) {
    const number = numberOf(values[i], key[i]);
    if (number === UNKNOWN) return false;
    sought[i] = number + 1;
  }
  return true;
}

/** The cell that leads to the record with these numbers, or the free one where it would stand. */
function cellFor(table: Table, ids: Int32Array, from: number): number {
  const { index } = table;
  const last = index.length - 1;
  let cell = home(ids, from, table.values.length) & last;
  while (index[cell] !== 0 && !isAt(table, index[cell] - 1, ids, from)) cell = (cell + 1) & last;
  return cell;
}

function isAt(table: Table, slot: number, ids: Int32Array, from: number): boolean {
  const slab = slabOf(table, slot);
  const { numbers } = chunkAt(slab, slot >> 1);
  const at = startAt(slab, slot >> 1) * 2;
  for (let i = table.values.length - 1; i >= 0; i--) if (numbers[at + i] !== ids[from + i]) return false;
  return true;
}

/** Where a record's cell would be in an endless index. Numbers are dense, so one alone needs no mixing. */
function home(ids: Int32Array, from: number, width: number): number {
  let hash = ids[from];
  for (let i = 1; i < width; i++) {
    hash = Math.imul(hash, 0x9e3779b1) + ids[from + i];
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash;
}

function growIndex(table: Table): void {
  const slots = table.index.filter((cell) => cell !== 0);
  table.index = new Int32Array(table.index.length * 2);
  for (const cell of slots) {
    table.index[cellFor(table, numbersOf(table, cell - 1), idsAt(table, cell - 1))] = cell;
  }
}

/** Frees a cell. Those behind it move up, so that every record is still met on the way from its home. */
function unlink(table: Table, cell: number): void {
  const { index, values } = table;
  const last = index.length - 1;
  let hole = cell;
  for (let next = (hole + 1) & last; index[next] !== 0; next = (next + 1) & last) {
    const slot = index[next] - 1;
    const wish = home(numbersOf(table, slot), idsAt(table, slot), values.length);
    if (((next - wish) & last) < ((next - hole) & last)) continue;
    index[hole] = index[next];
    hole = next;
  }
  index[hole] = 0;
}

function isDrained(table: Table, slot: number, now: number): boolean {
  const chunk = chunkOf(table, slot);
  return table.columns.every((column) => drained(chunk, rowOf(table, slot, column), column.rule, now, isLong(slot)));
}

/** Looks at the next `count` slots and forgets the keys of those that have drained. */
function sweep(table: Table, now: number, count: number): void {
  const { short, long, values } = table;
  for (let i = 0; i < count && table.keys > 0; i++) {
    if (table.hand >= short.slots + long.slots) table.hand = 0;
    const position = table.hand++;
    const slot = position < short.slots ? position << 1 : ((position - short.slots) << 1) | 1;
    const numbers = numbersOf(table, slot);
    const ids = idsAt(table, slot);
    if (numbers[ids] === 0 || !isDrained(table, slot, now)) continue;
    unlink(table, cellFor(table, numbers, ids));
    for (let j = 0; j < values.length; j++) release(values[j], numbers[ids + j] - 1);
    vacate(slabOf(table, slot), slot >> 1);
    table.keys--;
  }
}
