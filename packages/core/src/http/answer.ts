/** What becomes of a request at a toll, the same for every framework: it goes on, is refused, or fails. */
import { TollgateError } from '../errors.js';
import { isPromise, type May } from '../request.js';
import { runUnder } from '../tracking.js';
import type { Adapter } from './adapter.js';
import { admissionOf, type Passage } from './exchange.js';
import type { Refusal } from './problem.js';

/**
 * Lets a request pass to what is below, under its admission; or refuses it; or fails, with what went wrong on the way.
 * Does one of them, once, or nothing where the client has gone. No promise is made but what others have made: where any
 * code runs under an admission, each costs more than the decision.
 *
 * @param pass made once and not for each request, since that is a cost too
 * @returns what `next`, `refuse` or `fail` returned; a promise of it where `pass` had promised
 */
export function answer<R extends object, S, N extends () => unknown>(
  adapter: Adapter<R, S, N>,
  pass: (request: R, response: S) => May<Passage>,
  request: R,
  response: S,
  next: N,
): unknown {
  let passage: May<Passage>;
  try {
    passage = pass(request, response);
  } catch (thrown) {
    return adapter.fail(thrown, next);
  }
  if (!isPromise(passage)) return proceed(adapter, passage, request, response, next);
  return passage.then(
    (passed) => proceed(adapter, passed, request, response, next),
    (thrown) => adapter.fail(thrown, next),
  );
}

function proceed<R extends object, S, N extends () => unknown>(
  adapter: Adapter<R, S, N>,
  passage: Passage,
  request: R,
  response: S,
  next: N,
): unknown {
  if (passage === 'gone') return undefined;
  // Of a refused request there is none.
  const admission = admissionOf(request);
  const isRefused = passage !== undefined && !passage.admitted;
  return runUnder(admission, isRefused ? () => refuse(adapter, passage.refusal, request, response, next) : next);
}

function refuse<R, S, N>(adapter: Adapter<R, S, N>, refusal: Refusal, request: R, response: S, next: N): unknown {
  try {
    if (adapter.isBegun(response)) {
      throw new TollgateError('TOLLGATE_TOO_LATE', `Refused after the response had begun: ${refusal.detail}`);
    }
    const refusing = adapter.refuse(refusal, request, response, next);
    return isPromise(refusing) ? refusing.then(undefined, (thrown) => adapter.fail(thrown, next)) : refusing;
  } catch (thrown) {
    return adapter.fail(thrown, next);
  }
}
