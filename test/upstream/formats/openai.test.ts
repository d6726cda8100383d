import { type Asking, openaiFormat, unasked } from '@tollgate/upstream';
import { readAll, told } from '../bodies.js';

const CHAT = { operation: 'chat', model: 'gpt-4o', stream: true };
const RESPONSES = { operation: 'responses', model: 'gpt-5', stream: true };
const EMBEDDINGS = { operation: 'embeddings', model: 'text-embedding-3-small', stream: false };

const usageIn = (answer: unknown, call: typeof CHAT = { ...CHAT, stream: false }) =>
  told(openaiFormat.usage(call, answer));

describe('a request', () => {
  test.each([
    ['/chat/completions', 'chat'],
    ['/v1/chat/completions', 'chat'],
    ['/completions', 'completions'],
    ['/responses', 'responses'],
    ['/embeddings', 'embeddings'],
  ])('at %s is one of %s', (path, operation) => {
    expect(openaiFormat.read(path, { model: 'm', stream: true })).toEqual({ operation, model: 'm', stream: true });
    expect(openaiFormat.read(path, { model: 'm' })).toEqual({ operation, model: 'm', stream: false });
  });

  test.each(['/models', '/files', '/responses/resp_1', '/chat/completions/id/messages', '/moderations', ''])(
    'at %p costs no tokens',
    (path) => expect(openaiFormat.read(path, {})).toBeUndefined(),
  );

  test('without a body costs none either: it lists or fetches something', () => {
    expect(openaiFormat.read('/chat/completions', undefined)).toBeUndefined();
  });

  test.each([null, 'text', [], 7, {}, { model: 7, stream: 'yes' }])(
    'that makes no sense names no model: %j',
    (body) => {
      expect(openaiFormat.read('/chat/completions', body)).toEqual({ operation: 'chat', model: '', stream: false });
    },
  );

  test('for another model is the same but for that', () => {
    const body = { messages: [{ role: 'user', content: 'hi' }], model: 'gpt-4o', stream: true };
    const changed = openaiFormat.withModel('/chat/completions', body, 'gpt-4o-mini');
    expect(changed).toEqual({ path: '/chat/completions', body: { ...body, model: 'gpt-4o-mini' } });
    expect(Object.keys(changed.body as object)).toEqual(Object.keys(body));
    expect(body.model).toBe('gpt-4o');
  });

  test('of Azure names a deployment in its path', () => {
    const path = '/openai/deployments/our%20gpt/chat/completions';
    expect(openaiFormat.read(path, { model: 'ignored' })).toMatchObject({ model: 'our gpt' });
    expect(openaiFormat.withModel(path, {}, 'a/b$&').path).toBe('/openai/deployments/a%2Fb%24%26/chat/completions');
    expect(openaiFormat.read('/deployments/%zz/embeddings', {})).toMatchObject({ model: '%zz' });
  });
});

function expectSame(asking: Asking, body: unknown): void {
  expect(asking.isOurs).toBe(false);
  expect(asking.body).toBe(body);
}

describe('asking for usage', () => {
  const asked = { model: 'm', stream: true, stream_options: { include_usage: true } };

  test.each(['chat', 'completions'])('in a stream of %s', (operation) => {
    const call = { ...CHAT, operation };
    expect(openaiFormat.askingForUsage(call, { model: 'm', stream: true })).toEqual({
      body: asked,
      isOurs: true,
    });
    const body = { model: 'm', stream: true, stream_options: { include_usage: false, include_obfuscation: false } };
    expect(openaiFormat.askingForUsage(call, body)).toEqual({
      body: { ...body, stream_options: { include_usage: true, include_obfuscation: false } },
      isOurs: true,
    });
    expect(body.stream_options.include_usage).toBe(false);
  });

  test('leaves alone what asks already, and what tells it anyway', () => {
    expectSame(openaiFormat.askingForUsage(CHAT, asked), asked);
    const plain = { model: 'm' };
    for (const call of [RESPONSES, EMBEDDINGS, { ...CHAT, stream: false }]) {
      expectSame(openaiFormat.askingForUsage(call, plain), plain);
    }
  });

  test('is nothing for servers that refuse it', () => {
    const format = unasked(openaiFormat);
    expect(format.askingForUsage(CHAT, asked)).toEqual({ body: { model: 'm', stream: true }, isOurs: false });
    const plain = { model: 'm' };
    expectSame(format.askingForUsage(CHAT, plain), plain);
    expect(format.name).toBe(openaiFormat.name);
  });
});

