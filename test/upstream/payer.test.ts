/** On whose account calls are: the admission at hand, or who is named; each call of several; and what is refused. */
import { slidingWindow } from '@tollgate/core';
import { runWithAdmission } from '@tollgate/core/context';
import { compatible, createUpstream, type UpstreamOptions } from '@tollgate/upstream';
import { closeServers, portOf } from '../helpers/http-server.js';
import {
  admission,
  answered,
  fakeServer,
  gateOf,
  key,
  MODEL,
  post,
  provider,
  type Script,
  USAGE,
  warnings,
} from './support.js';

beforeEach(() => void warnings());
afterEach(closeServers);

const REQUESTS = slidingWindow({ name: 'requests', by: 'user', unit: 'requests', limit: 1000, window: '1d' });

async function bench(
  script: Script = answered,
  options: Partial<UpstreamOptions> = {},
  gate = gateOf({ limits: [REQUESTS] }),
) {
  const { server, seen } = await fakeServer(script);
  const llm = createUpstream({
    gate: gate.gate,
    providers: [provider('one', server, [key('k1'), key('k2')])],
    ...options,
  });
  return { ...gate, llm, server, seen };
}

/** Below an admission that was made for one call of 20 tokens each way, which is $0.22. */
const ESTIMATE = { inputTokens: 20, outputTokens: 20 };

test('several calls of one request are paid together, each with what it did use', async () => {
  const { gate, llm, server, spent } = await bench();
  const agent = await admission(gate, { estimate: ESTIMATE });
  await runWithAdmission(agent, () => Promise.all([1, 2, 3].map(async () => (await post(llm.fetch, server)).text())));
  await agent.settle();
  expect(await spent('u1')).toBe(3 * 60);
});

test('a call that the budget has no room for is refused in the shape of the provider, and not sent', async () => {
  const { gate, llm, server, seen, spent } = await bench();
  const agent = await admission(gate, { estimate: ESTIMATE });
  const response = await runWithAdmission(agent, () => post(llm.fetch, server, { max_tokens: 99 }));
  expect(response.status).toBe(402);
  expect(response.headers.get('tollgate-refused')).toBe('budget');
  expect(response.headers.get('x-should-retry')).toBe('false');
  expect(await response.json()).toEqual({
    error: { type: 'Budget exhausted', message: expect.stringContaining("'user'") },
  });
  expect(seen).toHaveLength(0);
  await agent.settle();
  expect(await spent('u1')).toBe(220);
});

test('a refused call leaves the others of its request alone', async () => {
  const { gate, llm, server, spent } = await bench();
  const agent = await admission(gate, { estimate: ESTIMATE });
  await runWithAdmission(agent, async () => {
    await post(llm.fetch, server, { max_tokens: 99 });
    await (await post(llm.fetch, server)).text();
  });
  await agent.settle();
  expect(await spent('u1')).toBe(60);
});

test('who is named pays for a call that no admission stands behind', async () => {
  const { llm, server, spent, seen } = await bench();
  const response = await post(llm.as({ subject: { user: 'u2' }, priority: 'batch' }).fetch, server);
  await response.text();
  expect(seen).toHaveLength(1);
  expect([await spent('u2'), await spent('u1')]).toEqual([60, 0]);
});

test('who is named is charged a permit, or by the tier that is named', async () => {
  const permits: number[] = [];
  const gate = gateOf({ tiers: { large: 10 } });
  gate.gate.on('admitted', ({ cost }) => permits.push(cost.permits));
  const { llm, server } = await bench(answered, {}, gate);
  await (await post(llm.as({ subject: { user: 'u2' } }).fetch, server)).text();
  await (await post(llm.as({ subject: { user: 'u2' }, tier: 'large' as never }).fetch, server)).text();
  expect(permits).toEqual([1, 10]);
});

test('who is named pays even below an admission of somebody else', async () => {
  const { gate, llm, server, spent } = await bench();
  const agent = await admission(gate, { usd: '$0' });
  await runWithAdmission(agent, async () => (await post(llm.as({ subject: { user: 'u2' } }).fetch, server)).text());
  expect(await spent('u2')).toBe(60);
  await agent.settle();
  expect(await spent('u1')).toBe(0);
});

test('what a call of a named subject is refused for is what the gate would refuse it for', async () => {
  const { llm, server, seen } = await bench();
  const response = await post(llm.as({ subject: { user: 'u2' } }).fetch, server, { max_tokens: 200 });
  expect(response.status).toBe(422);
  expect(seen).toHaveLength(0);
});

