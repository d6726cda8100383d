/** One attempt of a call: a key is put in, it is sent, and what comes back is told to whoever keeps account of it. */
import type { Clock, Outcome, TollgateError } from '@tollgate/core';
import type { UpstreamEmitter } from './events.js';
import { NO_TOKENS } from './formats/format.js';
import type { Turn } from './headroom.js';
import type { Health } from './health.js';
import { askAnother } from './keys/secrets.js';
import { readUnanswered, type Unanswered, withoutSecret } from './network.js';
import type { Failure } from './providers/provider.js';
import type { Asked } from './request.js';
import { ACCOUNTS, messageOf, send } from './sending.js';
import { heeding, unlessAborted } from './signals.js';
import { cool, tell } from './verdict.js';
import { type CallWay, takenOf } from './way.js';

export interface Post {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** How long an answer may take to begin, in milliseconds; `undefined`: as long as the transport allows. */
  readonly timeoutMs: number | undefined;
  readonly health: Health;
  readonly emitter: UpstreamEmitter;
}

/** What came of an attempt. */
export type Attempted = Answered | Failed | Left;

/** An answer that goes to the client, be it an error of the client's own making. The turn is to be settled at its end. */
export interface Answered {
  readonly answer: Response;
  readonly isError: boolean;
  /** It was asked for usage where the client has not done so. */
  readonly isAsking: boolean;
}

/** The call goes on to its next way. The turn is settled. */
export interface Failed {
  readonly way: CallWay;
  readonly failure: Failure['kind'] | 'unanswered' | 'unsendable' | 'no secret';
  /** What the provider said, if it did. */
  readonly said: Response | undefined;
  readonly timedOut: boolean;
  /** The provider may have worked on it, and will want to be paid. */
  readonly mayBeBilled: boolean;
}

/** Whoever asked has gone, for this reason. The turn is settled. */
export interface Left {
  readonly reason: unknown;
  readonly mayBeBilled: boolean;
}

export interface Attempting {
  readonly post: Post;
  readonly asked: Asked;
  readonly turn: Turn;
  readonly signal: AbortSignal | undefined;
  /** Of the call's attempts, from 1. */
  readonly number: number;
}

/** A call that was answered by a redirect was not answered: none is followed, and where it leads is nobody's to know. */
const MOVED: Failure = { kind: 'broken' };

export async function attempt(attempting: Attempting): Promise<Attempted> {
  const { post, turn, signal, number } = attempting;
  const { clock, emitter, health } = post;
  const { way, waitedMs } = turn;
  let secret: string;
  try {
    secret = await unlessAborted(way.key.secret(), signal);
    signal?.throwIfAborted();
  } catch (error) {
    return signal?.aborted ? left(attempting, false) : noSecret(attempting, error);
  }
  const sentAt = clock.now();
  health.sent(way);
  emitter.emit('sent', { ...takenOf(way), attempt: number, waitedMs });
  try {
    const { response, failure, isAsking } = await exchange(attempting, secret);
    emitter.emit('answered', { ...takenOf(way), status: response.status, ms: clock.now() - sentAt });
    if (failure !== undefined) return await failed(attempting, failure, response, sentAt);
    health.succeeded(way, sentAt);
    return { answer: response, isError: response.status >= 400, isAsking };
  } catch (error) {
    if (signal?.aborted) {
      health.gone(way);
      return left(attempting, true);
    }
    const read = readUnanswered(error, secret);
    emitter.emit('unanswered', { ...takenOf(way), why: read.why, ms: clock.now() - sentAt });
    return unanswered(attempting, read, sentAt);
  }
}

async function left({ turn, signal }: Attempting, mayBeBilled: boolean): Promise<Left> {
  await turn.settle({ outcome: mayBeBilled ? 'failed' : 'ignored' });
  return { reason: signal?.reason, mayBeBilled };
}

/** Sends it; where the key is refused, once more if there is another secret by now. */
async function exchange(attempting: Attempting, secret: string): Promise<Exchanged> {
  const first = await sendWith(attempting, secret);
  if (first.failure?.kind !== 'unauthorized' || !attempting.asked.request.canRepeat) return first;
  const { turn, signal } = attempting;
  const another = await unlessAborted(askAnother(turn.way.key.secret, secret), signal).catch(() => undefined);
  return another === undefined ? first : sendWith(attempting, another);
}

