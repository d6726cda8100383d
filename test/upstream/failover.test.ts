/** What becomes of a call whose first way fails: the next one, each once, and an answer that SDKs don't multiply. */
import type { TollgateConfig } from '@tollgate/core';
import { createUpstream, type KeyOptions, type UpstreamOptions } from '@tollgate/upstream';
import { closeServers, portOf } from '../helpers/http-server.js';
import { answered, chat, fakeServer, gateOf, key, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());
afterEach(closeServers);

/** One provider with two keys; and one that stands in for it, by a model of its own. */
async function pair(
  script: Script,
  {
    keys = [key('k1'), key('k2')],
    other = answered as Script,
    ...more
  }: Partial<UpstreamOptions> & {
    keys?: readonly KeyOptions[];
    other?: Script;
  } = {},
  priced: TollgateConfig = {},
) {
  const first = await fakeServer(script);
  const second = await fakeServer(other);
  const { gate, clock, spent } = gateOf(priced);
  const providers = [provider('one', first.server, keys), provider('two', second.server, [key('k3'), key('k4')])];
  const failover = { one: [{ provider: 'two', models: { 'small-1': 'tiny-2' } }] };
  const llm = createUpstream({ gate, providers, failover, ...more });
  const ask = (init: RequestInit = {}) => chat(gate, llm.fetch, first.server, { init });
  const url = `http://127.0.0.1:${portOf(first.server)}/v1`;
  return { llm, url, gate, clock, spent, first: first.seen, second: second.seen, ask };
}

const keysOf = (seen: readonly { key: string }[]) => seen.map(({ key }) => key);

test('a throttled key is not asked again: the next one answers the same call', async () => {
  const { ask, first, second } = await pair((_, n) =>
    n === 0 ? { status: 429, headers: { 'retry-after': '20' } } : answered(),
  );
  const { response } = await ask();
  expect(response.status).toBe(200);
  expect(keysOf(first)).toEqual(['secret-of-k1', 'secret-of-k2']);
  expect(second).toHaveLength(0);
});

test('a throttled key rests for as long as the provider said, and serves again then', async () => {
  const { ask, first, clock } = await pair((_, n) =>
    n === 0 ? { status: 429, headers: { 'retry-after': '20' } } : answered(),
  );
  await ask();
  clock.advance(19_000);
  await ask();
  await ask();
  expect(keysOf(first).slice(1)).toEqual(['secret-of-k2', 'secret-of-k2', 'secret-of-k2']);
  clock.advance(1000);
  await ask();
  await ask();
  expect(keysOf(first).slice(4)).toContain('secret-of-k1');
});

test('what a stand-in used of a model without a price costs what the asked model does', async () => {
  const prices = { 'small-1': { input: '$1000/M', output: '$10000/M' } } as never;
  const { ask, spent } = await pair(() => ({ status: 500 }), {}, { prices });
  await ask();
  expect(await spent('u1')).toBe(60);
});

test('what no key has room for goes to the provider that stands in, by its own model, with a key of its own', async () => {
  const { ask, first, second } = await pair(() => ({ status: 429, headers: { 'retry-after': '20' } }));
  const { response } = await ask({
    headers: { authorization: 'Bearer managed', 'openai-organization': 'org-1', 'x-trace': '7' },
  });
  expect(response.status).toBe(200);
  expect(first).toHaveLength(2);
  expect(second).toHaveLength(1);
  expect(second[0]).toMatchObject({ key: 'secret-of-k3', model: 'tiny-2', path: '/v1/chat/completions' });
  expect(second[0].headers).toMatchObject({ 'x-trace': '7' });
  expect(second[0].headers).not.toHaveProperty('openai-organization');
});

test('a call for a model that the stand-in has none for stays where it is', async () => {
  const { ask, second } = await pair(() => ({ status: 500 }), {
    failover: { one: [{ provider: 'two', models: { other: 'x' } }] },
  });
  const { response } = await ask();
  expect(response.status).toBe(500);
  expect(second).toHaveLength(0);
});

