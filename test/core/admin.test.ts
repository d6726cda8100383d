/** What operators can do: each operation, over HTTP. */
import { concurrency, createTollgate, memoryStore, slidingWindow } from '@tollgate/core';
import { type AdminAnswer, type AdminOptions, createAdmin } from '@tollgate/core/admin';
import { flexible } from '@tollgate/core/flexible';
import { keyRing } from '@tollgate/core/keys';
import { createUpstream, openai } from '@tollgate/upstream';
import { RateLimiterMemory } from 'rate-limiter-flexible';
import { openAdmin } from '../helpers/admin-bench.js';
import { closeServers, deferred, listen, sendAndStay } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const warnings = recordWarnings();
afterEach(closeServers);

describe('mounting', () => {
  test('is refused without authorize, with every other problem', () => {
    const gate = createTollgate({ limits: [slidingWindow({ name: 'a', limit: 1, window: '1m' })] });
    const options = { gates: [gate, gate, {}], keyRing: {}, upstreams: { llm: {} }, colour: 'red' };
    const problems = [
      /4 problems|[5-9] problems/,
      /gates\[1\]\.name: got 'default'; expected a name of its own: gates\[0\] has this one/,
      /gates\[2\]: got an object; expected a gate/,
      /keyRing: got an object; expected a ring of keys/,
      /upstreams\.llm: got an object; expected an upstream/,
      /authorize: got undefined; expected a function \(request\) => boolean that says whether an operator asks/,
      /colour: got a value that is not shown; expected no such field/,
    ];
    for (const problem of problems) {
      expect(() => createAdmin(options as unknown as AdminOptions<unknown>)).toThrow(problem);
    }
    expect(() => createAdmin(undefined as unknown as AdminOptions<unknown>)).toThrow(
      'an object such as { gates, authorize }',
    );
  });

  test('without a ring there are no operations on keys', async () => {
    const { ask } = await openAdmin({ keyRing: undefined });
    expect(await ask('GET', '/admin/keys')).toMatchObject({ status: 404 });
    expect((await ask('GET', '/admin/openapi.json')).json.paths).not.toHaveProperty('/keys');
  });
});

