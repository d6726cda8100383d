/** Who comes to the line, who waits in it, and how it ends. */
import type { Usage } from '../meters/meter.js';
import type { Priority } from '../request.js';
import type { Alternative, NotTaken, Taken } from '../store/store.js';
import type { Bound } from './depth.js';
import type { FairKey, Turn } from './fairness.js';
import type { Entry } from './heap.js';
import type { Outlook } from './outlook.js';
import type { WhenShed } from './shedding.js';
import type { Stand } from './station.js';

/** A request that comes to the line. */
export interface Entrant<A extends Alternative> {
  /** As events tell it; `undefined` where none do. */
  readonly id: string | undefined;
  readonly priority: Priority;
  /** What shares are counted by. */
  readonly key: FairKey;
  readonly whenShed: WhenShed;
  /** Milliseconds that it waits at most, where that is less than its priority may. */
  readonly maxWaitMs: number | undefined;
  /** It is to be told what the meters say once it is charged. */
  readonly tells: boolean;
  /** Where it aborts, the request leaves the line. */
  readonly signal: AbortSignal | undefined;
  /** Best first. */
  readonly alternatives: readonly A[];
  /** The same, by the limits as they are at a time. */
  renewed(now: number): readonly A[];
  /** Told when it begins to wait; without an outlook where it is delayed for being shed. */
  queued(outlook: Outlook | undefined): void;
  /** Told when it leaves without an answer: its signal has aborted, or the line is closed. */
  withdrawn(waitedMs: number): void;
}

/** What was said to a request when its turn came. */
export interface Judged<A extends Alternative> {
  /** `undefined` if the store failed. */
  readonly result: Taken | NotTaken | undefined;
  /** What was asked for: the result's are counted in it. */
  readonly alternatives: readonly A[];
  readonly waitedMs: number;
}

/** Why a request has no turn, or no longer. */
export type TurnedAwayFor = 'shed' | 'line-full' | 'too-long-wait' | 'waited-too-long';

export interface TurnedAway {
  readonly why: TurnedAwayFor;
  readonly priority: Priority;
  /** Whether all are meant, or those of the same value of `fairBy`: for whom the line is full, of whom something is shed. */
  readonly bound: Bound | undefined;
  /** Where it would have to wait, as far as that is known. */
  readonly outlook: Outlook | undefined;
  /** What the meters said that it would have met. */
  readonly usages: readonly Usage[];
  /** Milliseconds that it might wait, and that it did. */
  readonly maxWaitMs: number;
  readonly waitedMs: number;
  /** Milliseconds after which it may do better, about. */
  readonly retryAfterMs: number;
}

export type Passed<A extends Alternative> = Judged<A> | TurnedAway;

/** In the heap of deadlines. Times are in milliseconds since 1970. */
export interface Waiter<A extends Alternative> extends Entry {
  readonly entrant: Entrant<A>;
  readonly since: number;
  readonly deadline: number;
  readonly score: number;
  /** Shed, but not to be refused: waits at no station until its priority is served again. */
  readonly isDelayed: boolean;
  /** Its arrival among those. */
  delayedAs: number;
  /** Of its alternatives, how many are passed over, from the first. */
  readonly skips: number;
  /** Where it waits: for each alternative that waiting may help, one. */
  readonly stands: Stand<Waiter<A>>[];
  /** Of those that have shares. */
  readonly turn: Turn | undefined;
  /** What the meters of one of its alternatives said last. */
  usages: readonly Usage[];
  isTried: boolean;
  hasLeft: boolean;
  resolve(passed: Passed<A>): void;
  reject(reason: unknown): void;
  /** Ends that its signal is listened to. */
  readonly unlisten: (() => void) | undefined;
}

/** In order of deadlines. */
export function isDueBefore(a: { readonly deadline: number }, b: { readonly deadline: number }): boolean {
  return a.deadline < b.deadline;
}
