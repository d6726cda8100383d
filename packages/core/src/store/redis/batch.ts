/** Operations as one script call has them: batch.lua says how they are written. */
import { type Meter, needsNoRoom, type Scope, type Who } from '../../meters/meter.js';
import { areAlike, type Counted, columnOf, isAlike } from './columns.js';
import { meterNumber, recordName, scopeName } from './keys.js';
import {
  countOf,
  mostKeysOf,
  type Observe,
  type Operation,
  type RedisEntry,
  type Settle,
  type Take,
} from './operation.js';
import { addTo, type Run, stepsOf } from './runs.js';
import { createWaitings, isWaitedFor } from './waitings.js';
import { bytesOf, createWords, push } from './words.js';

export interface Batch {
  readonly operations: readonly Operation[];
  /** The same, in the order in which they are done. */
  readonly steps: readonly (Operation | Run)[];
  /** But for those that say what was done before. */
  readonly keys: readonly string[];
  readonly values: readonly (string | Buffer)[];
}

/** A call with more operations would keep Redis from others for too long; one with many more keys than this, Lua can't unpack. */
const MOST_OPERATIONS = 128;
const MOST_KEYS = 2_000;

const TAKE = 1;
const SETTLE = 2;
const PEEK = 3;
const TELL = 4;
const RUN = 5;
const TURN = 6;
const OBSERVE = 7;
const TELLING_TURN = 8;

function kindOf({ score, tells }: Take): number {
  if (score === undefined) return tells ? TELL : TAKE;
  return tells ? TELLING_TURN : TURN;
}

/** What isn't known. */
const UNKNOWN = -1;

/** A record of the batch at hand: which charges have cells there, and which those are. */
interface Place {
  readonly number: number;
  readonly charges: Counted[];
  readonly cells: number[];
}

/**
 * @param prefix of all keys
 * @param instance the sender
 */
