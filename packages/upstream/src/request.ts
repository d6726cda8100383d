/** A request as it came to the fetch: whose provider it is for, what it asks for, and whether it can be sent twice. */
import { types } from 'node:util';
import { weighOnce } from '@tollgate/core';
import { isRecord } from '@tollgate/core/options';
import type { Call } from './formats/format.js';
import { parsed } from './formats/values.js';
import type { Provider } from './providers/provider.js';
import { onAbort, unlessAborted } from './signals.js';
import { join } from './usage/passage.js';

/** What fetch takes as a body. */
type Body = NonNullable<RequestInit['body']>;

export interface UpstreamRequest {
  readonly url: URL;
  readonly method: string;
  /** As the client set them, with its placeholder of a key. */
  readonly headers: Headers;
  readonly body: Body | undefined;
  /** The body as JSON; `undefined` where it is none, or isn't read. */
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
  /** `undefined` for what the format doesn't know: it is passed on as it is, and not counted. */
  readonly call: Call | undefined;
}

/**
 * A request as it is, with its body unread.
 *
 * @throws TypeError for what is no URL, as fetch does
 */
export function readRequest(input: string | URL | Request, given?: RequestInit | null): UpstreamRequest {
  const init = given ?? {};
  const isRequest = typeof input === 'object' && !(input instanceof URL);
  const { method = 'GET', headers, body, signal, ...others } = isRequest ? partsOf(input, init) : init;
  return {
    url: new URL(isRequest ? input.url : input),
    method: method.toUpperCase(),
    headers: new Headers(headers),
    body: body ?? undefined,
    json: undefined,
    canRepeat: !isStream(body),
    signal: signal ?? undefined,
    others,
  };
}

/**
 * What a request asks of a provider. Where that may be a call its body is read to its end, since that says what it will cost:
 * one that can't be read is a call all the same. Other bodies, such as uploads, are left alone.
 *
 * @returns rejects with the signal's reason where that aborts meanwhile
 */
export async function askedOf(request: UpstreamRequest, provider: Provider): Promise<Asked> {
  const path = pathBelow(request.url, provider) as string;
  const read = (body: unknown) => provider.format.read(plain(path), body);
  if (request.body === undefined || read({}) === undefined) return { request, provider, path, call: undefined };
  const whole = await withBody(request);
  const call = read(whole.json ?? {});
  // Whoever pays is asked for each attempt, and headroom for each turn.
  if (call !== undefined && isRecord(whole.json)) weighOnce(whole.json);
  return { request: whole, provider, path, call };
}

/** A path as servers read it, whatever was escaped in it without need. What would end a segment stays as it was. */
export function plain(path: string): string {
  return path.replace(/%(?!2[35f]|3f|5c)[2-7][\da-f]/gi, decodeURIComponent);
}

/** Requests that only read cost nothing, unless the format knows them as calls. */
export function isReading({ method }: UpstreamRequest): boolean {
  return method === 'GET' || method === 'HEAD';
}

/** Bytes that were streamed are sent as they came. */
async function withBody(request: UpstreamRequest): Promise<UpstreamRequest> {
  const { body: sent, signal } = request;
  const body = isStream(sent) ? await bytesOf(sent as ReadableStream<Uint8Array>, signal) : sent;
  const text = body instanceof Blob ? await unlessAborted(body.text(), signal) : textOf(body);
  return {
    ...request,
    body,
    json: text === undefined ? undefined : parsed(text),
    canRepeat: true,
  };
}

async function bytesOf(stream: ReadableStream<Uint8Array>, signal: AbortSignal | undefined): Promise<Body> {
  // Makes a stream of whatever else fetch accepts as one, such as an async iterable.
  const reader = (new Response(stream).body as ReadableStream<Uint8Array>).getReader();
  const leave = (reason: unknown) => void reader.cancel(reason).catch(() => {});
  const release = onAbort(signal, leave);
  try {
    if (signal?.aborted) leave(signal.reason);
    const pieces: Uint8Array[] = [];
    for (let read = await reader.read(); !read.done; read = await reader.read()) pieces.push(read.value);
    signal?.throwIfAborted();
    return join(pieces) as Uint8Array<ArrayBuffer>;
  } finally {
    release();
  }
}

function partsOf(input: Request, init: RequestInit): RequestInit {
  const { method, headers, body, signal } = new Request(input, init);
  // The content-type names the boundary of this encoding of the form; encoded again it would have another.
  const isForm = init.body instanceof FormData;
  return { ...init, method, headers, signal, body: isForm ? body : (init.body ?? body) };
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

/** `undefined` for what isn't read at once. */
export function textOf(body: Body | undefined): string | undefined {
  if (typeof body === 'string') return body;
  return ArrayBuffer.isView(body) || types.isAnyArrayBuffer(body) ? new TextDecoder().decode(body) : undefined;
}
