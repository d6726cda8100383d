/** The process of one kind of answer: `tapper.ts <name>`. Reads it as it is and through a tap, in turn. */
import { anthropicFormat, type Call, geminiFormat, openaiFormat, type WireFormat } from '@tollgate/upstream';
import { tap } from '../../packages/upstream/src/usage/tap.js';
import { serve } from './harness.js';

/** Nanoseconds for each event of a stream, or for each answer that is none. */
export interface Taken {
  readonly bare: number;
  readonly tapped: number;
}

interface Kind {
  readonly format: WireFormat;
  readonly call: Call;
  readonly asked: boolean;
  readonly type: string;
  /** Events a stream has, or 1. */
  readonly events: number;
  /** Of one answer. */
  readonly chunks: readonly Uint8Array[];
}

const EVENTS = 500;
const WORDS = ['The', ' gate', ' is', ' paid', ' at', ' once', ',', ' and', ' what', ' comes', ' back', '.\n'];

const bytes = (text: string) => new TextEncoder().encode(text);
const word = (i: number) => WORDS[i % WORDS.length];

function stream(
  format: WireFormat,
  asked: boolean,
  operation: string,
  event: (i: number) => object,
  last: object,
): Kind {
  const events = [...Array.from({ length: EVENTS - 1 }, (_, i) => event(i)), last];
  const chunks = events.map((event) => bytes(`data: ${JSON.stringify(event)}\n\n`));
  return {
    format,
    asked,
    call: { operation, model: 'm', stream: true },
    type: 'text/event-stream',
    events: EVENTS,
    chunks,
  };
}

const chunk = {
  id: 'chatcmpl-9dHpYvW1qW5t2yXeX5bE0',
  object: 'chat.completion.chunk',
  created: 1764201600,
  model: 'gpt-4o',
};
const chat = (i: number) => ({
  ...chunk,
  system_fingerprint: 'fp_44709d6fcb',
  choices: [{ index: 0, delta: { content: word(i) }, logprobs: null, finish_reason: null }],
  usage: null,
});
const usage = { prompt_tokens: 9, completion_tokens: EVENTS, total_tokens: EVENTS + 9 };

const KINDS = {
  chat: stream(openaiFormat, true, 'chat', chat, { ...chunk, choices: [], usage }),
  'chat, usage dropped': stream(openaiFormat, false, 'chat', chat, { ...chunk, choices: [], usage }),
  messages: stream(
    anthropicFormat,
    true,
    'messages',
    (i) => ({ type: 'content_block_delta', index: 0, delta: { type: 'text_delta', text: word(i) } }),
    { type: 'message_stop' },
  ),
  Gemini: stream(
    geminiFormat,
    true,
    'generateContent',
    (i) => ({
      candidates: [{ content: { parts: [{ text: word(i) }], role: 'model' }, index: 0 }],
      usageMetadata: { promptTokenCount: 9, candidatesTokenCount: i, totalTokenCount: i + 9 },
      modelVersion: 'gemini-2.5-flash',
      responseId: 'Q2hhdGNtcGwtOWRIcFl2',
    }),
    {},
  ),
  'JSON of 2 KB': {
    format: openaiFormat,
    asked: true,
    call: { operation: 'chat', model: 'm', stream: false },
    type: 'application/json',
    events: 1,
    chunks: [bytes(JSON.stringify({ ...chunk, choices: [{ message: { content: 'word '.repeat(370) } }], usage }))],
  },
} satisfies Record<string, Kind>;

export type KindName = keyof typeof KINDS;

const { format, call, asked, type, events, chunks }: Kind = KINDS[process.argv[2] as KindName];

function answer(): Response {
  let next = 0;
  const body = new ReadableStream<Uint8Array>({
    pull(controller) {
      if (next < chunks.length) controller.enqueue(chunks[next++]);
      else controller.close();
    },
  });
  return new Response(body, { headers: { 'content-type': type } });
}

let endings = 0;

function tapped(): Response {
  return tap(answer(), { format, call, asked, onEnd: () => endings++ });
}

async function readOf(make: () => Response, count: number): Promise<number> {
  const start = process.hrtime.bigint();
  for (let i = 0; i < count; i++) {
    const reader = (make().body as ReadableStream<Uint8Array>).getReader();
    while (!(await reader.read()).done);
  }
  return Number(process.hrtime.bigint() - start) / count / events;
}

serve(true, async (reads: number): Promise<Taken> => {
  const count = Math.ceil(reads / events);
  const before = endings;
  const taken = { bare: await readOf(answer, count), tapped: await readOf(tapped, count) };
  if (endings - before !== count) throw new Error(`${count} answers were read, ${endings - before} endings told`);
  return taken;
});
