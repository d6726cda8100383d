/** OpenAI's wire format. */
import type { Standing } from '../limiters.js';
import { event, type Format, type Trouble } from './format.js';
import { readChat, readEmbeddings, streamChat, wholeChat, wholeEmbeddings } from './openai-chat.js';
import { readResponses, streamResponse, wholeResponse } from './openai-responses.js';

export const openai: Format = {
  keyOf: (headers) => headers.get('authorization')?.replace(/^Bearer /, '') ?? '',
  read(path, body) {
    if (path === '/chat/completions') return readChat(body);
    if (path === '/responses') return readResponses(body);
    if (path === '/embeddings') return readEmbeddings(body);
    return undefined;
  },
  whole(id, call, answer, usage) {
    if (call.operation === 'embeddings') return wholeEmbeddings(call, usage);
    return (call.operation === 'chat' ? wholeChat : wholeResponse)(id, call, answer, usage);
  },
  stream: (id, call, answer, usage) =>
    (call.operation === 'chat' ? streamChat : streamResponse)(id, call, answer, usage),
  unknownKey: { status: 401, code: 'invalid_api_key', message: 'Incorrect API key provided.' },
  error: errorOf,
  errorEvent: (trouble) => event(errorOf(trouble)),
  headers: (standings) => Object.fromEntries(standings.flatMap(headersOf)),
};

function headersOf({ unit, limit, remaining, resetMs }: Standing): [string, string][] {
  if (unit !== 'requests' && unit !== 'tokens') return [];
  return [
    [`x-ratelimit-limit-${unit}`, String(limit)],
    [`x-ratelimit-remaining-${unit}`, String(remaining)],
    [`x-ratelimit-reset-${unit}`, duration(resetMs)],
  ];
}

function errorOf({ status, code = codeOf(status), message = `The fake provider says ${code}.` }: Trouble) {
  return { error: { message, type: TYPES.get(code) ?? 'server_error', param: null, code } };
}

function codeOf(status: number): string {
  if (status === 429) return 'rate_limit_exceeded';
  return status === 404 ? 'model_not_found' : 'server_error';
}

const TYPES = new Map([
  ['rate_limit_exceeded', 'tokens'],
  ['insufficient_quota', 'insufficient_quota'],
  ['invalid_api_key', 'invalid_request_error'],
  ['model_not_found', 'invalid_request_error'],
]);

/** As OpenAI writes it: `12ms`, `1.5s`, `6m0s`. */
function duration(ms: number): string {
  if (ms < 1000) return `${ms}ms`;
  const minutes = Math.floor(ms / 60_000);
  const seconds = (ms % 60_000) / 1000;
  return minutes > 0 ? `${minutes}m${seconds}s` : `${seconds}s`;
}
