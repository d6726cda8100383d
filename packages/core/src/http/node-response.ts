/**
 * Node's responses, of which those of HTTP/2 are like those of HTTP/1, but that their stream alone tells how they stand.
 *
 * Express gives each response a shape of its own, where to look for a property takes longer than a good part of the
 * decision: no more is looked for than it takes.
 */
import { ServerResponse } from 'node:http';
import { Duplex } from 'node:stream';

interface Closing {
  on(event: 'close', listener: () => void): unknown;
}

interface Connection extends Closing {
  readonly destroyed: boolean;
}

/** What is asked of both. */
export interface NodeResponse {
  readonly closed?: boolean;
  readonly destroyed?: boolean;
  readonly writableFinished?: boolean;
  /** Of HTTP/2. */
  readonly stream?: Connection & { readonly aborted: boolean; readonly writableFinished: boolean };
}

/** Nobody waits for it any more: its `close` has been emitted, or is about to be, or never will be. */
export function isOver(response: object): boolean {
  if (response instanceof ServerResponse) return response.destroyed || (connectionOf(response)?.destroyed ?? false);
  const { closed, destroyed, stream } = response as NodeResponse;
  return closed === true || destroyed === true || (stream?.destroyed ?? false);
}

/**
 * The client has had a response to its end, as far as can be told as it closes. It may say of itself that it has finished where the
 * client has left before: over HTTP/1 its connection is gone by then, which it never is behind one that was sent.
 */
export function isSent(response: object): boolean {
  if (response instanceof ServerResponse) {
    return response.writableFinished ? response.req?.socket?.destroyed !== true : isInjectedAndEnded(response);
  }
  const { stream, writableFinished } = response as NodeResponse;
  return stream === undefined ? writableFinished === true : !stream.aborted && stream.writableFinished;
}

/** Goes to no client but to code, such as a test's or a cloud function's. It never says that it has finished. */
function isInjectedAndEnded({ writableEnded, socket }: ServerResponse): boolean {
  return writableEnded && socket !== null && !((socket as object) instanceof Duplex);
}

/**
 * Calls `listener` once, as a response is over. Its own `close` is not always emitted: over HTTP/2 not to a HEAD that the handler
 * goes on answering when the client has its end, and over HTTP/1 not where the connection ends while those before it are sent.
 */
export function onOver(response: Closing, listener: () => void): void {
  const connection = response instanceof ServerResponse ? connectionOf(response) : undefined;
  if (connection === undefined) {
    ((response as NodeResponse).stream ?? response).on('close', listener);
    return;
  }
  const atTheEnd = listenersOf(connection);
  const once = () => {
    if (atTheEnd.delete(once)) listener();
  };
  atTheEnd.add(once);
  response.on('close', once);
}

/** Of a response that waits for those before it on its connection, and is not joined to it yet. */
function connectionOf(response: ServerResponse): Connection | undefined {
  return response.socket === null ? response.req?.socket : undefined;
}

const listeners = new WeakMap<Connection, Set<() => void>>();

/** One listener for each connection: Node warns of many, and how many wait on one is the client's choice. */
function listenersOf(connection: Connection): Set<() => void> {
  const known = listeners.get(connection);
  if (known !== undefined) return known;
  const made = new Set<() => void>();
  listeners.set(connection, made);
  connection.on('close', () => {
    for (const listener of made) listener();
  });
  return made;
}
