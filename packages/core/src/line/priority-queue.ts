/**
 * What waits, the lowest score first, and of equal scores what arrived first.
 *
 * A score is the time from which something counts as waiting and what its priority is behind. So of one priority and one
 * key, such as a tenant, scores mostly come in order: such a lane is nearly a plain queue, and only the first of each lane
 * are compared, in a heap. A push costs O(1) and a pop O(log lanes), however many wait; a push also O(log lanes) where it
 * goes first in its lane, and O(1) for each that it goes before in it.
 *
 * Invariant: the lanes in `busy` are those that something waits in. Empty ones soon fill again, and are kept while they are
 * few: of no priority are there more than twice as many lanes as there are in `busy`, and {@link SPARE_LANES}.
 */
import type { Priority } from '../request.js';
import { add, first, type Heap, heapBy, settle, take } from './heap.js';
import {
  countBefore,
  emptyLane,
  firstOf,
  goesBefore,
  insert,
  type Lane,
  placeOf,
  type Ticket,
  takeAt,
  waitingIn,
} from './lane.js';
import { PRIORITIES } from './priorities.js';

export interface PriorityQueue<T extends object> {
  size: number;
  nextArrival: number;
  readonly lanes: Readonly<Record<Priority, Map<unknown, Lane<T>>>>;
  readonly busy: Heap<Lane<T>>;
}

export interface LaneName {
  readonly priority: Priority;
  /** Told apart as the keys of a `Map` are. */
  readonly key?: unknown;
}

const SPARE_LANES = 256;

export function priorityQueue<T extends object>(): PriorityQueue<T> {
  return {
    size: 0,
    nextArrival: 0,
    lanes: { interactive: new Map(), standard: new Map(), batch: new Map(), background: new Map() },
    busy: heapBy<Lane<T>>(goesBefore),
  };
}

/**
 * Adds a value, and returns the number of its arrival: with the score it is the ticket to remove it by. No two are the same.
 *
 * @param score any number but `NaN`
 */
export function push<T extends object>(
  queue: PriorityQueue<T>,
  { priority, key }: LaneName,
  score: number,
  value: T,
): number {
  let lane = queue.lanes[priority].get(key);
  if (lane === undefined) {
    lane = emptyLane(priority);
    queue.lanes[priority].set(key, lane);
  }
  const arrival = queue.nextArrival++;
  insert(lane, score, arrival, value);
  if (lane.size === 1) add(queue.busy, lane);
  else if (lane.arrival === arrival) settle(queue.busy, lane);
  queue.size++;
  return arrival;
}

/** The first in order; `undefined` where there is none. */
export function peek<T extends object>({ busy }: PriorityQueue<T>): T | undefined {
  const lane = first(busy);
  return lane && firstOf(lane);
}

/** Takes out the first in order. */
export function pop<T extends object>(queue: PriorityQueue<T>): T | undefined {
  const lane = first(queue.busy);
  if (lane === undefined) return undefined;
  const value = firstOf(lane);
  leave(queue, lane, lane.head);
  return value;
}

/** Takes out what has a ticket, in O(log n) for a lane of n. `false`: it isn't in that lane, or no longer. */
export function remove<T extends object>(
  queue: PriorityQueue<T>,
  { priority, key }: LaneName,
  ticket: Ticket,
): boolean {
  const lane = queue.lanes[priority].get(key);
  const place = lane && placeOf(lane, ticket);
  if (lane === undefined || place === undefined) return false;
  leave(queue, lane, place);
  return true;
}

/** How many wait in a lane. */
export function sizeOf<T extends object>({ lanes }: PriorityQueue<T>, { priority, key }: LaneName): number {
  return lanes[priority].get(key)?.size ?? 0;
}

/**
 * How many go before a ticket, in O(log n) for each lane of n.
 *
 * @param among the priorities that are counted
 */
export function countAhead<T extends object>(
  { busy }: PriorityQueue<T>,
  ticket: Ticket,
  among: readonly Priority[] = PRIORITIES,
): number {
  return busy.entries.reduce(
    (count, lane) => count + (among.includes(lane.priority) ? countBefore(lane, ticket) : 0),
    0,
  );
}

/** All of them in order, in O(n log n): for reports. */
export function inOrder<T extends object>({ busy }: PriorityQueue<T>): T[] {
  const all = busy.entries.flatMap((lane) => [...waitingIn(lane)]);
  return all.sort((a, b) => (goesBefore(a, b) ? -1 : 1)).map(({ value }) => value);
}

function leave<T extends object>(queue: PriorityQueue<T>, lane: Lane<T>, place: number): void {
  const wasFirst = place === lane.head;
  takeAt(lane, place);
  queue.size--;
  if (lane.size === 0) {
    take(queue.busy, lane);
    forgetEmpty(queue.lanes[lane.priority], queue.busy.entries.length);
  } else if (wasFirst) {
    settle(queue.busy, lane);
  }
}

function forgetEmpty<T extends object>(lanes: Map<unknown, Lane<T>>, busy: number): void {
  if (lanes.size <= 2 * busy + SPARE_LANES) return;
  for (const [key, { size }] of lanes) if (size === 0) lanes.delete(key);
}
