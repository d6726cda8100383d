/** Keeps meters in this process. Everything is synchronous, so every step is atomic by itself. */
import { configError, strayOptions, warnOnce } from '../../errors.js';
import {
  type Bill,
  type Charge,
  fits,
  keyIn,
  needsNoRoom,
  type Scope,
  type Usage,
  type Who,
} from '../../meters/meter.js';
import { book, observe as correctBy, NO_ROOM, settle, usage, used } from '../../meters/rules.js';
import type { Dimension } from '../../request.js';
import type { Entry, NotTaken, Receipt, Seen, Store, Taken, TakeRequest } from '../store.js';
import { createNamedRecords } from './named-records.js';
import { createRecords, NONE } from './records.js';
import { createSpot, look, pointTo, rowOf, type Spot } from './spot.js';
import { type Column, columnOf, createTable, find, insert, move, type Table } from './table.js';
import { createValues, type Values } from './values.js';

export interface MemoryStoreOptions {
  /**
   * How many keys of a set of dimensions get a record of their own, such as how many users. While there are more, the
   * new ones share one record. 100,000 unless given; a key takes some 100 to 300 bytes.
   */
  maxKeys?: number;
}

/** What was charged here, with the record that it stands in. */
interface Booked extends Entry {
  readonly slot: number;
  readonly stamp: number;
}

const NO_USAGE: readonly Usage[] = [];

/**
 * The store of a gate that names none: in this process, without timers, forgotten when the process ends. Gates may share it,
 * which count apart there; what one has counted stays until the store itself is garbage.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` where `maxKeys` is no whole number of at least 1, or another option is given
 */
