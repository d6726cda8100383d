import { anthropicFormat } from '@tollgate/upstream';
import { readAll, told } from '../bodies.js';

const MESSAGES = { operation: 'messages', model: 'claude-haiku-4-5', stream: true };

const usageIn = (answer: unknown) => told(anthropicFormat.usage({ ...MESSAGES, stream: false }, answer));

test.each([
  ['/messages', 'messages'],
  ['/v1/messages', 'messages'],
  ['/v1/messages/count_tokens', undefined],
  ['/v1/messages/batches', undefined],
  ['/v1/models', undefined],
])('a request at %s is one of %s', (path, operation) => {
  const call = operation && { operation, model: 'm', stream: true };
  expect(anthropicFormat.read(path, { model: 'm', stream: true })).toEqual(call);
  expect(anthropicFormat.read(path, undefined)).toBeUndefined();
});

test('a request for another model is the same but for that', () => {
  const body = { model: 'claude-opus-4-6', max_tokens: 10 };
  const changed = anthropicFormat.withModel('/messages', body, 'claude-haiku-4-5');
  expect(changed).toEqual({ path: '/messages', body: { model: 'claude-haiku-4-5', max_tokens: 10 } });
  expect(anthropicFormat.askingForUsage(MESSAGES, body).body).toBe(body);
});

describe('usage in an answer', () => {
  test('has the prompt in three parts that add up', () => {
    const usage = {
      input_tokens: 10,
      cache_creation_input_tokens: 100,
      cache_read_input_tokens: 50,
      cache_creation: { ephemeral_5m_input_tokens: 100, ephemeral_1h_input_tokens: 0 },
      output_tokens: 5,
      service_tier: 'standard',
    };
    expect(usageIn({ model: 'claude-haiku-4-5-20251001', usage })).toEqual({
      model: 'claude-haiku-4-5-20251001',
      inputTokens: 160,
      cachedInputTokens: 50,
      cacheWriteTokens: 100,
      outputTokens: 5,
    });
  });

  test.each<[unknown, object | undefined]>([
    [undefined, undefined],
    [
      { input_tokens: 10, output_tokens: 5, cache_read_input_tokens: null },
      { inputTokens: 10, outputTokens: 5 },
    ],
    [
      { input_tokens: 0, output_tokens: 5, cache_read_input_tokens: 7 },
      { inputTokens: 7, cachedInputTokens: 7, outputTokens: 5 },
    ],
    [{ input_tokens: '10', output_tokens: -5 }, undefined],
    [{ cache_read_input_tokens: 7, output_tokens: 5 }, { outputTokens: 5 }],
  ])('is unknown where it can not be: %j', (usage, expected) => expect(usageIn({ usage })).toEqual(expected));
});

describe('a stream', () => {
  const start = {
    type: 'message_start',
    message: {
      model: 'claude-haiku-4-5',
      usage: { input_tokens: 10, cache_creation_input_tokens: 100, cache_read_input_tokens: 50, output_tokens: 1 },
    },
  };
  const text = (text: string) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text } });
  const done = (output_tokens: number, stop_reason: string | null = 'end_turn', more: object = {}) => ({
    type: 'message_delta',
    delta: { stop_reason, stop_sequence: null },
    usage: { output_tokens, ...more },
  });
  const PROMPT = { model: 'claude-haiku-4-5', inputTokens: 160, cachedInputTokens: 50, cacheWriteTokens: 100 };

  test('tells of the prompt at its start and of the answer at its end', () => {
    const events = [start, { type: 'ping' }, text('Hello'), text(' there'), done(7), { type: 'message_stop' }];
    const read = readAll(anthropicFormat, MESSAGES, events);
    expect(told(read.usage)).toEqual({ ...PROMPT, outputTokens: 7 });
    expect(read).toMatchObject({ isComplete: true, outputTokens: 2, error: undefined, passed: events });
  });

  test('that is cut has told of the prompt', () => {
    const read = readAll(anthropicFormat, MESSAGES, [start, text('Hello there')]);
    expect(told(read.usage)).toEqual({ ...PROMPT, outputTokens: 1 });
    expect(read).toMatchObject({ isComplete: false, outputTokens: 2 });
  });

  test('tells the whole so far each time, and what it leaves out stands', () => {
    const events = [start, done(5, null, { input_tokens: 20 }), done(9, 'tool_use', { cache_read_input_tokens: null })];
    const read = readAll(anthropicFormat, MESSAGES, events);
    expect(told(read.usage)).toEqual({ ...PROMPT, inputTokens: 170, outputTokens: 9 });
    expect(readAll(anthropicFormat, MESSAGES, events.slice(0, 2)).isComplete).toBe(false);
  });

  test.each([
    ['thinking', { type: 'thinking_delta', thinking: 'Hello there' }, 2],
    ['a signature', { type: 'signature_delta', signature: 'c2lnbmVk'.repeat(20) }, 0],
    ['a citation', { type: 'citations_delta', citation: { cited_text: 'Hello there' } }, 0],
  ])('counts what passes: %s', (_what, delta, tokens) => {
    const event = { type: 'content_block_delta', index: 0, delta };
    expect(readAll(anthropicFormat, MESSAGES, [start, event]).outputTokens).toBe(tokens);
  });

  test('counts a tool call with what stands around it', () => {
    const events = [
      {
        type: 'content_block_start',
        index: 0,
        content_block: { type: 'tool_use', id: 't', name: 'search', input: {} },
      },
      { type: 'content_block_delta', index: 0, delta: { type: 'input_json_delta', partial_json: '{"query": "toll"}' } },
    ];
    expect(readAll(anthropicFormat, MESSAGES, events).outputTokens).toBeGreaterThan(7);
  });

  test('that breaks off says why', () => {
    const error = { type: 'overloaded_error', message: 'Overloaded' };
    const read = readAll(anthropicFormat, MESSAGES, [start, text('Hello'), { type: 'error', error }]);
    expect(read).toMatchObject({ error, isComplete: false });
  });
});

test.each([
  [400, 'invalid_request_error'],
  [402, 'billing_error'],
  [429, 'rate_limit_error'],
  [503, 'overloaded_error'],
  [500, 'api_error'],
])('a refusal by %d is one as the SDK shows it', (status, type) => {
  const error = { type, message: 'Title: Detail.' };
  expect(anthropicFormat.refusal({ status, title: 'Title', detail: 'Detail.' })).toEqual({ type: 'error', error });
});
