/** What makes a middleware and was itself used as one, `app.use(tollgate)`: a framework calls it with what it has, a request. */
import { TollgateError } from '../errors.js';
import { isRecord } from '../schema.js';

/**
 * @param given in place of a gate or tier: Express gives its request, Koa its context
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` where that is one
 */
export function assertCalled(given: unknown, name: 'toll' | 'tollgate', field: 'tier' | 'gate', call: string): void {
  if (!isRecord(given) || !isRecord(given.headers)) return;
  const expected = `${call}: '${name}' itself is no middleware`;
  throw new TollgateError(
    'TOLLGATE_CONFIG_INVALID',
    `'${name}' itself is no middleware, and was called with a request: use what it returns when it is called with a ${field}, ${call}.`,
    [{ path: field, value: given, expected }],
  );
}
