/** Who shows which API key: asked once for each request, as it enters a gate. */
import type { Tollgate } from '../gate.js';
import type { ApiKey } from '../keys/key.js';
import { maySend } from '../keys/scopes.js';
import type { Authenticator, KeyFault, Verification } from '../keys/verification.js';
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
  gate: Pick<Tollgate, 'keyRefused'>,
  adapter: Adapter<R, S>,
  authenticator: Authenticator,
  addressOf: (request: R) => string | undefined,
): (request: R, exchange: Exchange) => May<Refusal | undefined> {
  function take(
    request: R,
    exchange: Exchange,
    from: string | undefined,
    verification: Verification,
  ): Refusal | undefined {
    const { key } = verification;
    if (key === undefined) return told(keyRefusal(verification), verification.why, verification.found, from);
    const mayAsk = maySend(key.scopes, adapter.method(request), adapter.url(request));
    if (!mayAsk) return told(scopeRefusal('route'), 'route', key, from);
    exchange.key = key;
    exchange.authenticator = authenticator;
    return undefined;
  }

  function told(refusal: Refusal, why: KeyFault | 'route', key: ApiKey | undefined, from: string | undefined): Refusal {
    gate.keyRefused({ refusal, why, key, from });
    return refusal;
  }

  return (request, exchange) => {
    if (exchange.authenticator === authenticator) return undefined;
    const from = authenticator.isGuarded ? addressOf(request) : undefined;
    const verification = authenticator.verify(shownKey(request, adapter), from);
    return isPromise(verification)
      ? verification.then((verification) => take(request, exchange, from, verification))
      : take(request, exchange, from, verification);
  };
}
