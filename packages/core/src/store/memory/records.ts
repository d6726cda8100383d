/**
 * Records, each in a slot, and the way from a key to its slot. A key is a few numbers, one for each dimension (see
 * `values.ts`), which stand at the head of its record: no key is built by concatenation, and no string is hashed twice.
 *
 * A record is in a short slot, where rows have room for what most keys ever need, or in a long one. A slot's last bit says
 * which, the others where in its slab it is.
 *
 * Behind its numbers a record has its stamp: what knows a slot and the stamp of its record finds that again without the key.
 *
 * From the number of a key's first value `latest` leads to the record that was used last with it. Where keys have one value there is no
 * other. Where they have more an index leads to all of them, and is seldom needed: whoever is the first value, such as a
 * user, mostly does again what it did last.
 */
import type { Who } from '../../meters/meter.js';
import { type Chunk, chunkAt, createSlab, type Slab, startAt } from './slab.js';
import { numberOf, UNKNOWN, type Values } from './values.js';

export interface Records {
  /** For each dimension; of keys without dimensions, of which there is one, for a value that nobody has. */
  readonly values: readonly Values[];
  /** Where in a {@link Who} the value of each dimension stands. */
  readonly at: readonly number[];
  readonly short: Slab;
  readonly long: Slab;
  /** By number: a slot + 1, or 0 where no record was ever used with it. */
  latest: Int32Array;
  /** Open addressing: a slot + 1 or, where it is free, 0. A power of 2 in length, at most two thirds full. */
  index: Int32Array;
  /** Keys that have a record. */
  keys: number;
  /** The key that is looked for, in numbers + 1. */
  readonly sought: Int32Array;
  /** The last stamp that was given. */
  stamp: number;
}

/** No slot: the record is absent, which means the initial state. */
export const NONE = -1;

/** @param values for each dimension; one at least */
export function createRecords(values: readonly Values[], at: readonly number[]): Records {
  return {
    values,
    at,
    short: createSlab(Math.ceil((values.length + 1) / 2)),
    long: createSlab(Math.ceil((values.length + 1) / 2)),
    latest: new Int32Array(16),
    index: new Int32Array(16),
    keys: 0,
    sought: new Int32Array(values.length),
    stamp: 0,
  };
}

export function isLong(slot: number): boolean {
  return (slot & 1) === 1;
}

export function slabOf(records: Records, slot: number): Slab {
  return isLong(slot) ? records.long : records.short;
}

/** The doubles of the chunk that holds the slot. */
export function chunkOf(records: Records, slot: number): Float64Array {
  return chunkAt(slabOf(records, slot), slot >> 1).doubles;
}

/** Where the slot begins among the doubles of its chunk. */
export function startOf(records: Records, slot: number): number {
  return startAt(slabOf(records, slot), slot >> 1);
}

/** The numbers of the chunk that holds the slot. */
export function numbersOf(records: Records, slot: number): Chunk['numbers'] {
  return chunkAt(slabOf(records, slot), slot >> 1).numbers;
}

/** Where those begin that identify the slot's record. */
export function idsAt(records: Records, slot: number): number {
  return startAt(slabOf(records, slot), slot >> 1) * 2;
}

/** What stands in a key for a dimension. */
export function valueIn({ at }: Records, who: Who, dimension: number): string | undefined {
  return dimension < at.length ? who[at[dimension]] : undefined;
}

/** The slot of somebody's record, or `NONE`. */
export function slotOf(records: Records, who: Who): number {
  const { values, latest, sought } = records;
  const first = numberOf(values[0], valueIn(records, who, 0));
  if (first === UNKNOWN || first >= latest.length) return NONE;
  const last = latest[first] - 1;
  if (values.length === 1 || last === NONE) return last;
  sought[0] = first + 1;
  for (let i = 1; i < values.length; i++) {
    const number = numberOf(values[i], valueIn(records, who, i));
    if (number === UNKNOWN) return NONE;
    sought[i] = number + 1;
  }
  if (isAt(records, last, sought, 0)) return last;
  const slot = records.index[cellFor(records, sought, 0)] - 1;
  if (slot !== NONE) latest[first] = slot + 1;
  return slot;
}

