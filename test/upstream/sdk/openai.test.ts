/**
 * The fake provider as OpenAI's SDK sees it, with nothing in between.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import { type Answer, textAnswer, toolAnswer } from '@tollgate/fake-provider';
import OpenAI, {
  APIConnectionError,
  APIConnectionTimeoutError,
  APIError,
  APIUserAbortError,
  AuthenticationError,
  InternalServerError,
  RateLimitError,
} from 'openai';
import { idle, KEY, type ServedProvider, useFakeProviders } from '../../helpers/fake-provider.js';

const start = useFakeProviders();

const ASKED = { model: 'gpt-5-mini', messages: [{ role: 'user' as const, content: 'What is a toll?' }] };
const TOOL = {
  type: 'function' as const,
  function: { name: 'search', parameters: { type: 'object', properties: {} } },
};

const THOUGHT: Answer = { ...textAnswer(10), reasoning: 7, cacheRead: 4 };

function clientOf({ url }: ServedProvider, options: object = {}): OpenAI {
  return new OpenAI({ apiKey: KEY, baseURL: `${url}/v1`, ...options });
}

describe('chat', () => {
  test('an answer and its usage, thoughts and cached tokens included', async () => {
    const fake = await start({ kind: 'openai', answer: () => THOUGHT });
    const completion = await clientOf(fake).chat.completions.create(ASKED);
    expect(completion.choices[0]?.message.content).toBe(THOUGHT.text.join(''));
    const [call] = fake.calls;
    expect(completion.usage).toMatchObject({
      prompt_tokens: call?.promptTokens,
      completion_tokens: 17,
      prompt_tokens_details: { cached_tokens: 4 },
      completion_tokens_details: { reasoning_tokens: 7 },
    });
    expect(call).toMatchObject({ status: 200, end: 'whole', usage: { output: 17, reasoning: 7, cacheRead: 4 } });
    // $0.25 a million in, a tenth of it from the cache, $2 a million out.
    expect(call?.bill).toBe(BigInt(((call?.promptTokens ?? 0) - 4) * 250 + 4 * 25 + 17 * 2000));
  });

  test('a stream, with its usage last where it is asked for', async () => {
    const fake = await start({ kind: 'openai', answer: () => THOUGHT });
    const stream = clientOf(fake).chat.completions.stream({ ...ASKED, stream_options: { include_usage: true } });
    expect(await stream.finalContent()).toBe(THOUGHT.text.join(''));
    expect((await stream.totalUsage()).completion_tokens).toBe(17);
    expect(fake.calls).toMatchObject([{ end: 'whole', usage: { output: 17 } }]);

    const silent = await clientOf(fake).chat.completions.create({ ...ASKED, stream: true });
    for await (const chunk of silent) expect(chunk.usage).toBeUndefined();
  });

  test('a tool call, whole and streamed', async () => {
    const fake = await start({ kind: 'openai' });
    const asked = { ...ASKED, tools: [TOOL] };
    const whole = await clientOf(fake).chat.completions.create(asked);
    const streamed = await clientOf(fake).chat.completions.stream(asked).finalChatCompletion();
    for (const { choices } of [whole, streamed]) {
      const [call] = choices[0]?.message.tool_calls ?? [];
      expect(choices[0]?.finish_reason).toBe('tool_calls');
      expect(call).toMatchObject({ type: 'function', function: { name: 'search' } });
      if (call?.type === 'function')
        expect(JSON.parse(call.function.arguments)).toMatchObject({ query: 'what a toll is' });
    }
  });

  test('a stream that is left is billed as far as it was generated', async () => {
    const fake = await start({ kind: 'openai', answer: () => textAnswer(10_000), tokenMs: 1 });
    const stream = await clientOf(fake).chat.completions.create({ ...ASKED, stream: true });
    let heard = 0;
    for await (const _ of stream) if (++heard === 5) break;
    await idle(fake);
    const [call] = fake.calls;
    expect(call?.end).toBe('left');
    expect(call?.usage.output).toBeGreaterThanOrEqual(4);
    expect(call?.usage.output).toBeLessThan(10_000);
    expect(call?.bill).toBe(BigInt((call?.usage.input ?? 0) * 250 + (call?.usage.output ?? 0) * 2000));
  });

  test('an error amid a stream, and a connection that breaks', async () => {
    const fake = await start({ kind: 'openai', fault: () => ({ afterTokens: 3, status: 500 }) });
    const read = async () => {
      const stream = await clientOf(fake).chat.completions.create({ ...ASKED, stream: true });
      for await (const _ of stream);
    };
    await expect(read()).rejects.toThrow('The fake provider says server_error.');
    fake.fault = () => ({ afterTokens: 3 });
    await expect(read()).rejects.toThrow();
    expect(fake.calls).toMatchObject([
      { end: 'broken', usage: { output: 3 } },
      { end: 'broken', usage: { output: 3 } },
    ]);
  });
});

describe('responses', () => {
  test.each([
    ['text', THOUGHT, [{ type: 'reasoning' }, { type: 'message' }]],
    [
      'a tool call',
      toolAnswer('search', { query: 'toll' }),
      [{ type: 'function_call', arguments: '{"query":"toll"}' }],
    ],
  ])('%s, whole and streamed', async (_, answer, output) => {
    const fake = await start({ kind: 'openai', answer: () => answer });
    const asked = { model: 'gpt-5', input: 'What is a toll?' };
    const whole = await clientOf(fake).responses.create(asked);
    const streamed = await clientOf(fake).responses.stream(asked).finalResponse();
    for (const [i, response] of [whole, streamed].entries()) {
      expect(response).toMatchObject({ status: 'completed', output });
      expect(response.output_text).toBe(answer.text.join(''));
      const { input, output: said, reasoning } = fake.calls[i]?.usage ?? {};
      expect(response.usage).toMatchObject({ input_tokens: input, output_tokens: said });
      expect(response.usage?.output_tokens_details.reasoning_tokens).toBe(reasoning);
    }
  });

  test('an answer that is cut off is incomplete', async () => {
    const fake = await start({ kind: 'openai', answer: () => textAnswer(20) });
    const asked = { model: 'gpt-5', input: 'What is a toll?', max_output_tokens: 20 };
    expect(await clientOf(fake).responses.stream(asked).finalResponse()).toMatchObject({
      status: 'incomplete',
      usage: { output_tokens: 20 },
    });
  });
});

test('embeddings cost their prompt', async () => {
  const fake = await start({ kind: 'openai' });
  const { usage } = await clientOf(fake).embeddings.create({ model: 'text-embedding-3-small', input: ['one', 'two'] });
  expect(fake.calls).toMatchObject([
    { usage: { input: usage.prompt_tokens, output: 0 }, bill: BigInt(usage.prompt_tokens * 20) },
  ]);
});

describe('what goes wrong', () => {
  const quick = { maxRetries: 2, timeout: 500 };

  test.each([
    [{ status: 429, retryAfterMs: 1 }, RateLimitError, 3],
    [{ status: 429, code: 'insufficient_quota' }, RateLimitError, 3],
    [{ status: 503 }, InternalServerError, 3],
    [{ status: 402, code: 'credit_balance_exhausted' }, APIError, 1],
    [{}, APIConnectionError, 3],
  ])(
    '%j, which the SDK sees and retries as it would',
    async (fault, error, calls) => {
      const fake = await start({ kind: 'openai', fault: () => fault });
      const failure = await clientOf(fake, quick)
        .chat.completions.create(ASKED)
        .catch((thrown) => thrown);
      expect(failure).toBeInstanceOf(error);
      if ('code' in fault) expect(failure.code).toBe(fault.code);
      expect(fake.calls).toHaveLength(calls);
      expect(fake.total()).toBe(0n);
    },
    60_000,
  );

  test('a key that is not known, or no longer', async () => {
    const fake = await start({ kind: 'openai' });
    const client = clientOf(fake, quick);
    await client.chat.completions.create(ASKED);
    fake.keys.delete(KEY);
    await expect(client.chat.completions.create(ASKED)).rejects.toBeInstanceOf(AuthenticationError);
  });

  test('a model that is not known', async () => {
    const fake = await start({ kind: 'openai' });
    await expect(clientOf(fake).chat.completions.create({ ...ASKED, model: 'gpt-0' })).rejects.toThrow(
      'There is no gpt-0 here.',
    );
  });

  test('a limit refuses, and tells how it stands and when to come back', async () => {
    const fake = await start({ kind: 'openai', limits: { requests: 2, tokens: 1000 } });
    const client = clientOf(fake, { maxRetries: 0 });
    const { response } = await client.chat.completions.create({ ...ASKED, max_tokens: 20 }).withResponse();
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'x-ratelimit-limit-requests': '2',
      'x-ratelimit-remaining-requests': '1',
      'x-ratelimit-reset-requests': expect.stringMatching(/^(30|29\.\d+)s$/),
      'x-ratelimit-limit-tokens': '1000',
      'x-ratelimit-remaining-tokens': String(1000 - (fake.calls[0]?.promptTokens ?? 0) - 20),
    });
    await client.chat.completions.create(ASKED);
    const refusal = await client.chat.completions.create(ASKED).catch((error) => error);
    expect(refusal).toBeInstanceOf(RateLimitError);
    expect(Number(refusal.headers.get('retry-after'))).toBeGreaterThan(25);
    expect(refusal.headers.get('x-ratelimit-remaining-requests')).toBe('0');
  });

  test('a call that takes too long is called off', async () => {
    const fake = await start({ kind: 'openai', latencyMs: 60_000 });
    const client = clientOf(fake, { maxRetries: 0, timeout: 500 });
    const asking = client.chat.completions.create({ ...ASKED, stream: true });
    await expect(asking).rejects.toBeInstanceOf(APIConnectionTimeoutError);
    await idle(fake);
    expect(fake.calls).toMatchObject([{ end: 'left', usage: { output: 0 } }]);
  });

  test('a call that the app aborts', async () => {
    const leaving = new AbortController();
    const fake = await start({ kind: 'openai', latencyMs: 60_000, fault: () => void leaving.abort() });
    const asking = clientOf(fake).chat.completions.create({ ...ASKED, stream: true }, { signal: leaving.signal });
    await expect(asking).rejects.toBeInstanceOf(APIUserAbortError);
    await idle(fake);
    expect(fake.calls).toMatchObject([{ end: 'left', usage: { output: 0 } }]);
  });
});
