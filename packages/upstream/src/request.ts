/** A request as it came to the fetch: whose provider it is for, what it asks for, and whether it can be sent twice. */
import { types } from 'node:util';
import type { Call } from './formats/format.js';
import type { Provider } from './providers/provider.js';

/** What fetch takes as a body. */
type Body = NonNullable<RequestInit['body']>;

export interface UpstreamRequest {
  readonly url: URL;
  readonly method: string;
  /** As the client set them, with its placeholder of a key. */
  readonly headers: Headers;
  readonly body: Body | undefined;
  /** The body as JSON; `undefined` where it is none. */
  readonly json: unknown;
  /** The body can be sent again, to another provider or by another key. A stream is gone once it was sent. */
  readonly canRepeat: boolean;
  readonly signal: AbortSignal | undefined;
  /** What else the client gave its fetch, such as a dispatcher. */
  readonly others: RequestInit;
}

/** What is asked of a provider. */
export interface Asked {
  readonly request: UpstreamRequest;
  readonly provider: Provider;
  /** Below the provider's base URL, such as `/chat/completions`. */
  readonly path: string;
  /** `undefined` for what costs no tokens. */
  readonly call: Call | undefined;
}

/**
 * A stream that may be JSON is read to its end, since that says what the call will cost. Others, such as uploads, are left alone.
 *
 * @throws TypeError for what is no URL, as fetch does
 */
export async function readRequest(input: string | URL | Request, init: RequestInit = {}): Promise<UpstreamRequest> {
  const isRequest = typeof input === 'object' && !(input instanceof URL);
  const { method = 'GET', headers: given, body: sent, signal, ...others } = isRequest ? partsOf(input, init) : init;
  const headers = new Headers(given);
  const body = isStream(sent) && mayBeJson(headers) ? await new Response(sent as ReadableStream).text() : sent;
  return {
    url: new URL(isRequest ? input.url : input),
    method: method.toUpperCase(),
    headers,
    body: body ?? undefined,
    json: jsonOf(body),
    canRepeat: !isStream(body),
    signal: signal ?? undefined,
    others,
  };
}

function partsOf(input: Request, init: RequestInit): RequestInit {
  const { method, headers, body, signal } = new Request(input, init);
  return { ...init, method, headers, signal, body: init.body ?? body };
}

/** The provider whose base URL this is below. Of several the one whose base URL says most, and of equals the first. */
export function providerOf(url: URL, providers: Iterable<Provider>): Provider | undefined {
  let found: Provider | undefined;
  for (const provider of providers) {
    if (pathBelow(url, provider) === undefined) continue;
    if (found === undefined || provider.baseUrl.length > found.baseUrl.length) found = provider;
  }
  return found;
}

/** `undefined` where it isn't below the provider's base URL. */
export function pathBelow({ origin, pathname }: URL, { baseUrl }: Provider): string | undefined {
  const base = new URL(baseUrl);
  const start = base.pathname.replace(/\/+$/, '');
  if (origin !== base.origin || !pathname.startsWith(start)) return undefined;
  const path = pathname.slice(start.length);
  return path === '' || path.startsWith('/') ? path : undefined;
}

function isStream(body: unknown): boolean {
  if (typeof body !== 'object' || body === null) return false;
  return body instanceof ReadableStream || Symbol.asyncIterator in body;
}

/** Unless it says that it is something else. Requests with a text say by themselves that they are plain text. */
function mayBeJson(headers: Headers): boolean {
  return /\bjson\b|^text\b/i.test(headers.get('content-type') ?? 'json');
}

function jsonOf(body: unknown): unknown {
  const text = typeof body === 'string' ? body : isBytes(body) ? new TextDecoder().decode(body) : undefined;
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isBytes(body: unknown): body is Uint8Array | ArrayBuffer {
  return ArrayBuffer.isView(body) || types.isAnyArrayBuffer(body);
}
