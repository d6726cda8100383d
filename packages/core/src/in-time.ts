/** What limiters of rate-limiter-flexible are asked: answered in time, or failed. */
import type { Clock } from './clock.js';
import { EDGE_MS, type Limiter, NoAnswer } from './meters/outside.js';
import type { May } from './request.js';

/** Milliseconds; as long as a Redis may take unless told otherwise. */
const LONGEST_MS = 1_000;

/**
 * Rejects where there is no answer in time.
 *
 * @param late told of the answer that comes all the same, or of what it fails with
 */
export function inTime<T>(clock: Clock, answer: May<T>, late: (outcome: unknown) => void = () => {}): Promise<T> {
  return new Promise((resolve, reject) => {
    let isLate = false;
    const stop = clock.after(LONGEST_MS, () => {
      isLate = true;
      reject(new NoAnswer(`The limiter has not answered within ${LONGEST_MS} ms.`));
    });
    const settle = <O>(outcome: O, told: (outcome: O) => void) => {
      stop();
      if (isLate) late(outcome);
      else told(outcome);
    };
    Promise.resolve(answer).then(
      (value) => settle(value, resolve),
      (thrown) => settle(thrown, reject),
    );
  });
}

/** A limiter that fails where it does not answer in time. What it has counted then is given back as soon as it says so. */
export function limiterInTime(limiter: Limiter, clock: Clock): Limiter {
  function giveBack(key: string, points: number, outcome: unknown): void {
    const { consumedPoints = 0, msBeforeNext = 0 } = (outcome ?? {}) as Awaited<ReturnType<Limiter['consume']>>;
    const isInWindow = msBeforeNext < 0 || msBeforeNext > EDGE_MS;
    if (consumedPoints >= points && isInWindow) limiter.reward?.(key, points).catch(() => {});
  }

  return {
    consume: async (key, points) => inTime(clock, limiter.consume(key, points), (late) => giveBack(key, points, late)),
    ...(limiter.reward && { reward: async (key, points) => inTime(clock, limiter.reward?.(key, points)) }),
    ...(limiter.penalty && { penalty: async (key, points) => inTime(clock, limiter.penalty?.(key, points)) }),
    ...(limiter.get && { get: async (key) => inTime(clock, limiter.get?.(key) ?? null) }),
  };
}
