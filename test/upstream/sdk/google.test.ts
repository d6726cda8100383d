/**
 * The fake provider as Google's SDK sees it, with nothing in between.
 *
 * @jest-environment ./test/helpers/sdk-environment.cjs
 */
import { ApiError, GoogleGenAI } from '@google/genai';
import { type Answer, textAnswer, toolAnswer } from '@tollgate/fake-provider';
import { idle, KEY, type ServedProvider, useFakeProviders } from '../../helpers/fake-provider.js';

const start = useFakeProviders();

const ASKED = { model: 'gemini-2.5-flash', contents: 'What is a toll, and since when?' };

const THOUGHT: Answer = { ...textAnswer(10), reasoning: 7, cacheRead: 4 };

function modelsOf({ url }: ServedProvider): GoogleGenAI['models'] {
  return new GoogleGenAI({ apiKey: KEY, httpOptions: { baseUrl: url } }).models;
}

test('an answer, whole and streamed: thoughts come on top', async () => {
  const fake = await start({ kind: 'gemini', answer: () => THOUGHT });
  const whole = await modelsOf(fake).generateContent(ASKED);
  expect(whole.text).toBe(THOUGHT.text.join(''));
  let text = '';
  let last = whole;
  for await (const chunk of await modelsOf(fake).generateContentStream(ASKED)) {
    text += chunk.text ?? '';
    last = chunk;
  }
  expect(text).toBe(whole.text);
  for (const [i, { usageMetadata }] of [whole, last].entries()) {
    const { input = 0 } = fake.calls[i]?.usage ?? {};
    expect(usageMetadata).toMatchObject({
      promptTokenCount: input,
      cachedContentTokenCount: 4,
      candidatesTokenCount: 10,
      thoughtsTokenCount: 7,
      totalTokenCount: input + 17,
    });
    // $0.30 a million in, a tenth of it from the cache, $2.50 a million out.
    expect(fake.calls[i]?.bill).toBe(BigInt((input - 4) * 300 + 4 * 30 + 17 * 2500));
  }
});

test('a tool call, whole and streamed', async () => {
  const fake = await start({ kind: 'gemini', answer: () => toolAnswer('search', { query: 'toll' }) });
  const asked = { ...ASKED, config: { tools: [{ functionDeclarations: [{ name: 'search' }] }] } };
  const whole = await modelsOf(fake).generateContent(asked);
  const chunks = [];
  for await (const chunk of await modelsOf(fake).generateContentStream(asked)) chunks.push(chunk);
  for (const { functionCalls } of [whole, ...chunks]) {
    expect(functionCalls).toMatchObject([{ name: 'search', args: { query: 'toll' } }]);
  }
  expect(fake.calls[0]).toMatchObject({ operation: 'generateContent', tools: ['search'] });
});

test('a stream that is left is billed as far as it was generated', async () => {
  const fake = await start({ kind: 'gemini', answer: () => textAnswer(10_000), tokenMs: 1 });
  const leaving = new AbortController();
  const asked = { ...ASKED, config: { abortSignal: leaving.signal } };
  const read = async () => {
    let heard = 0;
    for await (const _ of await modelsOf(fake).generateContentStream(asked)) if (++heard === 5) leaving.abort();
  };
  await expect(read()).rejects.toThrow();
  await idle(fake);
  expect(fake.calls[0]?.end).toBe('left');
  expect(fake.calls[0]?.usage.output).toBeGreaterThanOrEqual(5);
  expect(fake.calls[0]?.usage.output).toBeLessThan(10_000);
});

test.each([
  [{ status: 429, retryAfterMs: 34_070 }, 429, '"retryDelay":"34.07s"'],
  [{ status: 503 }, 503, 'UNAVAILABLE'],
])('%j is told in the body alone', async (fault, status, told) => {
  const fake = await start({ kind: 'gemini', fault: () => fault });
  const failure = await modelsOf(fake)
    .generateContent(ASKED)
    .catch((error) => error);
  expect(failure).toBeInstanceOf(ApiError);
  expect(failure.status).toBe(status);
  expect(failure.message).toContain(told);
});

test('a key that is not known is an invalid argument', async () => {
  const fake = await start({ kind: 'gemini', keys: ['another'] });
  const failure = await modelsOf(fake)
    .generateContent(ASKED)
    .catch((error) => error);
  expect(failure).toMatchObject({ status: 400, message: expect.stringContaining('API_KEY_INVALID') });
});
