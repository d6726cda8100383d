/** Bodies that are no streams of events. */
import { gzipSync } from 'node:zlib';
import { anthropicFormat, geminiFormat, openaiFormat } from '@tollgate/upstream';
import { type Ending, tap } from '../../packages/upstream/src/usage/tap.js';
import { listen, portOf } from '../helpers/http-server.js';
import { bytes, read, tapped, textOf, told } from './bodies.js';

const CHAT = { operation: 'chat', model: 'gpt-4o', stream: false };
const USAGE = { prompt_tokens: 9, completion_tokens: 3 };
const ANSWER = { model: 'gpt-4o', choices: [{ message: { content: 'Hi' } }], usage: USAGE };
const TOLD = { inputTokens: 9, outputTokens: 3 };
const json = (value: unknown) => [bytes(JSON.stringify(value))];

test('JSON tells its usage at its end', async () => {
  const { response, endings } = tapped(openaiFormat, CHAT, json(ANSWER), { type: 'application/json' });
  expect(await response.json()).toEqual(ANSWER);
  expect(endings).toMatchObject([{ how: 'complete', isEstimate: false }]);
  expect(told(endings[0].usage)).toEqual({ ...TOLD, model: 'gpt-4o' });
});

test('JSON may begin with a byte order mark', async () => {
  const { response, endings } = tapped(openaiFormat, CHAT, [bytes('\ufeff'), ...json(ANSWER)], {
    type: 'application/json',
  });
  await read(response);
  expect(told(endings[0].usage)).toMatchObject(TOLD);
});

test('JSON that the client leaves half-way tells nothing', async () => {
  const chunks = [bytes('{"usage":{"prompt_tokens":9,'), bytes('"completion_tokens":3}}')];
  const { response, endings } = tapped(openaiFormat, CHAT, chunks, { type: 'application/json' });
  await read(response, 1);
  expect(endings).toEqual([{ how: 'cancelled', usage: undefined, isEstimate: false, error: undefined }]);
});

test.each(['', '{', 'null', '[]', '"text"', '{"usage":null}'])('JSON without usage tells none: %p', async (body) => {
  const { response, endings } = tapped(openaiFormat, CHAT, [bytes(body)], { type: 'application/json' });
  expect(await response.text()).toBe(body);
  expect(endings).toEqual([{ how: 'complete', usage: undefined, isEstimate: false, error: undefined }]);
});

test('an answer whose length is not told has no length, rather than none', async () => {
  const body = json({ usage: { prompt_tokens: 9 } });
  const { response, endings } = tapped(openaiFormat, CHAT, body, { type: 'application/json' });
  await read(response);
  expect(told(endings[0].usage)).toEqual({ inputTokens: 9 });
});

const TOO_LONG = 200_000;

const pieces = (text: string, length: number) =>
  Array.from({ length: Math.ceil(text.length / length) }, (_, i) => bytes(text.slice(i * length, (i + 1) * length)));

describe('a long answer', () => {
  test.each([
    ['embeddings', openaiFormat, { data: [{ embedding: Array(TOO_LONG).fill(0.5) }], usage: USAGE }],
    [
      'tools with usage of their own',
      anthropicFormat,
      {
        content: [{ text: 'x'.repeat(TOO_LONG) }, { input: { usage: { input_tokens: 1, output_tokens: 1 } } }],
        usage: { input_tokens: 9, output_tokens: 3 },
      },
    ],
    [
      'Gemini',
      geminiFormat,
      {
        candidates: [{ content: { parts: [{ text: 'x'.repeat(TOO_LONG) }] } }],
        usageMetadata: { promptTokenCount: 9, candidatesTokenCount: 3 },
        modelVersion: 'gemini',
      },
    ],
  ] as const)('is read from its end: %s', async (_what, format, answer) => {
    const call = { ...CHAT, operation: format === openaiFormat ? 'chat' : 'its own' };
    const { response, endings } = tapped(format, call, json(answer), { type: 'application/json' });
    await read(response);
    expect(told(endings[0].usage)).toMatchObject(TOLD);
  });

  test('is read from its start too, where the usage stands before the text', async () => {
    const choices = [{ message: { content: '"}],{"usage":{"prompt_tokens":1}'.repeat(TOO_LONG / 32) } }];
    const answer = { id: '\\"', usage: USAGE, model: 'gpt-4o', choices };
    const whole = JSON.stringify(answer);
    for (const length of [1000, whole.length]) {
      const { response, endings } = tapped(openaiFormat, CHAT, pieces(whole, length), { type: 'application/json' });
      await read(response);
      expect(told(endings[0].usage)).toEqual({ ...TOLD, model: 'gpt-4o' });
    }
  });

  test('whose usage is lost between two long texts tells none', async () => {
    const content = 'x'.repeat(TOO_LONG);
    const answer = { choices: [{ message: { content } }], usage: USAGE, system_fingerprint: content };
    const { response, endings } = tapped(openaiFormat, CHAT, json(answer), { type: 'application/json' });
    await read(response);
    expect(endings).toMatchObject([{ how: 'complete', usage: undefined }]);
  });
});

