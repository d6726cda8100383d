/** The adapter as a plugin: encapsulation, several gates, annotations in route config, options. */
import { createTollgate, slidingWindow } from '@tollgate/core';
import { tollgate } from '@tollgate/fastify';
import fastify from 'fastify';
import { large, openFastify, paid } from '../helpers/http-fastify.js';
import { identify, makeGate, usedByAnn } from '../helpers/http-gate.js';
import { recordWarnings } from '../helpers/http-warnings.js';

recordWarnings();

describe('encapsulation', () => {
  test('a gate of the app covers what is encapsulated in it, with the pattern of the whole path', async () => {
    const gate = makeGate([slidingWindow({ name: 'route', by: 'route', limit: 100, window: '1m' })]);
    const { app } = await openFastify(
      (app) =>
        app.register(
          async (outer) => {
            outer.register(async (inner) => void inner.get('/c/:id', large, paid), { prefix: '/v/:model' });
          },
          { prefix: '/api' },
        ),
      { gate },
    );
    expect((await app.inject('/api/v/haiku/c/7')).body).toBe('paid');
    expect((await app.inject({ method: 'HEAD', url: '/api/v/opus/c/8' })).statusCode).toBe(200);
    expect((await gate.inspect({}, { route: 'GET /api/v/:model/c/:id' })).limits[0].used).toBe(20);
  });

  test('a gate of a plugin covers that plugin alone', async () => {
    const gate = makeGate();
    const app = fastify();
    app.register(async (api) => {
      await api.register(tollgate, { gate, identify, defaultTier: 'small' });
      api.get('/in', large, paid);
      api.get('/in/plain', paid);
    });
    app.get('/out', large, paid);
    const answers = await Promise.all(['/in', '/in/plain', '/out'].map((url) => app.inject(url)));
    expect(answers.map(({ body }) => body)).toEqual(['paid', 'paid', 'free']);
    expect(await usedByAnn(gate)).toBe(11);
  });

  test('of several gates the nearest is paid at; those around it take their default tier', async () => {
    const [outer, inner] = [makeGate(), makeGate()];
    const app = fastify();
    await app.register(tollgate, { gate: outer, identify, defaultTier: 'small' });
    app.register(async (api) => {
      await api.register(tollgate, { gate: inner, identify });
      api.get('/in', large, paid);
      api.get('/late', { config: { toll: { tier: () => 'medium' as const } } }, paid);
    });
    app.get('/out', { config: { toll: { tier: 'xlarge' } } }, paid);
    for (const url of ['/in', '/late']) expect((await app.inject(url)).body).toBe('paid');
    expect([await usedByAnn(outer), await usedByAnn(inner)]).toEqual([2, 13]);
    await app.inject('/out');
    expect([await usedByAnn(outer), await usedByAnn(inner)]).toEqual([32, 13]);
  });

  test('requests share nothing by way of the decorator', async () => {
    const { app } = await openFastify((app) => {
      app.get('/', large, async ({ admission }) => admission?.id);
      app.get('/free', async (request) => [Object.hasOwn(request, 'admission'), request.admission === undefined]);
    });
    const ids = await Promise.all([1, 2, 3].map(async () => (await app.inject('/')).body));
    expect(new Set(ids).size).toBe(3);
    expect((await app.inject('/free')).json()).toEqual([false, true]);
  });
});

describe('annotations', () => {
  const wrong = { tier: '', feature: '', permits: -1, more: 1 } as never;

  test('that are wrong are refused where they stand: each problem, and the route', async () => {
    const { app } = await openFastify(() => {});
    expect(() => app.post('/chat/:id', { config: { toll: wrong } }, paid)).toThrow(
      expect.objectContaining({
        code: 'TOLLGATE_CONFIG_INVALID',
        message: expect.stringMatching(/^config\.toll of POST \/chat\/:id: /),
        problems: ['tier', 'feature', 'permits', 'more'].map((path) => expect.objectContaining({ path })),
      }),
    );
    for (const toll of ['large', null, 5]) {
      expect(() => app.get('/', { config: { toll: toll as never } }, paid)).toThrow(/^config\.toll of GET \/: /);
    }
  });

  test('that are wrong in a plugin keep the app from getting ready', async () => {
    const { app } = await openFastify((app) => {
      app.register(async (api) => void api.get('/chat', { config: { toll: wrong } }, paid), { prefix: '/api' });
    });
    await expect(app.ready()).rejects.toThrow('config.toll of GET /api/chat: ');
  });

  test('on routes added before the plugin had loaded count all the same; wrong ones never let a request pass', async () => {
    const gate = makeGate();
    const app = fastify();
    app.register(tollgate, { gate, identify });
    app.get('/', large, paid);
    app.get('/wrong', { config: { toll: wrong } }, paid);
    expect((await app.inject('/')).body).toBe('paid');
    for (let i = 0; i < 2; i++) {
      const answer = await app.inject('/wrong');
      expect(answer.statusCode).toBe(500);
      expect(answer.json().message).toMatch(/^config\.toll of GET \/wrong: /);
    }
    expect(await usedByAnn(gate)).toBe(10);
  });

  test('may be shared by routes, and frozen', async () => {
    const shared = Object.freeze({ config: Object.freeze({ toll: Object.freeze({ tier: 'large' }) }) }) as typeof large;
    const { app, used } = await openFastify((app) => app.get('/a', shared, paid).post('/b', shared, paid));
    await app.inject('/a');
    await app.inject({ method: 'POST', url: '/b' });
    expect(await used()).toBe(20);
  });

  test('on a route of several methods hold for each, and for the HEAD that Fastify adds, which counts as GET', async () => {
    const gate = makeGate([slidingWindow({ name: 'route', by: 'route', limit: 100, window: '1m' })]);
    const { app } = await openFastify(
      (app) => {
        app.route({ method: ['PUT', 'PATCH'], url: '/both', ...large, handler: paid });
        app.get('/get', large, paid);
      },
      { gate },
    );
    for (const method of ['PUT', 'PATCH'] as const)
      expect((await app.inject({ method, url: '/both' })).body).toBe('paid');
    for (const method of ['GET', 'HEAD'] as const) {
      expect((await app.inject({ method, url: '/get' })).headers.ratelimit).toBeUndefined();
    }
    const usedBy = async (route: string) => (await gate.inspect({}, { route })).limits[0].used;
    expect(await Promise.all(['PUT /both', 'PATCH /both', 'GET /get'].map(usedBy))).toEqual([10, 10, 20]);
  });

  test('of `free` exempt from the default tier', async () => {
    const { app, used } = await openFastify((app) => app.get('/', { config: { toll: 'free' } }, paid), {
      defaultTier: 'large',
    });
    expect((await app.inject('/')).body).toBe('free');
    expect(await used()).toBe(0);
  });

  test('wrong options are told of all at once, by the one who awaits', async () => {
    const options = {
      identify: 'user',
      skip: 1,
      headers: 'new',
      refundOn: true,
      ipv6Prefix: 8,
      defaultTier: 5,
      more: 1,
    };
    const registering = fastify().register(tollgate, { gate: createTollgate({ limits: [] }), ...(options as object) });
    await expect(Promise.resolve(registering)).rejects.toMatchObject({
      code: 'TOLLGATE_CONFIG_INVALID',
      problems: expect.arrayContaining(Object.keys(options).map((path) => expect.objectContaining({ path }))),
    });
  });
});
