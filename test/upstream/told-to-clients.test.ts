/** What clients are told, and what their requests can do: nothing of keys, and nothing to them. */
import {
  createUpstream,
  env,
  keyHeader,
  mistral,
  openai,
  openrouter,
  type SecretSource,
  type UpstreamOptions,
} from '@tollgate/upstream';
import { eventStream } from './bodies.js';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());

const ONE = 'https://one.test/v1';
const TWO = 'https://two.test/v1';
const as = { subject: { user: 'u1' } };

function bench(script: Script, more: Partial<UpstreamOptions> = {}) {
  const { gate, spent } = gateOf();
  const { fetch, seen } = fakeTransport(script);
  const llm = createUpstream({ gate, fetch, providers: [provider('one', ONE, [key('k1'), key('k2')])], ...more });
  const events: unknown[] = [];
  for (const name of ['key.out', 'unanswered'] as const) llm.on(name, (event) => void events.push(event));
  return { llm, fetch: llm.as(as).fetch, seen, spent, events };
}

test('a refusal of what is no call, or of an account that the client named, is not the fault of the key', async () => {
  const providers = [openai({ baseUrl: ONE, keys: [key('k1'), key('k2')] })];
  const { llm, fetch, events } = bench(() => ({ status: 401 }), { providers });
  const statuses = [
    (await llm.fetch(`${ONE}/organization/users`)).status,
    (await post(fetch, ONE, {}, { headers: { 'openai-organization': 'org-bogus' } })).status,
  ];
  expect([statuses, events]).toEqual([[401, 401], []]);
  await post(fetch, ONE);
  expect(events).toMatchObject([{ key: 'k1' }, { key: 'k2' }]);
});

test("a client's key in a provider's own header, or in the URL, reaches no provider that stands in", async () => {
  const authorize = keyHeader('x-acme-key');
  const providers = [
    provider('one', ONE, [key('k1')], { authorize }),
    provider('two', TWO, [key('k2')], { authorize: (headers) => headers.set('authorization', 'Bearer own') }),
  ];
  const urls: string[] = [];
  const { fetch: answer, seen } = fakeTransport((_, n) => (n === 0 ? { status: 500 } : answered()));
  const recording = ((url: URL, init: RequestInit) => {
    urls.push(url.search);
    return answer(url, init);
  }) as typeof globalThis.fetch;
  const { fetch } = bench(answered, { providers, failover: { one: [{ provider: 'two' }] }, fetch: recording });
  await fetch(`${ONE}/chat/completions?key=REAL&v=1`, {
    method: 'POST',
    headers: { 'x-acme-key': 'REAL' },
    body: JSON.stringify({ model: 'small-1', max_tokens: 20 }),
  });
  expect([seen.length, urls[1]]).toEqual([2, '?v=1']);
  expect(JSON.stringify(seen[1])).not.toContain('REAL');
});

test.each([401, 402])('what a provider says of a key is not for clients: %d', async (status) => {
  const says = { status, body: { error: { message: 'Incorrect API key provided: sk-12***89' } } };
  const { fetch, seen } = bench(() => says);
  for (let i = 0; i < 2; i++) {
    const response = await post(fetch, ONE);
    expect([response.status, response.headers.get('tollgate-refused')]).toEqual([503, 'no-key']);
    expect(await response.text()).not.toContain('sk-12');
  }
  expect(seen).toHaveLength(2);
  const { fetch: busy } = bench((_, n) => (n === 0 ? { status: 429, body: { busy: true } } : says));
  const response = await post(busy, ONE);
  expect([response.status, await response.json()]).toEqual([429, { busy: true }]);
});

test('a key that has no secret is told of by events, and not to clients', async () => {
  const providers = [provider('one', ONE, [{ name: 'prod-1', secret: env('NO_SUCH_VARIABLE') }])];
  const { fetch, events } = bench(answered, { providers });
  for (let i = 0; i < 2; i++) {
    const response = await post(fetch, ONE);
    expect(response.status).toBe(503);
    expect(await response.text()).not.toMatch(/prod-1|NO_SUCH_VARIABLE/);
  }
  expect(JSON.stringify(events)).toContain('NO_SUCH_VARIABLE');
});

test('neither what a provider says nor how a fetch failed shows the secret', async () => {
  const { fetch, seen } = bench(() => ({ status: 400, body: { error: { message: 'bad: Bearer secret-of-k1' } } }));
  expect(await (await post(fetch, ONE)).text()).toBe('{"error":{"message":"bad: Bearer [secret]"}}');
  const showing = (async (_url: URL, { headers }: RequestInit) => {
    throw new Error(`no match for ${JSON.stringify([...new Headers(headers)])}${'x'.repeat(1000)}`);
  }) as typeof globalThis.fetch;
  const { fetch: failing, events } = bench(answered, { fetch: showing });
  expect(await (await post(failing, ONE)).text()).not.toContain('secret-of');
  expect(JSON.stringify(events)).not.toContain('secret-of');
  expect(JSON.stringify(events).length).toBeLessThan(500);
  expect(seen).toHaveLength(1);
});

