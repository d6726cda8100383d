/** Two ways to let jobs in: through a gate with a line, and first come, first served. */
import { type Clock, createTollgate } from '@tollgate/core';
import { type Job, LADDER, PATIENCE_MS, SLOTS } from './traffic.js';

/** Its priority was not served just then; or its turn would come too late, or did not come in time. */
export type TurnedAway = 'shed' | 'late';

/** What became of a job that came. */
export type Entered =
  | { readonly admitted: false; readonly turnedAway: TurnedAway }
  | {
      readonly admitted: true;
      readonly waitedMs: number;
      /** By the cheaper model. */
      readonly degraded: boolean;
      /** To be called when it has ended. */
      end(): void;
    };

export interface Entrance {
  enter(job: Job): Promise<Entered>;
}

/** Shedding begins early: when what waits takes a tenth of the time that it may. */
const SHEDDING = { raiseAt: [0.1, 0.2, 0.3, 0.8], lowerAt: [0.05, 0.1, 0.15, 0.5], holdMs: 5000 } as const;

export function throughTollgate(clock: Clock): Entrance {
  const gate = createTollgate({
    name: 'overload',
    ladders: [LADDER],
    queue: { concurrency: SLOTS, maxWait: PATIENCE_MS, fairBy: 'tenant', shedding: SHEDDING },
    clock,
  });
  return {
    async enter({ kind: { kind, priority }, tenant }) {
      const decision = await gate.admit({
        subject: { tenant },
        feature: kind,
        priority,
        permits: 1,
        model: LADDER[0],
        // A nightly batch had rather be late than not be done.
        whenShed: priority === 'batch' ? 'delay' : 'refuse',
      });
      if (!decision.admitted) {
        const { reason } = decision.refusal;
        return { admitted: false, turnedAway: reason === 'shed' ? 'shed' : 'late' };
      }
      const { admission } = decision;
      const { waitedMs, degraded } = admission;
      return { admitted: true, waitedMs, degraded, end: () => void admission.settle() };
    },
  };
}

/** The same slots and the same patience; no order but that of arrival, and nobody is turned away before it has waited. */
export function firstComeFirstServed(clock: Clock): Entrance {
  const waiting = new Set<() => void>();
  let free = SLOTS;

  function end(): void {
    free++;
    const [next] = waiting;
    next?.();
  }

  return {
    enter({ kind: { priority } }) {
      const since = clock.now();
      return new Promise((resolve) => {
        const begin = () => {
          waiting.delete(begin);
          cancel();
          free--;
          resolve({ admitted: true, waitedMs: clock.now() - since, degraded: false, end });
        };
        const cancel = clock.after(PATIENCE_MS[priority], () => {
          waiting.delete(begin);
          resolve({ admitted: false, turnedAway: 'late' });
        });
        if (free > 0) begin();
        else waiting.add(begin);
      });
    },
  };
}
