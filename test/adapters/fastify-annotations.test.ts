/** Routes whose annotations name tiers that their gate has not: refused where they stand, or by the requests that come. */
import { createTollgate, slidingWindow } from '@tollgate/core';
import { tollgate } from '@tollgate/fastify';
import fastify, { type FastifyRequest } from 'fastify';
import { openFastify } from '../helpers/http-fastify.js';
import { identify, makeGate, usedByAnn } from '../helpers/http-gate.js';

const paid = async (request: FastifyRequest) => (request.admission ? 'paid' : 'free');
const tolled = (toll: object) => ({ config: { toll: toll as never } });

const DEFAULTS = "'small', 'medium', 'large', 'xlarge'";

const gateWith = (tiers: Record<string, number>) =>
  createTollgate({ tiers, limits: [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })] });

test('an unknown tier is refused where it stands: the route, the value and the tiers that there are', async () => {
  const { app } = await openFastify(() => {});
  expect(() => app.post('/chat', tolled({ tier: 'larg' }), paid)).toThrow(
    expect.objectContaining({
      name: 'TollgateError',
      code: 'TOLLGATE_CONFIG_INVALID',
      message: `config.toll of POST /chat: tier: got 'larg'; expected one of ${DEFAULTS}.`,
      problems: [{ path: 'tier', value: 'larg', expected: `one of ${DEFAULTS}` }],
    }),
  );
});

test.each(['toString', '__proto__', 'Large', 'large '])(
  'a tier is known by its exact name, which %p is not',
  async (tier) => {
    const { app } = await openFastify(() => {});
    expect(() => app.get('/', tolled({ tier }), paid)).toThrow(`tier: got '${tier}'; expected one of `);
  },
);

test('it is one of every problem, and permits beside it are no excuse', async () => {
  const { app } = await openFastify(() => {});
  expect(() => app.get('/', tolled({ tier: 'larg', permits: -1, more: 1 }), paid)).toThrow(
    expect.objectContaining({
      problems: ['tier', 'permits', 'more'].map((path) => expect.objectContaining({ path })),
    }),
  );
  expect(() => app.get('/', tolled({ tier: 'larg', permits: 5 }), paid)).toThrow("got 'larg'");
});

test('no name, and no text, are told of once', async () => {
  const { app } = await openFastify(() => {});
  for (const tier of ['', 5, null, undefined]) {
    expect(() => app.get('/', tolled({ tier }), paid)).toThrow(
      expect.objectContaining({ problems: [expect.objectContaining({ path: 'tier', value: tier })] }),
    );
  }
});

test('a toll beside its config is refused: the route would be free', async () => {
  const { app } = await openFastify(() => {});
  expect(() => app.get('/chat', { toll: { tier: 'large' } } as object, paid)).toThrow(
    'toll of GET /chat: got an object; expected to stand in config, as { config: { toll: … } }',
  );
});

test('a plugin that is called, as for Express, says how it is registered', async () => {
  await expect(tollgate(gateWith({ small: 1 }) as never, undefined as never)).rejects.toThrow(
    'options: got undefined; expected an object, as in app.register(tollgate, { gate })',
  );
});

test('in a plugin it keeps the app from getting ready', async () => {
  const { app } = await openFastify((app) => {
    app.register(async (api) => void api.get('/chat', tolled({ tier: 'larg' }), paid), { prefix: '/api' });
  });
  await expect(app.ready()).rejects.toThrow("config.toll of GET /api/chat: tier: got 'larg'");
});

test('the tiers are those of the gate, and not the default ones', async () => {
  const gate = gateWith({ cheap: 1, dear: 10 });
  const { app } = await openFastify((app) => app.get('/', tolled({ tier: 'dear' }), paid), { gate });
  expect(() => app.get('/large', tolled({ tier: 'large' }), paid)).toThrow(
    "config.toll of GET /large: tier: got 'large'; expected one of 'cheap', 'dear'.",
  );
  expect((await app.inject('/')).body).toBe('paid');
  expect(await usedByAnn(gate)).toBe(10);
});