test('nor does how it failed with another secret, after the first was refused', async () => {
  const fetch = (async (_url: URL, { headers }: RequestInit) => {
    const shown = new Headers(headers).get('authorization');
    if (shown === 'Bearer first-secret') return new Response('{}', { status: 401 });
    throw new Error(`proxy failed for ${shown}`);
  }) as typeof globalThis.fetch;
  const secret: SecretSource = (options) => (options?.fresh ? 'second-secret' : 'first-secret');
  const { fetch: asked, events } = bench(answered, {
    fetch,
    providers: [provider('one', ONE, [{ name: 'k1', secret }])],
  });
  await post(asked, ONE);
  expect(events).toMatchObject([{ why: 'proxy failed for Bearer [secret]' }]);
});

test('a wait that is too long for an SDK to sleep through is left out, and another try forbidden', async () => {
  const { fetch } = bench((_, n) => ({ status: 503, headers: { 'retry-after': n === 0 ? '3600' : '20' } }));
  const { headers } = await post(fetch, ONE);
  expect([headers.get('retry-after'), headers.get('x-should-retry')]).toEqual([null, 'false']);
});

test.each([
  ['ai-sdk-openai/4.0.118 ai-sdk-provider-utils/5.0.81 runtime/node.js/20', 424, '429'],
  ['OpenAI/JS 7.57.0', 429, null],
])('a client that goes by the status alone is told by it not to try again: %s', async (agent, status, told) => {
  const body = { error: { message: 'no room' } };
  const { fetch, seen } = bench(() => ({ status: 429, headers: { 'retry-after': '2' }, body }), { maxWait: '0s' });
  const headers = { 'user-agent': agent };
  const answer = await post(fetch, ONE, {}, { headers });
  expect([answer.status, answer.headers.get('tollgate-status'), seen.length]).toEqual([status, told, 2]);
  expect(await answer.json()).toEqual(body);
  // What has room again soon is for it to try again.
  expect((await post(fetch, ONE, {}, { headers })).status).toBe(429);
});

test('streams of a provider are not asked for their usage where that is said', async () => {
  const providers = [openai({ baseUrl: ONE, keys: [key('k1'), key('k2')], askUsage: false })];
  const { fetch, seen } = bench(answered, { providers });
  await (await post(fetch, ONE, { stream: true })).text();
  expect(seen.map(({ text }) => text.includes('stream_options'))).toEqual([false]);
});

test('a client that asks for usage is shown what servers tell that refuse to be asked', async () => {
  const told = { choices: [], usage: { prompt_tokens: 10, completion_tokens: 5 } };
  const bodies: unknown[] = [];
  const fetch = (async (_url: URL, { body }: RequestInit) => {
    bodies.push(JSON.parse(String(body)));
    return new Response(eventStream([told, '[DONE]']), { headers: { 'content-type': 'text/event-stream' } });
  }) as typeof globalThis.fetch;
  const keys = [key('k1'), key('k2')];
  for (const one of [mistral({ baseUrl: ONE, keys }), openai({ baseUrl: ONE, keys, askUsage: false })]) {
    const { fetch: asked, spent } = bench(answered, { fetch, providers: [one] });
    const response = await post(asked, ONE, { stream: true, stream_options: { include_usage: true } });
    expect(await response.text()).toContain('"completion_tokens":5');
    expect(bodies.pop()).not.toHaveProperty('stream_options');
    expect(await spent('u1')).toBe(60);
  }
});

test('neither headers of the hop go on, nor cookies, nor which encodings the client can read', async () => {
  const { fetch, seen } = bench(answered);
  const dropped = {
    connection: 'close, X-Hop , bad name',
    'x-hop': '1',
    'proxy-authorization': 'Basic x',
    'proxy-connection': 'close',
    'accept-encoding': 'zstd',
    cookie: 'sid=1',
  };
  await post(fetch, ONE, {}, { headers: { ...dropped, 'x-kept': '1' } });
  expect(Object.keys(seen[0].headers).sort()).toEqual(['authorization', 'x-kept']);
});

test('dollars are believed of providers alone that bill by what they tell', async () => {
  const usage = { prompt_tokens: 10, completion_tokens: 5, cost: 0 };
  const providers = [
    openai({ baseUrl: ONE, keys: [key('k1'), key('k2')] }),
    openrouter({ baseUrl: TWO, keys: [key('k3'), key('k4')] }),
  ];
  const { fetch, spent } = bench(() => ({ body: { choices: [], usage } }), { providers });
  await (await post(fetch, TWO)).text();
  expect(await spent('u1')).toBe(0);
  await (await post(fetch, ONE)).text();
  expect(await spent('u1')).toBe(60);
});
