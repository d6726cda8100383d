/** Anthropic's messages. */
import { type Answer, promptTokens, TOOL_NAME_TOKENS, textsIn } from '../answers.js';
import type { Usage } from '../bill.js';
import type { Standing } from '../limiters.js';
import { type Body, type Call, event, type Format, type Step, type Trouble } from './format.js';

const HEADER_NAMES = {
  requests: 'requests',
  tokens: 'tokens',
  inputTokens: 'input-tokens',
  outputTokens: 'output-tokens',
};

export const anthropic: Format = {
  keyOf: (headers) => headers.get('authorization')?.replace(/^Bearer /, '') ?? headers.get('x-api-key') ?? '',
  read: (path, body) => (path === '/messages' ? readMessages(body) : undefined),
  whole: wholeMessage,
  stream: streamMessage,
  unknownKey: { status: 401, code: 'authentication_error', message: 'invalid x-api-key' },
  error: errorOf,
  errorEvent: (trouble) => event(errorOf(trouble), 'error'),
  headers: (standings, now) => Object.fromEntries(standings.flatMap((standing) => headersOf(standing, now))),
};

function readMessages(body: Body): Call {
  return {
    operation: 'messages',
    model: body.model,
    stream: body.stream === true,
    promptTokens: promptTokens(textsIn([body.system, body.messages, body.tools])),
    maxTokens: body.max_tokens,
    tools: body.tools?.map((tool: Body) => tool.name) ?? [],
    wantsUsage: true,
  };
}

function wholeMessage(id: string, call: Call, answer: Answer, usage: Usage): unknown {
  const content = blocksOf(id, answer).map(({ block, whole }) => ({ ...block, ...whole }));
  return {
    ...head(id, call),
    content,
    stop_reason: stopReason(call, answer),
    stop_sequence: null,
    usage: wireUsage(usage),
  };
}

/** Usage of the prompt comes first; that of the answer grows, and its last word is in `message_delta`. */
function* streamMessage(id: string, call: Call, answer: Answer, usage: Usage): Generator<Step> {
  const step = (tokens: number, type: string, fields: object = {}): Step => ({
    tokens,
    event: event({ type, ...fields }, type),
  });
  const message = { ...head(id, call), content: [], stop_reason: null, stop_sequence: null };
  yield step(0, 'message_start', { message: { ...message, usage: wireUsage({ ...usage, output: 1 }) } });
  yield step(0, 'ping');
  for (const [index, { block, unsaid, deltas, seal }] of blocksOf(id, answer).entries()) {
    yield step(unsaid, 'content_block_start', { index, content_block: block });
    for (const delta of deltas) yield step(1, 'content_block_delta', { index, delta });
    if (seal) yield step(0, 'content_block_delta', { index, delta: seal });
    yield step(0, 'content_block_stop', { index });
  }
  const delta = { stop_reason: stopReason(call, answer), stop_sequence: null };
  yield step(0, 'message_delta', { delta, usage: { output_tokens: usage.output } });
  yield step(0, 'message_stop');
}

/** A block as it begins, tokens that go unsaid, deltas of a token each and one of none, and what they make of the block. */
interface Block {
  readonly block: object;
  readonly unsaid: number;
  readonly deltas: readonly object[];
  readonly seal?: object;
  readonly whole: object;
}

function blocksOf(id: string, { reasoning = 0, text, toolCalls }: Answer): Block[] {
  const blocks: Block[] = [];
  if (reasoning > 0) {
    const deltas = Array.from({ length: reasoning }, () => ({ type: 'thinking_delta', thinking: ' hm' }));
    const seal = { type: 'signature_delta', signature: 'signed' };
    const whole = { thinking: ' hm'.repeat(reasoning), signature: 'signed' };
    blocks.push({ block: { type: 'thinking', thinking: '', signature: '' }, unsaid: 0, deltas, seal, whole });
  }
  if (text.length > 0) {
    const deltas = text.map((piece) => ({ type: 'text_delta', text: piece }));
    blocks.push({ block: { type: 'text', text: '' }, unsaid: 0, deltas, whole: { text: text.join('') } });
  }
  for (const [i, { name, arguments: pieces }] of toolCalls.entries()) {
    const deltas = pieces.map((partial_json) => ({ type: 'input_json_delta', partial_json }));
    const block = { type: 'tool_use', id: `toolu_${id}_${i}`, name, input: {} };
    blocks.push({ block, unsaid: TOOL_NAME_TOKENS, deltas, whole: { input: JSON.parse(pieces.join('')) } });
  }
  return blocks;
}

function head(id: string, { model }: Call) {
  return { id: `msg_${id}`, type: 'message', role: 'assistant', model };
}

function stopReason({ maxTokens }: Call, { text, toolCalls }: Answer): string {
  if (toolCalls.length > 0) return 'tool_use';
  return text.length === maxTokens ? 'max_tokens' : 'end_turn';
}

/** What was read from the cache or written to it comes on top of `input_tokens`. */
function wireUsage({ input, cacheRead, cacheWritten, output }: Usage) {
  return {
    input_tokens: input - cacheRead - cacheWritten,
    cache_creation_input_tokens: cacheWritten,
    cache_read_input_tokens: cacheRead,
    output_tokens: output,
    service_tier: 'standard',
  };
}

function errorOf({
  status,
  code = TYPES.get(status) ?? 'api_error',
  message = `The fake provider says ${code}.`,
}: Trouble) {
  return { type: 'error', error: { type: code, message }, request_id: 'req_fake' };
}

const TYPES = new Map([
  [402, 'billing_error'],
  [404, 'not_found_error'],
  [429, 'rate_limit_error'],
  [529, 'overloaded_error'],
]);

/** Tokens that remain are told in thousands. */
function headersOf({ unit, limit, remaining, resetMs }: Standing, now: number): [string, string][] {
  const name = `anthropic-ratelimit-${HEADER_NAMES[unit]}`;
  const told = unit === 'requests' ? remaining : Math.round(remaining / 1000) * 1000;
  const reset = new Date(Math.ceil((now + resetMs) / 1000) * 1000).toISOString().replace('.000Z', 'Z');
  return [
    [`${name}-limit`, String(limit)],
    [`${name}-remaining`, String(told)],
    [`${name}-reset`, reset],
  ];
}
