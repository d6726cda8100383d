/** How a key is put into a request. */
import type { Provider } from './provider.js';

/** Wherever SDKs put keys: what is meant for one provider must not reach another. */
const HEADERS = ['authorization', 'x-api-key', 'api-key', 'x-goog-api-key'];
const PARAMETER = 'key';

/** `authorization: Bearer …`, in place of all that is there. */
export const bearer: Provider['authorize'] = (headers, secret, url) => {
  removeKeys(headers, url);
  headers.set('authorization', `Bearer ${secret}`);
};

/** A header with the key alone, in place of all that is there. */
export function keyHeader(name: string): Provider['authorize'] {
  const authorize = (headers: Headers, secret: string, url: URL) => {
    removeKeys(headers, url);
    headers.set(name, secret);
  };
  return Object.assign(authorize, { header: name });
}

/** @param others headers that hold what is for one provider alone */
export function removeKeys(headers: Headers, url: URL, others: readonly (string | undefined)[] = []): void {
  for (const name of [...HEADERS, ...others]) if (name !== undefined) headers.delete(name);
  if (url.searchParams.has(PARAMETER)) url.searchParams.delete(PARAMETER);
}
