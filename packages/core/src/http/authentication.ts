/** Who shows which API key: asked once for each request, as it enters a gate. */

import { maySend } from '../keys/scopes.js';
import type { Authenticator, Verification } from '../keys/verification.js';
import { isPromise, type May } from '../request.js';
import type { Adapter } from './adapter.js';
import { shownKey } from './credentials.js';
import type { Exchange } from './exchange.js';
import { keyRefusal, scopeRefusal } from './key-problem.js';
import type { Refusal } from './problem.js';

/**
 * Gives what refuses a request, or puts its key into the exchange: it is one that may be used for what is asked for.
 *
 * @param addressOf whence a request comes
 */
export function createAuthentication<R, S>(
  adapter: Adapter<R, S>,
  authenticator: Authenticator,
  addressOf: (request: R) => string | undefined,
): (request: R, exchange: Exchange) => May<Refusal | undefined> {
  function take(request: R, exchange: Exchange, verification: Verification): Refusal | undefined {
    if (verification.key === undefined) return keyRefusal(verification);
    const { key } = verification;
    if (!maySend(key.scopes, adapter.method(request), adapter.url(request))) return scopeRefusal('route');
    exchange.key = key;
    exchange.authenticator = authenticator;
    return undefined;
  }

  return (request, exchange) => {
    if (exchange.authenticator === authenticator) return undefined;
    const from = authenticator.isGuarded ? addressOf(request) : undefined;
    const verification = authenticator.verify(shownKey(request, adapter), from);
    return isPromise(verification)
      ? verification.then((verification) => take(request, exchange, verification))
      : take(request, exchange, verification);
  };
}
