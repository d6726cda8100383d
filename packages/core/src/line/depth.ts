/** How many wait, against how many may: of all, and of each value that has shares. */
import type { FairKey } from './fairness.js';

/** What is delayed for being shed is counted by itself. */
export interface Depth {
  readonly all: Headcount;
  readonly each: Map<FairKey, Headcount>;
}

interface Headcount {
  waiting: number;
  delayed: number;
}

/** Of all that wait together, or of those of each key. */
export type Bound = 'all' | 'each';

export function noDepth(): Depth {
  return { all: { waiting: 0, delayed: 0 }, each: new Map() };
}

/** Which of the bounds leaves no room for one more. */
export function fullFor(
  { all, each }: Depth,
  key: FairKey,
  isDelayed: boolean,
  { maxDepth, maxDepthEach }: { readonly maxDepth: number; readonly maxDepthEach: number },
): Bound | undefined {
  const kind = isDelayed ? 'delayed' : 'waiting';
  // The narrower one first: to make room in all would be in vain where there is none for its own.
  if ((each.get(key)?.[kind] ?? 0) >= maxDepthEach) return 'each';
  return all[kind] >= maxDepth ? 'all' : undefined;
}

/** @param by 1 for one who comes, -1 for one who leaves */
export function count({ all, each }: Depth, key: FairKey, isDelayed: boolean, by: 1 | -1): void {
  const kind = isDelayed ? 'delayed' : 'waiting';
  all[kind] += by;
  const own = each.get(key) ?? { waiting: 0, delayed: 0 };
  own[kind] += by;
  if (own.waiting + own.delayed === 0) each.delete(key);
  else if (own.waiting + own.delayed === by) each.set(key, own);
}