describe('keys', () => {
  test('a key is told once, when it is made and when it is rotated, and no secret ever', async () => {
    const { ask, keys, clock } = await openAdmin();
    const made = await ask('POST', '/admin/keys', { service: 'search', limits: { spend: '$9' }, expiresIn: '1d' });
    const { id } = made.json.key;
    expect(await keys.verify(made.json.text)).toMatchObject({ key: { id, subject: { limits: { spend: '$9' } } } });
    clock.advance(1);
    const rotated = await ask('POST', `/admin/keys/${id}/rotate`, { overlap: '1h' });
    expect(await keys.verify(rotated.json.text)).toMatchObject({ key: { identity: id } });
    const later = [
      await ask('GET', '/admin/keys'),
      await ask('GET', `/admin/keys/${id}`),
      await ask('PATCH', `/admin/keys/${id}`, { scopes: { features: ['chat'] } }),
      await ask('POST', `/admin/keys/${id}/revoke`, {}),
    ];
    expect(later.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    for (const { text } of later) {
      expect(text).toContain(id);
      expect(text).not.toMatch(/digest|reveal|tg_(live|test)_/);
    }
    expect(later[0].json.keys).toMatchObject([{ id, uses: 1, successor: rotated.json.key.id }, { uses: 1 }]);
    expect(later[2].json).toMatchObject({ scopes: { features: ['chat'] }, subject: { limits: { spend: '$9' } } });
    expect(later[3].json).toMatchObject({ revokedAt: expect.any(Number) });
    expect(await keys.verify(made.json.text)).toMatchObject({ refused: 'unauthenticated' });
  });

  test('they are shown a page at a time, none twice and none left out, whatever goes or comes meanwhile', async () => {
    const { ask, keys, clock } = await openAdmin();
    const made: string[] = [];
    for (let i = 0; i < 105; i++) {
      made.push((await keys.create({ service: 'search', expiresIn: i === 1 ? '1d' : '90d' })).key.id);
      if (i < 3 || i % 3 === 0) clock.advance(1);
    }
    const ids = ({ json }: Awaited<ReturnType<typeof ask>>) => json.keys.map(({ id }: { id: string }) => id);
    const first = await ask('GET', '/admin/keys');
    const rest = await ask('GET', `/admin/keys?after=${first.json.next}`);
    expect([ids(first).length, ids(rest).length, rest.json.next]).toEqual([100, 5, undefined]);
    expect([...ids(first), ...ids(rest)].sort()).toEqual(made.toSorted());

    // The key at which the first page ends is forgotten.
    const page = await ask('GET', '/admin/keys?limit=2');
    clock.advance(31 * 86_400_000);
    const late = (await keys.create({ service: 'search' })).key.id;
    const seen = [...ids(page), ...ids(await ask('GET', `/admin/keys?limit=1000&after=${page.json.next}`))];
    expect(seen.toSorted()).toEqual([...made, late].sort());
    const whole = await ask('GET', '/admin/keys?limit=105');
    expect([ids(whole).length, whole.json.next]).toEqual([105, undefined]);
    for (const query of ['limit=0', 'limit=1001', 'limit=1e3', 'after=', 'after=x', 'limit=2&limit=3']) {
      expect(await ask('GET', `/admin/keys?${query}`)).toMatchObject({ status: 422 });
    }
  });

  test('what the ring refuses is told by field; a key that is not there is 404; none is rotated twice', async () => {
    const { ask, keys } = await openAdmin();
    const { key } = await keys.create({ service: 'search' });
    const refused = await ask('POST', '/admin/keys', { service: 'a', limits: { speed: 1 }, expiresIn: '1000d' });
    expect(refused).toMatchObject({
      status: 422,
      json: { errors: [{ field: 'limits.speed' }, { field: 'expiresIn' }] },
    });
    expect(await ask('PATCH', '/admin/keys/AAAAAAAAAAAA', {})).toMatchObject({ status: 404 });
    expect(await ask('GET', '/admin/keys/__proto__')).toMatchObject({ status: 404 });
    await keys.rotate(key.id);
    expect(await ask('POST', `/admin/keys/${key.id}/rotate`, {})).toMatchObject({
      status: 422,
      json: { errors: [{ field: 'id' }] },
    });
  });
});

describe('gates', () => {
  test('a key stands for its subject, with the limits of its own, by its id or its identity', async () => {
    const { ask, keys, clock } = await openAdmin();
    const made = await keys.create({
      service: 'search',
      subject: { tenant: 'acme', plan: 'pro' },
      limits: { spend: '$9' },
    });
    const { key } = await keys.rotate(made.key.id);
    for (const id of [key.id, made.key.id]) {
      const { json } = await ask('GET', `/admin/gates/api/usage?key=${id}`);
      expect(json.budgets).toMatchObject([{ layer: 'spend', key: [made.key.id], limit: 9e9 }]);
      expect(json.limits).toMatchObject([{ layer: 'plan', limit: 200 }, { layer: 'concurrency' }]);
    }
    // The first of them is known no longer than thirty days after its end.
    clock.advance(32 * 86_400_000);
    expect(await keys.list()).toMatchObject([{ id: key.id }]);
    expect((await ask('GET', `/admin/gates/api/usage?key=${made.key.id}`)).json.budgets).toMatchObject([
      { limit: 9e9 },
    ]);
    expect((await ask('GET', '/admin/gates/api/usage?key=stranger')).json.budgets).toMatchObject([{ limit: 5e9 }]);
  });

  test('budgets are topped up and reset', async () => {
    const { ask, gate, keys } = await openAdmin();
    const { key } = await keys.create({ service: 'search' });
    const at = '/admin/gates/api/budgets/spend';
    await gate.admit({ subject: { ...key.subject, plan: 'pro' }, permits: 1, usd: '$4' });
    expect(await ask('POST', `${at}/top-up`, { whom: { key: key.id }, amount: '$2' })).toMatchObject({
      status: 200,
      json: { used: 4e9, limit: 7e9 },
    });
    expect(await ask('POST', `${at}/reset`, { whom: { key: key.id } })).toMatchObject({
      status: 200,
      json: { remaining: 7e9 },
    });
    const budgets = (await gate.inspect({ key: key.identity })).budgets;
    expect(budgets).toMatchObject([{ remaining: 7e9 }]);
    expect(await ask('POST', `${at}/top-up`, { whom: {}, amount: '$2' })).toMatchObject({
      status: 422,
      json: { errors: [{ field: 'key' }] },
    });
    expect(await ask('POST', `${at}/top-up`, { whom: { key: 'k' }, amount: 'much' })).toMatchObject({ status: 422 });
    expect(await ask('POST', '/admin/gates/api/budgets/__proto__/reset', { whom: {} })).toMatchObject({ status: 404 });
    expect(await ask('POST', '/admin/gates/other/budgets/spend/reset', { whom: {} })).toMatchObject({ status: 404 });
  });

  test('a limit and a budget are changed from now on, or not at all', async () => {
    const { ask, gate } = await openAdmin();
    expect(await ask('PATCH', '/admin/gates/api/limits/user', { capacity: 5, refill: '5/h' })).toMatchObject({
      status: 200,
      json: { name: 'api' },
    });
    expect(await ask('PATCH', '/admin/gates/api/budgets/spend', { limit: '$1' })).toMatchObject({ status: 200 });
    const { limits, budgets } = await gate.inspect({ user: 'u1', key: 'k1' });
    expect([limits[0].limit, budgets[0].limit]).toEqual([5, 1e9]);
    const wrong = await ask('PATCH', '/admin/gates/api/limits/user', { capacity: -1, refill: 'slowly' });
    expect(wrong).toMatchObject({
      status: 422,
      json: { errors: [{ field: 'limits.user.capacity' }, { field: 'limits.user.refill' }] },
    });
    for (const name of ['__proto__', 'constructor', 'nobody']) {
      expect(await ask('PATCH', `/admin/gates/api/limits/${name}`, { limit: 1 })).toMatchObject({ status: 422 });
    }
    expect((await gate.inspect({ user: 'u1' })).limits[0].limit).toBe(5);
  });

  test('limits and budgets are shown as they are configured now, without functions and what limiters hold', async () => {
    const { ask, gate } = await openAdmin();
    gate.update({ limits: { user: { capacity: 5 } }, budgets: { spend: { alertAt: [0.5] } } });
    const changed = await ask('PATCH', '/admin/gates/api/limits/plan', { limit: { free: 1, pro: 2 }, mode: 'shadow' });
    const { json } = await ask('GET', '/admin/gates');
    expect(json.gates).toEqual([changed.json]);
    expect(changed.json).toEqual({
      name: 'api',
      limits: [
        { name: 'user', kind: 'tokenBucket', by: ['user'], mode: 'enforce', capacity: 5, refill: '100/h' },
        {
          name: 'plan',
          kind: 'slidingWindow',
          by: ['tenant'],
          mode: 'shadow',
          limit: { free: 1, pro: 2 },
          window: '1m',
        },
      ],
      budgets: [{ name: 'spend', by: ['key'], mode: 'enforce', per: 'day', alertAt: [0.5] }],
      dimensions: ['user', 'tenant', 'key'],
      tiers: ['small', 'medium', 'large', 'xlarge'],
      hasLine: true,
    });

    const limiter = Object.assign(new RateLimiterMemory({ points: 3, duration: 1 }), { password: 'hunter2' });
    Object.assign(limiter, { itself: limiter });
    const limits = [
      flexible(limiter, { name: 'old', by: ['ip', 'route'] }),
      slidingWindow({ name: 'all', limit: Number.POSITIVE_INFINITY, window: '1m' }),
      concurrency({ name: 'runs', limit: { min: 1, max: 9 } }),
    ];
    const other = await openAdmin({ gates: [createTollgate({ name: 'other', limits })] });
    const { status, json: shown, text } = await other.ask('GET', '/admin/gates');
    expect([status, shown.gates[0].limits]).toEqual([
      200,
      [
        { name: 'old', kind: 'flexible', by: ['ip', 'route'], mode: 'enforce' },
        { name: 'all', kind: 'slidingWindow', by: [], mode: 'enforce', limit: null, window: '1m' },
        { name: 'runs', kind: 'concurrency', by: [], mode: 'enforce', limit: { min: 1, max: 9 } },
      ],
    ]);
    expect(text).not.toContain('hunter2');
  });

  test('the line is shown where there is one', async () => {
    const other = createTollgate({ name: 'other', limits: [slidingWindow({ name: 'a', limit: 1, window: '1m' })] });
    const { ask } = await openAdmin({ gates: [other] });
    expect(await ask('GET', '/admin/gates')).toMatchObject({ json: { gates: [{ name: 'other', hasLine: false }] } });
    expect(await ask('GET', '/admin/gates/other/line')).toMatchObject({ status: 404 });
    expect(await (await openAdmin()).ask('GET', '/admin/gates/api/line')).toMatchObject({
      status: 200,
      json: { waiting: 0, level: 0 },
    });
  });
});

test('upstreams are shown as they tell, without the secrets of their keys; one that fails is told to the log alone', async () => {
  const gate = createTollgate({ limits: [slidingWindow({ name: 'a', limit: 1, window: '1m' })] });
  const secret = () => 'sk-secret';
  const llm = createUpstream({ gate, providers: [openai({ keys: ['one', 'two'].map((name) => ({ name, secret })) })] });
  const { ask } = await openAdmin({ upstreams: { llm } });
  const { json, text } = await ask('GET', '/admin/upstreams');
  expect(json).toMatchObject({
    upstreams: [{ name: 'llm', state: { providers: [{ name: 'openai', keys: [{ name: 'one' }, { name: 'two' }] }] } }],
  });
  expect(text).not.toContain('secret');
  await llm.close();
  await gate.close();
  const failing = await openAdmin({ upstreams: { llm: { inspect: () => Promise.reject(new Error('sk-secret')) } } });
  const failed = await failing.ask('GET', '/admin/upstreams');
  expect([failed.status, failed.text]).toEqual([500, expect.not.stringContaining('secret')]);
  expect(warnings()).toContain('TOLLGATE_ADMIN_FAILED');
});

describe('what is wrong with a request', () => {
  test('is told all at once, by field, without what a stranger field holds', async () => {
    const { ask } = await openAdmin();
    const body =
      '{"service":5,"secret":"hunter2","__proto__":{"x":1},"constructor":1,"expiresIn":"soon","scopes":{"feature":[]}}';
    const { status, json, text } = await ask('POST', '/admin/keys', body);
    expect(status).toBe(422);
    const fields = json.errors.map(({ field }: { field: string }) => field).sort();
    expect(fields).toEqual(['__proto__', 'constructor', 'expiresIn', 'scopes.feature', 'secret', 'service']);
    expect(json.errors).toContainEqual({ field: 'service', detail: expect.stringMatching(/^got 5; expected a name/) });
    expect(text).not.toContain('hunter2');
    for (const one of ['[]', 'null', '5', '"text"']) {
      expect(await ask('POST', '/admin/keys', one)).toMatchObject({
        status: 422,
        json: { errors: [{ field: 'body' }] },
      });
    }
  });

  test.each(['user=a&user=b', 'colour=red', '__proto__=x', 'user=', 'floor=cheap'])(
    'a query of %s is refused',
    async (query) => {
      const { ask } = await openAdmin();
      expect(await ask('GET', `/admin/gates/api/usage?${query}`)).toMatchObject({
        status: 422,
        json: { errors: [{ field: query.split('=')[0] }] },
      });
    },
  );

  test.each([
    ['content-encoding', 'gzip', 415],
    ['content-type', 'application/json;charset=utf-8', 201],
    ['content-type', 'APPLICATION/JSON', 201],
    ['x-http-method-override', 'DELETE', 201],
  ])('a body with %s: %s is answered by %d', async (header, value, status) => {
    const { ask } = await openAdmin();
    expect(await ask('POST', '/admin/keys', { service: 'a' }, { headers: { [header]: value } })).toMatchObject({
      status,
    });
  });
});

test('nobody has a body read, or a wrong path told from a right one', async () => {
  const { ask } = await openAdmin({ authorize: () => false });
  const answers = [
    await ask('POST', '/admin/keys', '{'),
    await ask('GET', '/admin/nowhere'),
    await ask('POST', '/admin/keys', 'x'.repeat(100_000)),
  ];
  expect(new Set(answers.map(({ status, text }) => `${status} ${text}`)).size).toBe(1);
});

test('a client that leaves in the middle of its body is done with, and nobody is warned', async () => {
  const admin = createAdmin({ gates: [], keyRing: keyRing({ store: memoryStore() }), authorize: () => true });
  const answers: Promise<AdminAnswer>[] = [];
  const asked = deferred();
  const server = await listen((req) => {
    answers.push(admin.answer({ request: req, raw: req, url: '/keys', body: undefined }));
    asked.resolve();
  });
  const headers = { 'Content-Type': 'application/json', 'Content-Length': '100' };
  const socket = sendAndStay(server, '/keys', headers, 'POST');
  await asked.promise;
  socket.destroy();
  expect(await answers[0]).toMatchObject({ status: 400 });
  expect(warnings()).toEqual([]);
});
