/** Bodies as providers send them, and what a tap makes of them. */
import type { Call, WireFormat } from '@tollgate/upstream';
import { type Ending, type TapOptions, tap } from '../../packages/upstream/src/usage/tap.js';

const encoder = new TextEncoder();

export const bytes = (text: string) => encoder.encode(text);

/** Events as text; what is no string as JSON. Anthropic names them. */
export function eventStream(events: readonly unknown[], end = '\n'): string {
  return events
    .map((event) => {
      const { type } = event as { type?: unknown };
      const name = typeof type === 'string' ? `event: ${type}${end}` : '';
      return `${name}data: ${typeof event === 'string' ? event : JSON.stringify(event)}${end}${end}`;
    })
    .join('');
}

/** A body that gives these chunks when it is asked for them, and keeps count. */
export function sourceOf(chunks: readonly Uint8Array[], error?: Error) {
  const seen = { pulled: 0, cancelled: undefined as unknown };
  const body = new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        const chunk = chunks[seen.pulled++];
        if (chunk) controller.enqueue(chunk);
        else if (error) controller.error(error);
        else controller.close();
      },
      cancel(reason) {
        seen.cancelled = reason ?? true;
      },
    },
    { highWaterMark: 0 },
  );
  return { body, seen };
}

export interface Tapped {
  readonly response: Response;
  readonly endings: Ending[];
  readonly seen: { pulled: number; cancelled: unknown };
}

export interface Given extends Partial<Omit<TapOptions, 'onEnd'>> {
  readonly type?: string;
  /** In place of the chunks. */
  readonly source?: ReadableStream<Uint8Array>;
  /** What it ends with. */
  readonly error?: Error;
  readonly status?: number;
  readonly headers?: Record<string, string>;
}

export function tapped(format: WireFormat, call: Call, chunks: readonly Uint8Array[], given: Given = {}): Tapped {
  const { type = 'text/event-stream', source: instead, error, status = 200, headers, asked = true, ...options } = given;
  const { body, seen } = sourceOf(chunks, error);
  const source = new Response(instead ?? body, { status, headers: { 'content-type': type, ...headers } });
  const endings: Ending[] = [];
  const response = tap(source, { format, call, asked, ...options, onEnd: (ending) => endings.push(ending) });
  return { response, endings, seen };
}

/** Reads on until there is no more, or so many chunks. */
export async function read(response: Response, most = Number.POSITIVE_INFINITY): Promise<Uint8Array[]> {
  const reader = (response.body as ReadableStream<Uint8Array>).getReader();
  const chunks: Uint8Array[] = [];
  while (chunks.length < most) {
    const { done, value } = await reader.read();
    if (done) return chunks;
    chunks.push(value);
  }
  await reader.cancel();
  return chunks;
}

export const textOf = (chunks: readonly Uint8Array[]) => Buffer.concat(chunks).toString();

/** What a stream of these events tells, read by itself. */
export function readAll(format: WireFormat, call: Call, events: readonly unknown[], asked = true) {
  const reader = format.reader(call, asked);
  const passed = events.filter((event) => reader.event(typeof event === 'string' ? event : JSON.stringify(event)));
  const { usage, isComplete, outputTokens, error } = reader;
  return { usage, isComplete, outputTokens, error, passed };
}

/** Without what isn't told. */
export const told = (usage: object | undefined) => usage && JSON.parse(JSON.stringify(usage));
