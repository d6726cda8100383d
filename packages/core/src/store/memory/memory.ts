/** Keeps meters in this process. Everything is synchronous, so every step is atomic by itself. */
import { warnOnce } from '../../errors.js';
import {
  type Bill,
  book,
  type Charge,
  fits,
  NO_ROOM,
  NOT_FOUND,
  needsNoRoom,
  type Scope,
  settle,
  type Usage,
  usage,
  used,
} from '../../meters/meter.js';
import type { Dimension } from '../../request.js';
import type { Entry, NotTaken, Receipt, Store, Taken, TakeRequest } from '../store.js';
import { holds, NONE } from './records.js';
import { createSpot, look, pointTo, rowOf, type Spot } from './spot.js';
import { columnOf, createTable, find, insert, move, type Table } from './table.js';
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
  /** One for each scope: of a request's bills each is of another. */
  const spots = new Map<Scope, Spot>();
  const values = new Map<Dimension | undefined, Values>();
  /** Time as the records know it. A clock that is set back is ignored until it has caught up. */
  let latest = 0;
  const warned = new Set<string>();
  /** Those of the bills at hand, which are mostly those of the next request's too. */
  const atHand: Spot[] = [];
  /** What counts on the meter of each charge at hand, as `allFit` has found. */
  const amounts: number[] = [];
  /** How many charges those are. */
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
    for (let i = 0; i < bills.length; i++) locate(bills[i], i, now);
    for (let i = 0; i < bills.length; i++) {
      const spot = atHand[i];
      const { charges } = bills[i];
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const amount = used(spot.chunk, rowOf(spot, spot.columns[j]), charge.rule, now, spot.long);
        amounts[count++] = amount;
        if (!charge.shadow && !hasRoom(amount, charge)) return false;
      }
    }
    return true;
  }

  /** Books what fits as a whole, at the spots that `allFit` has found. Shadow charges that don't fit are left out. */
  function commit(taken: number, bills: readonly Bill[], now: number): Taken {
    const receipt: Entry[] = new Array(count);
    let shadowRefused = NO_USAGE;
    let booked = 0;
    let at = 0;
    for (let i = 0; i < bills.length; i++) {
      const bill = bills[i];
      const { key, charges } = bill;
      const spot = atHand[i];
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const amount = amounts[at++];
        if (charge.shadow && !hasRoom(amount, charge)) {
          shadowRefused = [...shadowRefused, usage(spot.chunk, rowOf(spot, spot.columns[j]), charge, key, now, spot.long)];
          continue;
        }
        if (spot.slot === NONE) pointTo(spot, bill, insert(spot.table, key, now));
        const { rule, cost } = charge;
        let place = book(spot.chunk, rowOf(spot, spot.columns[j]), rule, cost, now, spot.long);
        if (place === NO_ROOM) {
          pointTo(spot, bill, move(spot.table, spot.slot));
          place = book(spot.chunk, rowOf(spot, spot.columns[j]), rule, cost, now, spot.long);
        }
        receipt[booked++] = { charge, bill, cost, place, used: amount + cost };
      }
    }
    if (booked < count) receipt.length = booked;
    return { taken, receipt, shadowRefused };
  }

  /** Brings the entries up to date. A record that has been forgotten has nothing to give back, but can be charged more. */
  function correct(receipt: Receipt, actual: readonly number[], now: number, goesOn: boolean): void {
    let spot = atHand[0];
    let bills = 0;
    let first = 0;
    for (let i = 0; i < receipt.length; i++) {
      const entry = receipt[i];
      const { charge, bill, cost, place } = entry;
      const { rule } = charge;
      if (i === 0 || bill !== receipt[i - 1].bill) {
        spot = locate(bill, bills++, now);
        first = i;
      }
      const column = columnOf(spot.table, charge, i - first);
      if (spot.slot === NONE && actual[i] > cost) pointTo(spot, bill, insert(spot.table, bill.key, now));
      if (spot.slot !== NONE) {
        let to = settle(spot.chunk, rowOf(spot, column), rule, place, cost, actual[i], now, goesOn, spot.long);
        if (to === NO_ROOM) {
          pointTo(spot, bill, move(spot.table, spot.slot));
          to = settle(spot.chunk, rowOf(spot, column), rule, place, cost, actual[i], now, goesOn, spot.long);
        }
        entry.place = to;
      }
      entry.used = used(spot.chunk, rowOf(spot, column), rule, now, spot.long);
      entry.cost = actual[i];
    }
  }

  function peek(bills: readonly Bill[], now: number): Usage[] {
    const usages: Usage[] = [];
    for (let i = 0; i < bills.length; i++) {
      const { key, charges } = bills[i];
      const spot = locate(bills[i], i, now);
      for (let j = 0; j < charges.length; j++) {
        usages.push(usage(spot.chunk, rowOf(spot, spot.columns[j]), charges[j], key, now, spot.long));
      }
    }
    return usages;
  }

  /** Finds where a bill is counted: mostly where it was found before, if it was. */
  function locate(bill: Bill, i: number, now: number): Spot {
    const { scope, charges, key, found } = bill;
    const probable = atHand[i];
    const spot = probable !== undefined && probable.scope === scope ? probable : spotOf(scope, i);
    const { table } = spot;
    if (charges !== spot.charges) look(spot, charges);
    pointTo(spot, bill, found !== NOT_FOUND && holds(table.records, found, key) ? found : find(table, key, now));
    return spot;
  }

  function spotOf(scope: Scope, i: number): Spot {
    const spot = spots.get(scope) ?? createSpot(scope, newTable(scope));
    spots.set(scope, spot);
    atHand[i] = spot;
    return spot;
  }

  function newTable(scope: Scope): Table {
    // Without dimensions there is one key, whose value is `undefined` like that of any dimension it lacks.
    const by = scope.by.length > 0 ? scope.by.map(valuesOf) : [valuesOf(undefined)];
    return createTable(maxKeys, by, () => warnOfFull(scope));
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
      spots.clear();
      values.clear();
      atHand.length = 0;
    },
  };
}

function hasRoom(amount: number, charge: Charge): boolean {
  return fits(amount, charge.cost, charge.limit) || needsNoRoom(charge);
}
