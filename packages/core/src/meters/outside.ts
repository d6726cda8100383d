/** What counts a meter that no store does: a limiter of rate-limiter-flexible. */

/** Milliseconds that a client is told to wait while a limit can't be checked. */
export const ASK_AGAIN_MS = 5_000;

/**
 * Milliseconds. Nothing is given back in the last of a window, where it could arrive in the next one and would be credit there. It would be
 * of no use for longer.
 */
export const EDGE_MS = 100;

/** Something else than a store that counts. */
export interface Outside {
  readonly limiter: Limiter;
  /** Its window may have no end: what is used does not come back by itself. */
  readonly isEndless: boolean;
  /** Where it fails, requests pass. */
  readonly failsOpen: boolean;
}

/** What is used of a limiter of rate-limiter-flexible. */
export interface Limiter {
  /** Some don't tell. */
  readonly points?: number;
  /** In seconds; 0 where it never begins anew. */
  readonly duration?: number;
  /** In seconds, for what has been refused. */
  readonly blockDuration?: number;
  /** From so many points on it refuses without counting. */
  readonly inMemoryBlockOnConsumed?: number;
  /** What it wraps. */
  readonly limiter?: Limiter;
  /** Rejects with `msBeforeNext` where it refuses, and with an error where it fails. */
  consume(key: string, points: number): Promise<Standing>;
  /** Some can't. */
  reward?(key: string, points: number): Promise<unknown>;
  penalty?(key: string, points: number): Promise<unknown>;
  /** All can, though the types of some don't say so. */
  get?(key: string): Promise<Standing | null>;
}

/** How a limiter stands for a key. */
interface Standing {
  readonly consumedPoints?: number;
  readonly msBeforeNext?: number;
}

/** What a limiter rejects with where it has refused, and not failed, says when there is room again. */
export function hasRefused(thrown: unknown): thrown is Standing & { readonly msBeforeNext: number } {
  return typeof (thrown as Standing | undefined)?.msBeforeNext === 'number';
}

/** What a limiter fails with that has not answered in time: it may count all the same, later. */
export class NoAnswer extends Error {}