/** Where a record has its stamp, from where its numbers begin. */
export function stampAt({ values }: Records, ids: number): number {
  return ids + values.length;
}

/** Gives the record in a slot a stamp, which tells it from all that were or will be there. Where nobody has a slot it is 0. */
export function stamp(records: Records, slot: number): void {
  records.stamp = (records.stamp % 0x7fffffff) + 1;
  numbersOf(records, slot)[stampAt(records, idsAt(records, slot))] = records.stamp;
}

/** Lets a record be found, which is in its slot and in no other. */
export function link(records: Records, slot: number): void {
  stamp(records, slot);
  const ids = idsAt(records, slot);
  const numbers = numbersOf(records, slot);
  const first = numbers[ids] - 1;
  if (first >= records.latest.length) records.latest = longer(records.latest, first + 1);
  records.latest[first] = slot + 1;
  records.keys++;
  if (records.values.length === 1) return;
  if (records.keys * 3 > records.index.length * 2) growIndex(records);
  records.index[cellFor(records, numbers, ids)] = slot + 1;
}

/** Lets it be found no more, before it leaves its slot. */
export function unlink(records: Records, slot: number): void {
  const ids = idsAt(records, slot);
  const numbers = numbersOf(records, slot);
  records.keys--;
  // Where keys have more values, `latest` goes on to say that the first one is known, and the index says the rest.
  if (records.values.length === 1) records.latest[numbers[ids] - 1] = 0;
  else clear(records, cellFor(records, numbers, ids));
}

/** The cell that leads to the record with these numbers, or the free one where it would stand. */
function cellFor(records: Records, ids: Int32Array, from: number): number {
  const { index } = records;
  const last = index.length - 1;
  let cell = home(ids, from, records.values.length) & last;
  while (index[cell] !== 0 && !isAt(records, index[cell] - 1, ids, from)) cell = (cell + 1) & last;
  return cell;
}

function isAt(records: Records, slot: number, ids: Int32Array, from: number): boolean {
  const numbers = numbersOf(records, slot);
  const at = idsAt(records, slot);
  for (let i = records.values.length - 1; i >= 0; i--) if (numbers[at + i] !== ids[from + i]) return false;
  return true;
}

/** Where a record's cell would be in an endless index. */
function home(ids: Int32Array, from: number, width: number): number {
  let hash = ids[from];
  for (let i = 1; i < width; i++) {
    hash = Math.imul(hash, 0x9e3779b1) + ids[from + i];
    hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b);
    hash ^= hash >>> 13;
  }
  return hash;
}

function growIndex(records: Records): void {
  const slots = records.index.filter((cell) => cell !== 0);
  records.index = new Int32Array(records.index.length * 2);
  for (const cell of slots) {
    records.index[cellFor(records, numbersOf(records, cell - 1), idsAt(records, cell - 1))] = cell;
  }
}

/** Frees a cell. Those behind it move up, so that every record is still met on the way from its home. */
function clear(records: Records, cell: number): void {
  const { index, values } = records;
  const last = index.length - 1;
  let hole = cell;
  for (let next = (hole + 1) & last; index[next] !== 0; next = (next + 1) & last) {
    const slot = index[next] - 1;
    const wish = home(numbersOf(records, slot), idsAt(records, slot), values.length);
    if (((next - wish) & last) < ((next - hole) & last)) continue;
    index[hole] = index[next];
    hole = next;
  }
  index[hole] = 0;
}

/** A copy with room for so many numbers, and some more. */
function longer(numbers: Int32Array, least: number): Int32Array {
  const copy = new Int32Array(least + (least >> 2));
  copy.set(numbers);
  return copy;
}
