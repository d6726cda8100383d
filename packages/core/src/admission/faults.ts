/** What goes wrong with an admission, as errors. */
import { TollgateError } from '../errors.js';

/** What the signal of an admission aborts with that has run for longer than the lease of its slot. */
export function leaseOver(id: string): TollgateError {
  const message = `Admission ${id} has run for longer than the lease of its slot, which others may have now. Give the concurrency limit a longer lease, or work a time limit.`;
  return new TollgateError('TOLLGATE_LEASE_OVER', message);
}

/** Thrown where more is asked of an admission that has ended here. */
export function tooLate(id: string, isHandedOver: boolean): TollgateError {
  const message = isHandedOver
    ? `Admission ${id} has been handed over: whoever resumes it may extend it.`
    : `Admission ${id} has been settled and can't be extended. For work after the response, call keepOpen() first.`;
  return new TollgateError('TOLLGATE_ADMISSION_SETTLED', message);
}
