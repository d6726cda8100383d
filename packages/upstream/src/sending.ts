/** How a call is put on the wire for one of its ways. */
import { isRecord } from '@tollgate/core/options';
import { removeKeys } from './providers/credentials.js';
import { type Asked, plain, textOf, type UpstreamRequest } from './request.js';
import { spliced } from './splice.js';
import type { CallWay } from './way.js';

/** These name the client's account, and go to no other provider. */
export const ACCOUNTS = ['openai-organization', 'openai-project'];

/** Headers of the hop, headers that the transport writes itself, and headers that turn a request into another. */
const HOPS = [
  'connection',
  'keep-alive',
  'proxy-authorization',
  'proxy-connection',
  'transfer-encoding',
  'te',
  'trailer',
  'upgrade',
  'expect',
  'content-length',
  'host',
  // The client may accept encodings that this fetch can't decode, and then usage couldn't be read.
  'accept-encoding',
  // Belongs to an end user.
  'cookie',
  'x-http-method-override',
];

/** What goes on the wire. */
export interface Message {
  readonly url: URL;
  readonly headers: Headers;
  readonly body: UpstreamRequest['body'];
  /** It asks for usage, and the client itself didn't. */
  readonly isAsking: boolean;
}

/** @param secret the way's key */
export function messageOf({ request, provider, path, call }: Asked, way: CallWay, secret: string): Message {
  const { format } = provider;
  const headers = new Headers(request.headers);
  for (const name of [...HOPS, ...namesIn(headers.get('connection'))]) headers.delete(name);
  const isOwn = call === undefined || way.model === undefined || way.model === call.model;
  const served = isOwn ? { path, body: request.json } : format.withModel(plain(path), request.json, way.model);
  const asking = call && way.provider.format.askingForUsage(call, served.body);
  const url = new URL(way.provider.baseUrl.replace(/\/+$/, '') + served.path + request.url.search);
  if (way.provider !== provider) removeKeys(headers, url, [...ACCOUNTS, provider.authorize.header]);
  way.provider.authorize(headers, secret, url);
  const isSame = asking === undefined || asking.body === request.json;
  const body = isSame ? request.body : written(request, asking.body);
  return { url, headers, body, isAsking: asking?.isOurs ?? false };
}

/** The headers that `Connection` names: they are for this hop, too. What can't be a header's name is left out. */
function namesIn(connection: string | null): readonly string[] {
  return (connection ?? '').split(',').flatMap((name) => /^\s*([\w!#$%&'*+.^`|~-]+)\s*$/.exec(name)?.[1] ?? []);
}

/** The changed body; what isn't changed stays as the client wrote it. */
function written({ body, json }: UpstreamRequest, changed: unknown): string {
  const text = textOf(body);
  return text !== undefined && isRecord(json) && isRecord(changed)
    ? spliced(text, json, changed)
    : JSON.stringify(changed);
}

/** Sends it. No redirect is followed: it would take the key along. */
export function send(
  fetch: typeof globalThis.fetch,
  { method, others }: UpstreamRequest,
  { url, headers, body }: Message,
  signal: AbortSignal | undefined,
): Promise<Response> {
  const stream = body instanceof ReadableStream ? { duplex: 'half' as const } : {};
  return fetch(url, {
    ...others,
    ...stream,
    method,
    headers,
    body: body ?? null,
    redirect: 'manual',
    signal: signal ?? null,
  });
}
