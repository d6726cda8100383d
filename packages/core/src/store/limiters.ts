/** What a limiter that counts outside of stores is asked, and what is made of its answers and failures. */
import { type Charge, type Key, keyIn, type Usage, type Who } from '../meters/meter.js';
import { ASK_AGAIN_MS, EDGE_MS, hasRefused, NoAnswer, type Outside } from '../meters/outside.js';
import type { Entry } from './store.js';

export interface OutsideCharge extends Charge {
  readonly meter: Charge['meter'] & { readonly outside: Outside };
}

export function isOutside(charge: Charge): charge is OutsideCharge {
  return charge.meter.outside !== undefined;
}

/** What a limiter has failed with is told to somebody, whatever comes of it. */
export type Tell = (error: unknown) => void;

/** `entry` where it was charged, or need not be; neither where it could not be asked and that is no reason to refuse. */
interface Answer {
  readonly entry?: Entry;
  readonly usage?: Usage | undefined;
}

/** Charges a limiter. Never fails. */
export async function consume(charge: OutsideCharge, who: Who, now: number, tell: Tell): Promise<Answer> {
  const { meter, cost, limit } = charge;
  const { limiter } = meter.outside;
  const key = keyIn(meter.scope, who);
  if (cost === 0) return { entry: entryOf(charge, who, now), usage: await ask(charge, who, tell) };
  if (cost > limit) return { usage: await ask(charge, who, tell) };
  try {
    const { consumedPoints: used = 0, msBeforeNext } = await limiter.consume(nameOf(key), cost);
    const leftMs = leftOf(meter.outside, msBeforeNext);
    const usage = { charge, key, used, waitMs: 0, refillMs: leftMs };
    return { entry: entryOf(charge, who, now + leftMs - EDGE_MS), usage };
  } catch (thrown) {
    if (!hasRefused(thrown)) return failed(charge, key, thrown, tell);
    const { consumedPoints = 0, msBeforeNext } = thrown;
    const leftMs = leftOf(meter.outside, msBeforeNext);
    // What is refused has been counted, but by a black list or a block that it keeps, which say that nothing is consumed.
    const isGivenBack = consumedPoints >= cost && leftMs > EDGE_MS && limiter.reward !== undefined;
    if (isGivenBack) await limiter.reward?.(nameOf(key), cost).catch(tell);
    const used = isGivenBack ? consumedPoints - cost : consumedPoints;
    return { usage: { charge, key, used, waitMs: Math.max(1, leftMs), refillMs: leftMs } };
  }
}

/** What a limiter has to say to a charge that is not made; `undefined` where it fails and that is no reason to refuse. */
export async function ask(charge: OutsideCharge, who: Who, tell: Tell): Promise<Usage | undefined> {
  const { meter, cost, limit } = charge;
  const key = keyIn(meter.scope, who);
  try {
    const { consumedPoints: used = 0, msBeforeNext } = (await meter.outside.limiter.get?.(nameOf(key))) ?? {};
    const leftMs = leftOf(meter.outside, msBeforeNext);
    const isFull = cost > 0 && used + cost > limit;
    const waitMs = cost > limit ? Number.POSITIVE_INFINITY : isFull ? Math.max(1, leftMs) : 0;
    return { charge, key, used, waitMs, refillMs: used > 0 ? leftMs : 0 };
  } catch (error) {
    return failed(charge, key, error, tell).usage;
  }
}

/**
 * Puts `actual` in place of what is booked. That stays booked where it can't be given back: its window is over, or the limiter
 * gives nothing back, or fails. Never fails.
 */
export async function correct(entry: Entry, actual: number, now: number, tell: Tell): Promise<void> {
  const { charge, who, cost, place } = entry;
  const { limiter } = (charge as OutsideCharge).meter.outside;
  const refund = cost - actual;
  if (refund === 0 || (refund > 0 && now >= place)) return;
  if ((refund > 0 ? limiter.reward : limiter.penalty) === undefined) return;
  const name = nameOf(keyIn(charge.meter.scope, who));
  // At once: what else is asked for meanwhile begins with what this leaves.
  entry.cost = actual;
  try {
    await (refund > 0 ? limiter.reward?.(name, refund) : limiter.penalty?.(name, -refund));
  } catch (error) {
    // What was asked for and not answered is mostly done later: asked for anew, it would be done twice.
    if (!(error instanceof NoAnswer)) entry.cost += refund;
    tell(error);
  }
}

function entryOf(charge: OutsideCharge, who: Who, place: number): Entry {
  return { charge, who, cost: charge.cost, place, used: undefined };
}

/** As good as full, for a while, where its limit says so. */
function failed(charge: OutsideCharge, key: Key, error: unknown, tell: Tell): Answer {
  tell(error);
  const { meter, cost, limit, shadow } = charge;
  if (shadow || cost === 0 || meter.outside.failsOpen) return {};
  const used = Number.isFinite(limit) ? limit : 0;
  return { usage: { charge, key, used, waitMs: ASK_AGAIN_MS, refillMs: ASK_AGAIN_MS, failed: true } };
}

/** Milliseconds that are left of a window, 0 where that isn't told. Of one that never ends limiters say −1. */
function leftOf({ isEndless }: Outside, msBeforeNext = 0): number {
  return isEndless && msBeforeNext < 0 ? Number.POSITIVE_INFINITY : Math.max(0, msBeforeNext);
}

/** The name of a key: where there is one value, that itself, as it is in use without us. */
function nameOf(key: Key): string {
  return key.length === 1 ? (key[0] ?? '') : JSON.stringify(key);
}
