/** Whatever the bytes are and however they are cut: they pass as they are, and are read alike. */
import { anthropicFormat, geminiFormat, openaiFormat, type WireFormat } from '@tollgate/upstream';
import fc from 'fast-check';
import { bytes, eventStream, read, tapped, told } from './bodies.js';

const call = (operation: string, stream = true) => ({ operation, model: 'm', stream });

const chat = (content: string) => ({ choices: [{ index: 0, delta: { content }, finish_reason: null }] });
const CHAT_USAGE = { choices: [], usage: { prompt_tokens: 9, completion_tokens: 5 } };
const CHAT = [chat('Grüße 世界'), chat(' ✓ 🎉 "\\\n'), { choices: [{ finish_reason: 'stop' }] }, CHAT_USAGE, '[DONE]'];

const ANTHROPIC = [
  { type: 'message_start', message: { usage: { input_tokens: 9, output_tokens: 1 } } },
  { type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: 'Grüße 世界 🎉' } },
  { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 5 } },
  { type: 'message_stop' },
];

const gemini = (text: string, candidatesTokenCount: number, more: object = {}) => ({
  candidates: [{ content: { parts: [{ text }] }, ...more }],
  usageMetadata: { promptTokenCount: 9, candidatesTokenCount },
});
const GEMINI = [gemini('Grüße 世界', 2), gemini(' "}]{[\\ 🎉', 5, { finishReason: 'STOP' })];

interface Stream {
  readonly name: string;
  readonly format: WireFormat;
  readonly operation: string;
  readonly body: string;
  /** What of it a client sees that hasn't asked for usage. */
  readonly unasked?: string;
  readonly type?: string;
  readonly stream?: boolean;
}

/** Too long to be kept as a whole. */
const LONG = 'a'.repeat(140_000);

const STREAMS: readonly Stream[] = [
  ...['\n', '\r\n', '\r'].map((end) => ({
    name: `chat with ${JSON.stringify(end)}`,
    format: openaiFormat,
    operation: 'chat',
    body: eventStream(CHAT, end),
    unasked: eventStream(
      CHAT.filter((event) => event !== CHAT_USAGE),
      end,
    ),
  })),
  {
    name: 'chat with comments, other fields, no spaces and data in several lines',
    format: openaiFormat,
    operation: 'chat',
    body: `: OPENROUTER PROCESSING\n\nretry: 3\nid\ndata:${JSON.stringify(CHAT[0])}\n\n\n\ndata: {"choices":[],\ndata: "usage":{"prompt_tokens":9,\ndata:"completion_tokens":5}}\n\ndata:[DONE]\n\n`,
    unasked: `: OPENROUTER PROCESSING\n\nretry: 3\nid\ndata:${JSON.stringify(CHAT[0])}\n\n\n\ndata:[DONE]\n\n`,
  },
  {
    name: 'chat that ends without a last blank line',
    format: openaiFormat,
    operation: 'chat',
    body: eventStream(CHAT.slice(0, 4)).trimEnd(),
    unasked: eventStream(CHAT.slice(0, 3)),
  },
  { name: 'messages', format: anthropicFormat, operation: 'messages', body: eventStream(ANTHROPIC, '\r\n') },
  { name: 'Gemini', format: geminiFormat, operation: 'generateContent', body: eventStream(GEMINI, '\r\n') },
  {
    name: 'Gemini as a list',
    format: geminiFormat,
    operation: 'generateContent',
    body: `[${GEMINI.map((event) => JSON.stringify(event, null, 2)).join('\r\n,\r\n')}]`,
    type: 'application/json; charset=UTF-8',
  },
  {
    name: 'a long answer',
    format: openaiFormat,
    operation: 'chat',
    body: JSON.stringify({
      choices: [{ message: { content: LONG, tool_calls: [{ usage: { prompt_tokens: 1, completion_tokens: 1 } }] } }],
      usage: CHAT_USAGE.usage,
      system_fingerprint: 'fp',
    }),
    type: 'application/json',
    stream: false,
  },
];

