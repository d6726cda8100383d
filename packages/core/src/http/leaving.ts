/** Clients that leave: what waits for them, or works, is told. */
import type { Adapter } from './adapter.js';

/** What signals abort with. */
export function clientGone(): Error {
  return new Error('The client closed the connection.');
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
