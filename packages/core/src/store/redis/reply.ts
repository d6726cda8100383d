/** What came of operations, as batch.lua answers it. */

import { type Charge, keyIn, type Usage, type Who } from '../../meters/meter.js';
import { settledPlace, usage, width } from '../../meters/rules.js';
import type { Alternative, Entry, NotTaken, Taken } from '../store.js';
import type { Sum } from './layouts.js';
import {
  countOf,
  type Operation,
  type Origin,
  type Peek,
  type RedisEntry,
  type Settle,
  type Take,
} from './operation.js';
import type { Run } from './runs.js';
import type { Gap, Noted } from './spend-ledger.js';

const NOT_CHARGED = -1;

const NO_USAGE: readonly Usage[] = [];

/** A run that can't be done at once, and was not sent in full, is answered less. */
export const LEAST_BYTES = 16;

/** What comes first where Redis has lost what it had answered, instead of its time. */
const LOST = -1;

/** False where nothing was done. */
export function isDone(reply: Buffer): boolean {
  return reply.length >= LEAST_BYTES && reply.readDoubleLE() !== LOST;
}

/** Of all replies that have {@link LEAST_BYTES}. */
export function epochIn(reply: Buffer): number {
  return reply.readDoubleLE(8);
}

/** Where something is lost. @param answered the calls that Redis had to know of */
export function gapsIn(reply: Buffer, answered: readonly Noted[]): readonly Gap[] {
  return answered.map(({ lane, number }, i) => ({ lane, number, known: reply.readDoubleLE(LEAST_BYTES + 8 * i) }));
}

/** Reads the reply to a batch, a step after the other, in their order. */
export interface Reading {
  /** Of the run, they were done at once. */
  readonly areSettled: boolean;
  readonly areTaken: boolean;
  /** Brings the entries of all its settlings up to date. */
  settleAll(run: Run): void;
  takeAll(run: Run): readonly Taken[];
  take(operation: Take): Taken | NotTaken;
  peek(operation: Peek): readonly Usage[];
  /** Brings the entries up to date. */
  settle(operation: Settle): void;
  /** True where it left more room. */
  observe(): boolean;
}

export function readingOf(reply: Buffer): Reading {
  const numbers = new Float64Array(reply.buffer.slice(reply.byteOffset, reply.byteOffset + reply.length));
  const [now, epoch, atOnce] = numbers;
  const [ofBudgets, ofOthers]: readonly Origin[] = [{ epoch }, { epoch }];
  let at = 3;

  function take(operation: Take): Taken | NotTaken {
    const { alternatives } = operation;
    const taken = numbers[at++];
    if (taken === NOT_CHARGED) {
      return {
        refused: alternatives.map((way) => (operation.score === undefined ? usagesOf : standingOf)(way, operation)),
      };
    }
    const { who, bills } = alternatives[taken];
    const receipt: RedisEntry[] = [];
    let shadowRefused = NO_USAGE;
    for (let i = 0; i < bills.length; i++) {
      const { charges } = bills[i];
      for (let j = 0; j < charges.length; j++) {
        const charge = charges[j];
        const place = numbers[at++];
        if (place === NOT_CHARGED) {
          shadowRefused = [...shadowRefused, usageOf(charge, who, operation)];
          continue;
        }
        const used = charge.rule.kind === 'calendar' ? numbers[at++] : undefined;
        const origin = used === undefined ? ofOthers : ofBudgets;
        receipt.push({ charge, who, cost: charge.cost, place, used, origin, bookedAt: now, settling: undefined });
      }
    }
    const usages = operation.tells ? usagesOf(alternatives[taken], operation) : undefined;
    return { taken, receipt, shadowRefused, usages };
  }

  function settleAll({ settles, sums, columns }: Run): void {
    for (const { isBudget, settled } of columns) {
      for (const cell of settled) {
        for (const sum of cell.sums) {
          sum.booked = numbers[at++];
          if (!isBudget) continue;
          const before = numbers[at++];
          if (sum === cell.sums[0]) cell.used = before;
          sum.counts = numbers[at++] !== before;
        }
      }
    }
    let next = 0;
    for (const { entries, actual } of settles) {
      for (let i = 0; i < entries.length; i++) settleBy(sums[next++], entries[i], actual[i]);
    }
  }

  /** All that is settled with it is booked, or was void. */
  function settleBy(sum: Sum, entry: Entry, actual: number): void {
    const { rule } = entry.charge;
    if (sum.counts) sum.cell.used += actual - entry.cost;
    if (rule.kind === 'calendar') entry.used = sum.cell.used;
    entry.place = settledPlace(rule, entry.place);
    if (sum.booked === sum.actual) entry.cost = actual;
  }

  function takeAll({ takes, cells, columns }: Run): readonly Taken[] {
    // By cell.
    const places: number[] = [];
    const amounts: (number | undefined)[] = [];
    for (const { isBudget, cells, costs } of columns) {
      if (cells.length === 0) continue;
      const place = numbers[at++];
      for (let i = 0; i < cells.length; i++) {
        places[cells[i]] = place;
        // What is told is the amount after all of them.
        amounts[cells[i]] = isBudget ? numbers[at++] - costs[i] : undefined;
      }
    }
    let next = 0;
    return takes.map(({ alternatives: [{ who, bills }] }) => {
      const receipt: RedisEntry[] = new Array(countOf(bills));
      let count = 0;
      for (let i = 0; i < bills.length; i++) {
        const { charges } = bills[i];
        for (let j = 0; j < charges.length; j++) {
          const charge = charges[j];
          const { cost } = charge;
          const cell = cells[next++];
          const before = amounts[cell];
          const used = before === undefined ? undefined : before + cost;
          amounts[cell] = used;
          const place = places[cell];
          const origin = used === undefined ? ofOthers : ofBudgets;
          receipt[count++] = { charge, who, cost, place, used, origin, bookedAt: now, settling: undefined };
        }
      }
      return { taken: 0, receipt, shadowRefused: NO_USAGE, usages: undefined };
    });
  }

  function settle({ entries }: Settle): void {
    for (let i = 0; i < entries.length; i++) {
      const entry = entries[i];
      entry.place = numbers[at++];
      entry.cost = numbers[at++];
      if (entry.charge.rule.kind === 'calendar') entry.used = numbers[at++];
    }
  }

  function usagesOf({ who, bills }: Pick<Alternative, 'who' | 'bills'>, operation: Operation): Usage[] {
    return bills.flatMap(({ charges }) => charges.map((charge) => usageOf(charge, who, operation)));
  }

  /** With the meter at which others go first. */
  function standingOf(way: Alternative, operation: Take): Usage[] {
    const stop = numbers[at++] - 1;
    return usagesOf(way, operation).map((usage, i): Usage => {
      if (i !== stop) return usage;
      const { charge, key, used, refillMs } = usage;
      return { charge, key, used, waitMs: 1, refillMs, isBehind: true };
    });
  }

  /** Of budgets by the gate's clock, as their periods are; else by that of the rows. */
  function usageOf(charge: Charge, who: Who, operation: Operation): Usage {
    const row = at;
    at += width(charge.rule);
    const time = charge.rule.kind === 'calendar' ? operation.now : now;
    return usage(numbers, row, charge, keyIn(charge.meter.scope, who), time);
  }

  return {
    areSettled: atOnce % 2 === 1,
    areTaken: atOnce >= 2,
    settleAll,
    takeAll,
    take,
    settle,
    observe: () => numbers[at++] === 1,
    peek: (operation) => usagesOf(operation, operation),
  };
}