/** Cuts anywhere, inside characters as well, with empty chunks between. */
function cut(body: string, places: readonly number[]): Uint8Array[] {
  const all = bytes(body);
  const at = [0, ...places.map((place) => place % (all.length + 1)).sort((a, b) => a - b), all.length];
  return at.slice(1).map((end, i) => all.slice(at[i], end));
}

const sizeOf = (chunk: Uint8Array) => chunk.length;

const places = fc.array(fc.nat(), { maxLength: 30 });

describe.each(STREAMS)('$name', ({ format, operation, body, unasked = body, type, stream }) => {
  test('passes as it is, and is read alike, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(places, fc.boolean(), async (places, asked) => {
        const chunks = cut(body, places);
        const given = type === undefined ? { asked } : { asked, type };
        const { response, endings } = tapped(format, call(operation, stream), chunks, given);
        const passed = await read(response);
        expect(Buffer.concat(passed).toString()).toBe(asked ? body : unasked);
        if (asked) expect(passed.map(sizeOf)).toEqual(chunks.map(sizeOf).filter((size) => size > 0));
        expect(endings).toHaveLength(1);
        expect(endings[0]).toMatchObject({ how: 'complete', isEstimate: false });
        expect(told(endings[0].usage)).toEqual({ inputTokens: 9, outputTokens: 5 });
      }),
      { numRuns: 30 },
    );
  });

  test('passes as it is, and is read alike, cut in two at any place', async () => {
    const all = bytes(body);
    for (let at = 1; at < Math.min(all.length, body.length > 100_000 ? 10 : 1000); at++) {
      const given = type === undefined ? { asked: false } : { asked: false, type };
      const { response, endings } = tapped(format, call(operation, stream), [all.slice(0, at), all.slice(at)], given);
      expect([at, Buffer.concat(await read(response)).toString()]).toEqual([at, unasked]);
      expect([at, told(endings[0].usage)]).toEqual([at, { inputTokens: 9, outputTokens: 5 }]);
    }
  });

  test('is told of once wherever the client leaves, and never for more than was told', async () => {
    const chunks = cut(body, [7, 40, 80, 130, 200, 260, 300]);
    for (let most = 0; most <= chunks.length; most++) {
      const given = type === undefined ? {} : { type };
      const { response, endings, seen } = tapped(format, call(operation, stream), chunks, given);
      await read(response, most);
      expect(endings).toHaveLength(1);
      expect(seen.pulled).toBeLessThanOrEqual(chunks.length + 1);
      expect(endings[0].usage?.outputTokens ?? 0).toBeLessThanOrEqual(14);
    }
  });
});

/** Bytes of any kind, and pieces of events that are nearly right. */
const garbage = fc.array(
  fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc
      .constantFrom(...['data:', '\n', '\n\n', '\r', '{"usage":', '{', '}', '[', ']', '"', '\\', 'null', '1e999'])
      .map(bytes),
    fc.json().map((json) => bytes(`data: ${json}\n\n`)),
    fc
      .constantFrom('usage', 'error', 'choices', 'message', 'delta', 'candidates', 'usageMetadata', 'response', 'type')
      .chain((name) => fc.json().map((json) => bytes(`data: {"type":"message_start","${name}":${json}}\n\n`))),
  ),
  { maxLength: 40 },
);

test.each([
  ['openai', openaiFormat, 'chat'],
  ['openai', openaiFormat, 'responses'],
  ['anthropic', anthropicFormat, 'messages'],
  ['gemini', geminiFormat, 'generateContent'],
] as const)('garbage in %s passes as it is, and throws nothing', async (_name, format, operation) => {
  const types = fc.constantFrom('text/event-stream', 'application/json', 'text/html', '');
  await fc.assert(
    fc.asyncProperty(garbage, types, fc.boolean(), fc.boolean(), async (chunks, type, asked, stream) => {
      const { response, endings } = tapped(format, call(operation, stream), chunks, { type, asked });
      expect(Buffer.concat(await read(response))).toEqual(Buffer.concat(chunks));
      expect(endings).toHaveLength(1);
    }),
    { numRuns: 150 },
  );
});
