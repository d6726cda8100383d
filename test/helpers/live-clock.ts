/** Time as a live process has it: between two timers, all goes on that need not wait. */
import type { Clock } from '@tollgate/core';

export interface LiveClock extends Clock {
  goTo(ms: number): Promise<void>;
}

export function liveClock(startMs: number): LiveClock {
  let now = startMs;
  const timers = new Map<() => void, number>();
  return {
    now: () => now,
    after(ms, task) {
      const own = () => task();
      timers.set(own, now + Math.max(0, ms));
      return () => void timers.delete(own);
    },
    async goTo(ms) {
      await followed();
      for (;;) {
        const [next, due] = [...timers].reduce((a, b) => (b[1] < a[1] ? b : a), [undefined, ms + 1] as
          | [undefined, number]
          | [() => void, number]);
        if (next === undefined) break;
        timers.delete(next);
        now = Math.max(now, due);
        next();
        await followed();
      }
      now = ms;
    },
  };
}

/** All has gone on that need not wait for the clock. */
export function followed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
