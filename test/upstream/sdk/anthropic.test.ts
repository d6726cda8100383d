/**
 * The fake provider as Anthropic's SDK sees it, with nothing in between.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import Anthropic, { APIError, AuthenticationError, RateLimitError } from '@anthropic-ai/sdk';
import { type Answer, textAnswer, toolAnswer } from '@tollgate/fake-provider';
import { idle, KEY, type ServedProvider, useFakeProviders } from '../../helpers/fake-provider.js';

const start = useFakeProviders();

const ASKED = {
  model: 'claude-haiku-4-5',
  max_tokens: 100,
  messages: [{ role: 'user' as const, content: 'What is a toll, and since when?' }],
};

const THOUGHT: Answer = { ...textAnswer(10), reasoning: 7, cacheRead: 4, cacheWritten: 5 };

function clientOf({ url }: ServedProvider, options: object = {}): Anthropic {
  return new Anthropic({ apiKey: KEY, baseURL: url, ...options });
}

test('an answer, whole and streamed: the cached part of the prompt comes on top', async () => {
  const fake = await start({ kind: 'anthropic', answer: () => THOUGHT });
  const whole = await clientOf(fake).messages.create(ASKED);
  const streamed = await clientOf(fake).messages.stream(ASKED).finalMessage();
  for (const [i, message] of [whole, streamed].entries()) {
    expect(message.content).toEqual([
      { type: 'thinking', thinking: ' hm'.repeat(7), signature: 'signed' },
      { type: 'text', text: THOUGHT.text.join('') },
    ]);
    const { input = 0 } = fake.calls[i]?.usage ?? {};
    expect(message.usage).toMatchObject({
      input_tokens: input - 9,
      cache_read_input_tokens: 4,
      cache_creation_input_tokens: 5,
      output_tokens: 17,
    });
    // $1 a million in, a tenth of it from the cache, a quarter more into it; $5 a million out.
    expect(fake.calls[i]?.bill).toBe(BigInt((input - 9) * 1000 + 4 * 100 + 5 * 1250 + 17 * 5000));
  }
});

test('a tool call, whole and streamed', async () => {
  const fake = await start({ kind: 'anthropic', answer: () => toolAnswer('search', { query: 'toll' }) });
  const asked = { ...ASKED, tools: [{ name: 'search', input_schema: { type: 'object' as const } }] };
  const whole = await clientOf(fake).messages.create(asked);
  const streamed = await clientOf(fake).messages.stream(asked).finalMessage();
  for (const { stop_reason, content } of [whole, streamed]) {
    expect(stop_reason).toBe('tool_use');
    expect(content).toMatchObject([{ type: 'tool_use', name: 'search', input: { query: 'toll' } }]);
  }
});

test('a stream that is left is billed as far as it was generated', async () => {
  const fake = await start({ kind: 'anthropic', answer: () => textAnswer(10_000), tokenMs: 1 });
  const stream = clientOf(fake).messages.stream({ ...ASKED, max_tokens: 10_000 });
  let heard = 0;
  for await (const _ of stream) if (++heard === 8) break;
  await idle(fake);
  const [call] = fake.calls;
  expect(call?.end).toBe('left');
  expect(call?.usage.output).toBeGreaterThanOrEqual(3);
  expect(call?.usage.output).toBeLessThan(10_000);
});

test('an error amid a stream', async () => {
  const fake = await start({ kind: 'anthropic', fault: () => ({ afterTokens: 3, status: 529 }) });
  const failure = await clientOf(fake)
    .messages.stream(ASKED)
    .finalMessage()
    .catch((error) => error);
  expect(failure).toBeInstanceOf(APIError);
  expect(failure.message).toContain('overloaded_error');
  expect(fake.calls).toMatchObject([{ end: 'broken', usage: { output: 3 } }]);
});

test.each([
  [{ status: 529, retryAfterMs: 1 }, APIError, 3],
  [{ status: 429, retryAfterMs: 1 }, RateLimitError, 3],
  [{ status: 402 }, APIError, 1],
])(
  '%j, which the SDK sees and retries as it would',
  async (fault, error, calls) => {
    const fake = await start({ kind: 'anthropic', fault: () => fault });
    await expect(clientOf(fake).messages.create(ASKED)).rejects.toBeInstanceOf(error);
    expect(fake.calls).toHaveLength(calls);
    expect(fake.total()).toBe(0n);
  },
  60_000,
);

test('a key that is not known', async () => {
  const fake = await start({ kind: 'anthropic', keys: ['another'] });
  await expect(clientOf(fake).messages.create(ASKED)).rejects.toBeInstanceOf(AuthenticationError);
});

test('limits of prompts and answers apart, told in thousands and by the time of day', async () => {
  const limits = { requests: 50, inputTokens: 40_000, outputTokens: 8000 };
  const fake = await start({ kind: 'anthropic', limits, answer: () => textAnswer(8000) });
  const client = clientOf(fake, { maxRetries: 0 });
  const { response } = await client.messages.create({ ...ASKED, max_tokens: 8000 }).withResponse();
  expect(Object.fromEntries(response.headers)).toMatchObject({
    'anthropic-ratelimit-requests-limit': '50',
    'anthropic-ratelimit-requests-remaining': '49',
    'anthropic-ratelimit-input-tokens-limit': '40000',
    'anthropic-ratelimit-input-tokens-remaining': '40000',
    'anthropic-ratelimit-output-tokens-limit': '8000',
    'anthropic-ratelimit-output-tokens-reset': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/),
  });
  // All of the answers' limit is used by now, but for what has come back meanwhile.
  const refusals = await Promise.allSettled(Array.from({ length: 20 }, () => client.messages.create(ASKED)));
  expect(refusals.some(({ status }) => status === 'rejected')).toBe(true);
  expect(fake.calls.find(({ status }) => status === 429)).toBeDefined();
});
