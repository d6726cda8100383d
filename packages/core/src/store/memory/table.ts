/**
 * The records of one scope: per key one slot with the rows of all meters of that scope side by side.
 *
 * Slots live in chunks of doubles, outside the garbage collector's sight, and are found through one level of `Map` per
 * dimension: no key is built by concatenation, since a fresh string costs more than the decision. There are no timers:
 * each new key looks at {@link SWEEP} old ones and forgets those that have drained. At `maxKeys` new keys share one
 * record, the overflow, and go on doing so until it has drained, lest a key get a second helping in a record of its own.
 */
import { drained, type Key, type Meter, type Rule, type Scope, width } from '../../meters/meter.js';

/** A row's place within its slot, and a rule to tell when it has drained. */
interface Column {
  readonly offset: number;
  readonly rule: Rule;
}

/** From the value of a dimension to the next dimension, or at the last one to the slot. */
type Index = Map<string | undefined, Index | number>;

interface Found {
  readonly map: Index;
  readonly value: string | undefined;
  readonly slot: number;
}

export interface Table {
  readonly maxKeys: number;
  /** The dimensions' positions in a key, those with fewest values first: fewer and larger maps. */
  readonly order: readonly number[];
  readonly columns: Map<Meter, Column>;
  readonly index: Index;
  chunks: Float64Array[];
  /** Doubles in a slot. */
  width: number;
  /** Slots that were ever used; those given back are in `free`. */
  slots: number;
  readonly free: number[];
  /** Keys that have a slot of their own. */
  keys: number;
  /** The slot that new keys share while the table is full, else `NONE`. */
  overflow: number;
  /** Goes through all keys, again and again, in search of drained ones. */
  walk: Generator<Found, void>;
}

/** No slot: the record is absent, which means the initial state. */
export const NONE = -1;

const CHUNK_BITS = 8;
const CHUNK_SLOTS = 2 ** CHUNK_BITS;
const SWEEP = 2;

/** Dimensions with few values by nature. */
const COARSE = new Set<string>(['plan', 'feature', 'route', 'model', 'provider']);

export function createTable(scope: Scope, maxKeys: number): Table {
  const fineness = (position: number) => (COARSE.has(scope.by[position]) ? 0 : 1);
  const order = scope.by.map((_, position) => position).sort((a, b) => fineness(a) - fineness(b));
  const index: Index = new Map();
  return {
    maxKeys,
    // Without dimensions there is one key, whose value is `undefined` like that of any dimension it lacks.
    order: order.length > 0 ? order : [0],
    columns: new Map(),
    index,
    chunks: [],
    width: 0,
    slots: 0,
    free: [],
    keys: 0,
    overflow: NONE,
    walk: records(index),
  };
}

/** The chunk that holds a slot. */
export function chunkOf(table: Table, slot: number): Float64Array {
  return table.chunks[slot >> CHUNK_BITS];
}

/** Where a slot begins in its chunk. */
export function startOf(table: Table, slot: number): number {
  return (slot & (CHUNK_SLOTS - 1)) * table.width;
}

/** Where a meter's row begins within a slot. A meter that the table has not met yet is given a row in every slot. */
export function offsetOf(table: Table, meter: Meter, rule: Rule): number {
  const column = table.columns.get(meter);
  return column === undefined ? addColumn(table, meter, rule) : column.offset;
}

/** The slot that counts for a key: its own, the overflow's while that is open, or `NONE`. */
export function find(table: Table, key: Key, now: number): number {
  const slot = lookUp(table, key);
  if (slot !== NONE) return slot;
  if (table.overflow !== NONE && isDrained(table, table.overflow, now)) {
    release(table, table.overflow);
    table.overflow = NONE;
  }
  if (table.overflow === NONE && table.keys >= table.maxKeys) {
    sweep(table, now, SWEEP);
    if (table.keys >= table.maxKeys) table.overflow = occupy(table);
  }
  return table.overflow;
}

/** Gives a key a slot of its own. Only for a key for which `find` found `NONE`. */
export function insert(table: Table, key: Key, now: number): number {
  sweep(table, now, SWEEP);
  const slot = occupy(table);
  const { order } = table;
  let map = table.index;
  for (let i = 0; i < order.length - 1; i++) {
    let next = map.get(key[order[i]]);
    if (next === undefined) {
      next = new Map();
      map.set(own(key[order[i]]), next);
    }
    map = next as Index;
  }
  map.set(own(key[order[order.length - 1]]), slot);
  table.keys++;
  return slot;
}

function lookUp(table: Table, key: Key): number {
  const { order, index } = table;
  let next: Index | number | undefined = index.get(key[order[0]]);
  for (let i = 1; i < order.length && next !== undefined; i++) next = (next as Index).get(key[order[i]]);
  return next === undefined ? NONE : (next as number);
}

/** A slot whose rows are all zero. */
function occupy(table: Table): number {
  const given = table.free.pop();
  if (given !== undefined) return given;
  if (table.slots === table.chunks.length * CHUNK_SLOTS) table.chunks.push(new Float64Array(CHUNK_SLOTS * table.width));
  return table.slots++;
}

function release(table: Table, slot: number): void {
  const start = startOf(table, slot);
  chunkOf(table, slot).fill(0, start, start + table.width);
  table.free.push(slot);
}

function isDrained(table: Table, slot: number, now: number): boolean {
  const chunk = chunkOf(table, slot);
  const start = startOf(table, slot);
  for (const { offset, rule } of table.columns.values()) {
    if (!drained(chunk, start + offset, rule, now)) return false;
  }
  return true;
}

/** Looks at the next `count` keys and forgets those that have drained. */
function sweep(table: Table, now: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const { value: found } = table.walk.next();
    if (!found) table.walk = records(table.index);
    else if (isDrained(table, found.slot, now)) {
      found.map.delete(found.value);
      release(table, found.slot);
      table.keys--;
    }
  }
}

/** Every key, those included that come or go on the way; a `Map` may change while it is iterated. */
function* records(map: Index): Generator<Found, void> {
  for (const [value, next] of map) {
    if (typeof next === 'number') yield { map, value, slot: next };
    else {
      yield* records(next);
      if (next.size === 0) map.delete(value);
    }
  }
}

/** Strings shorter than this are never slices of others in V8. */
const SHORTEST_SLICE = 13;

/** A string of its own: a slice of a long header would keep all of that header in memory. */
function own(value: string | undefined): string | undefined {
  return value === undefined || value.length < SHORTEST_SLICE ? value : JSON.parse(JSON.stringify(value));
}

function addColumn(table: Table, meter: Meter, rule: Rule): number {
  const before = table.width;
  const offset = before;
  table.width += width(rule);
  table.columns.set(meter, { offset, rule });
  table.chunks = table.chunks.map((narrow) => {
    const wide = new Float64Array(CHUNK_SLOTS * table.width);
    for (let i = 0; i < CHUNK_SLOTS; i++) wide.set(narrow.subarray(i * before, (i + 1) * before), i * table.width);
    return wide;
  });
  return offset;
}
