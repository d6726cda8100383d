/**
 * The values of one dimension, each with a small number for as long as a record needs it. Strings are what a decision
 * costs: here one is looked up once, however many limits count by it, and from there on records are found by numbers.
 *
 * A value is kept as characters in a slot, outside the garbage collector's sight: where a string would have to be fetched
 * from wherever the heap has it, the slot is one place in memory. A slot is `needs, length, hash, characters …`: how many
 * records need the value, and what it is.
 */
import { chunkAt, createSlab, occupy, type Slab, startAt, vacate } from './slab.js';
import { createSpelling, LONGEST, spell, UNSPELT, wordsIn } from './spelling.js';

export interface Values {
  /** By number. */
  readonly slots: Slab;
  /** Open addressing, two numbers to a cell: the hash of a value and its number + 1, or 0 where it is free. */
  index: Int32Array;
  /** Values that have a number. */
  known: number;
  /** By number, those that can't be spelt. */
  readonly others: Map<number, string>;
  /**
   * What was looked up of late, and its numbers: limits with a dimension in common ask for the same value one after the
   * other, and of dimensions such as features all requests do.
   */
  readonly recent: (string | undefined)[];
  readonly recentNumbers: Int32Array;
}

/** The number of a value that no record needs. */
export const UNKNOWN = -1;

/** Numbers of a slot before its characters. */
const HEAD = 3;

/** A power of 2. */
const RECENT = 16;

/** The value that is looked for. */
const sought = createSpelling();

export function createValues(): Values {
  return {
    slots: createSlab((HEAD + LONGEST / 4) / 2),
    index: new Int32Array(32),
    known: 0,
    others: new Map(),
    recent: new Array(RECENT).fill(undefined),
    recentNumbers: new Int32Array(RECENT).fill(UNKNOWN),
  };
}

export function numberOf(values: Values, value: string | undefined): number {
  const { recent, recentNumbers } = values;
  const at = recentAt(value);
  if (recent[at] !== value) {
    recent[at] = value;
    recentNumbers[at] = look(values, value);
  }
  return recentNumbers[at];
}

/** Such that values of a kind, as ids are, displace each other and no more. */
function recentAt(value: string | undefined): number {
  return value === undefined ? 0 : (value.length + value.charCodeAt(0)) & (RECENT - 1);
}

/** The number of a value that one more record needs. */
export function need(values: Values, value: string | undefined): number {
  const known = numberOf(values, value);
  const number = known === UNKNOWN ? add(values, value) : known;
  values.recentNumbers[recentAt(value)] = number;
  chunkAt(values.slots, number).numbers[startOf(values.slots, number)]++;
  return number;
}

/** One record less needs the value. */
export function release(values: Values, number: number): void {
  const { slots, others, recentNumbers } = values;
  const { numbers } = chunkAt(slots, number);
  const start = startOf(slots, number);
  if (--numbers[start] > 0) return;
  clear(values, numbers[start + 2], number);
  others.delete(number);
  vacate(slots, number);
  values.known--;
  for (let i = 0; i < RECENT; i++) if (recentNumbers[i] === number) recentNumbers[i] = UNKNOWN;
}

function add(values: Values, value: string | undefined): number {
  const { slots, others } = values;
  values.known++;
  if (values.known * 3 > values.index.length) grow(values);
  spell(sought, value);
  const { length, hash, words } = sought;
  const number = occupy(slots);
  const { numbers } = chunkAt(slots, number);
  const start = startOf(slots, number);
  numbers[start + 1] = length;
  numbers[start + 2] = hash;
  for (let i = 0; i < wordsIn(length); i++) numbers[start + HEAD + i] = words[i];
  if (length === UNSPELT) others.set(number, own(value));
  put(values.index, hash, number);
  return number;
}

/** Where a slot begins among the numbers of its chunk. */
function startOf(slots: Slab, number: number): number {
  return startAt(slots, number) * 2;
}

/** A string of its own: a slice of a long header would keep all of that header in memory. */
function own(value: string | undefined): string {
  return JSON.parse(JSON.stringify(value));
}

/** The number of a value, or `UNKNOWN`. */
function look(values: Values, value: string | undefined): number {
  spell(sought, value);
  const { index } = values;
  const { hash } = sought;
  const last = index.length - 1;
  for (let cell = (hash * 2) & last; index[cell + 1] !== 0; cell = (cell + 2) & last) {
    const number = index[cell + 1] - 1;
    if (index[cell] === hash && isSought(values, number, value)) return number;
  }
  return UNKNOWN;
}

function isSought({ slots, others }: Values, number: number, value: string | undefined): boolean {
  const { length, words } = sought;
  const { numbers } = chunkAt(slots, number);
  const start = startOf(slots, number);
  if (numbers[start + 1] !== length) return false;
  for (let i = 0; i < wordsIn(length); i++) if (numbers[start + HEAD + i] !== words[i]) return false;
  return length !== UNSPELT || others.get(number) === value;
}

function put(index: Int32Array, hash: number, number: number): void {
  const last = index.length - 1;
  let cell = (hash * 2) & last;
  while (index[cell + 1] !== 0) cell = (cell + 2) & last;
  index[cell] = hash;
  index[cell + 1] = number + 1;
}

function grow(values: Values): void {
  const before = values.index;
  values.index = new Int32Array(before.length * 2);
  for (let cell = 0; cell < before.length; cell += 2) {
    if (before[cell + 1] !== 0) put(values.index, before[cell], before[cell + 1] - 1);
  }
}

/** Frees the cell of a number. Those behind it move up, so that every value is still met on the way from its hash. */
function clear({ index }: Values, hash: number, number: number): void {
  const last = index.length - 1;
  let hole = (hash * 2) & last;
  while (index[hole + 1] !== number + 1) hole = (hole + 2) & last;
  for (let next = (hole + 2) & last; index[next + 1] !== 0; next = (next + 2) & last) {
    const wish = (index[next] * 2) & last;
    if (((next - wish) & last) < ((next - hole) & last)) continue;
    index[hole] = index[next];
    index[hole + 1] = index[next + 1];
    hole = next;
  }
  index[hole + 1] = 0;
}
