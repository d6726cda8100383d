import { manualClock } from '@tollgate/core/testing';
import { openaiFormat } from '@tollgate/upstream';
import { IDLE_MS } from '../../packages/upstream/src/usage/tap.js';
import { bytes, eventStream, read, tapped, textOf, told } from './bodies.js';

const CHAT = { operation: 'chat', model: 'gpt-4o', stream: true };

const chunk = (content: string) => ({
  model: 'gpt-4o',
  choices: [{ index: 0, delta: { content }, finish_reason: null }],
});
const LAST = { model: 'gpt-4o', choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] };
const USAGE = { model: 'gpt-4o', choices: [], usage: { prompt_tokens: 9, completion_tokens: 3, total_tokens: 12 } };
const EVENTS = [chunk('He'), chunk('llö'), chunk(' ✓'), LAST, USAGE, '[DONE]'];
const CHUNKS = EVENTS.map((event) => bytes(eventStream([event])));
const TOLD = { model: 'gpt-4o', inputTokens: 9, outputTokens: 3 };

describe('a tap over a stream', () => {
  test('passes the very chunks of the source, and tells the usage', async () => {
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS);
    const chunks = await read(response);
    expect(chunks).toHaveLength(CHUNKS.length);
    chunks.forEach((chunk, i) => {
      expect(chunk).toBe(CHUNKS[i]);
    });
    expect(endings).toHaveLength(1);
    expect(endings[0]).toMatchObject({ how: 'complete', isEstimate: false, error: undefined });
    expect(told(endings[0].usage)).toEqual(TOLD);
  });

  test('drops the usage that the client has not asked for, and nothing else', async () => {
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS, { asked: false });
    expect(await read(response)).toEqual(CHUNKS.filter((_, i) => i !== 4));
    expect(told(endings[0].usage)).toEqual(TOLD);
  });

  test('reads nothing before it is read from, and never ahead', async () => {
    const { response, seen } = tapped(openaiFormat, CHAT, CHUNKS);
    await turns();
    expect(seen.pulled).toBe(0);
    const reader = response.body?.getReader();
    await reader?.read();
    await turns();
    expect(seen.pulled).toBe(1);
  });

  test('serves reads that are wanted at once in their order, and reads the source once for each', async () => {
    let pulled = 0;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>) => {
      const chunk = CHUNKS[pulled++];
      await turns();
      controller.enqueue(chunk);
    };
    const { response } = tapped(openaiFormat, CHAT, [], { source: new ReadableStream({ pull }, { highWaterMark: 0 }) });
    await turns();
    const reader = response.body?.getReader();
    const reads = await Promise.all([reader?.read(), reader?.read()]);
    expect(reads.map((read) => read?.value)).toEqual(CHUNKS.slice(0, 2));
    await turns();
    expect(pulled).toBe(2);
  });

  test('counts text in any script alike, wherever it is cut', async () => {
    const all = bytes(eventStream([chunk('世界 Grüße ✓'), chunk(' and so on')]));
    const counts = all.map(() => 0);
    for (let at = 0; at < all.length; at++) {
      const { response, endings } = tapped(openaiFormat, CHAT, [all.slice(0, at), all.slice(at)]);
      await read(response);
      counts[at] = endings[0].usage?.outputTokens ?? 0;
    }
    expect(new Set(counts)).toEqual(new Set([9]));
  });

  test('tells the usage as soon as it is known, for clients that leave then', async () => {
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS);
    await read(response, 5);
    expect(endings).toHaveLength(1);
    expect(endings[0]).toMatchObject({ how: 'complete', isEstimate: false });
    expect(told(endings[0].usage)).toEqual(TOLD);
  });

  test('cancels the source with the reason of who cancels it', async () => {
    const { response, endings, seen } = tapped(openaiFormat, CHAT, CHUNKS);
    const reader = response.body?.getReader();
    await reader?.read();
    await reader?.cancel('enough');
    expect(seen).toEqual({ pulled: 1, cancelled: 'enough' });
    expect(endings).toHaveLength(1);
    expect(endings[0]).toMatchObject({ how: 'cancelled', isEstimate: true, usage: { outputTokens: 1 } });
  });

  test('a client that leaves in each place is told of once, and charged for what has passed', async () => {
    for (let chunks = 0; chunks < CHUNKS.length; chunks++) {
      const { response, endings, seen } = tapped(openaiFormat, CHAT, CHUNKS);
      await read(response, chunks);
      expect(seen.cancelled).toBe(true);
      expect(endings).toHaveLength(1);
      const outputTokens = [undefined, 1, 2, 4, 4, 3][chunks];
      expect([chunks, endings[0].usage?.outputTokens]).toEqual([chunks, outputTokens]);
    }
  });

  test('breaks as the source does', async () => {
    const error = new Error('socket hang up');
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS.slice(0, 2), { error });
    await expect(read(response)).rejects.toBe(error);
    expect(endings).toMatchObject([{ how: 'failed', error: undefined, isEstimate: true }]);
  });

  test('a source that breaks because the client has aborted it was cancelled', async () => {
    const error = new DOMException('aborted', 'AbortError');
    const leaving = new AbortController();
    const { signal } = leaving;
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS.slice(0, 2), { error, signal });
    const reader = response.body?.getReader();
    await reader?.read();
    leaving.abort(error);
    await expect(reader?.read()).rejects.toBe(error);
    expect(endings).toMatchObject([{ how: 'cancelled', isEstimate: true }]);
  });

  test('a client that had left before it began is noticed at once', () => {
    const { endings, seen } = tapped(openaiFormat, CHAT, CHUNKS, { signal: AbortSignal.abort('gone') });
    expect([endings, seen]).toMatchObject([[{ how: 'cancelled' }], { pulled: 0, cancelled: 'gone' }]);
  });

  test('a format that fails ends the answer with its error, and the call: nothing is known then', async () => {
    const error = new Error("a user's own");
    const failing = {
      ...openaiFormat,
      reader: () => ({
        ...openaiFormat.reader(CHAT, true),
        event: () => {
          throw error;
        },
      }),
    };
    const { response, endings, seen } = tapped(failing, CHAT, CHUNKS);
    await expect(read(response)).rejects.toBe(error);
    expect([endings, seen.cancelled]).toMatchObject([[{ how: 'failed', usage: undefined }], error]);
  });

  test('a client that aborts while it reads nothing has left at once, as with fetch itself', async () => {
    const leaving = new AbortController();
    const { response, endings, seen } = tapped(openaiFormat, CHAT, CHUNKS, { signal: leaving.signal });
    const reader = response.body?.getReader();
    await reader?.read();
    leaving.abort('enough');
    expect(endings).toMatchObject([{ how: 'cancelled', usage: { outputTokens: 1 } }]);
    expect(seen).toEqual({ pulled: 1, cancelled: 'enough' });
    await expect(reader?.read()).rejects.toBe('enough');
  });

  test('an abort after the end changes nothing', async () => {
    const leaving = new AbortController();
    const { response, endings } = tapped(openaiFormat, CHAT, CHUNKS, { signal: leaving.signal });
    expect(await read(response)).toHaveLength(CHUNKS.length);
    leaving.abort();
    expect(endings).toMatchObject([{ how: 'complete' }]);
  });

  test('fails where the stream tells of an error, and keeps what it says', async () => {
    const error = { code: 502, message: 'Provider disconnected' };
    const { response, endings } = tapped(openaiFormat, CHAT, [...CHUNKS.slice(0, 2), bytes(eventStream([{ error }]))]);
    await read(response);
    expect(endings).toMatchObject([{ how: 'failed', error, isEstimate: true }]);
  });

  test('gives up a body that nobody reads', async () => {
    const clock = manualClock();
    const { response, endings, seen } = tapped(openaiFormat, CHAT, CHUNKS, { clock });
    const reader = response.body?.getReader();
    await reader?.read();
    clock.advance(IDLE_MS);
    expect(endings).toHaveLength(0);
    clock.advance(IDLE_MS);
    expect(endings).toMatchObject([{ how: 'cancelled', usage: { outputTokens: 1 } }]);
    expect(seen.cancelled).toBeInstanceOf(Error);
    await expect(reader?.read()).rejects.toThrow('Nobody has read');
  });

  test('waits for a source that is silent for as long as the client waits', async () => {
    const clock = manualClock();
    const { response, endings } = tapped(openaiFormat, CHAT, [], { clock, source: new ReadableStream() });
    const reader = response.body?.getReader();
    const reading = reader?.read();
    await turns();
    clock.advance(10 * IDLE_MS);
    expect(endings).toEqual([]);
    await reader?.cancel();
    expect(await reading).toEqual({ done: true, value: undefined });
    expect(endings).toHaveLength(1);
  });
});

test('text in the stream is what the provider sent', async () => {
  const { response } = tapped(openaiFormat, CHAT, CHUNKS);
  expect(textOf(await read(response))).toBe(eventStream(EVENTS));
});

/** Enough turns for whatever is due at once. */
async function turns(): Promise<void> {
  for (let i = 0; i < 10; i++) await new Promise((resolve) => setImmediate(resolve));
}
