/** What a failed attempt says of its key and its provider, told to whoever goes by it from then on. */
import type { Clock, Outcome } from '@tollgate/core';
import type { Turn } from '../headroom/headroom.js';
import type { Failure } from '../providers/provider.js';
import type { Asked } from '../request.js';
import { ACCOUNTS } from '../sending.js';
import type { CallWay } from '../way.js';
import type { Health, WhyFailed } from './health.js';
import type { ProviderFailure } from './health-of-providers.js';

export interface Accounts {
  readonly clock: Clock;
  readonly health: Health;
}

/** For how long a key isn't used for models that it has no more of, where nothing tells. */
const FAMILY_RESTS_MS = 60_000;

/**
 * Tells what a provider has said of a key or of itself. Returns what that says of its load.
 *
 * @param hasBegun it was said in an answer that had begun well
 */
export function tell(
  post: Accounts,
  turn: Turn,
  failure: Failure,
  sentAt: number,
  hasBegun: boolean,
): Outcome['overloaded'] {
  const { health, clock } = post;
  const { way } = turn;
  const now = clock.now();
  switch (failure.kind) {
    case 'throttled':
      turn.shut(health.throttled(way, sentAt, now, failure.retryAfterMs), failure.ofKey ? 'key' : 'family');
      return failure.tooSteep;
    case 'exhausted':
      if (failure.ofFamily) {
        health.answered(way);
        turn.shut(failure.retryAfterMs || FAMILY_RESTS_MS, 'family');
      } else health.keyOut(way, failure.kind, now, failure.retryAfterMs);
      return undefined;
    case 'unauthorized':
      health.keyOut(way, failure.kind, now);
      return undefined;
    case 'forbidden':
      health.forbidden(way, now);
      return undefined;
    case 'overloaded':
    case 'broken':
      return cool(post, turn, failure.kind, {
        sentAt,
        hasBegun,
        caller: failure.kind === 'broken' ? turn.caller : undefined,
        timedOut: false,
        retryAfterMs: failure.retryAfterMs,
      });
  }
}

/**
 * A refusal is the key's only where nothing else can be to blame: not for what isn't known to be a call, which keys may not be
 * meant for, nor for an account that the client has named.
 */
export function ofKeyOrProvider(
  { call, request, provider }: Asked,
  way: CallWay,
  failure: Failure | undefined,
): Failure | undefined {
  if (failure === undefined || !isOfKey(failure)) return failure;
  const namesAccount = way.provider === provider && ACCOUNTS.some((name) => request.headers.has(name));
  const isOthers = call === undefined || (failure.kind === 'unauthorized' && namesAccount);
  return isOthers ? undefined : failure;
}

export function isOfKey({ kind }: Failure): boolean {
  return kind === 'unauthorized' || kind === 'exhausted';
}

/** Tells that the provider has failed, and shuts it where it cools. Returns what that says of its load. */
export function cool(
  { health, clock }: Accounts,
  turn: Turn,
  why: WhyFailed,
  failure: ProviderFailure,
): Outcome['overloaded'] {
  const coolsMs = health.failed(turn.way, why, failure, clock.now());
  // A fault says nothing of load by itself.
  if (coolsMs === undefined) return why !== 'broken';
  turn.shut(coolsMs, 'provider');
  return { retryAfterMs: coolsMs };
}
