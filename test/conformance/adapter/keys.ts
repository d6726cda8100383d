/** API keys: who shows one that is right is who it says, and may do what it may; nobody else passes the gate. */
import { inspect } from 'node:util';
import {
  budget,
  createTollgate,
  memoryStore,
  type Records,
  type Store,
  slidingWindow,
  type TollgateEvents,
} from '@tollgate/core';
import { type KeyLimits, type KeyRing, keyRing, type NewKey } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import type { Reply } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { madeUpKey } from '../../helpers/key-made-up.js';
import { keyStore } from '../../helpers/key-store.js';
import type { Route } from './harness.js';
import { as, type BenchSpec, type Open, ok, problemOf } from './workbench.js';

const subject = { tenant: 'acme', user: 'ann', plan: 'pro' };
const limits = [
  slidingWindow({ name: 'key', by: 'key', limit: 100, window: '1m' }),
  slidingWindow({ name: 'user', by: ['tenant', 'user'], limit: { pro: 100 }, window: '1m' }),
];
const toll = { tier: 'large', feature: 'chat', model: 'm-1' } as const;

export function keyContract(open: Open): void {
  recordWarnings();

  /** @param store the ring's */
  async function setUp(spec: Partial<BenchSpec> = {}, store: Store = memoryStore(), guard?: RateLimiterMemory) {
    const clock = manualClock();
    const keys: KeyRing = keyRing({ store, clock, ...(guard && { guard }) });
    const reached: string[] = [];
    const route = (path: string, rest: Partial<Route> = {}): Route => ({
      path,
      handler: ({ key }) => {
        reached.push(path);
        return { body: JSON.stringify(key?.subject ?? null) };
      },
      ...rest,
    });
    const routes = [
      route('/', { toll }),
      route('/plain'),
      route('/free', { toll: 'free' }),
      route('/options', { method: 'OPTIONS', toll }),
    ];
    const { options, ...rest } = spec;
    const bench = await open({ limits, routes, ...rest, options: { authenticate: keys, ...options } });
    const show = async (path: string, text: string) => bench.send(path, { headers: { 'x-api-key': text } });
    return { ...bench, keys, keyClock: clock, reached, show };
  }

  const bearer = (text: string) => ({ headers: { authorization: `Bearer ${text}` } });

  test.each<[string, Store]>([
    ['at once', memoryStore()],
    ['later', keyStore().join()],
  ])('a key that is known %s says on whose behalf requests come, by either header', async (_, store) => {
    const { send, keys, used } = await setUp({}, store);
    const { key, reveal } = await keys.create({ service: 'search', subject });
    const headers = [
      { authorization: `Bearer ${reveal()}` },
      { authorization: `bearer ${reveal()}` },
      { 'x-api-key': reveal() },
    ];
    for (const one of headers) {
      const reply = await send('/', { headers: { ...one, ...as({ tenant: 'other', plan: 'free', key: 'k' }) } });
      expect([reply.status, JSON.parse(reply.text)]).toEqual([200, { ...subject, key: key.id }]);
    }
    expect([await used('key', { key: key.id }), await used('user', subject)]).toEqual([30, 30]);
  });

  test('identify adds to what the key says, and is told of it', async () => {
    const identify = (_: unknown, key?: { service: string }) => ({ tenant: 'other', user: `user of ${key?.service}` });
    const { show, keys, used } = await setUp({ options: { identify } });
    const { reveal } = await keys.create({ service: 'search', subject: { tenant: 'acme', plan: 'pro' } });
    expect((await show('/', reveal())).status).toBe(200);
    expect(await used('user', { tenant: 'acme', user: 'user of search', plan: 'pro' })).toBe(10);
  });

  test('without identify the key says all', async () => {
    const { show, keys, used } = await setUp({ options: { identify: undefined as never } });
    const { reveal } = await keys.create({ service: 'search', subject });
    expect((await show('/', reveal())).status).toBe(200);
    expect(await used('user', subject)).toBe(10);
  });

  test.each(['/', '/plain', '/free', '/nowhere'])('without a key nobody reaches %s', async (path) => {
    const { send, reached } = await setUp();
    const reply = await send(path, { headers: as(subject) });
    expect([reply.status, reply.headers['www-authenticate']]).toEqual([401, 'Bearer']);
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(problemOf(reply)).toEqual({
      type: 'about:blank',
      title: 'Unauthorized',
      status: 401,
      detail: "A valid API key is needed, as 'Authorization: Bearer <key>' or as 'x-api-key: <key>'.",
      instance: expect.stringMatching(/^urn:tollgate:./),
    });
    expect(reached).toEqual([]);
  });

  test('with a key, routes that cost nothing are reached, and cost nothing', async () => {
    const { show, keys, used } = await setUp();
    const { key, reveal } = await keys.create({ service: 'search', subject, scopes: { features: ['none'] } });
    for (const path of ['/plain', '/free']) {
      expect(JSON.parse((await show(path, reveal())).text)).toEqual({ ...subject, key: key.id });
    }
    expect((await show('/nowhere', reveal())).status).toBe(404);
    expect(await used('key', { key: key.id })).toBe(0);
  });

  test('what is skipped needs no key', async () => {
    const { send } = await setUp({ options: { skip: async (req) => req.headers['x-internal'] === '1' } });
    expect((await send('/', { headers: { 'x-internal': '1' } })).status).toBe(200);
    expect((await send('/', { headers: { 'x-internal': '2' } })).status).toBe(401);
  });

  test('OPTIONS needs a key and is charged like all others, also where it looks like a preflight', async () => {
    const { send, keys, reached, used } = await setUp();
    const { key, reveal } = await keys.create({ service: 'search', subject });
    const preflight = { origin: 'https://a.example', 'access-control-request-method': 'POST' };
    for (const headers of [{}, preflight]) {
      expect((await send('/options', { method: 'OPTIONS', headers })).status).toBe(401);
    }
    expect(reached).toEqual([]);
    const headers = { ...preflight, 'x-api-key': reveal() };
    expect((await send('/options', { method: 'OPTIONS', headers })).status).toBe(200);
    expect(await used('key', { key: key.id })).toBe(10);
  });

  test('every kind of bad key has the same answer', async () => {
    const { send, show, keys, keyClock } = await setUp();
    const [expired, revoked] = [
      await keys.create({ service: 'search', expiresIn: '1d' }),
      await keys.create({ service: 'search' }),
    ];
    const [unknown, otherSecret] = [madeUpKey(1), madeUpKey(revoked.key.id)];
    keyClock.advance(86_400_000);
    await keys.revoke(revoked.key.id);
    const bad = ['nonsense', `${unknown.slice(0, -1)}!`, unknown, otherSecret, expired.reveal(), revoked.reveal()];
    const replies = [await send('/')];
    for (const text of bad) replies.push(await show('/', text), await send('/', bearer(text)));
    const answers = replies.map(({ status, headers, text }) => {
      const { date, ...others } = headers;
      return JSON.stringify({ status, headers: others, text: text.replace(/urn:tollgate:[\w-]+/, '') });
    });
    expect(new Set(answers).size).toBe(1);
  });

  test('operators are told of what is refused, and why, and by whose key; of no key’s text', async () => {
    const guard = new RateLimiterMemory({ points: 2, duration: 60, blockDuration: 600 });
    const { show, send, gate, keys, keyClock } = await setUp({}, memoryStore(), guard);
    const heard: TollgateEvents['key.refused'][] = [];
    gate.on('key.refused', (event) => heard.push(event));
    const make = async (more: Partial<NewKey<KeyLimits>> = {}) => keys.create({ service: 'search', ...more });
    const old = await make({ expiresIn: '1d' });
    keyClock.advance(86_400_000);
    const gone = await make();
    await keys.revoke(gone.key.id);
    const [route, feature, model, staging] = [
      await make({ scopes: { routes: ['GET /plain'] } }),
      await make({ scopes: { features: ['embed'] } }),
      await make({ scopes: { models: ['m-2'] } }),
      await make({ environment: 'staging' }),
    ];
    const instances: unknown[] = [];
    const ask = async (reply: Promise<Reply>) => instances.push(problemOf(await reply).instance);
    await ask(send('/'));
    await ask(show('/', route.reveal()));
    await ask(show('/', feature.reveal()));
    await ask(show('/', model.reveal()));
    await ask(show('/', staging.reveal()));
    await ask(show('/', old.reveal()));
    await ask(show('/', gone.reveal()));
    for (const text of [madeUpKey(1), 'nonsense']) {
      await guard.delete('127.0.0.1');
      await ask(show('/', text));
    }
    for (let i = 0; i < 2; i++) await ask(show('/', 'nonsense'));
    expect(heard.map(({ why, key, refusal }) => [why, key?.id, refusal.status])).toEqual([
      ['missing', undefined, 401],
      ['route', route.key.id, 403],
      ['feature', feature.key.id, 403],
      ['model', model.key.id, 403],
      ['environment', staging.key.id, 403],
      ['expired', old.key.id, 401],
      ['revoked', gone.key.id, 401],
      ['unknown', undefined, 401],
      ['malformed', undefined, 401],
      ['malformed', undefined, 401],
      ['locked-out', undefined, 429],
    ]);
    expect(heard.map(({ refusal }) => `urn:tollgate:${refusal.id}`)).toEqual(instances);
    expect(new Set(heard.map(({ gate, from }) => `${gate} ${from}`))).toEqual(new Set([`${gate.name} 127.0.0.1`]));
    const told = inspect(heard, { depth: Number.POSITIVE_INFINITY });
    for (const { reveal } of [old, gone, route, feature, model, staging]) {
      for (const part of [reveal().slice(21, 53), reveal().slice(53)]) expect(told).not.toContain(part);
    }
    expect(told).not.toContain('nonsense');
  });

  test('a budget of a key’s own holds, and over a rotation', async () => {
    const keys = keyRing({ store: memoryStore(), limits: { spend: '$1' } });
    const { send } = await open({
      budgets: [budget({ name: 'spend', by: 'key', limit: keys.limit('spend'), per: 'month' })],
      options: { authenticate: keys, identify: undefined as never },
      routes: [{ path: '/', toll: { tier: 'small', usd: '$2' }, handler: ok }],
    });
    const old = await keys.create({ service: 'search', limits: { spend: '$4' } });
    const next = await keys.rotate(old.key.id);
    const plain = await keys.create({ service: 'search' });
    const statuses = [];
    for (const { reveal } of [old, next, old, next, plain]) statuses.push((await send('/', bearer(reveal()))).status);
    expect(statuses).toEqual([200, 200, 402, 402, 422]);
  });

  test('where keys can’t be looked up the answer is 503, and when to come back', async () => {
    const records: Records = {
      get: () => Promise.reject(new Error('gone')),
      put: async () => true,
      list: () => new Map(),
    };
    const elsewhere: KeyRing = keyRing({ store: memoryStore() });
    const { reveal } = await elsewhere.create({ service: 'search' });
    const { show, reached } = await setUp({}, { ...memoryStore(), records });
    const reply = await show('/', reveal());
    expect([reply.status, reply.headers['retry-after'], reached]).toEqual([503, '5', []]);
    expect(problemOf(reply).detail).toBe("API keys can't be checked at the moment. Try again in 5 seconds.");
  });

  test.each([
    ['one gate, mounted twice', undefined],
    ['two gates', createTollgate({ limits: [] })],
  ])('of %s a key is shown once, and known at both', async (_, gate) => {
    const keys: KeyRing = keyRing({ store: memoryStore() });
    const { send } = await open({
      limits,
      options: { authenticate: keys },
      outer: { ...(gate && { gate }), options: { authenticate: keys } },
      routes: [{ path: '/', toll, handler: ({ key }) => ({ body: key?.service ?? '' }) }],
    });
    const { reveal } = await keys.create({ service: 'search', subject });
    expect(await send('/', bearer(reveal()))).toMatchObject({ status: 200, text: 'search' });
    expect(await keys.list()).toMatchObject([{ uses: 1 }]);
  });

  test('what is no ring is refused as the app is made', async () => {
    const message = 'authenticate: got an object; expected a ring of keys, such as keyRing({ store })';
    await expect(open({ limits, options: { authenticate: {} as never } })).rejects.toThrow(message);
  });
}
