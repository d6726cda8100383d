/** Where time comes from. All of Tollgate asks its gate's clock and no other. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /**
   * Runs `task` once, `ms` from now at the earliest. Returns what cancels it, safe to call twice. Waiting for it does not
   * keep the process alive.
   */
  after(ms: number, task: () => void): () => void;
}

/** The longest delay that `setTimeout` takes; above it, it fires at once. */
const LONGEST_TIMEOUT = 2 ** 31 - 1;

/** How much of the passing time repays what the clock was ahead, once the wall clock was set back. */
const SLEW = 0.1;

/**
 * The wall clock, made steady. Where the wall clock is set back, this one goes on from where it was and runs a tenth
 * slower until the two agree again, so time neither repeats nor stands still. A step forwards is followed.
 *
 * @param wall milliseconds since 1970, `Date.now` unless a test says otherwise
 */
export function steadyClock(wall: () => number = Date.now): Clock {
  let lastWall = wall();
  let ahead = 0;
  return {
    now() {
      const read = wall();
      if (read < lastWall) ahead += lastWall - read;
      else if (ahead > 0) ahead = Math.max(0, ahead - (read - lastWall) * SLEW);
      lastWall = read;
      return Math.floor(read + ahead);
    },
    after(ms, task) {
      let timer: NodeJS.Timeout;
      const wait = (left: number): void => {
        const part = Math.min(left, LONGEST_TIMEOUT);
        timer = setTimeout(() => (left > part ? wait(left - part) : task()), part).unref();
      };
      wait(Math.max(0, ms));
      return () => clearTimeout(timer);
    },
  };
}

/** The clock of a gate that names none. */
export const systemClock: Clock = steadyClock();