test('a stream in which text has passed is not one of no tokens, whatever it tells', async () => {
  const chunk = { choices: [{ delta: { content: 'Hello there' }, finish_reason: null }] };
  const end = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 0 } };
  const body = [chunk, end].map((event) => bytes(`data: ${JSON.stringify(event)}\n\n`));
  const { response, endings } = tapped(openaiFormat, { ...CHAT, stream: true }, body);
  await read(response);
  expect(endings).toMatchObject([{ isEstimate: true, usage: { inputTokens: 9, outputTokens: 2 } }]);
});

test('an event that is too long to be kept passes, unread', async () => {
  const start = bytes('data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":3},"pad":"');
  const pad = Array.from({ length: 5 }, () => new Uint8Array(2 ** 20).fill(0x61));
  const chunks = [bytes(': hi\n\n'), start, ...pad, bytes('"}\n\n'), bytes('data: [DONE]\n\n')];
  for (const asked of [true, false]) {
    const { response, endings } = tapped(openaiFormat, { ...CHAT, stream: true }, chunks, { asked });
    const passed = Buffer.concat(await read(response));
    expect(passed.equals(Buffer.concat(chunks))).toBe(true);
    expect(endings).toMatchObject([{ how: 'complete', usage: undefined }]);
  }
});

test('other bodies pass, and tell nothing', async () => {
  const { response, endings } = tapped(openaiFormat, CHAT, [bytes('not JSON')], { type: 'text/plain' });
  expect(textOf(await read(response))).toBe('not JSON');
  expect(endings).toEqual([{ how: 'complete', usage: undefined, isEstimate: false, error: undefined }]);
});

test.each([204, 304])('a %d, which has no body, is over at once', (status) => {
  const endings: Ending[] = [];
  const source = new Response(null, { status });
  const onEnd = (ending: Ending) => endings.push(ending);
  expect(tap(source, { format: openaiFormat, call: CHAT, asked: true, onEnd })).toBe(source);
  expect(endings).toEqual([{ how: 'complete', usage: undefined, isEstimate: false, error: undefined }]);
});

test('a response is what it was, over a real connection and compressed', async () => {
  const server = await listen((_req, res) => {
    res.writeHead(201, 'Made', {
      'content-type': 'application/json',
      'content-encoding': 'gzip',
      'x-request-id': 'r1',
    });
    res.end(gzipSync(JSON.stringify(ANSWER)));
  });
  const url = `http://127.0.0.1:${portOf(server)}/v1/chat/completions`;
  const endings: Ending[] = [];
  const onEnd = (ending: Ending) => endings.push(ending);
  const source = await fetch(url);
  const response = tap(source, { format: openaiFormat, call: CHAT, asked: true, onEnd });
  const { status, statusText, ok, type, redirected } = source;
  expect(response).toMatchObject({ url, status, statusText, ok, type, redirected });
  expect([...response.headers]).toEqual([...source.headers]);
  expect(await response.clone().json()).toEqual(ANSWER);
  expect(await response.json()).toEqual(ANSWER);
  expect(told(endings[0].usage)).toMatchObject(TOLD);
});

test('a length that may change is not promised', () => {
  const given = { headers: { 'content-length': '100' } };
  expect(tapped(openaiFormat, CHAT, [], { ...given, asked: true }).response.headers.get('content-length')).toBe('100');
  expect(tapped(openaiFormat, CHAT, [], { ...given, asked: false }).response.headers.has('content-length')).toBe(false);
});
