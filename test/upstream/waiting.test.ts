/** Calls wait for headroom before they are sent: in whose order, for how long, and by which limits. */
import type { Priority } from '@tollgate/core';
import { createUpstream, type Provider, type UpstreamOptions } from '@tollgate/upstream';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';

interface Bench extends Partial<UpstreamOptions> {
  script?: Script;
  of?: Partial<Provider>;
}

function bench({ script = answered, of = {}, ...options }: Bench = {}) {
  const { fetch, seen } = fakeTransport(script);
  const { gate, clock } = gateOf({ budgets: [] });
  const llm = createUpstream({ gate, providers: [provider('one', AT, [key('k1')], of)], fetch, ...options });
  const ended: string[] = [];

  /** Asks as a user of that name, and keeps account of who was answered, with what. */
  function ask(
    user: string,
    priority: Priority = 'standard',
    { body = {}, ...init }: { body?: object; signal?: AbortSignal } = {},
  ) {
    const asked = post(llm.as({ subject: { user }, priority }).fetch, AT, body, init);
    return asked.then(async (response) => {
      await response.text();
      ended.push(`${user} ${response.status}`);
      return response;
    });
  }
  const askAll = (...users: string[]) => Promise.all(users.map((user) => ask(user)));
  return { llm, seen, clock, ask, askAll, ended };
}

const perMinute = (limits: Partial<Record<'requests' | 'tokens', number>>) => ({
  limits: { default: { minute: limits } },
});

test('what a limit has no room for waits, and is sent as room comes back, one after the other', async () => {
  const { askAll, seen, clock } = bench({ of: perMinute({ requests: 2 }), maxWait: '5m' });
  const asked = askAll('a', 'b', 'c', 'd');
  await clock.play(29_999);
  expect(seen).toHaveLength(2);
  await clock.play(1);
  expect(seen).toHaveLength(3);
  await clock.play(29_999);
  expect(seen).toHaveLength(3);
  await clock.play(1);
  expect((await asked).map(({ status }) => status)).toEqual([200, 200, 200, 200]);
});

test('tokens count as well as requests: what a call used less than expected leaves room for the next', async () => {
  const { ask, askAll, clock } = bench({ of: perMinute({ tokens: 100 }), maxWait: '0s' });
  const asked = askAll('a', 'b', 'c');
  await clock.play(0);
  expect((await asked).map(({ status }) => status)).toEqual([200, 200, 429]);
  expect((await ask('d')).status).toBe(200);
});

test('who is more urgent goes first', async () => {
  const { ask, clock, ended } = bench({ of: perMinute({ requests: 1 }), maxWait: '10m' });
  void ask('first');
  await clock.play(0);
  for (const priority of ['background', 'batch', 'standard', 'interactive'] as const) void ask(priority, priority);
  await clock.play(4 * 60_000);
  expect(ended).toEqual(['first', 'interactive', 'standard', 'batch', 'background'].map((name) => `${name} 200`));
});

test('who asks for little does not wait for all that somebody else has asked for before', async () => {
  const { ask, clock, ended } = bench({ of: perMinute({ requests: 60 }), maxWait: '20m' });
  // How fast the line moves is known once some have waited.
  for (let i = 0; i < 100; i++) void ask('much');
  await clock.play(20_000);
  for (let i = 0; i < 100; i++) void ask('much');
  void ask('little');
  await clock.play(10 * 60_000);
  expect(ended).toHaveLength(201);
  expect(ended.indexOf('little 200')).toBeLessThan(110);
});

test('who would wait for longer than it may is refused at once, told when to come back, and not sent', async () => {
  const { ask, clock, seen } = bench({ of: perMinute({ requests: 1 }), maxWait: '20s' });
  await ask('a');
  const response = await ask('b');
  expect(response.status).toBe(503);
  expect(response.headers.get('tollgate-refused')).toBe('too-long-wait');
  // It has to wait no longer than it may, when it comes then.
  expect(response.headers.get('retry-after')).toBe('40');
  expect(seen).toHaveLength(1);
  await clock.play(40_000);
  const later = ask('b');
  await clock.play(20_000);
  expect((await later).status).toBe(200);
});

test('each priority waits for as long as it may', async () => {
  const { ask, clock } = bench({ of: perMinute({ requests: 1 }), maxWait: { interactive: '1s', batch: '2m' } });
  await ask('a');
  const [now, later] = [ask('b', 'interactive'), ask('c', 'batch')];
  expect((await now).status).toBe(503);
  await clock.play(60_000);
  expect((await later).status).toBe(200);
});

test('who gives up while waiting is told as by fetch, and its call is never sent', async () => {
  const { ask, clock, seen } = bench({ of: perMinute({ requests: 1 }), maxWait: '5m' });
  await ask('a');
  const leaving = new AbortController();
  const asked = ask('b', 'standard', { signal: leaving.signal });
  await clock.play(1000);
  leaving.abort();
  await expect(asked).rejects.toThrow(expect.objectContaining({ name: 'AbortError' }));
  await clock.play(120_000);
  expect(seen).toHaveLength(1);
});

test('a call that takes more than a limit ever allows is refused for good', async () => {
  const { ask, seen } = bench({ of: perMinute({ tokens: 100 }) });
  const response = await ask('a', 'standard', { body: { max_tokens: 200 } });
  expect([response.status, response.headers.get('x-should-retry')]).toEqual([422, 'false']);
  expect(seen).toHaveLength(0);
});

test('limits that nobody has configured are learned from answers', async () => {
  const readings = () => [{ unit: 'requests', window: 'minute', limit: 2, remaining: 0 }] as const;
  const { ask, seen, clock } = bench({ of: { readings }, maxWait: '5m' });
  await ask('a');
  const asked = ask('b');
  await clock.play(29_999);
  expect(seen).toHaveLength(1);
  await clock.play(1);
  expect((await asked).status).toBe(200);
});

test('a limit that answers tell of is of its own family of models', async () => {
  const readings = () => [{ unit: 'requests', window: 'minute', limit: 2, remaining: 0 }] as const;
  const { ask, seen, clock } = bench({ of: { readings } });
  await ask('a');
  void ask('b', 'standard', { body: { model: 'large-1' } });
  await clock.play(0);
  expect(seen).toHaveLength(2);
});

test('no more calls are under way than a provider bears', async () => {
  const answer: (() => void)[] = [];
  const script: Script = () => new Promise((resolve) => answer.push(() => resolve(answered())));
  const { askAll, seen, clock } = bench({ script, concurrency: 2 });
  const asked = askAll('a', 'b', 'c');
  await clock.play(0);
  expect(seen).toHaveLength(2);
  answer[0]();
  await clock.play(0);
  expect(seen).toHaveLength(3);
  for (const one of answer) one();
  await asked;
});
