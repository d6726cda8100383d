import { geminiFormat } from '@tollgate/upstream';
import { readAll, told } from '../bodies.js';

const STREAM = { operation: 'generateContent', model: 'gemini-2.5-pro', stream: true };
const EMBED = { operation: 'embedContent', model: 'gemini-embedding-001', stream: false };

const usageIn = (answer: unknown, call = { ...STREAM, stream: false }) => told(geminiFormat.usage(call, answer));

const VERTEX = '/v1/projects/p/locations/us/publishers/google/models';

test.each([
  ['/models/gemini-2.5-pro:generateContent', { ...STREAM, stream: false }],
  ['/v1beta/models/gemini-2.5-pro:streamGenerateContent', STREAM],
  [`${VERTEX}/gemini-2.5-pro:streamGenerateContent`, STREAM],
  ['/models/gemini-embedding-001:embedContent', EMBED],
  ['/models/gemini-embedding-001:batchEmbedContents', EMBED],
  ['/models/a%20b:generateContent', { ...STREAM, model: 'a b', stream: false }],
  ['/models/gemini-2.5-pro:countTokens', undefined],
  ['/models', undefined],
  ['/models/gemini-2.5-pro', undefined],
])('a request at %s', (path, call) => {
  expect(geminiFormat.read(path, {})).toEqual(call);
  expect(geminiFormat.read(path, undefined)).toBeUndefined();
});

test('a request for another model has it in its path, and in its body where it says so', () => {
  const body = { contents: [] };
  const path = `${VERTEX}/gemini-2.5-pro:streamGenerateContent`;
  expect(geminiFormat.withModel(path, body, 'a b$1')).toEqual({
    path: `${VERTEX}/a%20b%241:streamGenerateContent`,
    body,
  });
  const requests = [{ model: 'models/one', content: {} }];
  const batch = geminiFormat.withModel('/models/one:batchEmbedContents', { requests }, 'two');
  expect(batch).toEqual({
    path: '/models/two:batchEmbedContents',
    body: { requests: [{ model: 'models/two', content: {} }] },
  });
  expect(requests[0].model).toBe('models/one');
});

describe('usage in an answer', () => {
  test('has thoughts on top of the answer, and what tools have read on top of the prompt', () => {
    const usageMetadata = {
      promptTokenCount: 100,
      cachedContentTokenCount: 60,
      toolUsePromptTokenCount: 20,
      candidatesTokenCount: 10,
      thoughtsTokenCount: 30,
      totalTokenCount: 160,
    };
    expect(usageIn({ usageMetadata, modelVersion: 'gemini-2.5-pro' })).toEqual({
      model: 'gemini-2.5-pro',
      inputTokens: 120,
      cachedInputTokens: 60,
      outputTokens: 40,
      reasoningTokens: 30,
    });
  });

  test('of a stream that is a list is in its last element', () => {
    const at = (candidatesTokenCount: number) => ({ usageMetadata: { promptTokenCount: 4, candidatesTokenCount } });
    expect(usageIn([at(1), at(2)], STREAM)).toEqual({ inputTokens: 4, outputTokens: 2 });
  });

  test('of an embedding has no output, where it is told at all', () => {
    expect(usageIn({ embedding: {}, usageMetadata: { promptTokenCount: 7 } }, EMBED)).toEqual({
      inputTokens: 7,
      outputTokens: 0,
    });
    expect(usageIn({ embedding: {} }, EMBED)).toBeUndefined();
  });

  test.each<[unknown, object | undefined]>([
    [undefined, undefined],
    [{ promptTokenCount: 4 }, { inputTokens: 4 }],
    [
      { promptTokenCount: 4, thoughtsTokenCount: 5 },
      { inputTokens: 4, outputTokens: 5, reasoningTokens: 5 },
    ],
    [{ promptTokenCount: -4, candidatesTokenCount: '5' }, undefined],
    [
      { promptTokenCount: 4, candidatesTokenCount: 5, cachedContentTokenCount: 6 },
      { inputTokens: 4, outputTokens: 5 },
    ],
  ])('is unknown where it can not be: %j', (usageMetadata, expected) =>
    expect(usageIn({ usageMetadata })).toEqual(expected),
  );
});

describe('a stream', () => {
  const event = (text: string, candidatesTokenCount: number | undefined, more: object = {}) => ({
    candidates: [{ content: { role: 'model', parts: [{ text }] }, index: 0, ...more }],
    usageMetadata: { promptTokenCount: 4, candidatesTokenCount },
    modelVersion: 'gemini-2.5-pro',
  });

  test('tells the usage so far with every event, and all of it with the last', () => {
    const events = [event('Hello', undefined), event(' there', 2), event('.', 3, { finishReason: 'STOP' })];
    const read = readAll(geminiFormat, STREAM, events);
    expect(told(read.usage)).toEqual({ model: 'gemini-2.5-pro', inputTokens: 4, outputTokens: 3 });
    expect(read).toMatchObject({ isComplete: true, outputTokens: 3, passed: events });
    expect(readAll(geminiFormat, STREAM, events.slice(0, 2))).toMatchObject({
      isComplete: false,
      usage: { outputTokens: 2 },
      outputTokens: 2,
    });
  });

  test('ends at once where the prompt is blocked', () => {
    const blocked = { promptFeedback: { blockReason: 'SAFETY' }, usageMetadata: { promptTokenCount: 4 } };
    expect(readAll(geminiFormat, STREAM, [blocked])).toMatchObject({
      isComplete: true,
      usage: { inputTokens: 4, outputTokens: 0 },
    });
  });

  test('counts the calls of functions', () => {
    const call = { functionCall: { name: 'search', args: { query: 'toll' } } };
    const events = [{ candidates: [{ content: { parts: [call] } }] }];
    expect(readAll(geminiFormat, STREAM, events).outputTokens).toBeGreaterThan(7);
  });

  test('may tell of an error', () => {
    const error = { code: 503, message: 'The model is overloaded.', status: 'UNAVAILABLE' };
    expect(readAll(geminiFormat, STREAM, [event('Hi', 1), { error }]).error).toEqual(error);
  });
});

test.each([
  [402, 'RESOURCE_EXHAUSTED'],
  [422, 'INVALID_ARGUMENT'],
  [429, 'RESOURCE_EXHAUSTED'],
  [503, 'UNAVAILABLE'],
])('a refusal by %d is one as the SDK shows it', (status, word) => {
  const error = { code: status, message: 'Title: Detail.', status: word };
  expect(geminiFormat.refusal({ status, title: 'Title', detail: 'Detail.' })).toEqual({ error });
});

test('of several candidates all have to end before the usage is complete', () => {
  const call = { operation: 'generateContent', model: 'm', stream: true };
  const event = (index: number, candidatesTokenCount: number, finishReason?: string) => ({
    candidates: [{ index, finishReason, content: { parts: [{ text: 'a' }] } }],
    usageMetadata: { promptTokenCount: 9, candidatesTokenCount },
  });
  const events = [event(0, 1), event(1, 2), event(0, 3, 'STOP')];
  expect(readAll(geminiFormat, call, events)).toMatchObject({ isComplete: false });
  const all = [...events, event(1, 9, 'STOP')];
  expect(readAll(geminiFormat, call, all)).toMatchObject({ isComplete: true, usage: { outputTokens: 9 } });
});
