/** The admission of the request that is being handled, wherever below the handler one asks. */
import { AsyncLocalStorage } from 'node:async_hooks';
import type { Admission } from './admission.js';

// One for the process, though both the ESM and the CommonJS build may be loaded in it.
const SLOT = Symbol.for('tollgate.currentAdmission');
const shared = globalThis as { [SLOT]?: AsyncLocalStorage<Admission | undefined> };
shared[SLOT] ??= new AsyncLocalStorage();
const current = shared[SLOT];

/** The admission that this code runs under, if any: for libraries and helpers that the handler doesn't pass it to. */
export function currentAdmission(): Admission | undefined {
  return current.getStore();
}

/** Runs `work` under an admission, or under none, with all that it sets off. Adapters do so for handlers; jobs may too. */
export function runWithAdmission<T>(admission: Admission | undefined, work: () => T): T {
  return current.run(admission, work);
}