export function createBatches(prefix: string, instance: string) {
  const numbers = new Map<Meter, number>();
  const starts = new Map<Scope, string>();
  const head = createWords();
  const grants = createWords();
  const body = createWords();
  const waitings = createWaitings(prefix, instance);
  let places = new Map<string, Place>();
  let layouts: (readonly Counted[])[] = [];
  let keys: string[] = [];
  let cells = 0;
  /** The one that is being written. */
  let run: Run | undefined;

  /**
   * Takes from the front of a queue what fits in one call.
   *
   * @param known a batch of some lane that was answered; 0: none is named
   * @param time of all of it, of operations that were asked for at that time; `undefined` where it is Redis's
   */
  function next(queue: Operation[], number: number, known: number, time: number | undefined): Batch {
    places = new Map();
    layouts = [];
    keys = [];
    cells = 0;
    head.length = 0;
    grants.length = 0;
    body.length = 0;
    let [count, most] = [0, 0];
    while (count < queue.length && count < MOST_OPERATIONS && most < MOST_KEYS) {
      if (time !== undefined && queue[count].now !== time) break;
      most += mostKeysOf(queue[count++]);
    }
    const operations = queue.splice(0, count);
    const steps = stepsOf(operations);
    for (const step of steps) write(step);
    // A new epoch begins with it, should there be none: all data was lost.
    const epoch = Math.floor(Math.random() * 2 ** 53);
    for (const value of [number, known, epoch, time ?? -1, layouts.length, grants.length / 2]) push(head, value);
    for (const charges of layouts) writeLayout(charges, operations[0].now);
    for (let i = 0; i < grants.length; i++) push(head, grants.numbers[i]);
    const waiting = waitings.next(keys, known > 0 ? 3 : 2);
    return {
      operations,
      steps,
      keys: [...keys, ...waiting.keys],
      values: [bytesOf(head), bytesOf(body), ...waiting.values],
    };
  }

  function write(step: Operation | Run): void {
    const start = body.length;
    for (let i = 0; i < 4; i++) push(body, 0);
    const [kind, option, count] = writeRest(step);
    body.numbers[start] = kind;
    body.numbers[start + 1] = (body.length - start - 4) * 8;
    body.numbers[start + 2] = option;
    body.numbers[start + 3] = count;
  }

  function writeRest(operation: Operation | Run): readonly [kind: number, option: number, count: number] {
    switch (operation.kind) {
      case 'run':
        return [RUN, writeRun(operation), operation.sums.size];
      case 'take':
        if (operation.score !== undefined) push(body, operation.score);
        return [kindOf(operation), operation.alternatives.length, writeTake(operation)];
      case 'settle':
        writeSettle(operation);
        return [SETTLE, operation.goesOn ? 1 : 0, operation.entries.length];
      case 'peek':
        for (const { scope, charges } of operation.bills) {
          const place = placeOf(scope, operation.who, charges);
          for (const charge of charges) push(body, cellOf(place, charge));
        }
        return [PEEK, 0, countOf(operation.bills)];
      case 'observe':
        writeSeen(operation);
        return [OBSERVE, 0, operation.seen.length];
    }
  }

  /** Returns how many bytes the takes have. */
  function writeRun(step: Run): number {
    const start = body.length;
    run = step;
    for (const take of step.takes) write(take);
    run = undefined;
    const bytes = (body.length - start) * 8;
    for (const [cell, { cost, limit }] of step.sums) {
      push(body, cell);
      push(body, cost);
      push(body, limit - cost);
    }
    return bytes;
  }

  /** Returns how many charges the first alternative has. */
  function writeTake({ alternatives, score }: Take): number {
    for (let a = 0; a < alternatives.length; a++) {
      const { who, bills } = alternatives[a];
      if (a > 0) push(body, countOf(bills));
      for (let i = 0; i < bills.length; i++) {
        const { scope, charges } = bills[i];
        const place = placeOf(scope, who, charges);
        for (let j = 0; j < charges.length; j++) {
          const charge = charges[j];
          const cell = cellOf(place, charge);
          push(body, charge.shadow ? -cell : cell);
          push(body, charge.cost);
          push(body, needsNoRoom(charge) ? Number.POSITIVE_INFINITY : charge.limit - charge.cost);
          if (run !== undefined) addTo(run, cell, charge);
          if (score !== undefined && isWaitedFor(charge)) waitings.note(cell, charge.meter, who);
        }
      }
    }
    return alternatives.length > 0 ? countOf(alternatives[0].bills) : 0;
  }

  function writeSettle({ entries, actual }: Settle): void {
    for (let i = 0; i < entries.length; i++) {
      const { charge, who, place, cost, epoch } = entries[i] as RedisEntry;
      const cell = cellOf(placeOf(charge.meter.scope, who, beside(entries, i)), charge);
      if (actual[i] < cost && isWaitedFor(charge)) waitings.note(cell, charge.meter, who);
      push(body, cell);
      push(body, place);
      push(body, epoch);
      push(body, cost);
      push(body, actual[i]);
    }
  }

  function writeSeen({ seen }: Observe): void {
    for (const one of seen) {
      const { meter, who, entry, used, limit, shutMs } = one;
      const cell = cellOf(placeOf(meter.scope, who, [one]), one);
      if (entry === undefined || entry.charge.whenFull === 'wait') waitings.note(cell, meter, who);
      const { place, epoch } = (entry ?? NO_ENTRY) as RedisEntry;
      for (const value of [cell, place, epoch, entry?.charge.cost ?? 0, used ?? UNKNOWN, limit, shutMs ?? UNKNOWN])
        push(body, value);
    }
  }

  /** @param charges what is charged there; at a record's first mention all of it has cells at once */
  function placeOf(scope: Scope, who: Who, charges: readonly Counted[]): Place {
    const start = starts.get(scope) ?? prefix + scopeName(scope);
    starts.set(scope, start);
    const name = recordName(start, scope, who);
    const known = places.get(name);
    if (known !== undefined) return known;
    keys.push(name);
    const place = { number: keys.length, charges: [], cells: [] };
    places.set(name, place);
    grant(place, charges);
    return place;
  }

  function cellOf(place: Place, charge: Counted): number {
    const { charges, cells } = place;
    for (let i = 0; i < charges.length; i++) if (isAlike(charges[i], charge)) return cells[i];
    return grant(place, [charge]);
  }

  /** Returns the last of the new cells. */
  function grant(place: Place, charges: readonly Counted[]): number {
    push(grants, place.number);
    push(grants, layoutOf(charges));
    for (let i = 0; i < charges.length; i++) {
      place.charges.push(charges[i]);
      place.cells.push(++cells);
    }
    return cells;
  }

  function layoutOf(charges: readonly Counted[]): number {
    for (let i = 0; i < layouts.length; i++) if (areAlike(layouts[i], charges)) return i + 1;
    return layouts.push(charges);
  }

  function writeLayout(charges: readonly Counted[], now: number): void {
    push(head, charges.length);
    for (const charge of charges) {
      push(head, numberOf(charge.meter));
      for (const value of columnOf(charge, now)) push(head, value);
    }
  }

  function numberOf(meter: Meter): number {
    const number = numbers.get(meter) ?? meterNumber(meter);
    numbers.set(meter, number);
    return number;
  }

  return next;
}

/** It has no place in any data. */
const NO_ENTRY = { place: UNKNOWN, epoch: UNKNOWN };

/** The charges of an entry and of those behind it that stand in the same record, of each meter one. */
function beside(entries: readonly { readonly charge: Counted; readonly who: Who }[], from: number): Counted[] {
  const { charge, who } = entries[from];
  const charges: Counted[] = [];
  for (let i = from; i < entries.length; i++) {
    const next = entries[i];
    if (next.who !== who || next.charge.meter.scope !== charge.meter.scope) break;
    if (!charges.some(({ meter }) => meter === next.charge.meter)) charges.push(next.charge);
  }
  return charges;
}
