/** Whether the admission of the request at hand is kept track of, and how: see `context.ts`, which turns it on. */
import type { AsyncLocalStorage } from 'node:async_hooks';
import type { Admission } from './admission.js';

// One for the process, though several copies of this file may be loaded in it: `context.ts` is built with its own.
const TRACKING = Symbol.for('tollgate.tracking');
const shared = globalThis as { [TRACKING]?: { storage: AsyncLocalStorage<Admission | undefined> | undefined } };
shared[TRACKING] ??= { storage: undefined };

export const tracking = shared[TRACKING];

/** Runs `work` under an admission, or under none, with all that it sets off. Adapters do so for handlers; jobs may too. */
export function runUnder<T>(admission: Admission | undefined, work: () => T): T {
  const { storage } = tracking;
  return storage === undefined || storage.getStore() === admission ? work() : storage.run(admission, work);
}
