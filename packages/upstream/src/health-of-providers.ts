/** How a provider fares: steps over plain data. Times are in milliseconds since 1970. */
import { doubled } from './health-of-keys.js';

export interface ProviderHealth {
  /** Calls in a row that have failed, of which those on their way together count as one. */
  failures: number;
  failedAt: number;
  coolingUntil: number;
  underWay: number;
}

/** One failure is an accident, and so are two: after so many in a row a provider cools. */
const COOLS_AT = 3;
/** Milliseconds, doubled each time. */
const COOLS = { first: 1000, longest: 60_000 };

export function providerHealth(): ProviderHealth {
  const never = Number.NEGATIVE_INFINITY;
  return { failures: 0, failedAt: never, coolingUntil: never, underWay: 0 };
}

export function isDoubtful({ failures, underWay }: ProviderHealth): boolean {
  return failures > 0 && underWay > 0;
}

/** Notes an answer that shows that it is well. Returns true where it had cooled. */
export function noteAnswer(health: ProviderHealth): boolean {
  const hadCooled = health.coolingUntil > Number.NEGATIVE_INFINITY;
  health.underWay--;
  health.failures = 0;
  health.coolingUntil = Number.NEGATIVE_INFINITY;
  return hadCooled;
}

/**
 * Notes a call that was not answered, or with an overload or a fault of the provider's own.
 *
 * @param retryAfterMs what the provider says, which holds at once
 * @returns for how many milliseconds it cools; `undefined` where it doesn't
 */
export function noteFailure(
  health: ProviderHealth,
  sentAt: number,
  now: number,
  retryAfterMs: number | undefined,
): number | undefined {
  health.underWay--;
  if (sentAt > health.failedAt) {
    health.failures++;
    health.failedAt = now;
  }
  const own = health.failures >= COOLS_AT ? doubled(COOLS, health.failures - COOLS_AT + 1) : 0;
  const coolsMs = Math.max(own, retryAfterMs ?? 0);
  if (coolsMs === 0) return undefined;
  health.coolingUntil = Math.max(health.coolingUntil, now + coolsMs);
  return coolsMs;
}
