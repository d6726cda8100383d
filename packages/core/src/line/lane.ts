/**
 * A lane: what waits, in order of scores that mostly come in order. What comes is put at the end, and moved forward past
 * what it goes before, as in sorting by insertion: mostly that is nothing.
 *
 * A ring buffer. Places are numbered on and on, from `head` up to `tail`; what has a place is kept at that number modulo
 * the capacity, a power of two. What leaves from the middle leaves a gap, until the lane is fitted anew: when the ring is
 * full, or has more than 8 times the room that it needs. So memory goes by what waits, and fitting costs O(1) amortised.
 *
 * Invariant: no place goes before the one ahead of it, gaps included, which keep score and arrival; neither the first place
 * is a gap nor the last.
 */
import type { Priority } from '../request.js';
import type { Entry } from './heap.js';

export interface Lane<T extends object> extends Entry {
  readonly priority: Priority;
  /** How many wait. */
  size: number;
  head: number;
  tail: number;
  ring: Ring<T>;
  /** Of the first, as the next: what lanes are compared by. They say nothing while the lane is empty. */
  score: number;
  arrival: number;
}

/** What is ordered by: the score, then the arrival, a number that no two have. */
export interface Ticket {
  readonly score: number;
  readonly arrival: number;
}

interface Ring<T> {
  /** `undefined` at gaps and free places. */
  readonly values: (T | undefined)[];
  readonly scores: number[];
  readonly arrivals: number[];
}

const LEAST_CAPACITY = 4;

export function emptyLane<T extends object>(priority: Priority): Lane<T> {
  return { priority, size: 0, head: 0, tail: 0, ring: ringOf(LEAST_CAPACITY), score: 0, arrival: 0, place: 0 };
}

/** Of scores the lower goes first, of arrivals at the same score the earlier. */
export function goesBefore(a: Ticket, b: Ticket): boolean {
  return a.score < b.score || (a.score === b.score && a.arrival < b.arrival);
}

/**
 * Adds a value, in O(1) amortised, and as much for each that it goes before.
 *
 * @param arrival more than that of all before
 */
export function insert<T extends object>(lane: Lane<T>, score: number, arrival: number, value: T): void {
  if (lane.tail - lane.head === lane.ring.values.length) refit(lane);
  const { values, scores, arrivals } = lane.ring;
  const mask = values.length - 1;
  let at = lane.tail & mask;
  for (let place = lane.tail; place > lane.head; place--) {
    const before = (place - 1) & mask;
    if (scores[before] <= score) break;
    values[at] = values[before];
    scores[at] = scores[before];
    arrivals[at] = arrivals[before];
    at = before;
  }
  values[at] = value;
  scores[at] = score;
  arrivals[at] = arrival;
  lane.tail++;
  lane.size++;
  if (at === (lane.head & mask)) lookAtFirst(lane);
}

/** The first in order, in O(1); `undefined` where there is none. */
export function firstIn<T extends object>({ ring, head }: Lane<T>): T | undefined {
  return ring.values[head & (ring.values.length - 1)];
}

/** The place of what has this ticket, in O(log n); `undefined`: it isn't here, or no longer. */
export function placeOf<T extends object>(lane: Lane<T>, ticket: Ticket): number | undefined {
  const { values, arrivals } = lane.ring;
  const mask = values.length - 1;
  const place = placeFor(lane, ticket);
  const isHere = place < lane.tail && arrivals[place & mask] === ticket.arrival && values[place & mask] !== undefined;
  return isHere ? place : undefined;
}

/** The last in order, in O(1); `undefined` where there is none. */
export function lastIn<T extends object>({ ring, head, tail }: Lane<T>): (Ticket & { readonly value: T }) | undefined {
  const at = (tail - 1) & (ring.values.length - 1);
  const value = tail === head ? undefined : ring.values[at];
  return value && { value, score: ring.scores[at], arrival: ring.arrivals[at] };
}

/** How many go before a ticket: in O(1) where all or none do, and in O(log n) where the lane has no gaps. */
export function countBefore<T extends object>(lane: Lane<T>, ticket: Ticket): number {
  const { head, tail, size, ring } = lane;
  if (size === 0 || !goesBefore(lane, ticket)) return 0;
  if (ring.scores[(tail - 1) & (ring.scores.length - 1)] < ticket.score) return size;
  const end = placeFor(lane, ticket);
  if (tail - head === size) return end - head;
  let count = 0;
  for (let place = head; place < end; place++) {
    if (ring.values[place & (ring.values.length - 1)] !== undefined) count++;
  }
  return count;
}

/** The first place that doesn't go before a ticket; `tail` where all do. */
function placeFor<T extends object>({ head, tail, ring }: Lane<T>, { score, arrival }: Ticket): number {
  const { scores, arrivals } = ring;
  const mask = scores.length - 1;
  let low = head;
  let high = tail;
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const at = middle & mask;
    const isBefore = scores[at] < score || (scores[at] === score && arrivals[at] < arrival);
    if (isBefore) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Takes out what is at a place that is no gap, in O(1) amortised. */
export function takeAt<T extends object>(lane: Lane<T>, place: number): void {
  const { values } = lane.ring;
  const mask = values.length - 1;
  values[place & mask] = undefined;
  lane.size--;
  while (lane.head < lane.tail && values[lane.head & mask] === undefined) lane.head++;
  while (lane.head < lane.tail && values[(lane.tail - 1) & mask] === undefined) lane.tail--;
  if (values.length > Math.max(LEAST_CAPACITY, 8 * lane.size)) refit(lane);
  lookAtFirst(lane);
}

/** All that wait, in order. */
function* waitingIn<T extends object>({ ring, head, tail }: Lane<T>) {
  for (let place = head; place < tail; place++) {
    const at = place & (ring.values.length - 1);
    const value = ring.values[at];
    if (value !== undefined) yield { value, score: ring.scores[at], arrival: ring.arrivals[at] };
  }
}

function lookAtFirst<T extends object>(lane: Lane<T>): void {
  const { scores, arrivals } = lane.ring;
  const at = lane.head & (scores.length - 1);
  lane.score = scores[at];
  lane.arrival = arrivals[at];
}

/** Moves all, without gaps, into a ring of at least twice the room that they need. */
function refit<T extends object>(lane: Lane<T>): void {
  let capacity = LEAST_CAPACITY;
  while (capacity < 2 * lane.size) capacity *= 2;
  const ring = ringOf<T>(capacity);
  let end = 0;
  for (const { value, score, arrival } of waitingIn(lane)) {
    ring.values[end] = value;
    ring.scores[end] = score;
    ring.arrivals[end] = arrival;
    end++;
  }
  lane.head = 0;
  lane.tail = end;
  lane.ring = ring;
}

function ringOf<T>(capacity: number): Ring<T> {
  return {
    values: new Array<T | undefined>(capacity).fill(undefined),
    scores: new Array<number>(capacity).fill(Number.NaN),
    arrivals: new Array<number>(capacity).fill(Number.NaN),
  };
}
