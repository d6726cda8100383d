/** One timer for all that the line waits for. */
import type { Clock } from '../clock.js';

export interface Alarm {
  /**
   * It is to ring at `at`, in milliseconds since 1970; `Infinity` is never. It may ring earlier, and then has to be set anew.
   *
   * @param isWaitedFor the process does not end before it rings
   */
  set(at: number, isWaitedFor: boolean): void;
}

export function createAlarm(clock: Clock, ring: () => void): Alarm {
  let due = Number.POSITIVE_INFINITY;
  let keepsAlive = false;
  let cancel: (() => void) | undefined;
  const goOff = () => {
    due = Number.POSITIVE_INFINITY;
    cancel = undefined;
    ring();
  };
  return {
    set(at, isWaitedFor) {
      if (at === Number.POSITIVE_INFINITY) {
        cancel?.();
        cancel = undefined;
        due = at;
        return;
      }
      // What is due earlier rings, and is set anew then: most of what is waited for never comes to pass.
      if (at >= due && isWaitedFor === keepsAlive) return;
      cancel?.();
      due = at;
      keepsAlive = isWaitedFor;
      // A clock that runs slower than the timer's may not be there yet when it fires: no less than a millisecond.
      cancel = clock.after(Math.max(1, at - clock.now()), goOff, keepsAlive);
    },
  };
}
