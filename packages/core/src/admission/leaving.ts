/** The signal of an admission: it aborts where its client leaves, its slot is lost, or whoever has it says so. */
import { TollgateError } from '../errors.js';

/** A signal, and what aborts it. */
export interface Leaving {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** @param caller what aborts it besides */
export function leaving(caller: AbortSignal | undefined): Leaving {
  const controller = new AbortController();
  const signal = caller ? AbortSignal.any([caller, controller.signal]) : controller.signal;
  return { signal, abort: (reason) => controller.abort(reason) };
}

/** What the signal of an admission aborts with that has run for longer than the lease of its slot. */
export function leaseOver(id: string): TollgateError {
  const message = `Admission ${id} has run for longer than the lease of its slot, which others may have now. Give the concurrency limit a longer lease, or work a time limit.`;
  return new TollgateError('TOLLGATE_LEASE_OVER', message);
}
