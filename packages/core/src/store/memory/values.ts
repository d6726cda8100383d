/**
 * The values of one dimension, each with a small number for as long as a record needs it. Strings are what a decision
 * costs: here one is looked up once, however many limits count by it, and from there on records are found by numbers.
 *
 * A value is kept as characters in a slot, outside the garbage collector's sight: where a string would have to be fetched
 * from wherever the heap has it, the slot is one place in memory. A slot is `needs, length, hash, characters …, links …`:
 * how many records need the value, what it is, and for each kind of records that begin with it what leads to one.
 */
import { hashOf } from './hash.js';
import { chunkAt, createSlab, occupy, type Slab, startAt, vacate, widen } from './slab.js';

export interface Values {
  /** By number. */
  readonly slots: Slab;
  /** Open addressing, two numbers to a cell: the hash of a value and its number + 1, or 0 where it is free. */
  index: Int32Array;
  /** Links that slots have room for and nobody has claimed. */
  spare: number;
  /** Values that have a number. */
  known: number;
  /** By number, those that a slot can't hold. */
  readonly others: Map<number, string>;
  /** What was looked up last: limits with a dimension in common ask for the same value one after the other. */
  last: string | undefined;
  lastNumber: number;
}

/** The number of a value that no record needs. */
export const UNKNOWN = -1;

/** Characters that a slot holds, each of one byte: as many as a UUID has. */
const LONGEST = 36;

/** Numbers of a slot before its characters. */
const HEAD = 3;

/** In place of a length: there is no value, or it is among the others. */
const ABSENT = -1;
const ELSEWHERE = -2;

export function createValues(): Values {
  return {
    slots: createSlab((HEAD + LONGEST / 4) / 2),
    index: new Int32Array(32),
    spare: 0,
    known: 0,
    others: new Map(),
    last: undefined,
    lastNumber: UNKNOWN,
  };
}

export function numberOf(values: Values, value: string | undefined): number {
  if (value !== values.last) {
    values.last = value;
    values.lastNumber = look(values, value, hashOf(value));
  }
  return values.lastNumber;
}

/** One more link in every slot, 0 at first. Returns what to name it by. */
export function claimLink(values: Values): number {
  if (values.spare === 0) {
    widen(values.slots, 1);
    values.spare = 2;
  }
  return values.slots.width * 2 - values.spare--;
}

export function linkOf({ slots }: Values, number: number, link: number): number {
  return chunkAt(slots, number).numbers[startOf(slots, number) + link];
}

export function setLink({ slots }: Values, number: number, link: number, to: number): void {
  chunkAt(slots, number).numbers[startOf(slots, number) + link] = to;
}

/** The number of a value that one more record needs. */
export function need(values: Values, value: string | undefined): number {
  const known = numberOf(values, value);
  const number = known === UNKNOWN ? add(values, value) : known;
  values.lastNumber = number;
  chunkAt(values.slots, number).numbers[startOf(values.slots, number)]++;
  return number;
}

/** One record less needs the value. */
export function release(values: Values, number: number): void {
  const { slots, others } = values;
  const { numbers } = chunkAt(slots, number);
  const start = startOf(slots, number);
  if (--numbers[start] > 0) return;
  clear(values, numbers[start + 2], number);
  others.delete(number);
  vacate(slots, number);
  values.known--;
  if (values.lastNumber === number) values.lastNumber = UNKNOWN;
}

/** True where a number is that of a value. */
export function isOf({ slots, others }: Values, number: number, value: string | undefined): boolean {
  const { numbers, bytes } = chunkAt(slots, number);
  const start = startOf(slots, number);
  const length = numbers[start + 1];
  if (value === undefined) return length === ABSENT;
  if (length === ELSEWHERE) return others.get(number) === value;
  if (length !== value.length) return false;
  const from = (start + HEAD) * 4;
  for (let i = 0; i < length; i++) if (bytes[from + i] !== value.charCodeAt(i)) return false;
  return true;
}

function add(values: Values, value: string | undefined): number {
  const { slots, others } = values;
  values.known++;
  if (values.known * 3 > values.index.length) grow(values);
  const number = occupy(slots);
  const { numbers, bytes } = chunkAt(slots, number);
  const start = startOf(slots, number);
  const hash = hashOf(value);
  const fits = value !== undefined && value.length <= LONGEST && isOneByte(value);
  numbers[start + 1] = fits ? value.length : value === undefined ? ABSENT : ELSEWHERE;
  numbers[start + 2] = hash;
  if (fits) for (let i = 0; i < value.length; i++) bytes[(start + HEAD) * 4 + i] = value.charCodeAt(i);
  else if (value !== undefined) others.set(number, own(value));
  put(values.index, hash, number);
  return number;
}

/** Where a slot begins among the numbers of its chunk. */
function startOf(slots: Slab, number: number): number {
  return startAt(slots, number) * 2;
}

function isOneByte(value: string): boolean {
  for (let i = 0; i < value.length; i++) if (value.charCodeAt(i) > 0xff) return false;
  return true;
}

/** A string of its own: a slice of a long header would keep all of that header in memory. */
function own(value: string): string {
  return JSON.parse(JSON.stringify(value));
}

/** The number of the value with this hash, or `UNKNOWN`. */
function look(values: Values, value: string | undefined, hash: number): number {
  const { index } = values;
  const last = index.length - 1;
  for (let cell = (hash * 2) & last; index[cell + 1] !== 0; cell = (cell + 2) & last) {
    const number = index[cell + 1] - 1;
    if (index[cell] === hash && isOf(values, number, value)) return number;
  }
  return UNKNOWN;
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
