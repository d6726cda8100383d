/** Operations as one script call has them: batch.lua says how they are written. */
import { needsNoRoom } from '../../meters/meter.js';
import { createCells } from './cells.js';
import { createNumbers, push, reset, textOf } from './numbers.js';
import {
  beside,
  countOf,
  epochOf,
  mostKeysOf,
  type Observe,
  type Operation,
  type Peek,
  type RedisEntry,
  type Settle,
  type Take,
} from './operation.js';
import { countRun, type Run, type Steps, stepsOf } from './runs.js';
import type { Noted } from './spend-ledger.js';
import { createWaitings, isWaitedFor } from './waitings.js';

export interface Batch {
  readonly operations: readonly Operation[];
  /** The same, as they are done. */
  readonly steps: Steps;
  /** But for those that say what was done before. */
  readonly keys: readonly string[];
  readonly values: readonly string[];
}

/** A call with more operations would keep Redis from others for too long; one with many more keys than this, Lua can't unpack. */
const MOST_OPERATIONS = 128;
const MOST_KEYS = 2_000;

/**
 * A brief run that can't be done at once costs a second call, one in full twice the bytes. So it goes while something is full:
 * after one such call, so many batches are written in full.
 */
const BATCHES_IN_FULL = 64;

/** A number for data that begins anew, like another only by chance. */
export function newEpoch(): number {
  return Math.floor(Math.random() * 2 ** 31);
}

const TAKE = 1;
const SETTLE = 2;
const PEEK = 3;
const TELL = 4;
const TURN = 5;
const OBSERVE = 6;
const TELLING_TURN = 7;

function kindOf(operation: Operation): number {
  switch (operation.kind) {
    case 'take':
      if (operation.score === undefined) return operation.tells ? TELL : TAKE;
      return operation.tells ? TELLING_TURN : TURN;
    case 'settle':
      return SETTLE;
    case 'peek':
      return PEEK;
    case 'observe':
      return OBSERVE;
  }
}

/** What isn't known. */
const UNKNOWN = -1;

/**
 * @param prefix of all keys
 * @param instance the sender
 */