test.each([[undefined], [{}], [{ subject: 'u1' }]])('%p is nobody to pay', async (behalf) => {
  const { llm } = await bench();
  expect(() => llm.as(behalf as never)).toThrow(expect.objectContaining({ code: 'TOLLGATE_REQUEST_INVALID' }));
});

test('a call that was answered by an error costs nothing', async () => {
  const { llm, server, spent } = await bench(() => ({ status: 500 }));
  await post(llm.as({ subject: { user: 'u2' } }).fetch, server);
  expect(await spent('u2')).toBe(0);
});

test('an error that is told in a 200 may be billed: the estimate stands, unless it tells what was used', async () => {
  const error = { code: 502, message: 'Provider returned error' };
  const replies = [{ error }, { error, usage: USAGE }];
  const { llm, server, spent } = await bench(() => ({ body: replies.shift() }));
  for (const user of ['u2', 'u3']) await (await post(llm.as({ subject: { user } }).fetch, server)).text();
  expect(await spent('u2')).toBeGreaterThan(20 * 10);
  expect(await spent('u3')).toBe(60);
});

test('a call whose connection broke may be billed: its estimate stands, besides what the next attempt costs', async () => {
  const { server: other } = await fakeServer();
  const { gate, llm, server, spent } = await bench((_, n) => (n === 0 ? 'hang up' : answered()));
  const two = createUpstream({
    gate,
    providers: [provider('one', server, [key('k1')]), provider('two', other, [key('k2')])],
    failover: { one: [{ provider: 'two' }] },
  });
  const asked = { inputTokens: 0, outputTokens: 0 };
  const agent = await admission(gate, { estimate: asked });
  await runWithAdmission(agent, async () => (await post(two.fetch, server)).text());
  const { inputTokens } = agent.estimate;
  await agent.settle();
  expect(await spent('u1')).toBeGreaterThan(60 + 20 * 10);
  expect(await spent('u1')).toBeLessThan(60 + 20 * 10 + inputTokens);
  await llm.close();
});

test('a host that was never reached has cost nothing', async () => {
  const { gate, llm, server, spent } = await bench();
  const url = `http://127.0.0.1:${portOf(server)}/v1/chat/completions`;
  await closeServers();
  const agent = await admission(gate, { estimate: ESTIMATE });
  const body = JSON.stringify({ model: MODEL, max_tokens: 20 });
  const response = await runWithAdmission(agent, () => llm.fetch(url, { method: 'POST', body }));
  expect(response.status).toBe(502);
  expect(await response.text()).not.toMatch(/ECONNREFUSED|127\.0\.0\.1/);
  await agent.settle();
  expect(await spent('u1')).toBe(0);
});

describe('a cheaper model', () => {
  const ladder = () => {
    const prices = {
      [MODEL]: { input: '$1000/M', output: '$10000/M' },
      'tiny-1': { input: '$100/M', output: '$1000/M' },
      'other-1': { input: '$1/M', output: '$1/M' },
    };
    return gateOf({ ladders: [[MODEL, 'tiny-1']], prices: prices as never });
  };
  /** More than the best model can be paid for. */
  const LARGE = { inputTokens: 20, outputTokens: 150 };

  test('by which an admission is served is put into the bodies of its calls, by option', async () => {
    const { gate, llm, server, seen, spent } = await bench(answered, { degrade: true }, ladder());
    const agent = await admission(gate, { estimate: LARGE });
    expect(agent.model).toBe('tiny-1');
    await runWithAdmission(agent, async () => (await post(llm.fetch, server)).text());
    await agent.settle();
    expect(seen.map(({ model }) => model)).toEqual(['tiny-1']);
    expect(await spent('u1')).toBe(6);
  });

  test('is left to the handler otherwise, and so is a call for another model than the admission was made for', async () => {
    const { gate, llm, server, seen } = await bench(answered, {}, ladder());
    const degrading = createUpstream({ gate, providers: [provider('one', server, [key('k1')])], degrade: true });
    const agent = await admission(gate, { estimate: LARGE });
    await runWithAdmission(agent, async () => {
      await post(llm.fetch, server);
      await post(degrading.fetch, server, { model: 'other-1' });
    });
    expect(seen.map(({ model }) => model)).toEqual([MODEL, 'other-1']);
  });

  test('serves a named subject where the best one is too dear, by option alone', async () => {
    const { llm, server, seen } = await bench(answered, { degrade: true }, ladder());
    await post(llm.as({ subject: { user: 'u2' } }).fetch, server, { max_tokens: 150 });
    expect(seen.map(({ model }) => model)).toEqual(['tiny-1']);
    const { llm: plain, server: same } = await bench(answered, {}, ladder());
    expect((await post(plain.as({ subject: { user: 'u2' } }).fetch, same, { max_tokens: 150 })).status).toBe(422);
  });
});

