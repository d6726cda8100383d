/** One attempt of a call: a key is put in, it is sent, and what comes back is told to whoever keeps account of it. */
import type { Clock, Outcome } from '@tollgate/core';
import type { UpstreamEmitter } from './events.js';
import type { Turn } from './headroom.js';
import type { Health } from './health.js';
import { readUnanswered } from './network.js';
import type { Failure } from './providers/provider.js';
import type { Asked } from './request.js';
import { messageOf, send } from './sending.js';
import { takenOf } from './way.js';

export interface Post {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** How long an answer may take to begin, in milliseconds; `undefined`: as long as the transport allows. */
  readonly timeoutMs: number | undefined;
  readonly health: Health;
  readonly emitter: UpstreamEmitter;
}

/** What came of an attempt. */
export type Attempted =
  /** An answer that goes to the client, be it an error of the client's own making. The turn is to be settled at its end. */
  { readonly answer: Response; readonly isError: boolean } | Failed;

/** The call goes on to its next way. The turn is settled. */
export interface Failed {
  readonly failure: Failure['kind'] | 'unanswered' | 'no secret';
  /** What the provider said, if it did. */
  readonly said: Response | undefined;
  readonly why: string;
  readonly timedOut: boolean;
  /** The provider may have worked on it, and will want to be paid. */
  readonly mayBeBilled: boolean;
}

interface Attempting {
  readonly post: Post;
  readonly asked: Asked;
  readonly turn: Turn;
  readonly signal: AbortSignal | undefined;
}

/** What a provider counts of a call that it refused. */
const NO_TOKENS = { inputTokens: 0, outputTokens: 0 };

/** For how long a key isn't used for models that it has no more of, where nothing tells. */
const FAMILY_RESTS_MS = 60_000;

/**
 * Rejects where `signal` has aborted: with its reason, as fetch does, once the turn is settled.
 *
 * @param number of the call's attempts, from 1
 */
export async function attempt(attempting: Attempting, number: number): Promise<Attempted> {
  const { post, turn, signal } = attempting;
  const { clock, emitter, health } = post;
  const { way, waitedMs } = turn;
  const secret = await secretOf(attempting, false);
  if (secret === undefined) return noSecret(attempting);
  const startedAt = clock.now();
  health.sent(way);
  emitter.emit('sent', { ...takenOf(way), attempt: number, waitedMs });
  try {
    const { response, failure } = await exchange(attempting, secret);
    emitter.emit('answered', { ...takenOf(way), status: response.status, ms: clock.now() - startedAt });
    if (failure !== undefined) return await failed(attempting, failure, response);
    health.succeeded(way);
    return { answer: response, isError: response.status >= 400 };
  } catch (error) {
    if (signal?.aborted) {
      health.ended(way);
      await turn.settle({ outcome: 'failed' });
      throw error;
    }
    emitter.emit('unanswered', { ...takenOf(way), error, ms: clock.now() - startedAt });
    return unanswered(attempting, error);
  }
}

/** Sends it; where the key is refused, once more if its source has another secret by now. */
async function exchange(attempting: Attempting, secret: string) {
  const first = await sendWith(attempting, secret);
  if (first.failure?.kind !== 'unauthorized' || !attempting.asked.request.canRepeat) return first;
  const fresh = await secretOf(attempting, true);
  return fresh === undefined || fresh === secret ? first : sendWith(attempting, fresh);
}

async function sendWith({ post, asked, turn, signal }: Attempting, secret: string) {
  const { clock, timeoutMs } = post;
  const { provider } = turn.way;
  const late = new AbortController();
  const timesOut = () => late.abort(new DOMException(`${provider.name} has not answered in time`, 'TimeoutError'));
  const stop = timeoutMs === undefined ? undefined : clock.after(timeoutMs, timesOut);
  try {
    const either = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    const response = await send(post.fetch, asked.request, messageOf(asked, turn.way, secret), either);
    const { status, headers } = response;
    const [body, again] = status >= 400 ? await readError(response) : [undefined, response];
    const answer = { status, headers, body };
    turn.observe(provider.readings(answer, clock.now()));
    return { response: again, failure: status >= 400 ? provider.failure(answer, clock.now()) : undefined };
  } finally {
    stop?.();
  }
}

/** What an error says, and the same response once more. */
async function readError(response: Response): Promise<[unknown, Response]> {
  const { status, statusText, headers } = response;
  const text = await response.text();
  return [parsed(text), new Response(text, { status, statusText, headers })];
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Settles the turn by what the provider said of key or load. */
async function failed(attempting: Attempting, failure: Failure, said: Response): Promise<Failed> {
  const { turn } = attempting;
  await turn.settle({ outcome: 'failed', usage: NO_TOKENS, overloaded: told(attempting, failure) });
  const why = `${turn.way.provider.name} answered ${said.status}`;
  return { failure: failure.kind, said, why, timedOut: false, mayBeBilled: false };
}

/** Tells of a failure. Returns what it says of the provider's load. */
function told({ post, turn }: Attempting, failure: Failure): Outcome['overloaded'] {
  const { health, clock } = post;
  const { way } = turn;
  switch (failure.kind) {
    case 'throttled':
      turn.rest(health.throttled(way, failure.retryAfterMs), failure.ofKey ?? false);
      return failure.tooSteep;
    case 'exhausted':
      if (failure.ofFamily) {
        health.answered(way);
        turn.rest(failure.retryAfterMs ?? FAMILY_RESTS_MS, false);
      } else health.out(way, failure.kind, clock.now(), failure.retryAfterMs);
      return undefined;
    case 'unauthorized':
      health.out(way, failure.kind, clock.now());
      return undefined;
    case 'forbidden':
      health.answered(way);
      return undefined;
    case 'overloaded':
    case 'broken':
      return overloadedFor(health.failed(way, failure.kind, clock.now(), failure.retryAfterMs));
  }
}

function overloadedFor(coolsMs: number | undefined): Outcome['overloaded'] {
  return coolsMs === undefined ? true : { retryAfterMs: coolsMs };
}

async function unanswered({ post, turn }: Attempting, error: unknown): Promise<Failed> {
  const { neverSent, timedOut, why } = readUnanswered(error);
  const overloaded = overloadedFor(post.health.failed(turn.way, 'unanswered', post.clock.now()));
  await turn.settle({ outcome: neverSent ? 'ignored' : 'failed', overloaded });
  const { name } = turn.way.provider;
  return { failure: 'unanswered', said: undefined, why: `${name}: ${why}`, timedOut, mayBeBilled: !neverSent };
}

/** Where the source fails there is none: what it threw may hold the secret, and is not told. */
async function secretOf({ turn }: Attempting, fresh: boolean): Promise<string | undefined> {
  try {
    return (await turn.way.key.secret(fresh ? { fresh } : undefined)) || undefined;
  } catch {
    return undefined;
  }
}

async function noSecret({ post, turn }: Attempting): Promise<Failed> {
  const { provider, key } = turn.way;
  post.health.out(turn.way, 'no secret', post.clock.now());
  await turn.settle({ outcome: 'ignored' });
  const why = `the secret of key '${key.name}' of ${provider.name} can't be had`;
  return { failure: 'no secret', said: undefined, why, timedOut: false, mayBeBilled: false };
}
