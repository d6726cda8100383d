/** One attempt at a call: it is sent with a key, and health and headroom learn what came of it. */
import type { Outcome, TollgateError } from '@tollgate/core';
import { type Attempting, exchange, MOVED } from './exchange.js';
import { NO_TOKENS } from './formats/format.js';
import { cool, isOfKey, tell } from './health/verdict.js';
import type { Unanswered } from './network.js';
import type { Failure } from './providers/provider.js';
import { unlessAborted } from './signals.js';
import { type CallWay, takenOf } from './way.js';

/** What came of an attempt. */
export type Attempted = Answered | Failed | Left;

/** An answer that goes to the client, be it an error of the client's own making. The turn is to be settled at its end. */
export interface Answered {
  readonly answer: Response;
  /** In milliseconds since 1970. */
  readonly sentAt: number;
  readonly isError: boolean;
  /** It was asked for usage where the client has not done so. */
  readonly isAsking: boolean;
}

/** The call goes on to its next way. The turn is settled. */
export interface Failed {
  readonly way: CallWay;
  readonly failure: Failure['kind'] | 'unanswered' | 'unsendable' | 'no secret';
  /** The provider's answer, if clients may see it: what it says of our key they may not. */
  readonly said: Response | undefined;
  readonly timedOut: boolean;
  /** Something has reached the provider. */
  readonly wasSent: boolean;
  /** The provider may have worked on it, and may bill it. */
  readonly mayBeBilled: boolean;
}

/** The client has left, for this reason. The turn is settled. */
export interface Left {
  readonly reason: unknown;
  readonly wasSent: boolean;
  readonly mayBeBilled: boolean;
}

export async function attempt(attempting: Attempting): Promise<Attempted> {
  const { post, turn, signal, number } = attempting;
  const { clock, emitter, health } = post;
  const { way, waitedMs } = turn;
  let secret: string;
  try {
    secret = await unlessAborted(way.key.secret(), signal);
    signal?.throwIfAborted();
  } catch (error) {
    return signal?.aborted ? left(attempting, NEVER_SENT) : noSecret(attempting, error);
  }
  const sentAt = clock.now();
  health.sent(way);
  emitter.emit('sent', { ...takenOf(way), attempt: number, waitedMs });
  const exchanged = await exchange(attempting, secret);
  health.back(way);
  if (exchanged === 'left') return left(attempting, UNDER_WAY);
  const ms = clock.now() - sentAt;
  if ('why' in exchanged) {
    emitter.emit('unanswered', { ...takenOf(way), why: exchanged.why, ms });
    return unanswered(attempting, exchanged, sentAt);
  }
  const { response, said, failure, isAsking } = exchanged;
  emitter.emit('answered', { ...takenOf(way), status: response.status, ms });
  if (said?.kind === 'unauthorized' && signal?.aborted) {
    // The client left before it was known whether there is another secret.
    health.answered(way);
    return left(attempting, REFUSED);
  }
  if (failure !== undefined) return failed(attempting, failure, response, sentAt);
  const isError = response.status >= 400;
  if (said === undefined) health.succeeded(way, sentAt, !isError);
  else health.answered(way);
  return { answer: response, sentAt, isError, isAsking };
}

/** How far a call had come when its client left. */
type Reached = Pick<Left, 'wasSent' | 'mayBeBilled'>;
const NEVER_SENT: Reached = { wasSent: false, mayBeBilled: false };
const REFUSED: Reached = { wasSent: true, mayBeBilled: false };
const UNDER_WAY: Reached = { wasSent: true, mayBeBilled: true };

async function left({ turn, signal }: Attempting, { wasSent, mayBeBilled }: Reached): Promise<Left> {
  await turn.settle({ outcome: mayBeBilled ? 'failed' : 'ignored' });
  return { reason: signal?.reason, wasSent, mayBeBilled };
}

/** Settles the turn by what the provider said of key or load. */
async function failed(attempting: Attempting, failure: Failure, said: Response, sentAt: number): Promise<Failed> {
  const { turn } = attempting;
  const overloaded = tell(attempting.post, turn, failure, sentAt, false);
  // What was throttled has used nothing: it is as much as fits as soon as the key has rested.
  const outcome = failure.kind === 'throttled' ? 'ignored' : 'failed';
  await turn.settle({ outcome, usage: NO_TOKENS, overloaded });
  return {
    way: turn.way,
    failure: failure.kind,
    said: failure === MOVED || isOfKey(failure) ? undefined : said,
    timedOut: false,
    wasSent: true,
    mayBeBilled: false,
  };
}

async function unanswered(
  { post, turn }: Attempting,
  { neverSent, unsendable, timedOut }: Unanswered,
  sentAt: number,
): Promise<Failed> {
  const { way } = turn;
  let overloaded: Outcome['overloaded'];
  if (!unsendable) {
    const caller = neverSent ? undefined : turn.caller;
    overloaded = cool(post, turn, 'unanswered', { sentAt, hasBegun: false, caller, timedOut, retryAfterMs: undefined });
  }
  await turn.settle({ outcome: neverSent ? 'ignored' : 'failed', overloaded });
  return {
    way,
    failure: unsendable ? 'unsendable' : 'unanswered',
    said: undefined,
    timedOut,
    wasSent: !neverSent,
    mayBeBilled: !neverSent,
  };
}

async function noSecret({ post, turn }: Attempting, error: unknown): Promise<Failed> {
  post.health.keyOut(turn.way, 'no secret', post.clock.now());
  const { message } = error as TollgateError;
  post.emitter.emit('unanswered', { ...takenOf(turn.way), why: message, ms: 0 });
  await turn.settle({ outcome: 'ignored' });
  return { way: turn.way, failure: 'no secret', said: undefined, timedOut: false, ...NEVER_SENT };
}
