/** How many wait, against how many may. */
import type { Priority } from '../request.js';
import type { FairKey } from './fairness.js';
import { byPriority } from './priorities.js';

/** Of all, and of each value that has shares. What is delayed for being shed is counted by itself. */
export interface Crowd {
  readonly waiting: Record<Priority, number>;
  readonly all: Headcount;
  readonly each: Map<FairKey, Headcount>;
}

interface Headcount {
  waiting: number;
  delayed: number;
}

export interface Member {
  readonly priority: Priority;
  readonly fairKey: FairKey;
  readonly isDelayed: boolean;
}

export function nobody(): Crowd {
  return { waiting: byPriority(() => 0), all: { waiting: 0, delayed: 0 }, each: new Map() };
}

/** Which of the bounds leaves no room for one more. */
export function fullFor(
  { all, each }: Crowd,
  { fairKey, isDelayed }: Omit<Member, 'priority'>,
  { maxDepth, maxDepthEach }: { readonly maxDepth: number; readonly maxDepthEach: number },
): 'all' | 'each' | undefined {
  const kind = isDelayed ? 'delayed' : 'waiting';
  if (all[kind] >= maxDepth) return 'all';
  return (each.get(fairKey)?.[kind] ?? 0) >= maxDepthEach ? 'each' : undefined;
}

/** @param by 1 for one who comes, -1 for one who leaves */
export function count({ waiting, all, each }: Crowd, { priority, fairKey, isDelayed }: Member, by: 1 | -1): void {
  const kind = isDelayed ? 'delayed' : 'waiting';
  if (!isDelayed) waiting[priority] += by;
  all[kind] += by;
  const own = each.get(fairKey) ?? { waiting: 0, delayed: 0 };
  own[kind] += by;
  if (own.waiting + own.delayed === 0) each.delete(fairKey);
  else each.set(fairKey, own);
}
