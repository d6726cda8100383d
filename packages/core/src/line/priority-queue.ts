/**
 * A heap (J. W. J. Williams, 1964) from whose middle values can be taken, too. Each place has four children (D. B. Johnson,
 * 1975): half as many levels as with two, and the scores of siblings lie side by side.
 *
 * A value has a slot for as long as it is in the queue. Invariant: the places below `size` have a slot each, the others
 * have the free ones, and `places[slots[place]] === place` for those below `size`; there, no value goes before the one at
 * the parent's place, `(place - 1) >> 2`. A value goes before another if its score is lower, or the same and it arrived
 * earlier; arrivals are numbered, so no two are equal.
 */
export interface PriorityQueue<T extends object> {
  size: number;
  nextArrival: number;
  /** By slot, as the next two. */
  readonly values: (T | undefined)[];
  arrivals: Float64Array;
  places: Uint32Array;
  /** By place, as the next: what is compared and moved is near in memory, and no value is looked into. */
  slots: Uint32Array;
  scores: Float64Array;
}

const FIRST_CAPACITY = 16;

export function priorityQueue<T extends object>(): PriorityQueue<T> {
  return {
    size: 0,
    nextArrival: 0,
    values: [],
    arrivals: new Float64Array(FIRST_CAPACITY),
    places: new Uint32Array(FIRST_CAPACITY),
    slots: freeSlots(FIRST_CAPACITY),
    scores: new Float64Array(FIRST_CAPACITY),
  };
}

/**
 * Adds a value, in O(log n), and returns its slot, to remove it by.
 *
 * @param score any number but `NaN`
 * @param value an object that is in this queue no more than once at a time
 */
export function push<T extends object>(queue: PriorityQueue<T>, score: number, value: T): number {
  const place = queue.size++;
  if (place === queue.slots.length) grow(queue);
  const slot = queue.slots[place];
  queue.values[slot] = value;
  queue.arrivals[slot] = queue.nextArrival++;
  rise(queue, place, slot, score);
  return slot;
}

/** The first in order, in O(1); `undefined` where there is none. */
export function peek<T extends object>({ size, values, slots }: PriorityQueue<T>): T | undefined {
  return size === 0 ? undefined : values[slots[0]];
}

/** Takes out the first in order, in O(log n). */
export function pop<T extends object>(queue: PriorityQueue<T>): T | undefined {
  const first = peek(queue);
  if (first !== undefined) remove(queue, queue.slots[0], first);
  return first;
}

/** Takes out a value by the slot it was given, in O(log n). `false`: it isn't in this queue, or no longer. */
export function remove<T extends object>(queue: PriorityQueue<T>, slot: number, value: T): boolean {
  const { values, places, slots, scores } = queue;
  if (values[slot] !== value) return false;
  values[slot] = undefined;
  const place = places[slot];
  const end = --queue.size;
  const last = slots[end];
  slots[end] = slot;
  // The last one fills the hole once that is at the end of a branch, where it mostly belongs, or rises from there.
  if (place !== end) rise(queue, hollow(queue, place), last, scores[end]);
  return true;
}

/** All of them in order, in O(n log n): for reports. */
export function inOrder<T extends object>(queue: PriorityQueue<T>): T[] {
  const { size, values, arrivals, slots, scores } = queue;
  const places = Array.from({ length: size }, (_, place) => place);
  places.sort((a, b) => scores[a] - scores[b] || arrivals[slots[a]] - arrivals[slots[b]]);
  return places.map((place) => values[slots[place]] as T);
}

/** Moves what goes first below a place up, down to the end of a branch, and returns the place that is free then. */
function hollow<T extends object>({ arrivals, places, slots, scores, size }: PriorityQueue<T>, from: number): number {
  let place = from;
  for (let child = 4 * place + 1; child < size; child = 4 * place + 1) {
    const end = Math.min(child + 4, size);
    let first = child;
    let least = scores[first];
    for (let other = child + 1; other < end; other++) {
      const score = scores[other];
      if (score < least || (score === least && arrivals[slots[other]] < arrivals[slots[first]])) {
        first = other;
        least = score;
      }
    }
    const slot = slots[first];
    slots[place] = slot;
    scores[place] = least;
    places[slot] = place;
    place = first;
  }
  return place;
}

/** Puts a slot at a free place or above it: parents that it goes before move down. */
function rise<T extends object>(
  { arrivals, places, slots, scores }: PriorityQueue<T>,
  from: number,
  slot: number,
  score: number,
): void {
  let place = from;
  while (place > 0) {
    const parent = (place - 1) >> 2;
    const above = slots[parent];
    if (scores[parent] < score || (scores[parent] === score && arrivals[above] < arrivals[slot])) break;
    slots[place] = above;
    scores[place] = scores[parent];
    places[above] = place;
    place = parent;
  }
  slots[place] = slot;
  scores[place] = score;
  places[slot] = place;
}

function grow<T extends object>(queue: PriorityQueue<T>): void {
  const { arrivals, places, slots, scores } = queue;
  const capacity = 2 * slots.length;
  queue.arrivals = new Float64Array(capacity);
  queue.arrivals.set(arrivals);
  queue.places = new Uint32Array(capacity);
  queue.places.set(places);
  queue.slots = freeSlots(capacity);
  queue.slots.set(slots);
  queue.scores = new Float64Array(capacity);
  queue.scores.set(scores);
}

function freeSlots(count: number): Uint32Array {
  return Uint32Array.from({ length: count }, (_, slot) => slot);
}