interface Exchanged {
  readonly response: Response;
  readonly failure: Failure | undefined;
  readonly isAsking: boolean;
}

async function sendWith({ post, asked, turn, signal }: Attempting, secret: string): Promise<Exchanged> {
  const { clock, timeoutMs } = post;
  const { provider } = turn.way;
  const begun = heeding([signal]);
  const timesOut = () => begun.abort(new DOMException(`${provider.name} has not answered in time`, 'TimeoutError'));
  const stop = timeoutMs === undefined ? undefined : clock.after(timeoutMs, timesOut);
  try {
    const message = messageOf(asked, turn.way, secret);
    const response = await send(post.fetch, asked.request, message, begun.signal);
    const { status, headers } = response;
    if (asked.call && status >= 300 && status < 400) return { response, failure: MOVED, isAsking: false };
    const isError = status >= 400;
    const { body, again } = isError ? await readError(response, secret) : { body: undefined, again: response };
    const answer = { status, headers, body };
    turn.observe(provider.readings(answer, clock.now()));
    const failure = isError ? ofKeyOrProvider(asked, turn.way, provider.failure(answer, clock.now())) : undefined;
    return { response: again, failure, isAsking: message.isAsking };
  } finally {
    stop?.();
    // Who reads the answer heeds the signal from here on.
    begun.release();
  }
}

/**
 * A refusal is the key's only where nothing else can be to blame: not for what isn't known to be a call, which keys may not be
 * meant for, nor for an account that the client has named.
 */
function ofKeyOrProvider({ call, request, provider }: Asked, way: CallWay, failure: Failure | undefined) {
  if (failure?.kind !== 'unauthorized' && failure?.kind !== 'exhausted') return failure;
  const namesAccount = way.provider === provider && ACCOUNTS.some((name) => request.headers.has(name));
  const isOthers = call === undefined || (failure.kind === 'unauthorized' && namesAccount);
  return isOthers ? undefined : failure;
}

/** What an error says, and the same response once more. */
async function readError(response: Response, secret: string): Promise<{ body: unknown; again: Response }> {
  const { status, statusText, headers } = response;
  const text = withoutSecret(await response.text(), secret);
  return { body: parsed(text), again: new Response(text, { status, statusText, headers }) };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Settles the turn by what the provider said of key or load. */
async function failed(attempting: Attempting, failure: Failure, said: Response, sentAt: number): Promise<Failed> {
  const { turn } = attempting;
  const overloaded = tell(attempting.post, turn, failure, sentAt);
  // What was throttled has used nothing: it is as much as fits as soon as the key has rested.
  const outcome = failure.kind === 'throttled' ? 'ignored' : 'failed';
  await turn.settle({ outcome, usage: NO_TOKENS, overloaded });
  return {
    way: turn.way,
    failure: failure.kind,
    said: failure === MOVED ? undefined : said,
    timedOut: false,
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
  if (unsendable) post.health.gone(way);
  else {
    const caller = neverSent ? undefined : turn.caller;
    overloaded = cool(post, turn, 'unanswered', { sentAt, caller, timedOut, retryAfterMs: undefined });
  }
  await turn.settle({ outcome: neverSent ? 'ignored' : 'failed', overloaded });
  return {
    way,
    failure: unsendable ? 'unsendable' : 'unanswered',
    said: undefined,
    timedOut,
    mayBeBilled: !neverSent,
  };
}

async function noSecret({ post, turn }: Attempting, error: unknown): Promise<Failed> {
  post.health.keyOut(turn.way, 'no secret', post.clock.now());
  const { message } = error as TollgateError;
  post.emitter.emit('unanswered', { ...takenOf(turn.way), why: message, ms: 0 });
  await turn.settle({ outcome: 'ignored' });
  return { way: turn.way, failure: 'no secret', said: undefined, timedOut: false, mayBeBilled: false };
}
