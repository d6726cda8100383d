/** Time that is played: it jumps from one thing that is due to the next, so that minutes take milliseconds. */
import { setImmediate as settled } from 'node:timers/promises';
import type { Clock } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';

export interface Simulation {
  readonly clock: Clock;
  /** Plays until nothing is due any more. What a step sets off has come to rest before the next begins. */
  run(): Promise<void>;
}

export function createSimulation(): Simulation {
  const clock = manualClock();
  const due = new Set<{ readonly at: number }>();
  return {
    clock: {
      now: clock.now,
      after(ms, task) {
        const timer = { at: clock.now() + Math.max(0, ms) };
        due.add(timer);
        const cancel = clock.after(ms, () => {
          due.delete(timer);
          task();
        });
        return () => {
          due.delete(timer);
          cancel();
        };
      },
    },
    async run() {
      while (due.size > 0) {
        let next = Number.POSITIVE_INFINITY;
        for (const { at } of due) next = Math.min(next, at);
        clock.set(next);
        await settled();
      }
    },
  };
}
