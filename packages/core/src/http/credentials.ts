/** The API key that a request shows, as `Authorization: Bearer <key>` or as `x-api-key: <key>`. */
import type { Adapter } from './adapter.js';

/** What it is where it can't be told which of several was meant: no key, but shown. */
const NO_KEY = '';

const BEARER = /^bearer +([^\s,]+)$/i;

/** Longer ones are no key of anybody. */
const LONGEST = 512;

/** How keys of ours begin. A bearer token of another kind may be there for the app itself, beside an `x-api-key`. */
const OURS = 'tg_';

/**
 * What a request shows as a key; `undefined` where that is nothing. What is said twice is said in vain, since whoever stands
 * in front of the app may have gone by the other one: a header that comes twice, or two keys that differ.
 */
export function shownKey<R>(request: R, adapter: Pick<Adapter<R, never>, 'header' | 'rawHeaders'>): string | undefined {
  const authorization = adapter.header(request, 'authorization');
  const plain = adapter.header(request, 'x-api-key');
  if (authorization === undefined && plain === undefined) return undefined;
  if (comesTwice(adapter.rawHeaders(request))) return NO_KEY;
  const bearer = authorization === undefined ? undefined : bearerOf(authorization);
  const key = plain === undefined ? undefined : textOf(plain);
  if (bearer === undefined || key === undefined || bearer === key) return key ?? bearer;
  return bearer.startsWith(OURS) ? NO_KEY : key;
}

/** Of other schemes, which are the app's affair, `undefined`. */
function bearerOf(authorization: string | readonly string[]): string | undefined {
  const text = textOf(authorization);
  if (text.slice(0, 7).toLowerCase() !== 'bearer ') return text === NO_KEY ? NO_KEY : undefined;
  return BEARER.exec(text)?.[1] ?? NO_KEY;
}

function textOf(value: string | readonly string[]): string {
  return typeof value === 'string' && value.length <= LONGEST ? value : NO_KEY;
}

/** Node itself keeps the first `Authorization` and drops the others. */
function comesTwice(rawHeaders: readonly string[]): boolean {
  let authorizations = 0;
  let keys = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i];
    if (name.length === 13 && name.toLowerCase() === 'authorization') authorizations++;
    else if (name.length === 9 && name.toLowerCase() === 'x-api-key') keys++;
  }
  return authorizations > 1 || keys > 1;
}