test.each([
  ['broken', 500],
  ['overloaded', 503],
])('where the provider is %s its other keys are of no use: the stand-in answers', async (_, status) => {
  const { ask, first, second } = await pair(() => ({ status }));
  expect((await ask()).response.status).toBe(200);
  expect(first).toHaveLength(1);
  expect(second).toHaveLength(1);
});

test('a provider that hangs up is passed over within the call', async () => {
  const { ask, first, second } = await pair(() => 'hang up');
  expect((await ask()).response.status).toBe(200);
  expect(first).toHaveLength(1);
  expect(second).toHaveLength(1);
});

test("the caller's own mistake is answered as the provider words it, and sent once", async () => {
  const { ask, first, second, spent } = await pair(() => ({
    status: 400,
    body: { error: { message: 'no such field' } },
  }));
  const { response, text } = await ask();
  expect(response.status).toBe(400);
  expect(JSON.parse(text)).toEqual({ error: { message: 'no such field' } });
  expect([...first, ...second]).toHaveLength(1);
  expect(await spent('u1')).toBe(0);
});

test('where all ways have failed the last answer is passed on, and an SDK is not to send it again', async () => {
  const { ask, first, second } = await pair(() => ({ status: 429 }), {
    other: () => ({ status: 429, body: { last: true } }),
  });
  const { response, text } = await ask();
  expect(response.status).toBe(429);
  expect(JSON.parse(text)).toEqual({ last: true });
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect([...keysOf(first), ...keysOf(second)]).toEqual(['k1', 'k2', 'k3', 'k4'].map((name) => `secret-of-${name}`));
});

test('an SDK may send again what was sent only once', async () => {
  const { ask, first } = await pair(() => ({ status: 500 }), { failover: {} });
  expect((await ask()).response.headers.get('x-should-retry')).toBeNull();
  expect(first).toHaveLength(1);
});

test('a stream that is no call, such as an upload, is sent once, whatever comes of it', async () => {
  const { llm, url, first, second } = await pair(() => ({ status: 429 }));
  const attempts: number[] = [];
  llm.on('sent', ({ attempt }) => attempts.push(attempt));
  const { fetch } = llm.as({ subject: { user: 'u1' } });
  const init = { method: 'POST', body: new Response('a file').body, duplex: 'half' } as RequestInit;
  const response = await fetch(`${url}/files`, init);
  expect(response.status).toBe(429);
  expect([...first, ...second].map(({ text }) => text)).toEqual(['a file']);
  expect(attempts).toEqual([1]);
});

test('a stream of JSON is read, so that it can go on to the next way and be paid for', async () => {
  const { ask, first, second, spent } = await pair(() => ({ status: 500 }));
  const json = JSON.stringify({ model: 'small-1', max_tokens: 20 });
  const { response } = await ask({ body: new Response(json).body, duplex: 'half' } as RequestInit);
  expect(response.status).toBe(200);
  expect([...first, ...second].map(({ model }) => model)).toEqual(['small-1', 'tiny-2']);
  expect(await spent('u1')).toBe(60);
});

test('the body of a call is weighed once, however often it is sent', async () => {
  let weighed = 0;
  const { parse } = JSON;
  const prompt = { role: 'user' } as { role: string; content: string };
  Object.defineProperty(prompt, 'content', { enumerable: true, get: () => `weighed ${++weighed} times` });
  const spy = jest.spyOn(JSON, 'parse').mockImplementation((text, reviver) => {
    const json = parse(text, reviver);
    return json?.messages === undefined ? json : { ...json, messages: [prompt] };
  });
  const { ask, first } = await pair((_, n) => (n === 0 ? { status: 429 } : answered()));
  const { response } = await ask();
  spy.mockRestore();
  expect([response.status, first.length, weighed]).toEqual([200, 2, 1]);
});
