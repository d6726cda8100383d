/** Who shows too many bad keys is locked out: counted by a limiter of rate-limiter-flexible, by whence they come. */
import type { Clock } from '../clock.js';
import { showThrown, warn } from '../errors.js';
import { inTime } from '../in-time.js';
import { hasRefused, type Limiter } from '../meters/outside.js';

export interface Guard {
  /** For how many milliseconds somebody is locked out; `undefined`: they aren't. */
  lockedFor(from: string): Promise<number | undefined>;
  /** Counts a bad key. Says likewise whether that, or one before, locks them out. */
  count(from: string): Promise<number | undefined>;
}

/** Where the limiter fails, or does not answer in time, nobody is locked out: keys are too long to be guessed, and the guard only spares the store. */
export function createGuard(limiter: Limiter, clock: Clock): Guard {
  const { points = Number.POSITIVE_INFINITY } = limiter;
  let hasFailed = false;

  async function ask<T>(answer: Promise<T> | undefined): Promise<T | undefined> {
    try {
      const result = await inTime(clock, answer);
      hasFailed = false;
      return result;
    } catch (thrown) {
      if (hasRefused(thrown)) throw thrown;
      if (!hasFailed)
        warn('TOLLGATE_GUARD_FAILED', `Bad API keys can't be counted, so nobody is locked out: ${showThrown(thrown)}`);
      hasFailed = true;
      return undefined;
    }
  }

  return {
    async lockedFor(from) {
      const { consumedPoints = 0, msBeforeNext = 0 } = (await ask(limiter.get?.(from))) ?? {};
      return consumedPoints > points ? msBeforeNext : undefined;
    },
    async count(from) {
      try {
        await ask(limiter.consume(from, 1));
        return undefined;
      } catch (refusal) {
        return (refusal as { msBeforeNext: number }).msBeforeNext;
      }
    },
  };
}