describe('usage in an answer', () => {
  test('has cached tokens and reasoning as parts', () => {
    const usage = {
      prompt_tokens: 100,
      completion_tokens: 50,
      total_tokens: 150,
      prompt_tokens_details: { cached_tokens: 80, audio_tokens: 0 },
      completion_tokens_details: { reasoning_tokens: 30, audio_tokens: 0 },
    };
    expect(usageIn({ model: 'gpt-4o-2024-08-06', usage })).toEqual({
      model: 'gpt-4o-2024-08-06',
      inputTokens: 100,
      cachedInputTokens: 80,
      outputTokens: 50,
      reasoningTokens: 30,
    });
  });

  test('of the responses API has other names', () => {
    const usage = {
      input_tokens: 100,
      input_tokens_details: { cached_tokens: 80 },
      output_tokens: 50,
      output_tokens_details: { reasoning_tokens: 30 },
      total_tokens: 150,
    };
    expect(usageIn({ usage }, RESPONSES)).toEqual({
      inputTokens: 100,
      cachedInputTokens: 80,
      outputTokens: 50,
      reasoningTokens: 30,
    });
  });

  test('of embeddings has no output', () => {
    expect(usageIn({ usage: { prompt_tokens: 8, total_tokens: 8 } }, EMBEDDINGS)).toEqual({
      inputTokens: 8,
      outputTokens: 0,
    });
  });

  test('of OpenRouter says what it costs, to the nano-dollar above', () => {
    const usage = { prompt_tokens: 10, completion_tokens: 2, prompt_tokens_details: { cache_write_tokens: 4 } };
    const told = { inputTokens: 10, cacheWriteTokens: 4, outputTokens: 2 };
    expect(usageIn({ usage: { ...usage, cost: 0.00014 } })).toEqual({ ...told, usd: '$0.000140000' });
    expect(usageIn({ usage: { ...usage, cost: 1.0000000001 } })).toEqual({ ...told, usd: '$1.000000001' });
    const byok = { ...usage, cost: 0.01, is_byok: true };
    expect(usageIn({ usage: { ...byok, cost_details: { upstream_inference_cost: 0.19 } } })).toMatchObject({
      usd: '$0.200000000',
    });
    expect(usageIn({ usage: byok })).toEqual(told);
    for (const cost of [-1, '0.1', Number.NaN, 1e300, { total: 1 }]) {
      expect(usageIn({ usage: { ...usage, cost } })).toEqual(told);
    }
  });

  test('that counts reasoning beside the answer is seen by its total', () => {
    const usage = {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 135,
      completion_tokens_details: { reasoning_tokens: 94 },
    };
    expect(usageIn({ usage })).toEqual({ inputTokens: 32, outputTokens: 103, reasoningTokens: 94 });
  });

  test.each<[unknown, object | undefined]>([
    [undefined, undefined],
    [null, undefined],
    ['12', undefined],
    [[], undefined],
    [{}, undefined],
    [{ prompt_tokens: -1, completion_tokens: Number.NaN }, undefined],
    [{ prompt_tokens: '9', completion_tokens: 3 }, { outputTokens: 3 }],
    [{ prompt_tokens: 9, completion_tokens: 1e18 }, { inputTokens: 9 }],
    [{ prompt_tokens: 9, completion_tokens: 2.5 }, { inputTokens: 9 }],
    [{ prompt_tokens: 0, completion_tokens: 3 }, { outputTokens: 3 }],
    [
      { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: { cached_tokens: 10 } },
      { inputTokens: 9, outputTokens: 3 },
    ],
    [
      { prompt_tokens: 9, completion_tokens: 3, completion_tokens_details: { reasoning_tokens: 4 } },
      { inputTokens: 9, outputTokens: 3 },
    ],
    [
      { prompt_tokens: 9, completion_tokens: 3, prompt_tokens_details: 'none', completion_tokens_details: null },
      { inputTokens: 9, outputTokens: 3 },
    ],
  ])('is unknown where it can not be: %j', (usage, expected) => expect(usageIn({ usage })).toEqual(expected));
});

test.each([
  [402, 'insufficient_quota'],
  [422, 'invalid_request_error'],
  [429, 'rate_limit_exceeded'],
  [503, 'server_error'],
])('a refusal by %d is one as the SDK shows it', (status, type) => {
  const error = { message: 'Title: Detail.', type, param: null, code: 'tollgate_refused' };
  expect(openaiFormat.refusal({ status, title: 'Title', detail: 'Detail.' })).toEqual({ error });
});

test('the responses stream tells usage at its end, however it ends', () => {
  const usage = { input_tokens: 9, output_tokens: 3, total_tokens: 12 };
  for (const type of ['response.completed', 'response.incomplete', 'response.failed']) {
    const events = [
      { type: 'response.created', response: { model: 'gpt-5', usage: null } },
      { type: 'response.output_text.delta', delta: 'Hi there' },
      { type: 'response.output_text.done', text: 'Hi there' },
      { type, response: { model: 'gpt-5', usage, error: type.endsWith('failed') ? { code: 'server_error' } : null } },
    ];
    const read = readAll(openaiFormat, RESPONSES, events);
    expect(told(read.usage)).toEqual({ model: 'gpt-5', inputTokens: 9, outputTokens: 3 });
    expect(read).toMatchObject({ isComplete: true, outputTokens: 2 });
    expect(read.error).toEqual(type.endsWith('failed') ? { code: 'server_error' } : undefined);
    expect(readAll(openaiFormat, RESPONSES, events.slice(0, 3))).toMatchObject({ isComplete: false, outputTokens: 2 });
  }
});