export function memoryStore({ maxKeys = 100_000, ...others }: MemoryStoreOptions = {}): Store {
  const problems = strayOptions('memoryStore', others);
  if (!Number.isSafeInteger(maxKeys) || maxKeys < 1) {
    problems.push({ path: 'memoryStore.maxKeys', value: maxKeys, expected: 'a whole number of at least 1' });
  }
  if (problems.length > 0) throw configError(problems);
  /** One for each scope: of a request's bills each is of another. */
  const spots = new Map<Scope, Spot>();
  const values = new Map<Dimension | undefined, Values>();
  /** Time as the records know it. A clock that is set back is ignored until it has caught up. */
  let latest = 0;
  const warned = new Set<string>();
  /** The bills at hand, which are mostly those of the next request too, and the spot of each. */
  let bills: readonly Bill[] = [];
  let atHand: readonly Spot[] = [];
  /** What counts on the meter of each charge at hand, as `allFit` has found. */
  const amounts: number[] = [];
  /** How many charges those are. */
  let count = 0;

  function take({ alternatives, tells = false }: TakeRequest, at: number): Taken | NotTaken {
    const now = tick(at);
    for (let i = 0; i < alternatives.length; i++) {
      const { who, bills } = alternatives[i];
      if (allFit(who, bills, now)) return commit(i, who, now, tells);
    }
    return { refused: alternatives.map(({ who, bills }) => peek(who, bills, now)) };
  }

  function allFit(who: Who, wanted: readonly Bill[], now: number): boolean {
    if (wanted !== bills) takeUp(wanted);
    count = 0;
    for (let i = 0; i < bills.length; i++) {
      const spot = atHand[i];
      const { charges } = bills[i];
      pointTo(spot, find(spot.table, who, now));
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
  function commit(taken: number, who: Who, now: number, tells: boolean): Taken {
    const receipt: Booked[] = new Array(count);
    const usages: Usage[] | undefined = tells ? new Array(count) : undefined;
    let shadowRefused = NO_USAGE;
    let booked = 0;
    let at = 0;
    for (let i = 0; i < bills.length; i++) {
      const { charges } = bills[i];
      const spot = atHand[i];
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const nth = at++;
        const amount = amounts[nth];
        if (charge.shadow && !hasRoom(amount, charge)) {
          const refused = usageAt(spot, spot.columns[j], charge, who, now);
          shadowRefused = [...shadowRefused, refused];
          if (usages !== undefined) usages[nth] = refused;
          continue;
        }
        if (spot.slot === NONE) pointTo(spot, insert(spot.table, who, now));
        const { rule, cost } = charge;
        let place = book(spot.chunk, rowOf(spot, spot.columns[j]), rule, cost, now, spot.long);
        if (place === NO_ROOM) {
          pointTo(spot, move(spot.table, spot.slot));
          place = book(spot.chunk, rowOf(spot, spot.columns[j]), rule, cost, now, spot.long);
        }
        const counted = rule.kind === 'calendar' ? amount + cost : undefined;
        receipt[booked++] = { charge, who, cost, place, used: counted, slot: spot.slot, stamp: spot.stamp };
        if (usages !== undefined) usages[nth] = usageAt(spot, spot.columns[j], charge, who, now);
      }
    }
    if (booked < count) receipt.length = booked;
    return { taken, receipt, shadowRefused, usages };
  }

  /** Brings the entries up to date. A record that has been forgotten has nothing to give back, but can be charged more. */
  function correct(receipt: Receipt, actual: readonly number[], now: number, goesOn: boolean): void {
    let first = 0;
    let records = 0;
    let spot = atHand[0];
    for (let i = 0; i < receipt.length; i++) {
      const entry = receipt[i];
      const { charge, who, cost } = entry;
      const { rule } = charge;
      if (i === 0 || !isBeside(entry, receipt[first])) {
        first = i;
        spot = spotOf(charge.meter.scope, atHand[records++]);
      }
      const column = columnOf(spot.table, charge, i - first);
      if (first === i) pointAgain(spot, entry, now);
      // A column that was not there before has moved all rows.
      else pointTo(spot, spot.slot);
      if (spot.slot === NONE && actual[i] > cost) pointTo(spot, insert(spot.table, who, now));
      if (
        spot.slot !== NONE &&
        !settle(spot.chunk, rowOf(spot, column), rule, entry, actual[i], now, goesOn, spot.long)
      ) {
        pointTo(spot, move(spot.table, spot.slot));
        settle(spot.chunk, rowOf(spot, column), rule, entry, actual[i], now, goesOn, spot.long);
      }
      if (rule.kind === 'calendar') entry.used = used(spot.chunk, rowOf(spot, column), rule, now, spot.long);
    }
  }

  function observe(seen: readonly Seen[], now: number): boolean {
    let hasRoom = false;
    for (const one of seen) {
      const { meter, who, rule, entry } = one;
      const spot = spotOf(meter.scope);
      const column = columnOf(spot.table, one, 0);
      const slot = find(spot.table, who, now);
      pointTo(spot, slot === NONE ? insert(spot.table, who, now) : slot);
      const answered = entry && { cost: entry.charge.cost, place: entry.place };
      hasRoom = correctBy(spot.chunk, rowOf(spot, column), rule, one, answered, now) || hasRoom;
    }
    return hasRoom;
  }

  function peek(who: Who, wanted: readonly Bill[], now: number): Usage[] {
    if (wanted !== bills) takeUp(wanted);
    const usages: Usage[] = [];
    for (let i = 0; i < bills.length; i++) {
      const { charges } = bills[i];
      const spot = atHand[i];
      pointTo(spot, find(spot.table, who, now));
      for (let j = 0; j < charges.length; j++) usages.push(usageAt(spot, spot.columns[j], charges[j], who, now));
    }
    return usages;
  }

  function takeUp(wanted: readonly Bill[]): void {
    atHand = wanted.map(({ scope }) => spotOf(scope));
    for (const [i, bill] of wanted.entries()) look(atHand[i], bill);
    bills = wanted;
  }

  /** @param probable where it may be: receipts mostly are of such bills as are at hand */
  function spotOf(scope: Scope, probable?: Spot): Spot {
    const known = probable?.scope === scope ? probable : spots.get(scope);
    if (known !== undefined) return known;
    const spot = createSpot(scope, newTable(scope));
    spots.set(scope, spot);
    return spot;
  }

  function newTable(scope: Scope): Table {
    const by = scope.by.length > 0 ? scope.by.map(valuesOf) : [valuesOf(undefined)];
    return createTable(maxKeys, createRecords(by, scope.at), () => warnOfFull(scope));
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
    records: createNamedRecords(),
    take,
    settle: (entries, actual, at, goesOn = false) => correct(entries, actual, tick(at), goesOn),
    peek: (who, bills, at) => peek(who, bills, tick(at)),
    observe: (seen, at) => observe(seen, tick(at)),
    // Nothing is to be ended, and other gates may count here.
    close() {},
  };
}

/** True for entries that stand in one record. */
function isBeside({ charge, who }: Entry, other: Entry): boolean {
  return who === other.who && charge.meter.scope === other.charge.meter.scope;
}

/** Lets the spot be the record that an entry stands in. Those that were read from a text don't say which that is. */
function pointAgain(spot: Spot, { who, slot, stamp }: Entry & Partial<Booked>, now: number): void {
  if (slot !== undefined) pointTo(spot, slot);
  if (slot === undefined || spot.stamp !== stamp) pointTo(spot, find(spot.table, who, now));
}

function usageAt(spot: Spot, column: Column, charge: Charge, who: Who, now: number): Usage {
  return usage(spot.chunk, rowOf(spot, column), charge, keyIn(charge.meter.scope, who), now, spot.long);
}

function hasRoom(amount: number, charge: Charge): boolean {
  return fits(amount, charge.cost, charge.limit) || needsNoRoom(charge);
}
