/**
 * The admission of the request that is being handled, wherever below the handler one asks: `@tollgate/core/context`.
 *
 * To load this module is to turn tracking on, for the process, from the next request on. It is no part of the main entry
 * since before Node.js 24 an AsyncLocalStorage slows down every promise of a process, and most apps never ask.
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Admission } from './admission.js';
import { tracking } from './tracking.js';

tracking.storage ??= new AsyncLocalStorage();
const { storage } = tracking;

/** The admission that this code runs under, if any: for libraries and helpers that the handler doesn't pass it to. */
export function currentAdmission(): Admission | undefined {
  return storage.getStore();
}

export { runUnder as runWithAdmission } from './tracking.js';
