/**
 * How fast something is served while somebody waits for it: the cost that begins per millisecond, of late. The time in
 * which nobody waits says nothing, and doesn't count. Times are in milliseconds since 1970.
 */
export interface Pace {
  /** What is left of what is known at each start. */
  readonly kept: number;
  /** What began, over how many milliseconds, in how many starts: the last ones count most. */
  cost: number;
  ms: number;
  starts: number;
  /** Up to when `ms` count. */
  until: number;
  /** Nothing has begun since somebody waits. */
  isFirst: boolean;
}

/** So few starts don't tell a pace. */
const TOO_FEW_STARTS = 8;

/** @param starts the last so many make it, about */
export function newPace(starts = 32): Pace {
  return { kept: 1 - 1 / starts, cost: 0, ms: 0, starts: 0, until: 0, isFirst: true };
}

/** Somebody waits from now on, where nobody did. How long the first start takes then says nothing of those after it. */
export function resume(pace: Pace, now: number): void {
  pace.until = now;
  pace.isFirst = true;
}

/** Something begins, where somebody waits. A clock that was set back counts no time. */
export function noteStart(pace: Pace, cost: number, now: number): void {
  if (!pace.isFirst) {
    pace.cost = pace.cost * pace.kept + cost;
    pace.ms = pace.ms * pace.kept + Math.max(0, now - pace.until);
    pace.starts = pace.starts * pace.kept + 1;
  }
  pace.isFirst = false;
  pace.until = now;
}

/** Cost per millisecond; 0 where it isn't known yet. Where nothing begins for longer than usual, it falls. */
export function paceOf({ cost, ms, starts, until }: Pace, now: number): number {
  if (ms === 0 || starts <= TOO_FEW_STARTS) return 0;
  return cost / (ms + Math.max(0, now - until - ms / starts));
}
