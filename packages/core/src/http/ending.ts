/** What the end of a response makes of its admission. */
import type { Admission } from '../admission.js';
import { showThrown, warn, wrongValue } from '../errors.js';
import { isPromise } from '../request.js';
import type { ResponseEnd } from './adapter.js';
import type { Exchange } from './exchange.js';
import { clientGone } from './leaving.js';

/**
 * Settles provisionally, since the handler may know better and say so later.
 *
 * @param refundOn which ends give all back
 */
export function finisher(refundOn: ((end: ResponseEnd) => boolean) | undefined) {
  function outcomeOf(end: ResponseEnd): 'succeeded' | 'failed' | 'ignored' {
    const kept = end.finished && end.status < 500 ? 'succeeded' : 'failed';
    try {
      const refunds: unknown = refundOn?.(end) ?? false;
      if (typeof refunds === 'boolean') return refunds ? 'ignored' : kept;
      throw wrongValue('TOLLGATE_CONFIG_INVALID', 'refundOn', refunds, 'true or false, and no promise of it');
    } catch (error) {
      warn('TOLLGATE_SETTLE_FAILED', `refundOn failed, so nothing is given back: ${showThrown(error)}`);
      return kept;
    }
  }

  return ({ admission }: Exchange, end: ResponseEnd): void => {
    if (!admission) return;
    if (!end.finished) admission.abort(clientGone());
    try {
      const concluding = admission.conclude({ outcome: outcomeOf(end) });
      if (isPromise(concluding)) concluding.then(undefined, (error) => warnOfUnsettled(admission, error));
    } catch (error) {
      warnOfUnsettled(admission, error);
    }
  };
}

function warnOfUnsettled({ id }: Admission, error: unknown): void {
  warn('TOLLGATE_SETTLE_FAILED', `Admission ${id} could not be settled: ${showThrown(error)}`);
}
