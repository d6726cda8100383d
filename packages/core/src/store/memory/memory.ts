/** Keeps meters in this process. Everything is synchronous, so every step is atomic by itself. */
import { warnOnce } from '../../errors.js';
import {
  type Bill,
  book,
  type Charge,
  type Key,
  type Meter,
  NO_ROOM,
  type Rule,
  type Scope,
  settle,
  type Usage,
  used,
} from '../../meters/meter.js';
import type { Dimension } from '../../request.js';
import type { Entry, NotTaken, Receipt, Store, Taken, TakeRequest } from '../store.js';
import { createRow, hasRoom, point, type Row, usageAt } from './row.js';
import { columnOf, createTable, find, insert, move, NONE, type Table } from './table.js';
import { createValues, type Values } from './values.js';

export interface MemoryStoreOptions {
  /**
   * How many keys of a set of dimensions get a record of their own, such as how many users. While there are more, the
   * new ones share one record. 100,000 unless given; a key takes some 100 to 300 bytes.
   */
  maxKeys?: number;
}

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
  const warned = new Set<string>();
  /** One for each charge at hand, used again where the next request has the same meter there, as most have. */
  const rows: Row[] = [];
  /** How many of them the charges at hand take. */
  let count = 0;

  function take({ alternatives }: TakeRequest, at: number): Taken | NotTaken {
    const now = tick(at);
    for (let i = 0; i < alternatives.length; i++) {
      const { bills } = alternatives[i];
      if (allFit(bills, now)) return commit(i, bills, now);
    }
    return { refused: alternatives.map(({ bills }) => peek(bills, now)) };
  }

  function allFit(bills: readonly Bill[], now: number): boolean {
    count = 0;
    for (let i = 0; i < bills.length; i++) {
      const { charges } = bills[i];
      locate(bills[i], count, now);
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const row = rows[count++];
        if (!charge.shadow && !hasRoom(row, charge, now)) return false;
      }
    }
    return true;
  }

  /** Books what fits as a whole, in the rows that `allFit` has found. Shadow charges that don't fit are left out. */
  function commit(taken: number, bills: readonly Bill[], now: number): Taken {
    const receipt: Entry[] = new Array(count);
    let shadowRefused = NO_USAGE;
    let booked = 0;
    let at = 0;
    for (let i = 0; i < bills.length; i++) {
      const { key, charges } = bills[i];
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const row = rows[at++];
        if (charge.shadow && !hasRoom(row, charge, now)) {
          shadowRefused = [...shadowRefused, usageAt(row, charge, key, now)];
          continue;
        }
        if (row.slot === NONE) give(row, key, now);
        const { rule, cost } = charge;
        let place = book(row.chunk, row.at, rule, cost, now, row.long);
        if (place === NO_ROOM) {
          lengthen(row);
          place = book(row.chunk, row.at, rule, cost, now, row.long);
        }
        receipt[booked++] = { charge, key, cost, place, used: row.used + cost };
      }
    }
    if (booked < count) receipt.length = booked;
    return { taken, receipt, shadowRefused };
  }

  /** Brings the entries up to date. A record that has been forgotten has nothing to give back, but can be charged more. */
  function correct(receipt: Receipt, actual: readonly number[], now: number, goesOn: boolean): void {
    let slot = NONE;
    for (let i = 0; i < receipt.length; i++) {
      const entry = receipt[i];
      const { charge, key, cost, place } = entry;
      const table = tableOf(charge.meter.scope);
      const row = rowFor(i, charge);
      if (i === 0 || key !== receipt[i - 1].key || table !== rows[i - 1].table) slot = find(table, key, now);
      if (slot === NONE && actual[i] > cost) slot = insert(table, key, now);
      point(row, slot);
      if (slot !== NONE) {
        const { rule } = charge;
        let to = settle(row.chunk, row.at, rule, place, cost, actual[i], now, goesOn, row.long);
        if (to === NO_ROOM) {
          slot = lengthen(row);
          to = settle(row.chunk, row.at, rule, place, cost, actual[i], now, goesOn, row.long);
        }
        entry.place = to;
      }
      entry.used = used(row.chunk, row.at, charge.rule, now, row.long);
      entry.cost = actual[i];
    }
  }

  function peek(bills: readonly Bill[], now: number): Usage[] {
    const usages: Usage[] = [];
    for (const bill of bills) {
      locate(bill, usages.length, now);
      for (const charge of bill.charges) usages.push(usageAt(rows[usages.length], charge, bill.key, now));
    }
    return usages;
  }

  /** Finds the rows of a bill, `rows[first]` and those after it. */
  function locate({ scope, key, charges }: Bill, first: number, now: number): void {
    // Before the key is looked for, since a full table asks with these rules what has drained.
    for (let i = 0; i < charges.length; i++) rowFor(first + i, charges[i]);
    const slot = find(tableOf(scope), key, now);
    for (let i = 0; i < charges.length; i++) point(rows[first + i], slot);
  }

  function rowFor(i: number, { meter, rule }: Charge): Row {
    const known = rows[i];
    const row = known !== undefined && known.meter === meter ? known : newRow(i, meter, rule);
    row.column.rule = rule;
    return row;
  }

  function newRow(i: number, meter: Meter, rule: Rule): Row {
    const table = tableOf(meter.scope);
    const column = columnOf(table, meter, rule);
    // A meter that the table meets for the first time widens its records, and that moves them.
    for (const row of rows) if (row.table === table) point(row, row.slot);
    rows[i] = createRow(meter, table, column);
    return rows[i];
  }

  /** Gives a key a record, for all charges of the request that it counts. */
  function give({ table }: Row, key: Key, now: number): void {
    const slot = insert(table, key, now);
    for (const row of rows) if (row.table === table) point(row, slot);
  }

  /** Moves the record to a slot with room for more, for all charges of the request that it counts. */
  function lengthen({ table, slot }: Row): number {
    const to = move(table, slot);
    for (const row of rows) if (row.table === table && row.slot === slot) point(row, to);
    return to;
  }

  function tableOf(scope: Scope): Table {
    let table = tables.get(scope);
    if (table === undefined) {
      // Without dimensions there is one key, whose value is `undefined` like that of any dimension it lacks.
      const by = scope.by.length > 0 ? scope.by.map(valuesOf) : [valuesOf(undefined)];
      table = createTable(maxKeys, by, () => warnOfFull(scope));
      tables.set(scope, table);
    }
    return table;
  }

  function warnOfFull({ by }: Scope): void {
    const message = `memoryStore has no room for more than ${maxKeys} keys of ${by.join(' and ')}: new ones are counted together until those have drained. Raise maxKeys, or expect the overflow.`;
    warnOnce(warned, by.join(), 'TOLLGATE_STORE_FULL', message);
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
    peek: (bills, at) => peek(bills, tick(at)),
    close() {
      tables.clear();
      values.clear();
      rows.length = 0;
    },
  };
}
