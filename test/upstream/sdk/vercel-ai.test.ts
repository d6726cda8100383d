/**
 * The fake provider as the Vercel AI SDK sees it, with nothing in between.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import { createOpenAI } from '@ai-sdk/openai';
import { textAnswer, toolAnswer } from '@tollgate/fake-provider';
import { generateText, jsonSchema, streamText, type ToolSet } from 'ai';
import { idle, KEY, type ServedProvider, useFakeProviders } from '../../helpers/fake-provider.js';

const start = useFakeProviders();

const ANSWER = { ...textAnswer(10), reasoning: 7 };

describe.each(['chat', 'responses'] as const)('%s', (api) => {
  const model = ({ url }: ServedProvider) => createOpenAI({ apiKey: KEY, baseURL: `${url}/v1` })[api]('gpt-5-mini');

  test('an answer and its usage', async () => {
    const fake = await start({ kind: 'openai', answer: () => ANSWER });
    const { text, usage } = await generateText({ model: model(fake), prompt: 'What is a toll?' });
    expect(text).toBe(ANSWER.text.join(''));
    expect(usage).toMatchObject({ inputTokens: fake.calls[0]?.usage.input, outputTokens: 17 });
    expect(fake.calls).toMatchObject([{ operation: api, end: 'whole' }]);
  });

  test('a stream and its usage', async () => {
    const fake = await start({ kind: 'openai', answer: () => ANSWER });
    const { textStream, usage } = streamText({ model: model(fake), prompt: 'What is a toll?' });
    let text = '';
    for await (const part of textStream) text += part;
    expect(text).toBe(ANSWER.text.join(''));
    expect(await usage).toMatchObject({ inputTokens: fake.calls[0]?.usage.input, outputTokens: 17 });
  });

  test('a tool call', async () => {
    const fake = await start({ kind: 'openai', answer: () => toolAnswer('search', { query: 'toll' }) });
    const tools: ToolSet = { search: { inputSchema: jsonSchema({ type: 'object' }) } };
    const { toolCalls } = await generateText({ model: model(fake), prompt: 'What is a toll?', tools });
    expect(toolCalls).toMatchObject([{ toolName: 'search', input: { query: 'toll' } }]);
  });

  test('a stream that is left is billed as far as it was generated', async () => {
    const fake = await start({ kind: 'openai', answer: () => textAnswer(10_000), tokenMs: 1 });
    const leaving = new AbortController();
    const { textStream } = streamText({ model: model(fake), prompt: 'Hm?', abortSignal: leaving.signal });
    let heard = 0;
    for await (const _ of textStream) if (++heard === 5) leaving.abort();
    await idle(fake);
    expect(fake.calls[0]?.end).toBe('left');
    expect(fake.calls[0]?.usage.output).toBeGreaterThanOrEqual(5);
    expect(fake.calls[0]?.usage.output).toBeLessThan(10_000);
  });

  test('it asks three times where it is throttled', async () => {
    const fake = await start({ kind: 'openai', fault: () => ({ status: 429, retryAfterMs: 1 }) });
    await expect(generateText({ model: model(fake), prompt: 'Hm?' })).rejects.toThrow('rate_limit_exceeded');
    expect(fake.calls).toHaveLength(3);
  }, 60_000);
});
