/** Sends a call with a key, and reads what comes back: an answer, or what it says of key and provider. */
import type { Clock } from '@tollgate/core';
import type { UpstreamEmitter } from './events.js';
import { parsed } from './formats/values.js';
import type { Turn } from './headroom/headroom.js';
import type { Health } from './health/health.js';
import { ofKeyOrProvider } from './health/verdict.js';
import { askAnother } from './keys/secrets.js';
import { hidingSecret, readUnanswered, type Unanswered, withoutSecret } from './network.js';
import { failureIn, readingsIn } from './providers/hearing.js';
import type { Failure } from './providers/provider.js';
import type { Asked } from './request.js';
import { messageOf, send } from './sending.js';
import { heeding, unlessAborted } from './signals.js';

export interface Post {
  readonly clock: Clock;
  readonly fetch: typeof globalThis.fetch;
  /** How long an answer may take to begin, in milliseconds; `undefined`: as long as the transport allows. */
  readonly timeoutMs: number | undefined;
  readonly health: Health;
  readonly emitter: UpstreamEmitter;
}

export interface Attempting {
  readonly post: Post;
  readonly asked: Asked;
  readonly turn: Turn;
  readonly signal: AbortSignal | undefined;
  /** Of the call's attempts, from 1. */
  readonly number: number;
}

/** A redirect is no answer to a call: it isn't followed, and clients aren't told where it leads. */
export const MOVED: Failure = { kind: 'broken' };

/** Sends the call; if the key is refused and there is another secret by now, once more. */
export async function exchange(attempting: Attempting, secret: string): Promise<Exchanged> {
  const first = await sendWith(attempting, secret);
  const isRefused = typeof first === 'object' && 'said' in first && first.said?.kind === 'unauthorized';
  if (!isRefused || !attempting.asked.request.canRepeat) return first;
  const { post, turn, signal } = attempting;
  const asking = askAnother(turn.way.key.secret, secret, post.clock);
  const another = await unlessAborted(asking, signal).catch(() => undefined);
  return another === undefined ? first : sendWith(attempting, another);
}

/** A response, or why there is none; `'left'` if the client left meanwhile. */
export type Exchanged = Heard | Unanswered | 'left';

interface Heard {
  readonly response: Response;
  /** What the provider means by it, whoever is to blame for that. */
  readonly said: Failure | undefined;
  /** The same, where key or provider are. */
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
    const response = hidingSecret(await send(post.fetch, asked.request, message, begun.signal), secret);
    const { status, headers } = response;
    if (asked.call && status >= 300 && status < 400) {
      response.body?.cancel().catch(() => {});
      return { response, said: MOVED, failure: MOVED, isAsking: false };
    }
    const isError = status >= 400;
    const { body, again } = isError ? await readError(response, secret, signal) : { body: undefined, again: response };
    const answer = { status, headers, body };
    turn.observe(readingsIn(provider, answer, clock.now()));
    const said = isError ? failureIn(provider, answer, clock.now()) : undefined;
    const failure = ofKeyOrProvider(asked, turn.way, said);
    return { response: again, said, failure, isAsking: message.isAsking };
  } catch (error) {
    return signal?.aborted ? 'left' : readUnanswered(error, secret);
  } finally {
    stop?.();
    // From here on the reader of the answer listens to the signal.
    begun.release();
  }
}

/** The body of an error, and the response to be read again. If the body breaks off or stalls, status and headers still count. */
async function readError(
  response: Response,
  secret: string,
  signal: AbortSignal | undefined,
): Promise<{ body: unknown; again: Response }> {
  const { status, statusText, headers } = response;
  const said = await response.text().catch(() => {
    signal?.throwIfAborted();
    return '';
  });
  const text = withoutSecret(said, secret);
  return { body: parsed(text) ?? text, again: new Response(text, { status, statusText, headers }) };
}
