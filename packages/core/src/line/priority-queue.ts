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
import { add, extract, first, type Heap, heapBy, reorder } from './heap.js';
import {
  countBefore,
  emptyLane,
  firstIn,
  goesBefore,
  insert,
  type Lane,
  lastIn,
  placeOf,
  type Ticket,
  takeAt,
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
  else if (lane.arrival === arrival) reorder(queue.busy, lane);
  queue.size++;
  return arrival;
}

/** The first in order; `undefined` where there is none. */
export function peek<T extends object>({ busy }: PriorityQueue<T>): T | undefined {
  const lane = first(busy);
  return lane && firstIn(lane);
}

/** The first in order of those that are the first of their lanes and pass a test, in O(lanes). */
export function peekAmong<T extends object>({ busy }: PriorityQueue<T>, passes: (first: T) => boolean): T | undefined {
  let found: Lane<T> | undefined;
  for (const lane of busy.entries) {
    const one = firstIn(lane);
    if (one && (found === undefined || goesBefore(lane, found)) && passes(one)) found = lane;
  }
  return found && firstIn(found);
}

/** Takes out the first in order. */
export function pop<T extends object>(queue: PriorityQueue<T>): T | undefined {
  const lane = first(queue.busy);
  if (lane === undefined) return undefined;
  const value = firstIn(lane);
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

/** Of each priority, how many go before a ticket: in O(lanes), where mostly all of a lane do or none. */
export function countAhead<T extends object>({ busy }: PriorityQueue<T>, ticket: Ticket): Record<Priority, number> {
  const counts = { interactive: 0, standard: 0, batch: 0, background: 0 };
  for (const lane of busy.entries) counts[lane.priority] += countBefore(lane, ticket);
  return counts;
}

/** The last in order, in O(lanes); `undefined` where there is none. */
export function last<T extends object>({ busy }: PriorityQueue<T>): T | undefined {
  return lastAmong(busy.entries);
}

/** The last in order of one key, in O(1); `undefined` where there is none. */
export function lastOf<T extends object>({ lanes }: PriorityQueue<T>, key: unknown): T | undefined {
  return lastAmong(PRIORITIES.map((priority) => lanes[priority].get(key)));
}

function lastAmong<T extends object>(lanes: readonly (Lane<T> | undefined)[]): T | undefined {
  let found: ReturnType<typeof lastIn<T>>;
  for (const lane of lanes) {
    const one = lane && lastIn(lane);
    if (one && (found === undefined || goesBefore(found, one))) found = one;
  }
  return found?.value;
}

function leave<T extends object>(queue: PriorityQueue<T>, lane: Lane<T>, place: number): void {
  const wasFirst = place === lane.head;
  takeAt(lane, place);
  queue.size--;
  if (lane.size === 0) {
    extract(queue.busy, lane);
    forgetEmpty(queue.lanes[lane.priority], queue.busy.entries.length);
  } else if (wasFirst) {
    reorder(queue.busy, lane);
  }
}

function forgetEmpty<T extends object>(lanes: Map<unknown, Lane<T>>, busy: number): void {
  if (lanes.size <= 2 * busy + SPARE_LANES) return;
  for (const [key, { size }] of lanes) if (size === 0) lanes.delete(key);
}
