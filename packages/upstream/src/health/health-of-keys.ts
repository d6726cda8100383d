/** How a key fares: steps over plain data. Times are in milliseconds since 1970. */
import { doubled, LONGEST_SAID_MS } from './delays.js';

export type WhyOut = 'exhausted' | 'unauthorized' | 'no secret';

export interface KeyHealth {
  /** By family of models: how often it was throttled in a row, when last, and for how long it rests. */
  readonly throttled: Map<string, Throttled>;
  /** Models that it isn't allowed, and until when that is believed. */
  readonly forbidden: Map<string, number>;
  why: WhyOut | undefined;
  outUntil: number;
  /** How often in a row it went out of service. */
  outs: number;
}

interface Throttled {
  readonly inARow: number;
  readonly at: number;
  readonly restsMs: number;
}

/** So many in a row, and it is for other keys to go on: what is known of the limits can't be right. */
const ESCALATES_AT = 3;
/** Milliseconds, doubled each time. */
const RESTS = { first: 1000, longest: 60_000 };
/** A key that escalates rests for so long at least. */
const ESCALATED_RESTS_MS = 10_000;
/** When a key is tried again of which nobody says when: somebody may have paid, or replaced the secret. Likewise doubled. */
const OUT = { first: 60_000, longest: 3_600_000 };
/** So long a key isn't tried for a model that it isn't allowed. */
const FORBIDDEN_MS = 300_000;
/** Names of models come from clients: beyond so many the oldest is forgotten. */
const MOST_MODELS = 1000;

export function keyHealth(): KeyHealth {
  return { throttled: new Map(), forbidden: new Map(), why: undefined, outUntil: Number.NEGATIVE_INFINITY, outs: 0 };
}

/**
 * Notes a success; one that was sent before the key was throttled says nothing of how it stands since.
 *
 * @returns true where the key was out of service
 */
export function noteSuccess(health: KeyHealth, family: string, sentAt: number): boolean {
  const throttled = health.throttled.get(family);
  if (throttled !== undefined && sentAt > throttled.at) health.throttled.delete(family);
  if (health.why === undefined || sentAt < health.outUntil) return false;
  health.why = undefined;
  health.outs = 0;
  return true;
}

/** Notes a 429. Those that were on their way together count as one. To come back at once is no delay: it is as if none was told. */
export function noteThrottled(
  { throttled }: KeyHealth,
  family: string,
  sentAt: number,
  now: number,
  retryAfterMs = 0,
): { readonly restsMs: number; readonly inARow: number; readonly escalates: boolean } {
  const saidMs = Math.min(retryAfterMs, LONGEST_SAID_MS);
  const last = throttled.get(family);
  if (last !== undefined && sentAt <= last.at) {
    const left = Math.max(0, last.at + last.restsMs - now);
    return { restsMs: saidMs || left, inARow: last.inARow, escalates: false };
  }
  const inARow = (last?.inARow ?? 0) + 1;
  const own = inARow >= ESCALATES_AT ? ESCALATED_RESTS_MS : 0;
  const restsMs = Math.max(own, saidMs || doubled(RESTS, inARow));
  remember(throttled, family, { inARow, at: now, restsMs });
  return { restsMs, inARow, escalates: inARow === ESCALATES_AT };
}

/** @returns until when it is out of service, where it wasn't */
export function noteOut(health: KeyHealth, why: WhyOut, now: number, retryAfterMs = 0): number | undefined {
  if (health.outUntil > now) return undefined;
  health.outs++;
  health.why = why;
  health.outUntil = now + Math.max(retryAfterMs, doubled(OUT, health.outs));
  return health.outUntil;
}

/** Notes that the key isn't allowed a model. */
export function noteForbidden({ forbidden }: KeyHealth, model: string, now: number): void {
  remember(forbidden, model, now + FORBIDDEN_MS);
}

function remember<T>(byName: Map<string, T>, name: string, value: T): void {
  byName.delete(name);
  const [oldest] = byName.keys();
  if (byName.size >= MOST_MODELS) byName.delete(oldest);
  byName.set(name, value);
}