test('a call of a named subject that finds no room, or no key, has cost nothing', async () => {
  const { gate, server, spent, seen } = await bench();
  const requests = async () => (await gate.inspect({ user: 'u2' })).limits[0].used;
  const full = createUpstream({
    gate,
    providers: [provider('one', server, [key('k1')], { limits: { default: { minute: { requests: 0 } } } })],
  });
  expect((await post(full.as({ subject: { user: 'u2' } }).fetch, server)).status).toBe(422);
  const keyless = createUpstream({
    gate,
    providers: [provider('one', server, [key('k1', { environment: 'a' })])],
    environment: 'b',
  });
  expect((await post(keyless.as({ subject: { user: 'u2' } }).fetch, server)).status).toBe(503);
  expect([await spent('u2'), await requests(), seen.length]).toEqual([0, 0, 0]);
});

test.each([
  ['no secret can be had', { secret: () => Promise.reject(new Error('no')) }, {}],
  ['it is no request that can be sent', {}, { method: 'TRACE' }],
  ['the host is never reached', {}, {}],
])('a call of a named subject that was never sent has cost nothing: %s', async (why, more, init) => {
  const { gate, server, spent } = await bench();
  const llm = createUpstream({ gate, providers: [provider('one', server, [key('k1', more)])] });
  const url = `http://127.0.0.1:${portOf(server)}/v1`;
  if (why === 'the host is never reached') await closeServers();
  const response = await post(llm.as({ subject: { user: 'u2' } }).fetch, url, {}, init);
  expect(response.headers.get('tollgate-refused')).not.toBeNull();
  const [requests] = (await gate.inspect({ user: 'u2' })).limits;
  expect([requests.used, await spent('u2')]).toEqual([0, 0]);
});

test.each([
  [answered(), 'succeeded'],
  [{ status: 400 }, 'failed'],
  [{ status: 500 }, 'failed'],
  [{ status: 429 }, 'failed'],
  ['hang up', 'failed'],
] as const)('an admission of a named subject ends as its call did: %j', async (told, expected) => {
  const { gate, llm, server } = await bench(() => told);
  const outcomes: unknown[] = [];
  gate.on('settled', ({ outcome }) => void outcomes.push(outcome));
  await (await post(llm.as({ subject: { user: 'u2' } }).fetch, server)).text();
  expect(outcomes).toEqual([expected]);
});

test('a server that needs no model serves calls without one, and they are paid for as those that name none', async () => {
  const { gate, server, seen, spent } = await bench();
  const llm = createUpstream({
    gate,
    providers: [compatible({ baseUrl: `http://127.0.0.1:${portOf(server)}/v1`, keys: [key('k1'), key('k2')] })],
  });
  const body = { model: undefined };
  await (await post(llm.as({ subject: { user: 'u2' } }).fetch, server, body)).text();
  const agent = await admission(gate, { estimate: ESTIMATE });
  await runWithAdmission(agent, async () => (await post(llm.fetch, server, body)).text());
  await agent.settle();
  expect(seen.map(({ model }) => model)).toEqual(['', '']);
  expect([await spent('u2'), await spent('u1')]).toEqual([60, 60]);
});

test('a model without a price is refused in words, and not sent', async () => {
  const { llm, server, seen } = await bench(
    answered,
    {},
    gateOf({ prices: { [MODEL]: { input: '$1/M', output: '$1/M' } } as never }),
  );
  const response = await post(llm.as({ subject: { user: 'u2' } }).fetch, server, { model: 'unheard-of' });
  expect(response.status).toBe(400);
  expect(await response.text()).toContain('TOLLGATE_UNKNOWN_MODEL');
  expect(seen).toHaveLength(0);
});

test('what costs no tokens is passed on with a key, and needs nobody to pay', async () => {
  const { llm, server, seen } = await bench(() => ({ body: { data: [] } }));
  const response = await llm.fetch(`http://127.0.0.1:${portOf(server)}/v1/models?limit=2`);
  expect(await response.json()).toEqual({ data: [] });
  expect(seen).toMatchObject([{ path: '/v1/models?limit=2', key: 'secret-of-k1', method: 'GET' }]);
});
