/** Keeps meters in this process. Everything is synchronous, so every step is atomic by itself. */
import {
  book,
  type Charge,
  fits,
  type Key,
  type Meter,
  type Scope,
  settle,
  staysShort,
  type Usage,
  usage,
  used,
} from '../../meters/meter.js';
import type { Dimension } from '../../request.js';
import type { Entry, NotTaken, Store, Taken, TakeRequest } from '../store.js';
import {
  type Column,
  chunkOf,
  columnOf,
  createTable,
  find,
  insert,
  isLong,
  move,
  NONE,
  rowOf,
  type Table,
} from './table.js';
import { createValues, type Values } from './values.js';

export interface MemoryStoreOptions {
  /**
   * How many keys of a set of dimensions get a record of their own, such as how many users. While there are more, the
   * new ones share one record. 100,000 unless given; a key takes some 100 to 300 bytes.
   */
  maxKeys?: number;
}

/** Where a charge is counted. Requests of one gate look alike, so what stands here mostly serves the next one too. */
interface Row {
  meter: Meter;
  table: Table;
  column: Column;
  /** `NONE` where the key has no record; the row is then one of zeros, never to be written to. */
  slot: number;
  chunk: Float64Array;
  at: number;
  long: boolean;
}

const INITIAL = new Float64Array(1024);

const NO_USAGE: readonly Usage[] = [];

/**
 * The store of a gate that names none: in this process, without timers, forgotten when the process ends.
 *
 * @throws RangeError where `maxKeys` is no whole number of at least 1
 */
export function memoryStore({ maxKeys = 100_000 }: MemoryStoreOptions = {}): Store {
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
    throw new RangeError(`memoryStore: maxKeys is ${maxKeys}; expected a whole number of at least 1`);
  }
  const tables = new Map<Scope, Table>();
  const values = new Map<Dimension | undefined, Values>();
  /** Time as the records know it. A clock that is set back is ignored until it has caught up. */
  let latest = 0;
  /** One for each charge at hand, used again for the next request: the hot path allocates only what it returns. */
  const rows: Row[] = [];

  function take({ alternatives }: TakeRequest, at: number): Taken | NotTaken {
    const now = tick(at);
    for (let i = 0; i < alternatives.length; i++) {
      const { charges } = alternatives[i];
      if (allFit(charges, now)) return commit(i, charges, now);
    }
    return { refused: alternatives.map(({ charges }) => peek(charges, now)) };
  }

  function allFit(charges: readonly Charge[], now: number): boolean {
    locate(charges, now);
    for (let i = 0; i < charges.length; i++) {
      if (!charges[i].shadow && !rowFits(rows[i], charges[i], now)) return false;
    }
    return true;
  }

  function commit(taken: number, charges: readonly Charge[], now: number): Taken {
    const entries: Entry[] = new Array(charges.length);
    let count = 0;
    let shadowRefused = NO_USAGE;
    for (let i = 0; i < charges.length; i++) {
      const charge = charges[i];
      const row = rows[i];
      if (charge.shadow && !rowFits(row, charge, now)) {
        shadowRefused = [...shadowRefused, usage(row.chunk, row.at, charge, now, row.long)];
        continue;
      }
      if (row.slot === NONE) give(row, charge, now);
      if (!row.long && !staysShort(row.chunk, row.at, charge.rule, now)) lengthen(row);
      const place = book(row.chunk, row.at, charge.rule, charge.cost, now, row.long);
      entries[count++] = { charge, cost: charge.cost, place };
    }
    entries.length = count;
    return { taken, receipt: { entries }, shadowRefused };
  }

  /** Brings the entries up to date. A record that has been forgotten has nothing to give back, but can be charged more. */
  function correct(entries: readonly Entry[], actual: readonly number[], now: number, goesOn: boolean): void {
    let key: Key | undefined;
    let slot = NONE;
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      const { charge, cost, place } = entry;
      const row = rowFor(i, charge);
      if (charge.key !== key) {
        key = charge.key;
        slot = find(row.table, key, now);
      }
      if (slot === NONE && actual[i] > cost) slot = insert(row.table, key, now);
      point(row, slot);
      if (actual[i] > cost && !row.long && !staysShort(row.chunk, row.at, charge.rule, now)) slot = lengthen(row);
      if (slot !== NONE) {
        entry.place = settle(row.chunk, row.at, charge.rule, place, cost, actual[i], now, goesOn, row.long);
      }
      entry.cost = actual[i];
    }
  }

  /** Fills `rows`. Charges of one scope follow each other with the same key array, so each record is looked up once. */
  function locate(charges: readonly Charge[], now: number): void {
    // First, since a meter that is met for the first time widens the records, and that moves them.
    for (let i = 0; i < charges.length; i++) rowFor(i, charges[i]);
    let key: Key | undefined;
    let slot = NONE;
    for (let i = 0; i < charges.length; i++) {
      if (charges[i].key !== key) {
        key = charges[i].key;
        slot = find(rows[i].table, key, now);
      }
      point(rows[i], slot);
    }
  }

  function rowFor(i: number, { meter, rule }: Charge): Row {
    const known = rows[i];
    if (known !== undefined && known.meter === meter) return known;
    const table = tableOf(meter.scope);
    rows[i] = { meter, table, column: columnOf(table, meter, rule), slot: NONE, chunk: INITIAL, at: 0, long: false };
    return rows[i];
  }

  /** Gives a key a record, unless another charge of the same request already has. */
  function give(row: Row, { key }: Charge, now: number): void {
    const found = find(row.table, key, now);
    point(row, found === NONE ? insert(row.table, key, now) : found);
  }

  /** Moves the record to a slot with room for more, for all charges of the request that it counts. */
  function lengthen({ table, slot }: Row): number {
    const to = move(table, slot);
    for (const row of rows) if (row.table === table && row.slot === slot) point(row, to);
    return to;
  }

  function peek(charges: readonly Charge[], now: number): Usage[] {
    locate(charges, now);
    return charges.map((charge, i) => usage(rows[i].chunk, rows[i].at, charge, now, rows[i].long));
  }

  function tableOf(scope: Scope): Table {
    let table = tables.get(scope);
    if (table === undefined) {
      // Without dimensions there is one key, whose value is `undefined` like that of any dimension it lacks.
      table = createTable(maxKeys, scope.by.length > 0 ? scope.by.map(valuesOf) : [valuesOf(undefined)]);
      tables.set(scope, table);
    }
    return table;
  }

  function valuesOf(dimension: Dimension | undefined): Values {
    const known = values.get(dimension) ?? createValues();
    values.set(dimension, known);
    return known;
  }

  function tick(now: number): number {
    if (now > latest) latest = now;
    return latest;
  }

  return {
    take,
    settle: (entries, actual, at, goesOn = false) => correct(entries, actual, tick(at), goesOn),
    peek: (charges, at) => peek(charges, tick(at)),
    close() {
      tables.clear();
      values.clear();
      rows.length = 0;
    },
  };
}

function point(row: Row, slot: number): void {
  row.slot = slot;
  row.chunk = slot === NONE ? INITIAL : chunkOf(row.table, slot);
  row.at = slot === NONE ? 0 : rowOf(row.table, slot, row.column);
  row.long = slot !== NONE && isLong(slot);
}

function rowFits(row: Row, { rule, cost, limit }: Charge, now: number): boolean {
  return fits(used(row.chunk, row.at, rule, now, row.long), cost, limit);
}
