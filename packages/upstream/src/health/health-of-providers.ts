/** How a provider fares: steps over plain data. Times are in milliseconds since 1970. */
import { doubled, LONGEST_SAID_MS } from './delays.js';

export interface ProviderHealth {
  /** Calls in a row that have failed, of which those on their way together count as one. */
  failures: number;
  failedAt: number;
  /** The last of them had begun to answer: that others begin as well shows nothing, until one comes to its end. */
  hasBegun: boolean;
  /** Whose call the first of them was; `undefined` where the caller can't be to blame, or several callers have failed. */
  soleCaller: string | undefined;
  /** How often in a row it has cooled. */
  cooled: number;
  coolingUntil: number;
  underWay: number;
}

/** A call that was not answered, or with an overload or a fault of the provider's own. */
export interface ProviderFailure {
  readonly sentAt: number;
  /** It told of it in an answer that had begun well. */
  readonly hasBegun: boolean;
  /** For whom it was, where what they sent may have provoked it. */
  readonly caller: string | undefined;
  /** Whoever waits for so long in vain counts alone: others that are on their way would be in vain for as long again. */
  readonly timedOut: boolean;
  /** Milliseconds, as the provider says: they hold at once. */
  readonly retryAfterMs: number | undefined;
}

/** One failure is an accident, and so are two: after so many in a row a provider cools. */
const COOLS_AT = 3;
/** So many where all are one caller's: it may be what they send. */
const COOLS_AT_OF_ONE = 10;
/** Milliseconds, doubled each time. */
const COOLS = { first: 1000, longest: 60_000 };

export function providerHealth(): ProviderHealth {
  const never = Number.NEGATIVE_INFINITY;
  return {
    failures: 0,
    failedAt: never,
    hasBegun: false,
    soleCaller: undefined,
    cooled: 0,
    coolingUntil: never,
    underWay: 0,
  };
}

/** An answer that breaks off once is an accident, and who else begins shows nothing of it. */
export function isDoubtful({ failures, hasBegun, cooled, underWay }: ProviderHealth): boolean {
  return failures > 0 && underWay > 0 && (!hasBegun || cooled > 0);
}

/** Notes an answer that shows that it is well. Returns true where it had cooled. */
export function noteAnswer(health: ProviderHealth): boolean {
  const hadCooled = health.coolingUntil > Number.NEGATIVE_INFINITY;
  health.failures = 0;
  health.hasBegun = false;
  health.cooled = 0;
  health.coolingUntil = Number.NEGATIVE_INFINITY;
  return hadCooled;
}

/** Notes the beginning of an answer, likewise. */
export function noteBeginning(health: ProviderHealth): boolean {
  return !health.hasBegun && noteAnswer(health);
}

/** Notes the end of an answer, likewise. One that was sent before the last failure says nothing of how it stands since. */
export function noteEnd(health: ProviderHealth, sentAt: number): boolean {
  return sentAt >= health.failedAt && noteAnswer(health);
}

/** Notes a failure. Returns for how many milliseconds it cools; `undefined` where it doesn't. */
export function noteFailure(health: ProviderHealth, failure: ProviderFailure, now: number): number | undefined {
  const { sentAt, hasBegun, caller, timedOut, retryAfterMs = 0 } = failure;
  health.soleCaller = health.failures === 0 || health.soleCaller === caller ? caller : undefined;
  const isNext = sentAt > health.failedAt;
  if (isNext || timedOut) health.failures++;
  if (isNext) {
    health.failedAt = now;
    health.hasBegun = hasBegun;
  }
  const isEnough = health.failures >= (health.soleCaller === undefined ? COOLS_AT : COOLS_AT_OF_ONE);
  if (isEnough && (isNext || health.cooled === 0)) health.cooled++;
  const own = health.cooled > 0 ? doubled(COOLS, health.cooled) : 0;
  const coolsMs = Math.max(own, Math.min(retryAfterMs, LONGEST_SAID_MS));
  if (coolsMs === 0) return undefined;
  health.coolingUntil = Math.max(health.coolingUntil, now + coolsMs);
  return coolsMs;
}