test('of several gates the nearest judges, also of one annotation that routes of both share', async () => {
  const [outer, inner] = [gateWith({ cheap: 1, both: 2 }), gateWith({ dear: 10, both: 20 })];
  const both = tolled({ tier: 'both' });
  const app = fastify();
  await app.register(tollgate, { gate: outer, identify });
  app.get('/both', both, paid);
  app.register(async (api) => {
    await api.register(tollgate, { gate: inner, identify });
    api.get('/in/dear', tolled({ tier: 'dear' }), paid);
    api.get('/in/both', both, paid);
    expect(() => api.get('/in/cheap', tolled({ tier: 'cheap' }), paid)).toThrow("expected one of 'dear', 'both'");
    api.register(async (nested) => {
      expect(() => nested.get('/in/nested', tolled({ tier: 'cheap' }), paid)).toThrow("expected one of 'dear', 'both'");
    });
  });
  for (const url of ['/both', '/in/dear', '/in/both']) expect((await app.inject(url)).body).toBe('paid');
  expect([await usedByAnn(outer), await usedByAnn(inner)]).toEqual([2, 30]);
});

test('one annotation is refused behind each gate that lacks its tier, whatever another gate said of it', async () => {
  const shared = tolled({ tier: 'dear' });
  const app = fastify();
  app.register(async (api) => {
    await api.register(tollgate, { gate: gateWith({ dear: 10 }), identify });
    api.get('/dear', shared, paid);
  });
  app.register(async (api) => {
    await api.register(tollgate, { gate: gateWith({ cheap: 1 }), identify });
    api.get('/cheap', shared, paid);
  });
  await expect(app.ready()).rejects.toThrow("config.toll of GET /cheap: tier: got 'dear'; expected one of 'cheap'.");
});

test('on a route added before the plugin had loaded it never lets a request pass, nor charges one', async () => {
  const gate = makeGate();
  const app = fastify();
  const errors: unknown[] = [];
  app.setErrorHandler((error, _request, reply) => {
    errors.push(error);
    reply.code(500).send('app error');
  });
  app.register(tollgate, { gate, identify });
  app.get('/', tolled({ tier: 'large' }), paid);
  app.get('/chat', tolled({ tier: 'larg' }), paid);
  app.get('/late', tolled({ tier: 'larg', feature: () => 'chat' }), paid);
  for (const url of ['/chat', '/chat', '/late']) {
    expect(await app.inject(url)).toMatchObject({ statusCode: 500, body: 'app error' });
    expect(errors.pop()).toMatchObject({
      code: 'TOLLGATE_CONFIG_INVALID',
      message: `config.toll of GET ${url}: tier: got 'larg'; expected one of ${DEFAULTS}.`,
    });
  }
  expect(errors).toEqual([]);
  expect((await app.inject('/')).body).toBe('paid');
  expect(await usedByAnn(gate)).toBe(10);
});

test('a tier that is a function of the request is judged by the gate, request by request', async () => {
  const { app, used } = await openFastify((app) =>
    app.get('/', tolled({ tier: ({ headers }: FastifyRequest) => headers.tier }), paid),
  );
  expect((await app.inject({ url: '/', headers: { tier: 'large' } })).body).toBe('paid');
  const unknown = await app.inject({ url: '/', headers: { tier: 'larg' } });
  expect(unknown.json()).toMatchObject({ statusCode: 500, code: 'TOLLGATE_UNKNOWN_TIER' });
  expect(await used()).toBe(10);
});

test('a refuse that is no function is a problem of the options, like any other', async () => {
  const registering = fastify().register(tollgate, { gate: makeGate(), refuse: 'no' as never });
  await expect(Promise.resolve(registering)).rejects.toMatchObject({
    code: 'TOLLGATE_CONFIG_INVALID',
    problems: [expect.objectContaining({ path: 'refuse', value: 'no' })],
  });
});