export function createBatches(prefix: string, instance: string) {
  const cells = createCells(prefix);
  const waitings = createWaitings(prefix, instance);
  const head = createNumbers();
  const body = createNumbers();
  const list = createNumbers();
  /** How many more batches are written in full, also where a run is all that they are. */
  let leftInFull = 0;
  /** The newest that is known of. */
  let epoch = UNKNOWN;

  /**
   * Takes from the front of a queue what fits in one call.
   *
   * @param answered what Redis has to know of
   * @param time of all of it, of operations that were asked for at that time; `undefined` where it is Redis's
   */
  function next(queue: Operation[], number: number, answered: readonly Noted[], time: number | undefined): Batch {
    cells.reset();
    for (const numbers of [head, body, list]) reset(numbers);
    let [count, most] = [0, 0];
    while (count < queue.length && count < MOST_OPERATIONS && most < MOST_KEYS) {
      if (time !== undefined && queue[count].now !== time) break;
      most += mostKeysOf(queue[count++]);
    }
    const operations = queue.splice(0, count);
    const steps = stepsOf(operations);
    const { run, first, others } = steps;
    countRun(run, cells);
    const isBrief = first.length + others.length === 0 && leftInFull === 0;
    if (leftInFull > 0) leftInFull--;
    const places = isBrief ? placesOf(run) : writeAll(steps);
    const keys = cells.layOut();
    for (const value of [number, answered.length, newEpoch(), time ?? -1, cells.countLayouts()]) push(head, value);
    for (const value of [steps.epoch, ...places]) push(head, value);
    for (const { number } of answered) push(head, number);
    run.columns = cells.writeLayouts(head, operations[0].now);
    if (isBrief) return { operations, steps, keys, values: [textOf(head)] };
    cells.writeCells(list);
    const waiting = waitings.next(keys, 2 + answered.length);
    return {
      operations,
      steps,
      keys: [...keys, ...waiting.keys],
      values: [textOf(head), textOf(body), textOf(list), ...waiting.values],
    };
  }

  /** Returns where the run's settlings end, its takes begin and end, and all of them end: in places from 1. */
  function writeAll({ run, first, others }: Steps): readonly number[] {
    return [run.settles, first, run.takes, others].map((operations) => {
      for (let i = 0; i < operations.length; i++) write(operations[i]);
      return body.count + 1;
    });
  }

  function write(operation: Operation): void {
    push(body, kindOf(operation));
    switch (operation.kind) {
      case 'take':
        if (operation.score !== undefined) push(body, operation.score);
        writeTake(operation);
        break;
      case 'settle':
        writeSettle(operation);
        break;
      case 'peek':
        writePeek(operation);
        break;
      case 'observe':
        writeSeen(operation);
    }
  }

  function writeTake({ alternatives, score }: Take): void {
    push(body, alternatives.length);
    for (let a = 0; a < alternatives.length; a++) {
      const { who, bills } = alternatives[a];
      push(body, countOf(bills));
      for (let i = 0; i < bills.length; i++) {
        const { scope, charges } = bills[i];
        const place = cells.placeOf(scope, who, charges);
        for (let j = 0; j < charges.length; j++) {
          const charge = charges[j];
          const column = cells.columnIn(place, charge, j);
          const cell = place.cells[column];
          const { cost, limit, shadow } = charge;
          push(body, shadow ? -cell : cell);
          push(body, cost);
          push(body, needsNoRoom(charge) ? Number.POSITIVE_INFINITY : limit - cost);
          if (score !== undefined && isWaitedFor(charge)) waitings.note(cell, charge.meter, who);
        }
      }
    }
  }

  function writePeek({ who, bills }: Peek): void {
    push(body, countOf(bills));
    for (const { scope, charges } of bills) {
      const place = cells.placeOf(scope, who, charges);
      for (const [i, charge] of charges.entries()) push(body, place.cells[cells.columnIn(place, charge, i)]);
    }
  }

  function writeSettle({ entries, actual, goesOn }: Settle): void {
    // It names one epoch: the newest, if an entry stands there. What stands in another is nowhere.
    const last = entries[entries.length - 1] as RedisEntry | undefined;
    const isOfNewest = (entries as readonly RedisEntry[]).some((entry) => epochOf(entry) === epoch);
    const own = isOfNewest || last === undefined ? epoch : epochOf(last);
    push(body, goesOn ? 1 : 0);
    push(body, own);
    push(body, entries.length);
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i] as RedisEntry;
      const { charge, who, cost } = entry;
      const at = epochOf(entry) === own ? entry.place : UNKNOWN;
      const place = cells.placeOf(charge.meter.scope, who, beside(entries, i));
      const column = cells.columnIn(place, charge, 0);
      const cell = place.cells[column];
      if (actual[i] < cost && isWaitedFor(charge)) waitings.note(cell, charge.meter, who);
      push(body, cell);
      push(body, at);
      push(body, cost);
      push(body, actual[i]);
    }
  }

  function writeSeen({ seen }: Observe): void {
    push(body, seen.length);
    for (const one of seen) {
      const { meter, who, entry, used, limit, shutMs } = one;
      const place = cells.placeOf(meter.scope, who, [one]);
      const cell = place.cells[cells.columnIn(place, one, 0)];
      if (entry === undefined || entry.charge.whenFull === 'wait') waitings.note(cell, meter, who);
      const [at, of] = entry === undefined ? [UNKNOWN, UNKNOWN] : [entry.place, epochOf(entry as RedisEntry)];
      const charged = entry?.charge.cost ?? 0;
      for (const value of [cell, at, of, charged, used ?? UNKNOWN, limit, shutMs ?? UNKNOWN]) push(body, value);
    }
  }

  return {
    next,
    /** A brief run could not be done at once. */
    writeInFull(): void {
      leftInFull = BATCHES_IN_FULL;
    },
    epochIs(newest: number): void {
      epoch = newest;
    },
  };
}

/** Where the run's settlings end, its takes begin and end, and all of them end: in operations from 1, where it is brief. */
function placesOf({ settles, takes }: Run): readonly number[] {
  const [settled, all] = [settles.length + 1, settles.length + takes.length + 1];
  return [settled, settled, all, all];
}
