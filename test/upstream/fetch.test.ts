/** One call, from the client to a provider and back. */
import { createUpstream } from '@tollgate/upstream';
import { closeServers, portOf } from '../helpers/http-server.js';
import { answered, chat, fakeServer, gateOf, key, MODEL, post, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());
afterEach(closeServers);

test("a call goes out with the provider's key in place of the client's, and else as it was", async () => {
  const { server, seen } = await fakeServer();
  const { gate } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  const { response, text } = await chat(gate, llm.fetch, server);
  expect(response.status).toBe(200);
  expect(JSON.parse(text)).toEqual(answered().body);
  expect(seen).toHaveLength(1);
  expect(seen[0]).toMatchObject({ key: 'secret-of-k1', path: '/v1/chat/completions', method: 'POST', model: MODEL });
});

test('what the provider tells of its usage is what the admission at hand is settled by', async () => {
  const { server } = await fakeServer();
  const { gate, spent } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  await chat(gate, llm.fetch, server);
  expect(await spent('u1')).toBe(10 * 1 + 5 * 10);
});

test('a call that nobody pays for is refused without being sent, and not in a way that an SDK tries again', async () => {
  const { server, seen } = await fakeServer();
  const { gate } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
  const response = await post(llm.fetch, server);
  expect(response.status).toBe(403);
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(await response.text()).toContain('TOLLGATE_NO_ADMISSION');
  expect(seen).toHaveLength(0);
});

describe('what fetch takes', () => {
  const BODY = JSON.stringify({ model: MODEL, max_tokens: 20, messages: [] });
  const as = { subject: { user: 'u1' } };

  async function bench(script?: Script) {
    const { server, seen } = await fakeServer(script);
    const { gate, spent } = gateOf();
    const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1')])] });
    return { llm, fetch: llm.as(as).fetch, seen, spent, url: `http://127.0.0.1:${portOf(server)}/v1/chat/completions` };
  }

  test('is taken: a URL, a Request, a Request with something else, bytes', async () => {
    const { fetch, seen, url, spent } = await bench();
    const init = { method: 'POST', body: BODY, headers: { authorization: 'Bearer managed', 'x-trace': '7' } };
    await (await fetch(new URL(url), init)).text();
    await (await fetch(new Request(url, init))).text();
    await (await fetch(new Request(url, { ...init, body: '{}' }), { body: BODY })).text();
    await (await fetch(url, { ...init, body: new TextEncoder().encode(BODY) })).text();
    for (const { key, text, headers } of seen) {
      expect([key, text, headers['x-trace']]).toEqual(['secret-of-k1', BODY, '7']);
    }
    expect([seen.length, await spent('u1')]).toEqual([4, 240]);
  });

  test('a form is taken, with a Request or without, and sent with the boundaries that it says', async () => {
    const { fetch, seen, url } = await bench();
    const form = new FormData();
    form.set('file', new Blob(['abc']), 'a.txt');
    const files = url.replace('chat/completions', 'files');
    for (const input of [files, new Request(files)]) await (await fetch(input, { method: 'POST', body: form })).text();
    for (const { headers, text } of seen) {
      const boundary = /boundary=(.+)$/.exec(String(headers['content-type']))?.[1];
      expect(boundary && text.startsWith(`--${boundary}`)).toBe(true);
    }
    expect(seen).toHaveLength(2);
  });

  test('null is taken for no options, as fetch takes it', async () => {
    const { llm, url } = await bench();
    expect((await llm.fetch(url.replace('chat/completions', 'models'), null as never)).status).toBe(200);
  });

  test('a URL of nobody is refused with the providers that there are, and no key goes there', async () => {
    const { fetch, seen } = await bench();
    const { server: foreign, seen: there } = await fakeServer();
    for (const url of [`http://127.0.0.1:${portOf(foreign)}/v1/chat/completions`, 'https://one.test/v1/models']) {
      const response = await fetch(url, { method: 'POST', body: BODY });
      expect([response.status, response.headers.get('tollgate-refused')]).toEqual([400, 'unknown-provider']);
      expect(await response.text()).toContain('one at http://127.0.0.1:');
    }
    expect([...seen, ...there]).toHaveLength(0);
  });

  test('a redirect of a call is no answer, and not followed: it would take the key along', async () => {
    const { server: foreign, seen: there } = await fakeServer();
    const location = `http://127.0.0.1:${portOf(foreign)}/v1/chat/completions`;
    const { fetch, url, spent } = await bench(() => ({ status: 307, headers: { location } }));
    const response = await fetch(url, { method: 'POST', body: BODY });
    expect([response.status, response.headers.get('location'), there.length]).toEqual([502, null, 0]);
    expect(await spent('u1')).toBe(0);
  });

  test('no URL at all is what fetch rejects too', async () => {
    const { fetch } = await bench();
    await expect(fetch('nowhere')).rejects.toThrow(expect.objectContaining({ name: 'TypeError' }));
  });

  test('who leaves before there is an answer is told as by fetch; what was sent may be billed', async () => {
    const leaving = new AbortController();
    const { fetch, seen, url, spent, llm } = await bench(() => {
      leaving.abort();
      return 'hang';
    });
    const asked = fetch(url, { method: 'POST', body: BODY, signal: leaving.signal });
    await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
    expect(seen).toHaveLength(1);
    expect(await spent('u1')).toBeGreaterThan(200);
    expect((await llm.inspect()).providers[0].keys[0].inFlight).toBe(0);
  });

  test('after the end is refused, and not sent', async () => {
    const { fetch, seen, url, llm } = await bench();
    await llm.close();
    const response = await fetch(url, { method: 'POST', body: BODY });
    expect([response.status, seen.length]).toEqual([503, 0]);
    expect(await response.text()).toContain('TOLLGATE_CLOSED');
  });
});

test('each attempt is told of, with what it waited for and what came of it', async () => {
  const { server } = await fakeServer((_, n) => (n === 0 ? { status: 403 } : answered()));
  const { gate } = gateOf();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1'), key('k2')])] });
  const events: unknown[] = [];
  const off = llm.on('sent', (event) => events.push(event));
  llm.on('answered', ({ ms, ...event }) => events.push(event));
  llm.on('sent', () => {
    throw new Error('a listener is no reason to fail a call');
  });
  await chat(gate, llm.fetch, server);
  const way = { provider: 'one', key: 'k1', model: MODEL };
  expect(events).toEqual([
    { ...way, attempt: 1, waitedMs: 0 },
    { ...way, status: 403 },
    { ...way, key: 'k2', attempt: 2, waitedMs: 0 },
    { ...way, key: 'k2', status: 200 },
  ]);
  off();
  off();
  await chat(gate, llm.fetch, server);
  expect(events).toHaveLength(5);
});
