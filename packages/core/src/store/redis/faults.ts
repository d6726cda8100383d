/** What those are told who wait for Redis in vain. */
import { showThrown, TollgateError } from '../../errors.js';
import type { Operation } from './operation.js';

/** Tells who waits for it that it failed, if they haven't been told. */
export function giveUp(operation: Operation, error: unknown): void {
  if (operation.givenUp) return;
  operation.givenUp = true;
  operation.reject(error);
}

export function tooLate(timeoutMs: number): TollgateError {
  return new TollgateError('TOLLGATE_STORE_TIMEOUT', `Redis has not answered within ${timeoutMs} ms.`);
}

/** Of a client that nobody asks any more. */
export function ended(): TollgateError {
  return failed(new Error('Its client has been closed.'));
}

/** Without what ioredis puts beside its message: the command, with all that was in it. */
export function failed(error: unknown): TollgateError {
  return new TollgateError('TOLLGATE_STORE_FAILED', `Redis has failed: ${showThrown(error)}`);
}
