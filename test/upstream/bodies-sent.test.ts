/** Bodies go out as they came, whether they were read or not. */
import { createUpstream, openai } from '@tollgate/upstream';
import { answered, fakeTransport, gateOf, key, MODEL, provider } from './support.js';

const AT = 'https://one.test/v1';
const BYTES = new Uint8Array([0x89, 0x50, 0xff, 0xfe, 0x00]);

function bench(of = provider('one', AT, [key('k1'), key('k2')])) {
  const { gate, spent } = gateOf();
  const { fetch: answer } = fakeTransport(answered);
  const bodies: RequestInit['body'][] = [];
  const llm = createUpstream({
    gate,
    providers: [of],
    fetch: (url, init) => {
      bodies.push(init?.body);
      return answer(url, init);
    },
  });
  return { fetch: llm.as({ subject: { user: 'u1' } }).fetch, bodies, spent };
}

const streamOf = (...chunks: Uint8Array[]) =>
  new ReadableStream({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

test('an upload is not read, whatever it says that it is', async () => {
  const { fetch, bodies } = bench();
  const body = streamOf(BYTES);
  await fetch(`${AT}/uploads/u1/parts`, { method: 'POST', body, duplex: 'half' } as RequestInit);
  expect(bodies).toEqual([body]);
  expect(new Uint8Array(await new Response(bodies[0]).arrayBuffer())).toEqual(BYTES);
});

test('a stream that is a call is read, paid for and sent byte by byte', async () => {
  const { fetch, bodies, spent } = bench();
  const text = new TextEncoder().encode(`\ufeff{"model":"${MODEL}","max_tokens":20,"of":"\u00e9"}`);
  const body = streamOf(text.slice(0, 30), text.slice(30));
  const type = { 'content-type': 'text/plain' };
  await (
    await fetch(`${AT}/chat/completions`, { method: 'POST', body, headers: type, duplex: 'half' } as RequestInit)
  ).text();
  expect(new Uint8Array(await new Response(bodies[0]).arrayBuffer())).toEqual(text);
  expect(await spent('u1')).toBe(60);
});

test('who leaves while the body stalls is told at once, and the stream of it', async () => {
  const { fetch, bodies } = bench();
  const leaving = new AbortController();
  let cancelled: unknown;
  const body = new ReadableStream({
    cancel: (reason) => {
      cancelled = reason;
    },
  });
  const { signal } = leaving;
  const asked = fetch(`${AT}/chat/completions`, { method: 'POST', body, signal, duplex: 'half' } as RequestInit);
  leaving.abort('gone');
  await expect(asked).rejects.toBe('gone');
  expect([cancelled, bodies.length]).toEqual(['gone', 0]);
});

test.each(['text', 'bytes'])('a body of %s that usage is asked for in is else as it was written', async (kind) => {
  const { fetch, bodies } = bench(openai({ baseUrl: AT, keys: [key('k1'), key('k2')] }));
  const written = `{"seed": 9007199254740993, "model":"${MODEL}","temperature":1.0,"max_tokens":20,"stream":true`;
  const body = kind === 'text' ? `${written}}` : new TextEncoder().encode(`${written}}`);
  await (await fetch(`${AT}/chat/completions`, { method: 'POST', body })).text();
  expect(bodies).toEqual([`${written},"stream_options":{"include_usage":true}}`]);
});
