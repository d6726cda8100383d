/** Operations as one script call has them: see batch.lua for what is written and read here. */
import {
  type Bill,
  type Charge,
  type Meter,
  needsNoRoom,
  type Rule,
  type Scope,
  type Who,
  width,
} from '../../meters/meter.js';
import { meterNumber, recordName, scopeName } from './keys.js';
import type { Operation, RedisEntry, Settle, Take } from './operation.js';
import { createWords, push, type Words } from './words.js';

export interface Batch {
  readonly operations: readonly Operation[];
  /** Of the records. */
  readonly keys: readonly string[];
  readonly cells: Buffer;
  readonly body: Buffer;
}

/** A call with more operations would keep Redis from others for too long; one with more keys than this, Lua can't unpack. */
const MOST_OPERATIONS = 128;
const MOST_KEYS = 2_000;

const KINDS = { window: 1, bucket: 2, calendar: 3, slots: 4 };
const TAKE = 1;
const SETTLE = 2;
const PEEK = 3;

/** `number, epoch, now, cells, operations`. */
const HEAD = 5;

/** The meters of a record that the batch at hand has cells for. */
interface Place {
  readonly number: number;
  readonly charges: Charge[];
  readonly cells: number[];
}

/** @param head of all keys */
export function createBatches(head: string) {
  const meters = new Map<Meter, number>();
  const starts = new Map<Scope, string>();
  const cells = createWords();
  const body = createWords();
  let places = new Map<string, Place>();
  let keys: string[] = [];
  let count = 0;

  /**
   * Takes from the front of a queue what fits in one call.
   *
   * @param now the time of all of it, of operations that were asked for at that time; `undefined` where it is Redis's
   */
  function next(queue: Operation[], number: number, epoch: number, now: number | undefined): Batch {
    places = new Map();
    keys = [];
    count = 0;
    cells.length = HEAD;
    body.length = 0;
    let taken = 0;
    while (taken < queue.length && taken < MOST_OPERATIONS && keys.length < MOST_KEYS) {
      const operation = queue[taken];
      if (now !== undefined && operation.now !== now) break;
      write(operation);
      taken++;
    }
    cells.numbers.set([number, epoch, now ?? -1, count, taken]);
    return { operations: queue.splice(0, taken), keys, cells: bytesOf(cells), body: bytesOf(body) };
  }

  function write(operation: Operation): void {
    const start = body.length;
    push(body, 0);
    push(body, 0);
    body.numbers[start] = writeBody(operation);
    body.numbers[start + 1] = (body.length - start - 2) * 8;
  }

  function writeBody(operation: Operation): number {
    switch (operation.kind) {
      case 'take':
        writeTake(operation);
        return TAKE;
      case 'settle':
        writeSettle(operation);
        return SETTLE;
      case 'peek':
        push(body, countOf(operation.bills));
        for (const { scope, charges } of operation.bills) {
          const place = placeOf(scope, operation.who);
          for (const charge of charges) push(body, cellOf(place, charge, operation.now));
        }
        return PEEK;
    }
  }

  function writeTake({ alternatives, now }: Take): void {
    push(body, alternatives.length);
    for (const { who, bills } of alternatives) {
      push(body, countOf(bills));
      for (let i = 0; i < bills.length; i++) {
        const { scope, charges } = bills[i];
        const place = placeOf(scope, who);
        for (let j = 0; j < charges.length; j++) {
          const charge = charges[j];
          const cell = cellOf(place, charge, now);
          push(body, charge.shadow ? -cell : cell);
          push(body, charge.cost);
          push(body, needsNoRoom(charge) ? Number.POSITIVE_INFINITY : charge.limit - charge.cost);
        }
      }
    }
  }

  function writeSettle({ entries, actual, goesOn, now }: Settle): void {
    push(body, goesOn ? 1 : 0);
    push(body, entries.length);
    for (let i = 0; i < entries.length; i++) {
      const { charge, who, place, cost, epoch } = entries[i] as RedisEntry;
      push(body, cellOf(placeOf(charge.meter.scope, who), charge, now));
      push(body, place);
      push(body, epoch);
      push(body, cost);
      push(body, actual[i]);
    }
  }

  function placeOf(scope: Scope, who: Who): Place {
    const start = starts.get(scope) ?? head + scopeName(scope);
    starts.set(scope, start);
    const name = recordName(start, scope, who);
    const known = places.get(name);
    if (known !== undefined) return known;
    keys.push(name);
    const place = { number: keys.length, charges: [], cells: [] };
    places.set(name, place);
    return place;
  }

  function cellOf({ number, charges, cells: numbers }: Place, charge: Charge, now: number): number {
    const { meter, rule } = charge;
    for (let i = 0; i < charges.length; i++) {
      if (charges[i].meter === meter && isSameRule(charges[i].rule, rule)) return numbers[i];
    }
    charges.push(charge);
    numbers.push(++count);
    push(cells, number);
    push(cells, numberOf(meter));
    push(cells, KINDS[rule.kind]);
    const [first, second] = numbersOf(rule, now);
    push(cells, first);
    push(cells, second);
    push(cells, width(rule));
    return count;
  }

  function numberOf(meter: Meter): number {
    const number = meters.get(meter) ?? meterNumber(meter);
    meters.set(meter, number);
    return number;
  }

  return next;
}

function countOf(bills: readonly Bill[]): number {
  let count = 0;
  for (let i = 0; i < bills.length; i++) count += bills[i].charges.length;
  return count;
}

function isSameRule(a: Rule, b: Rule): boolean {
  if (a === b) return true;
  if (a.kind === 'bucket' && b.kind === 'bucket') return a.perMs === b.perMs;
  if (a.kind === 'calendar' && b.kind === 'calendar') return a.period === b.period;
  // Of all others the rule is a part of what tells the meter from others.
  return true;
}

/** A rule in two numbers. */
function numbersOf(rule: Rule, now: number): readonly [number, number] {
  switch (rule.kind) {
    case 'window':
      return [rule.parts, rule.partMs];
    case 'bucket':
      return [rule.perMs, 0];
    case 'calendar':
      // By the gate's clock, as periods are. What was spent is asked for until the next period is over, which may be longer.
      return [rule.period, Math.max(0, rule.resetsAt + 2 * (rule.resetsAt - rule.startsAt) - now)];
    case 'slots':
      return [rule.leaseMs, 0];
  }
}

function bytesOf({ numbers, length }: Words): Buffer {
  return Buffer.from(numbers.slice(0, length).buffer);
}
