/** What is put off until something else has ended: for so long at most, and no longer than the gate is open. */
import type { Clock } from '../clock.js';

export interface Deferrals {
  defer(task: () => void): Deferral;
  /** Runs all that is put off. */
  close(): void;
}

/** It runs once, or never. */
export interface Deferral {
  /** Runs it now. */
  run(): void;
  /** Has it never run. False where it has run, or was cancelled. */
  cancel(): boolean;
}

/** What waits for nothing else than to be run. */
export function once(task: () => void): Deferral {
  let isDue = true;
  const cancel = () => {
    const was = isDue;
    isDue = false;
    return was;
  };
  return {
    cancel,
    run: () => {
      if (cancel()) task();
    },
  };
}

export function createDeferrals(clock: Clock, mostMs: number): Deferrals {
  const deferred = new Set<Deferral>();
  return {
    defer(task) {
      const stop = clock.after(mostMs, () => deferral.run());
      const deferral: Deferral = {
        run: () => {
          if (deferral.cancel()) task();
        },
        cancel: () => {
          stop();
          return deferred.delete(deferral);
        },
      };
      deferred.add(deferral);
      return deferral;
    },
    close: () => {
      for (const deferral of deferred) deferral.run();
    },
  };
}
