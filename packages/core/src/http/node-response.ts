/** Node's responses, of which those of HTTP/2 are like those of HTTP/1, but that their stream alone tells how they stand. */

/** What is asked of both. */
export interface NodeResponse {
  readonly closed?: boolean;
  readonly destroyed?: boolean;
  /** Of HTTP/2. */
  readonly stream?: { readonly destroyed: boolean; readonly aborted: boolean; readonly writableFinished: boolean };
}

/** Nobody waits for it any more: its `close` has been emitted, or is about to be. */
export function isOver(response: object): boolean {
  const { closed, destroyed, stream } = response as NodeResponse;
  return closed === true || destroyed === true || (stream?.destroyed ?? false);
}

/** True of a response of HTTP/2 that the client has not had to its end, which may say of itself that it has finished. */
export function isCutOff(response: object): boolean {
  const { stream } = response as NodeResponse;
  return stream !== undefined && (stream.aborted || !stream.writableFinished);
}
