/**
 * A binary heap (J. W. J. Williams, 1964) of entries that know their places, so that any of them can be moved or taken out.
 * Invariant: `entries[i].place === i`, and none goes before its parent, the one at `(i - 1) >> 1`.
 */
export interface Heap<E extends Entry> {
  readonly entries: E[];
  /** A strict order. When it changes for an entry, it has to be reordered before anything else is done. */
  readonly goesBefore: (a: E, b: E) => boolean;
}

export interface Entry {
  /** Set by the heap; it says nothing of an entry that is in none. */
  place: number;
}

export function heapBy<E extends Entry>(goesBefore: (a: E, b: E) => boolean): Heap<E> {
  return { entries: [], goesBefore };
}

/** The first in order, in O(1); `undefined` where there is none. */
export function first<E extends Entry>({ entries }: Heap<E>): E | undefined {
  return entries[0];
}

/** Adds an entry that is in no heap, in O(log n). */
export function add<E extends Entry>(heap: Heap<E>, entry: E): void {
  rise(heap, heap.entries.length, entry);
}

/** Moves an entry to where it belongs now, in O(log n). */
export function reorder<E extends Entry>(heap: Heap<E>, entry: E): void {
  rise(heap, hollow(heap, entry.place, entry), entry);
}

/** Takes out an entry, in O(log n): the last one fills the hole. */
export function extract<E extends Entry>(heap: Heap<E>, entry: E): void {
  const last = heap.entries.pop();
  if (last !== undefined && last !== entry) rise(heap, hollow(heap, entry.place, last), last);
}

/** Moves up, from below a free place, what goes before an entry; returns the place that is free then. */
function hollow<E extends Entry>({ entries, goesBefore }: Heap<E>, from: number, entry: E): number {
  let free = from;
  for (let child = 2 * free + 1; child < entries.length; child = 2 * free + 1) {
    if (child + 1 < entries.length && goesBefore(entries[child + 1], entries[child])) child++;
    if (!goesBefore(entries[child], entry)) break;
    put(entries, free, entries[child]);
    free = child;
  }
  return free;
}

/** Moves down, from above a free place, what an entry goes before, and puts the entry at the place that is free then. */
function rise<E extends Entry>({ entries, goesBefore }: Heap<E>, from: number, entry: E): void {
  let free = from;
  for (let parent = (free - 1) >> 1; free > 0 && goesBefore(entry, entries[parent]); parent = (free - 1) >> 1) {
    put(entries, free, entries[parent]);
    free = parent;
  }
  put(entries, free, entry);
}

function put<E extends Entry>(entries: E[], place: number, entry: E): void {
  entries[place] = entry;
  entry.place = place;
}
