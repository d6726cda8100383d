/** Ways by which calls go to Redis: each has one under way at a time. */
import type { Batch } from './batch.js';
import type { Noted } from './spend-ledger.js';

export interface Lane {
  /** Where Redis keeps what became of its last call. */
  readonly marker: string;
  number: number;
  batch: Batch | undefined;
  /** The answer to its call was not to be had, and what became of it is being asked. */
  asking: boolean;
}

const LANES = 4;

/** @param head of all keys */
export function createLanes(head: string, instance: string) {
  const all = Array.from({ length: LANES }, (_, i): Lane => {
    return { marker: `${head}/lane/${instance}/${i}`, number: 0, batch: undefined, asking: false };
  });
  return {
    all,
    /** The first keys of a call. @param answered the calls that Redis has to know of */
    keysOf: (lane: Lane, answered: readonly Noted[]): readonly string[] => [
      lane.marker,
      `${head}/epoch`,
      ...answered.map((call) => all[call.lane].marker),
    ],
  };
}
