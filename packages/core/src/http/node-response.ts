/**
 * Node's responses, of which those of HTTP/2 are like those of HTTP/1, but that their stream alone tells how they stand.
 *
 * Express gives each response a shape of its own, where to look for a property takes longer than a good part of the
 * decision: no more is looked for than it takes.
 */
import { ServerResponse } from 'node:http';

/** What is asked of both. */
export interface NodeResponse {
  readonly closed?: boolean;
  readonly destroyed?: boolean;
  /** Of HTTP/2. */
  readonly stream?: { readonly destroyed: boolean; readonly aborted: boolean; readonly writableFinished: boolean };
}

/** Nobody waits for it any more: its `close` has been emitted, or is about to be. */
export function isOver(response: object): boolean {
  if (response instanceof ServerResponse) return response.destroyed;
  const { closed, destroyed, stream } = response as NodeResponse;
  return closed === true || destroyed === true || (stream?.destroyed ?? false);
}

/** True of a response of HTTP/2 that the client has not had to its end, which may say of itself that it has finished. */
export function isCutOff(response: object): boolean {
  if (response instanceof ServerResponse) return false;
  const { stream } = response as NodeResponse;
  return stream !== undefined && (stream.aborted || !stream.writableFinished);
}
