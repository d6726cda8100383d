/** Where time comes from. All of Tollgate asks its gate's clock and no other. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Runs `task` once, `ms` from now at the earliest. Returns what cancels it, safe to call twice.
   *
   * @param keepsAlive the process does not end before; it may unless given
   */
  after(ms: number, task: () => void, keepsAlive?: boolean): () => void;
}

/** The longest delay that `setTimeout` takes; above it, it fires at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** How fast the clock runs while it is ahead of the wall clock. */
const SLOWED = 0.9;

/**
 * The wall clock, made steady. Where the wall clock is set back, this one goes on from where it was, by the time that passes
 * and a tenth slower, until the wall clock has caught up: so time neither repeats nor stands still. A step forwards is
 * followed, as far as it leads beyond that.
 *
 * @param wall milliseconds since 1970, `Date.now` unless a test says otherwise
 * @param elapsed milliseconds since whenever, of a clock that nobody sets; asked only while the wall clock is behind
 */
export function steadyClock(wall: () => number = Date.now, elapsed: () => number = () => performance.now()): Clock {
  let latest = wall();
  /** What `elapsed` told last, while the wall clock is behind. */
  let seen: number | undefined;
  return {
    now() {
      const read = wall();
      if (seen !== undefined || read < latest) {
        const passed = elapsed();
        latest += SLOWED * (passed - (seen ?? passed));
        seen = passed;
      }
      if (read >= latest) {
        latest = read;
        seen = undefined;
      }
      return Math.floor(latest);
    },
    after(ms, task, keepsAlive = false) {
      let timer: NodeJS.Timeout;
      const wait = (left: number): void => {
        const part = Math.min(left, LONGEST_TIMEOUT);
        timer = setTimeout(() => (left > part ? wait(left - part) : task()), part);
        if (!keepsAlive) timer.unref();
      };
      wait(Math.max(0, ms));
      return () => clearTimeout(timer);
    },
  };
}

/** The clock of a gate that names none. */
export const systemClock: Clock = steadyClock();
