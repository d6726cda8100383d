/** What an app needs to test its own limits without waiting: `import { manualClock } from '@tollgate/core/testing'`. */
import type { Clock } from './clock.js';
import { show } from './errors.js';

/** A clock that moves when it is told to. */
export interface ManualClock extends Clock {
  /** Moves on by `ms` and runs, in order and each at its own time, the timers that are due. */
  advance(ms: number): void;
  /** Sets the time, in milliseconds since 1970. Forwards runs the timers that are due; backwards runs none. */
  set(ms: number): void;
  /**
   * Moves on by `ms`, from one timer that is due to the next: what a timer sets off comes to rest, with all its promises, before
   * the next one runs. Plays hours of traffic in a moment.
   */
  play(ms: number): Promise<void>;
}

/**
 * @param startMs the time it shows at first, in milliseconds since 1970; 1 January 2026 unless given
 * @throws RangeError here and in what moves it, for what is no time in milliseconds
 */
export function manualClock(startMs: number = Date.UTC(2026, 0, 1)): ManualClock {
  let now = checked(startMs);
  const timers = new Set<{ due: number; task: () => void }>();

  function nextDue(until: number) {
    let next: { due: number; task: () => void } | undefined;
    for (const timer of timers) if (timer.due <= until && (!next || timer.due < next.due)) next = timer;
    return next;
  }

  function set(ms: number) {
    checked(ms);
    for (let timer = nextDue(ms); timer; timer = nextDue(ms)) {
      timers.delete(timer);
      now = Math.max(now, timer.due);
      timer.task();
    }
    now = ms;
  }

  return {
    now: () => now,
    after(ms, task) {
      const timer = { due: now + Math.max(0, ms), task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
    advance: (ms) => set(now + checked(ms)),
    set,
    async play(ms) {
      const end = now + checked(ms);
      await rest();
      for (let timer = nextDue(end); timer; timer = nextDue(end)) {
        set(Math.max(now, timer.due));
        await rest();
      }
      set(end);
    },
  };
}

function checked(ms: number): number {
  if (Number.isFinite(ms)) return ms;
  throw new RangeError(`manualClock: got ${show(ms)}; expected a finite number of milliseconds`);
}

/** Promises that are settled have told all who wait for them, however long their chain. */
function rest(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
