/** What is read of a body while it passes. */
import type { Usage } from '../formats/format.js';

export interface Passage {
  /**
   * Takes the next bytes. Returns what passes on: these very bytes, unless something of them or of those before is dropped
   * or held back.
   */
  push(chunk: Uint8Array): Uint8Array;
  /** There is no more. Returns what was held back. */
  end(): Uint8Array;
  /** What was told of the usage. */
  readonly usage: Usage | undefined;
  /** Nothing that follows can change it. */
  readonly isComplete: boolean;
  /** Tokens of the answer that have passed, by estimate. */
  readonly outputTokens: number;
  /** An error that the body told of. */
  readonly error: unknown;
}

export const NOTHING = new Uint8Array(0);

/** Passes as it comes. */
export const UNREAD: Passage = {
  push: (chunk) => chunk,
  end: () => NOTHING,
  usage: undefined,
  isComplete: false,
  outputTokens: 0,
  error: undefined,
};

/** As one, in bytes of its own. */
export function join(pieces: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(pieces);
}
