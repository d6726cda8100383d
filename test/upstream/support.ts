/** What the tests of the upstream share: providers on 127.0.0.1 that answer as they are told to, and who asks them. */
import type { IncomingHttpHeaders, Server, ServerResponse } from 'node:http';
import { type Admission, type AdmitRequest, createTollgate, type Tollgate, type TollgateConfig } from '@tollgate/core';
import { runWithAdmission } from '@tollgate/core/context';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import type { Failure, KeyOptions, Provider, WireFormat } from '@tollgate/upstream';
import { listen, portOf } from '../helpers/http-server.js';

export { warnings } from '../core/support.js';

export const MODEL = 'small-1';

/** A call as a provider saw it. */
export interface Seen {
  readonly key: string;
  readonly path: string;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly model: string;
}

export interface FakeReply {
  status?: number;
  headers?: Record<string, string>;
  body?: unknown;
}

/** Answers the n-th call, from 0; `'hang up'` closes the connection, `'hang'` never answers. */
export type Script = (seen: Seen, n: number) => Told | Promise<Told>;

export type Told = FakeReply | 'hang up' | 'hang';

/** Usage of every call that is answered well. */
export const USAGE = { prompt_tokens: 10, completion_tokens: 5 };

export const answered = (): FakeReply => ({ body: { model: MODEL, choices: [], usage: USAGE } });

/** A provider's server, and all calls that have reached it. */
export async function fakeServer(script: Script = answered): Promise<{ server: Server; seen: Seen[] }> {
  const seen: Seen[] = [];
  const server = await listen(async (req, res) => {
    const chunks: Buffer[] = [];
    for await (const chunk of req) chunks.push(chunk as Buffer);
    const text = Buffer.concat(chunks).toString();
    const { headers, url: path = '', method = '' } = req;
    const key = (headers.authorization ?? '').replace('Bearer ', '');
    const one = { key, path, method, headers, text, model: modelIn(text) };
    seen.push(one);
    reply(res, await script(one, seen.length - 1));
  });
  return { server, seen };
}

function reply(res: ServerResponse, told: Told): void {
  if (told === 'hang') return;
  if (told === 'hang up') {
    res.destroy();
    return;
  }
  const { status = 200, headers = {}, body = {} } = told;
  res.writeHead(status, { 'content-type': 'application/json', ...headers });
  res.end(JSON.stringify(body));
}

function modelIn(text: string): string {
  try {
    return String(JSON.parse(text).model ?? '');
  } catch {
    return '';
  }
}

/** A wire format as small as one can be. */
export const format: WireFormat = {
  name: 'fake',
  read: (path, body) =>
    path === '/chat/completions' && body !== undefined
      ? { operation: 'chat', model: String((body as { model?: unknown } | undefined)?.model), stream: false }
      : undefined,
  withModel: (path, body, model) => ({ path, body: { ...(body as object), model } }),
  askingForUsage: (_call, body) => ({ body, isOurs: false }),
  usage: (_call, answer) => {
    const { usage, model } = answer as { usage?: typeof USAGE; model?: string };
    return usage && { inputTokens: usage.prompt_tokens, outputTokens: usage.completion_tokens, model };
  },
  reader: () => ({
    event: () => true,
    usage: undefined,
    isComplete: false,
    outputTokens: 0,
    outputCharacters: 0,
    error: undefined,
  }),
  refusal: ({ title, detail }) => ({ error: { type: title, message: detail } }),
};

/** A key whose secret is its name's. */
export function key(name: string, more: Partial<KeyOptions> = {}): KeyOptions {
  return { name, secret: () => `secret-of-${name}`, ...more };
}

