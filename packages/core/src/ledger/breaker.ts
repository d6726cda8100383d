/**
 * When a store that fails is asked again: not by every request, each of which would wait for it in vain, but by one a
 * second, until it answers. (A circuit breaker, as in M. Nygard, Release It!, 2007.)
 */
export interface Breaker {
  /** False while the store is left alone. Where it may be tried again, only the first that asks is told so. */
  mayAsk(now: number): boolean;
  readonly isOpen: boolean;
  /** Returns true where the store is left alone from now on. */
  failed(now: number): boolean;
  /** Returns for how many milliseconds the store had been left alone, `undefined` if it had not been. */
  succeeded(now: number): number | undefined;
}

/** So many failures in a row, since one may be the fault of what was asked. */
const MOST_FAILURES = 3;

const RETRY_MS = 1000;

export function createBreaker(): Breaker {
  let failures = 0;
  let openedAt = 0;
  let triedAt = 0;
  return {
    mayAsk(now) {
      if (failures < MOST_FAILURES) return true;
      // A clock that was set back must not leave it alone for longer.
      if (Math.abs(now - triedAt) < RETRY_MS) return false;
      triedAt = now;
      return true;
    },
    get isOpen() {
      return failures >= MOST_FAILURES;
    },
    failed(now) {
      failures++;
      // What takes as long to fail as it is left alone would else be asked by one after the other.
      triedAt = now;
      if (failures !== MOST_FAILURES) return false;
      openedAt = now;
      return true;
    },
    succeeded(now) {
      const wasOpen = failures >= MOST_FAILURES;
      failures = 0;
      return wasOpen ? Math.max(0, now - openedAt) : undefined;
    },
  };
}
