/** Reads what a call has cost from its answer, while the answer passes to the client as it came. */
import { type Clock, systemClock } from '@tollgate/core';
import type { Call, Usage, WireFormat } from '../formats/format.js';
import { passageOf } from './body.js';
import { type Passage, UNREAD } from './passage.js';

/** How a body ended, and what has been seen of its usage. */
export interface Ending {
  /** `cancelled`: the client left before all was known. `failed`: the connection broke, or the answer told of an error. */
  readonly how: 'complete' | 'cancelled' | 'failed';
  /** What was told, or else counted as it passed; `undefined`, as a whole or in part, where nothing is known. */
  readonly usage: Usage | undefined;
  /** The length of the answer wasn't told: it is an estimate of the text that has passed. */
  readonly isEstimate: boolean;
  /** What the answer told of an error, as JSON. */
  readonly error: unknown;
}

export interface TapOptions {
  readonly format: WireFormat;
  /** `undefined` for an answer that isn't read, and passes alone. */
  readonly call: Call | undefined;
  /** The client itself has asked for usage in the stream, and is to see it. */
  readonly asked: boolean;
  /** The client's own signal: once it is aborted the body is cancelled, also where nobody reads from it just then. */
  readonly signal?: AbortSignal | undefined;
  readonly clock?: Clock | undefined;
  /** Called once, as soon as the usage is known for certain, or else when the body ends. Must not throw. */
  onEnd(ending: Ending): void;
  /** Called once, after `onEnd`, when the body has ended: the signal can abort it until then. Must not throw. */
  onClose?(): void;
}

/** A body that nobody has read from for so long, and at most for twice as long, is given up. */
export const IDLE_MS = 300_000;

/**
 * The same response, with a body that is read while it passes: the same bytes in the same pieces at the same time, but for
 * what the format's reader drops. Where that may happen, an event that comes in pieces passes when it is whole.
 *
 * Nothing is read ahead of the client. When it cancels, so is the source.
 */
export function tap(response: Response, options: TapOptions): Response {
  const { body, headers } = response;
  const { format, call, asked, signal, clock = systemClock, onEnd, onClose } = options;
  const passage = call ? passageOf(headers.get('content-type') ?? '', format, call, asked) : UNREAD;
  if (body === null) {
    onEnd(endingOf('complete', passage));
    onClose?.();
    return response;
  }
  const source = body.getReader();
  const idle = idleTimer(clock, () => {
    drop(new Error(`Nobody has read from the answer for ${IDLE_MS / 1000} seconds, so it was given up.`));
  });
  const leave = () => drop(signal?.reason);
  let hasEnded = false;
  let isOpen = true;
  let isReading = false;
  let controller: ReadableStreamDefaultController<Uint8Array>;

  const tapped = new ReadableStream<Uint8Array>(
    {
      start(given) {
        controller = given;
        if (signal?.aborted) leave();
        else signal?.addEventListener('abort', leave, { once: true });
      },
      // Returns no promise, as the stream would wait for it. A pull during a read is answered by what that read brings.
      pull() {
        if (!isReading) read();
      },
      cancel(reason) {
        close('cancelled');
        return source.cancel(reason);
      },
    },
    { highWaterMark: 0 },
  );
  return alike(response, tapped, !asked);

  function read(): void {
    isReading = true;
    idle.note(true);
    source.read().then(pass, fail);
  }

  function pass({ done, value }: { done: boolean; value?: Uint8Array | undefined }): void {
    if (!isOpen) return;
    isReading = false;
    idle.note(false);
    let passing: Uint8Array;
    try {
      passing = done ? passage.end() : passage.push(value as Uint8Array);
      if (passage.isComplete) end('complete');
    } catch (error) {
      fail(error);
      source.cancel(error).catch(() => {});
      return;
    }
    if (done) close('complete');
    if (passing.length > 0) controller.enqueue(passing);
    if (done) controller.close();
    else if (passing.length === 0) read();
  }

  function fail(error: unknown): void {
    if (!isOpen) return;
    close(signal?.aborted ? 'cancelled' : 'failed');
    controller.error(error);
  }

  function drop(error: unknown): void {
    close('cancelled');
    controller.error(error);
    source.cancel(error).catch(() => {});
  }

  function close(how: Ending['how']): void {
    isOpen = false;
    idle.stop();
    signal?.removeEventListener('abort', leave);
    end(how);
    onClose?.();
  }

  function end(how: Ending['how']): void {
    if (hasEnded) return;
    hasEnded = true;
    onEnd(endingOf(how, passage));
  }
}

/** A format may be a user's own, and throw: nothing is known then. */
function endingOf(how: Ending['how'], passage: Passage): Ending {
  try {
    return endingBy(how, passage);
  } catch {
    return { how: 'failed', usage: undefined, isEstimate: false, error: undefined };
  }
}

function endingBy(how: Ending['how'], passage: Passage): Ending {
  const { usage: told, isComplete, outputTokens: seen, error } = passage;
  const ended = error !== undefined && how === 'complete' ? 'failed' : how;
  if (isComplete && told && isCredible(told, seen)) return { how: ended, usage: told, isEstimate: false, error };
  const outputTokens = Math.max(told?.outputTokens ?? 0, seen) || told?.outputTokens;
  const isKnown = told !== undefined || outputTokens !== undefined;
  const usage = isKnown ? { ...told, outputTokens, usd: undefined } : undefined;
  return { how: ended, usage, isEstimate: seen > 0, error };
}

/** An answer in which text has passed can't have no tokens. */
function isCredible({ usd, outputTokens }: Usage, seen: number): boolean {
  return usd !== undefined || (outputTokens !== undefined && (outputTokens > 0 || seen === 0));
}

/** The same response with another body. A length that was told can be another once something is dropped. */
function alike(response: Response, body: ReadableStream, mayDrop: boolean): Response {
  const { url, redirected, type } = response;
  const same = new Response(body, response);
  if (mayDrop) same.headers.delete('content-length');
  // `new Response` can't set `url`, `redirected` and `type`.
  return Object.defineProperties(same, {
    url: { value: url },
    redirected: { value: redirected },
    type: { value: type },
  });
}

interface IdleTimer {
  /** A read begins or ends. */
  note(isReading: boolean): void;
  stop(): void;
}

/** One timer for many reads: it looks now and then whether there were any. */
function idleTimer(clock: Clock, giveUp: () => void): IdleTimer {
  let isReading = false;
  let notes = 0;
  let stop: () => void;
  function watch(): void {
    const before = notes;
    stop = clock.after(IDLE_MS, () => (isReading || notes !== before ? watch() : giveUp()));
  }
  watch();
  return {
    note(is) {
      isReading = is;
      notes++;
    },
    stop: () => stop(),
  };
}
