/** Who is to blame for a call that fails: the provider, the key, or whoever has sent it. Only the first two are held against others. */
import { createUpstream, type UpstreamOptions } from '@tollgate/upstream';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';

function bench(script: Script, options: Partial<UpstreamOptions> = {}) {
  const { fetch, seen } = fakeTransport(script);
  const { gate, clock, spent } = gateOf();
  const events: string[] = [];
  const keys = [key('k1'), key('k2')];
  const llm = createUpstream({ gate, providers: [provider('one', AT, keys)], fetch, maxWait: '0s', ...options });
  llm.on('provider.cooling', () => events.push('cooling'));
  llm.on('key.out', () => events.push('out'));
  const ask = async (user: string, body: object = {}, init: RequestInit = {}) => {
    const response = await post(llm.as({ subject: { user } }).fetch, AT, body, init);
    await response.text();
    return response;
  };
  return { ask, seen, clock, spent, events };
}

const isPoison: Script = ({ text }) => (text.includes('poison') ? { status: 500 } : answered());

test('a provider that fails one caller again and again goes on serving others', async () => {
  const { ask, clock, events } = bench(isPoison);
  for (let i = 0; i < 9; i++) {
    expect((await ask('bad', { poison: i })).status).toBe(500);
    clock.advance(1);
  }
  expect([(await ask('good')).status, events]).toEqual([200, []]);
});

test.each<['readings' | 'failure', number]>([
  ['readings', 200],
  ['failure', 400],
])(
  "a provider of the app's own whose %s throws has said nothing: the call is sent once, and paid",
  async (what, status) => {
    const throwing = () => {
      throw new Error('no such header');
    };
    const own = { ...provider('one', AT, [key('k1'), key('k2')]), [what]: throwing };
    const { ask, seen, spent, events } = bench(() => ({ ...answered(), status }), { providers: [own] });
    const warned = warnings();
    expect((await ask('a')).status).toBe(status);
    expect([seen.length, events]).toEqual([1, []]);
    expect((await spent('a')) > 0).toBe(status === 200);
    const message = expect.stringContaining(`'${what}' of provider 'one' failed: no such header`);
    expect(warned).toContainEqual({ code: 'TOLLGATE_LISTENER_FAILED', message });
  },
);

test('one that fails two callers cools after the third failure, and one that fails a sole caller after the tenth', async () => {
  const several = bench(isPoison);
  for (const user of ['a', 'b', 'a']) {
    await several.ask(user, { poison: 1 });
    several.clock.advance(1);
  }
  expect(several.events).toEqual(['cooling']);
  const sole = bench(isPoison);
  for (let i = 0; i < 10; i++) {
    expect(sole.events).toEqual([]);
    await sole.ask('a', { poison: 1 });
    sole.clock.advance(1);
  }
  expect(sole.events).toEqual(['cooling']);
});

test('one whom no connection reaches cools whoever has asked', async () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
  const fetch = () => Promise.reject(new TypeError('fetch failed', { cause: refused }));
  const { ask, clock, events } = bench(answered, { fetch });
  for (let i = 0; i < 3; i++) {
    expect((await ask('a')).status).toBe(502);
    clock.advance(1);
  }
  expect(events).toEqual(['cooling']);
});

test('one that hangs cools once three calls of several callers have waited in vain, though at the same time', async () => {
  const { ask, clock, events } = bench(() => 'hang', { timeout: '5s' });
  const asked = ['a', 'b', 'c'].map((user) => ask(user));
  await clock.play(5000);
  expect((await Promise.all(asked)).map(({ status }) => status)).toEqual([504, 504, 504]);
  expect(events).toEqual(['cooling']);
});

test.each([
  [
    'by its transport',
    new TypeError('fetch failed', { cause: Object.assign(new Error('no'), { code: 'UND_ERR_NOT_SUPPORTED' }) }),
  ],
  ['by its making', new TypeError('Invalid header value')],
])('a request that cannot be sent, %s, costs nothing and is held against nobody', async (_, error) => {
  let isBad = true;
  const { fetch } = fakeTransport();
  const sender: typeof fetch = (...args) => (isBad ? Promise.reject(error) : fetch(...args));
  const { ask, clock, events, spent } = bench(answered, { fetch: sender });
  for (let i = 0; i < 12; i++) {
    const response = await ask('bad');
    expect([response.status, response.headers.get('x-should-retry')]).toEqual([400, 'false']);
    clock.advance(1);
  }
  isBad = false;
  expect([(await ask('good')).status, events, await spent('bad')]).toEqual([200, [], 0]);
});

test('what only two that are connected tell each other is not passed on', async () => {
  const { ask, seen } = bench(answered);
  const headers = {
    expect: '100-continue',
    'keep-alive': 'timeout=5',
    te: 'trailers',
    'content-type': 'application/json',
  };
  expect((await ask('a', {}, { headers })).status).toBe(200);
  expect(Object.keys(seen[0].headers).toSorted()).toEqual(['authorization', 'content-type']);
});

test('a key that is not allowed a model is not tried for it again while another is; after five minutes it is', async () => {
  const script: Script = ({ key, model }) =>
    key === 'secret-of-k1' && model === 'small-1' ? { status: 403 } : answered();
  const { ask, clock, seen } = bench(script);
  const triedWith = () => seen.filter(({ key, model }) => key === 'secret-of-k1' && model === 'small-1').length;
  for (let i = 0; i < 4; i++) expect((await ask('a')).status).toBe(200);
  expect(triedWith()).toBe(1);
  for (let i = 0; i < 2; i++) await ask('a', { model: 'large-1' });
  expect(seen.map(({ key, model }) => `${key} ${model}`)).toContain('secret-of-k1 large-1');
  clock.advance(300_000);
  for (let i = 0; i < 2; i++) await ask('a');
  expect(triedWith()).toBe(2);
});

test('where no key is allowed a model the provider itself says so, each time', async () => {
  const { ask } = bench(() => ({ status: 403, body: { error: 'not for you' } }));
  expect([(await ask('a')).status, (await ask('a')).status]).toEqual([403, 403]);
});
