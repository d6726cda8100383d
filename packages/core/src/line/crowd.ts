/** How many wait, against how many may. */
import type { FairKey } from './fairness.js';

/** Of all, and of each value that has shares. What is delayed for being shed is counted by itself. */
export interface Crowd {
  readonly all: Headcount;
  readonly each: Map<FairKey, Headcount>;
}

interface Headcount {
  waiting: number;
  delayed: number;
}

interface Member {
  readonly key: FairKey;
  readonly isDelayed: boolean;
}

/** Of all that wait together, or of those of each key. */
export type Bound = 'all' | 'each';

export function nobody(): Crowd {
  return { all: { waiting: 0, delayed: 0 }, each: new Map() };
}

/** Which of the bounds leaves no room for one more. */
export function fullFor(
  { all, each }: Crowd,
  { key, isDelayed }: Member,
  { maxDepth, maxDepthEach }: { readonly maxDepth: number; readonly maxDepthEach: number },
): Bound | undefined {
  const kind = isDelayed ? 'delayed' : 'waiting';
  // The narrower one first: to make room in all would be in vain where there is none for its own.
  if ((each.get(key)?.[kind] ?? 0) >= maxDepthEach) return 'each';
  return all[kind] >= maxDepth ? 'all' : undefined;
}

/** @param by 1 for one who comes, -1 for one who leaves */
export function count({ all, each }: Crowd, { key, isDelayed }: Member, by: 1 | -1): void {
  const kind = isDelayed ? 'delayed' : 'waiting';
  all[kind] += by;
  const own = each.get(key) ?? { waiting: 0, delayed: 0 };
  own[kind] += by;
  if (own.waiting + own.delayed === 0) each.delete(key);
  else each.set(key, own);
}
