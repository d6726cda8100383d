/** What the head of an error says holds, though its body never comes. */
import { createUpstream } from '@tollgate/upstream';
import { gateOf, key, post, provider, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'https://one.test/v1';
const as = { subject: { user: 'u1' } };

/** Answers every call with this status and this body. */
function bench(init: ResponseInit, body: () => ReadableStream) {
  const { gate, clock, spent } = gateOf();
  let calls = 0;
  const fetch = async (_url: unknown, { signal }: RequestInit = {}) => {
    calls++;
    const response = new Response(body(), init);
    const text = response.text.bind(response);
    const aborted = new Promise<string>((_, reject) =>
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true }),
    );
    return Object.assign(response, { text: () => Promise.race([text(), aborted]) });
  };
  const llm = createUpstream({
    gate,
    fetch: fetch as typeof globalThis.fetch,
    providers: [provider('one', AT, [key('k1')])],
    timeout: '10s',
    maxWait: '0s',
  });
  const events: string[] = [];
  for (const name of ['answered', 'unanswered', 'throttled'] as const) llm.on(name, () => void events.push(name));
  return { fetch: llm.as(as).fetch, clock, spent, events, calls: () => calls };
}

const cut = () =>
  new ReadableStream({
    start: (controller) => controller.error(new TypeError('terminated')),
  });
const stalled = () => new ReadableStream();

test('a 429 whose body is cut lets the key rest for as long as it said, and has cost nothing', async () => {
  const { fetch, events, spent, calls } = bench({ status: 429, headers: { 'retry-after': '20' } }, cut);
  const response = await post(fetch, AT);
  expect([response.status, response.headers.get('retry-after'), await response.text()]).toEqual([429, '20', '']);
  expect([events, await spent('u1')]).toEqual([['answered', 'throttled'], 0]);
  expect((await post(fetch, AT)).headers.get('tollgate-refused')).toBe('limit');
  expect(calls()).toBe(1);
});

test('an error whose body stalls is passed on once its time is over', async () => {
  const { fetch, clock, events, spent } = bench({ status: 500 }, stalled);
  const asked = post(fetch, AT);
  await clock.play(10_000);
  expect([(await asked).status, events, await spent('u1')]).toEqual([500, ['answered'], 0]);
});

test('who leaves while the body of an error stalls is told so', async () => {
  const { fetch, clock, events } = bench({ status: 500 }, stalled);
  const leaving = new AbortController();
  const asked = post(fetch, AT, {}, { signal: leaving.signal });
  await clock.play(0);
  leaving.abort('gone');
  await expect(asked).rejects.toBe('gone');
  expect(events).toEqual([]);
});

test('the body of a redirect is cancelled, as nobody reads it', async () => {
  let cancelled = 0;
  const { fetch } = bench({ status: 307, headers: { location: 'https://two.test' } }, () => {
    return new ReadableStream({ cancel: () => void cancelled++ });
  });
  expect([(await post(fetch, AT)).status, cancelled]).toEqual([502, 1]);
});
