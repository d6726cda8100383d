/** Streams of chat completions as providers send them. */
import { openaiFormat } from '@tollgate/upstream';
import { readAll, told } from '../bodies.js';

const CHAT = { operation: 'chat', model: 'gpt-4o', stream: true };
const USAGE = { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 };
const TOLD = { model: 'm', inputTokens: 9, outputTokens: 3 };

const delta = (delta: object, more: object = {}) => ({
  model: 'm',
  choices: [{ index: 0, delta, finish_reason: null }],
  ...more,
});
const stop = (more: object = {}) => ({
  model: 'm',
  choices: [{ index: 0, delta: {}, finish_reason: 'stop' }],
  ...more,
});
const usage = { model: 'm', choices: [], usage: USAGE };

describe('usage in a stream', () => {
  const events = [
    { model: 'm', choices: [], prompt_filter_results: [] }, // Azure begins with it
    delta({ role: 'assistant', content: '' }, { usage: null }),
    delta({ content: 'Hello' }, { usage: null }),
    delta({ content: ' there' }, { usage: null }),
    stop({ usage: null }),
    usage,
    '[DONE]',
  ];

  test('is in a chunk without choices, which the client sees only if it has asked', () => {
    const asked = readAll(openaiFormat, CHAT, events, true);
    expect(told(asked.usage)).toEqual(TOLD);
    expect(asked.passed).toEqual(events);
    const unasked = readAll(openaiFormat, CHAT, events, false);
    expect(told(unasked.usage)).toEqual(TOLD);
    expect(unasked.passed).toEqual(events.filter((event) => event !== usage));
  });

  test('is complete with that chunk, and no sooner', () => {
    const reader = openaiFormat.reader(CHAT, true);
    const complete = events.map((event) => {
      reader.event(JSON.stringify(event));
      return reader.isComplete;
    });
    expect(complete).toEqual([false, false, false, false, false, true, true]);
  });

  test.each([
    ['Groq', stop({ x_groq: { id: 'req', usage: USAGE } })],
    ['Mistral', stop({ usage: USAGE })],
    ['OpenRouter', delta({ content: '' }, { usage: { ...USAGE, cost: 0.5 }, choices: [{ finish_reason: 'stop' }] })],
  ])('of %s comes with the last choice, which passes', (_provider, last) => {
    const read = readAll(openaiFormat, CHAT, [delta({ content: 'Hello' }), last, '[DONE]'], false);
    expect(told(read.usage)).toMatchObject(TOLD);
    expect(read.isComplete).toBe(true);
    expect(read.passed).toHaveLength(3);
  });

  test('that grows with every chunk is complete at the end, as another answer may follow', () => {
    const growing = (completion_tokens: number) => ({ usage: { prompt_tokens: 9, completion_tokens } });
    const events = [delta({ content: 'a' }, growing(1)), delta({ content: 'b' }, growing(2))];
    expect(readAll(openaiFormat, CHAT, events)).toMatchObject({ isComplete: false, usage: { outputTokens: 2 } });
    expect(readAll(openaiFormat, CHAT, [...events, stop(growing(3))])).toMatchObject({ isComplete: false });
    expect(readAll(openaiFormat, CHAT, [...events, stop(growing(3)), '[DONE]'])).toMatchObject({
      isComplete: true,
      usage: { outputTokens: 3 },
    });
  });

  test('of completions before chat is no other', () => {
    const call = { ...CHAT, operation: 'completions' };
    const events = [{ choices: [{ text: 'Hello', index: 0, finish_reason: null }] }, usage, '[DONE]'];
    const read = readAll(openaiFormat, call, events, false);
    expect(read).toMatchObject({ usage: { outputTokens: 3 }, outputTokens: 1, passed: [events[0], '[DONE]'] });
  });

  test('that is never told leaves what has passed', () => {
    const read = readAll(openaiFormat, CHAT, [delta({ content: 'Hello there' }), stop(), '[DONE]']);
    expect(read).toMatchObject({ usage: undefined, isComplete: true, outputTokens: 2 });
  });
});

describe('what has passed', () => {
  test.each([
    ['text', [{ content: 'Hello' }, { content: ' there' }], 2],
    ['text with escapes', [{ content: 'He said:\n"Hi"' }], 6],
    ['reasoning', [{ reasoning_content: 'Hello' }, { reasoning_content: ' there' }], 2],
    ['reasoning under two names', [{ reasoning: 'Hello there', reasoning_content: 'Hello there' }], 2],
    ['reasoning in details as well', [{ reasoning: 'Hello', reasoning_details: [{ text: 'Hello' }] }], 1],
    ['a refusal', [{ refusal: 'Hello there' }], 2],
    ['nothing', [{ role: 'assistant', content: null }, {}], 0],
    ['tokens that come one by one', ['a', 'b', 'c', 'd'].map((content) => ({ content })), 4],
  ])('is counted: %s', (_what, deltas, tokens) => {
    expect(
      readAll(
        openaiFormat,
        CHAT,
        deltas.map((one) => delta(one)),
      ),
    ).toMatchObject({ outputTokens: tokens });
  });

  test('of a tool call is its name, its arguments and what stands around', () => {
    const call = (part: object) => delta({ tool_calls: [{ index: 0, function: part }] });
    const events = [call({ name: 'search', arguments: '' }), call({ arguments: '{"a' }), call({ arguments: '":1}' })];
    const { outputTokens } = readAll(openaiFormat, CHAT, events);
    expect(outputTokens).toBeGreaterThanOrEqual(3 + 4);
    expect(outputTokens).toBeLessThanOrEqual(12);
  });

  test('of the alternatives to a token is not counted', () => {
    const logprobs = { content: [{ token: 'Hello', logprob: -1, top_logprobs: [{ token: 'Hi', logprob: -2 }] }] };
    const chunk = { choices: [{ index: 0, delta: { content: 'Hello' }, logprobs, finish_reason: null }] };
    expect(readAll(openaiFormat, CHAT, [chunk])).toMatchObject({ outputTokens: 1 });
  });
});

test.each([
  [{ error: { code: 502, message: 'Provider disconnected' } }, { code: 502, message: 'Provider disconnected' }],
  [{ ...stop(), error: { code: 429 } }, { code: 429 }],
  [{ error: 'overloaded' }, 'overloaded'],
])('an error in the stream is kept, and passes: %j', (event, error) => {
  const read = readAll(openaiFormat, CHAT, [delta({ content: 'Hi' }), event], false);
  expect(read.error).toEqual(error);
  expect(read.passed).toHaveLength(2);
});

test('what a model says of usage is not the usage', () => {
  const content = '{"usage":{"prompt_tokens":1,"completion_tokens":1},"error":{"a":1},"choices":[]}';
  const read = readAll(openaiFormat, CHAT, [delta({ content })], false);
  expect(read).toMatchObject({ usage: undefined, error: undefined, isComplete: false });
  expect(read.passed).toHaveLength(1);
});
