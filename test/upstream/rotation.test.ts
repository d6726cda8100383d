/** Keys are replaced while calls are under way, wait, and come: none of them fails. */
import { memoryStore } from '@tollgate/core';
import { createUpstream, type Provider } from '@tollgate/upstream';
import { thrownBy } from '../core/support.js';
import { answered, fakeTransport, gateOf, key, post, provider, type Script, type Told, warnings } from './support.js';

beforeEach(() => void warnings());

const AT = 'http://one.test/v1';

function bench(script: Script, of: Partial<Provider> = {}) {
  const { fetch, seen } = fakeTransport(script);
  const { gate, clock } = gateOf({ budgets: [], store: memoryStore() });
  const llm = createUpstream({ gate, providers: [provider('one', AT, [key('k1')], of)], fetch, maxWait: '5m' });
  const ask = async () => {
    const response = await post(llm.as({ subject: { user: 'u' } }).fetch, AT);
    await response.text();
    return response.status;
  };
  return { llm, clock, ask, keysSeen: () => seen.map(({ key }) => key.replace('secret-of-', '')) };
}

test('what is under way ends with the key that it has, and what comes goes by the new one', async () => {
  const answer: ((told: Told) => void)[] = [];
  const { llm, clock, ask, keysSeen } = bench(() => new Promise((resolve) => answer.push(resolve)));
  const before = ask();
  await clock.play(0);
  llm.rotate('one', [key('k2')]);
  const after = ask();
  await clock.play(0);
  expect(keysSeen()).toEqual(['k1', 'k2']);
  expect((await llm.inspect()).providers[0].keys).toMatchObject([
    { name: 'k2', state: 'in service', inFlight: 1 },
    { name: 'k1', state: 'leaving', inFlight: 1 },
  ]);
  for (const one of answer) one(answered());
  expect([await before, await after]).toEqual([200, 200]);
  expect((await llm.inspect()).providers[0].keys).toMatchObject([{ name: 'k2', inFlight: 0 }]);
});

test('what waits for room of a key that is taken away goes by the new one', async () => {
  const { llm, clock, ask, keysSeen } = bench(answered, { limits: { default: { minute: { requests: 1 } } } });
  await ask();
  const waiting = ask();
  await clock.play(1000);
  llm.rotate('one', [key('k2')]);
  await clock.play(60_000);
  expect([await waiting, keysSeen()]).toEqual([200, ['k1', 'k2']]);
});

test('a key that was revoked as it was replaced is passed over within the call', async () => {
  const next = key('k2');
  const { llm, ask, keysSeen } = bench(({ key }) => {
    if (key !== 'secret-of-k1') return answered();
    llm.rotate('one', [next]);
    return { status: 401 };
  });
  expect([await ask(), keysSeen()]).toEqual([200, ['k1', 'k2']]);
});

test('also where the new one keeps its name', async () => {
  const next = key('k1', { secret: () => 'secret-of-k1-now' });
  const { llm, ask, keysSeen } = bench(({ key }) => {
    if (key !== 'secret-of-k1') return answered();
    llm.rotate('one', [next]);
    return { status: 401 };
  });
  expect([await ask(), keysSeen()]).toEqual([200, ['k1', 'k1-now']]);
});

test('a key that keeps its name, with a new secret, begins anew', async () => {
  const { llm, ask, keysSeen } = bench(({ key }) => (key === 'secret-of-k1' ? { status: 401 } : answered()));
  expect([await ask(), await ask()]).toEqual([503, 503]);
  llm.rotate('one', [{ name: 'k1', secret: () => 'new' }]);
  expect([await ask(), keysSeen()]).toEqual([200, ['k1', 'new']]);
});

test('wrong keys are told of, all at once and without what they say, and change nothing', async () => {
  const { llm, ask } = bench(answered);
  const wrong = [
    { name: 'sk-oops it is the secret', secret: 'sk-hidden' },
    { name: 'k3', secret: () => 'x', dailyBudget: '$5' },
  ];
  const error = thrownBy(() => llm.rotate('one', wrong as never));
  expect(error.problems.map(({ path }) => path)).toEqual(['keys[0].name', 'keys[0].secret', 'prices']);
  expect(error.message).not.toMatch(/sk-/);
  expect(thrownBy(() => llm.rotate('nobody', [key('k2')])).message).toContain("provider: got 'nobody'");
  expect(await ask()).toBe(200);
});

test('a key in use for a minute asks its source again, so that a secret may change by itself', async () => {
  let current = 'first';
  const { fetch, seen } = fakeTransport();
  const { gate, clock } = gateOf({ budgets: [] });
  const keys = [{ name: 'k1', secret: () => current }];
  const llm = createUpstream({ gate, providers: [provider('one', AT, keys)], fetch });
  const ask = async () => void (await post(llm.as({ subject: { user: 'u' } }).fetch, AT));
  await ask();
  current = 'second';
  await ask();
  clock.advance(60_000);
  await ask();
  expect(seen.map(({ key }) => key)).toEqual(['first', 'first', 'second']);
});

test('a key that grows old while it serves is warned of, once; none is once the upstream is closed', async () => {
  const warned = warnings();
  const old = () => warned.filter(({ code }) => code === 'TOLLGATE_OLD_KEY');
  const { gate, clock } = gateOf({ budgets: [] });
  const upstreamOf = (name: string) =>
    createUpstream({ gate, providers: [provider('one', AT, [key(name, { createdAt: clock.now() }), key('other')])] });
  const llm = upstreamOf('k1');
  await upstreamOf('k9').close();
  clock.advance(90 * 86_400_000);
  expect(old()).toEqual([]);
  clock.advance(10 * 86_400_000);
  expect(old()).toEqual([{ code: 'TOLLGATE_OLD_KEY', message: expect.stringContaining("'k1'") }]);
  await llm.close();
});

test('keys of other environments alone, which would serve nothing, are warned of', () => {
  const warned = warnings();
  const pair = (environment: string) => [key('k1', { environment }), key('k2', { environment })];
  const { gate } = gateOf({ budgets: [] });
  const llm = createUpstream({ gate, providers: [provider('one', AT, pair('production'))], environment: 'production' });
  expect(warned).toEqual([]);
  llm.rotate('one', pair('staging'));
  expect(warned).toEqual([
    { code: 'TOLLGATE_SINGLE_KEY', message: expect.stringContaining("no key for 'production'") },
  ]);
});