/** The same with no socket in between, where a clock tells what comes when. */
export function fakeTransport(script: Script = answered): { fetch: typeof globalThis.fetch; seen: Seen[] } {
  const seen: Seen[] = [];
  const fetch = async (url: URL, { method, headers, body, signal }: RequestInit) => {
    const given = Object.fromEntries(new Headers(headers));
    const text = String(body ?? '');
    const key = (given.authorization ?? '').replace('Bearer ', '');
    const one = { key, path: url.pathname, method: String(method), headers: given, text, model: modelIn(text) };
    seen.push(one);
    const told = await script(one, seen.length - 1);
    if (told === 'hang up') throw new TypeError('fetch failed', { cause: new Error('other side closed') });
    if (told === 'hang')
      return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
    const { status = 200, headers: more = {}, body: json = {} } = told;
    return new Response(JSON.stringify(json), { status, headers: { 'content-type': 'application/json', ...more } });
  };
  return { fetch: fetch as typeof globalThis.fetch, seen };
}

/** A provider at a server, or at a base URL. Its answers are failures by their status; its limits are in no header. */
export function provider(
  name: string,
  at: Server | string,
  keys: readonly KeyOptions[],
  more: Partial<Provider> = {},
): Provider {
  return {
    name,
    format,
    baseUrl: baseOf(at),
    keys,
    family: (model) => model,
    authorize: (headers, secret) => headers.set('authorization', `Bearer ${secret}`),
    readings: () => [],
    failure: ({ status, headers }) => failureOf(status, headers.get('retry-after')),
    ...more,
  };
}

function failureOf(status: number, retryAfter: string | null): Failure | undefined {
  const retryAfterMs = retryAfter === null ? undefined : Number(retryAfter) * 1000;
  if (status === 429) return { kind: 'throttled', retryAfterMs };
  if (status === 401) return { kind: 'unauthorized' };
  if (status === 402) return { kind: 'exhausted' };
  if (status === 403) return { kind: 'forbidden' };
  if (status === 503) return { kind: 'overloaded', retryAfterMs };
  return status >= 500 ? { kind: 'broken' } : undefined;
}

/** A gate with a budget of $1 a day for each user, where a token costs $0.001 of the prompt and $0.01 of the answer. */
export function gateOf(more: TollgateConfig = {}): {
  gate: Tollgate;
  clock: ManualClock;
  spent: (user: string) => Promise<number>;
} {
  const clock = manualClock();
  const gate = createTollgate<string, string, string, string, string>({
    clock,
    budgets: [{ kind: 'budget', name: 'user', by: 'user', limit: '$1', per: 'day' }],
    prices: { default: { input: '$1000/M', output: '$10000/M' } },
    ...more,
  });
  const spent = async (user: string) => {
    const { budgets } = await gate.inspect({ user });
    return (budgets[0]?.used ?? 0) / 1e6;
  };
  return { gate: gate as Tollgate, clock, spent };
}

/** Admits a request of a user, or fails the test. */
export async function admission(gate: Tollgate, request: AdmitRequest = {}): Promise<Admission> {
  const decision = await gate.admit({ permits: 1, model: MODEL, subject: { user: 'u1' }, ...request });
  if (!decision.admitted) throw new Error(`refused: ${decision.refusal.detail}`);
  return decision.admission;
}

/** A chat completion, sent below an admission of `u1` that expects 20 tokens each way, and what came of it. */
export async function chat(
  gate: Tollgate,
  fetch: typeof globalThis.fetch,
  server: Server,
  { request = {}, body = {}, init = {} }: { request?: AdmitRequest; body?: object; init?: RequestInit } = {},
): Promise<{ response: Response; text: string }> {
  const estimate = { inputTokens: 20, outputTokens: 20 };
  const admitted = await admission(gate, { estimate, ...request });
  const response = await runWithAdmission(admitted, () => post(fetch, server, body, init));
  const text = await response.text();
  await admitted.conclude();
  return { response, text };
}

function baseOf(at: Server | string): string {
  return typeof at === 'string' ? at : `http://127.0.0.1:${portOf(at)}/v1`;
}

/** What SDKs send: with the placeholder of a key. */
export function post(fetch: typeof globalThis.fetch, at: Server | string, body: object = {}, init: RequestInit = {}) {
  return fetch(`${baseOf(at)}/chat/completions`, {
    method: 'POST',
    headers: { authorization: 'Bearer managed', 'content-type': 'application/json' },
    body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'hi' }], max_tokens: 20, ...body }),
    ...init,
  });
}
