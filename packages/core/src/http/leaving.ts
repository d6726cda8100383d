/** Clients that leave: what waits for them, or works, is told. */
import { TollgateError } from '../errors.js';
import type { Adapter } from './adapter.js';

/** What signals abort with. */
export function clientGone(): TollgateError {
  return new TollgateError('TOLLGATE_CLIENT_GONE', 'The client closed the connection before it was answered.');
}

/** Whose response is over waits no longer, however it ended; afterwards, who has left before the end sets off nothing more. */
export function abortOnClose<R, S>(
  adapter: Pick<Adapter<R, S>, 'onClose'>,
  response: S,
  decision: Promise<unknown>,
  leaving: AbortController,
): void {
  let waits = true;
  const decided = () => {
    waits = false;
  };
  decision.then(decided, decided);
  adapter.onClose(response, ({ finished }) => {
    if (waits || !finished) leaving.abort(clientGone());
  });
}
