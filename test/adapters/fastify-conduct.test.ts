/** How the adapter behaves among Fastify's own ways: encapsulation, route config, hooks, errors, serializers, inject. */
import { createTollgate, currentAdmission, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { type TollgateOptions, tollgate } from '@tollgate/fastify';
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify';
import { LIMITS, usedByAnn } from '../helpers/http-express.js';
import { openFastify } from '../helpers/http-fastify.js';
import { quiet } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const paid = async (request: FastifyRequest) => (request.admission ? 'paid' : 'free');
const large = { config: { toll: { tier: 'large' } } } as const;
/** More than `ann` has once she has spent anything. */
const dear = { config: { toll: { tier: 'small', permits: 100 } } } as const;

const warnings = recordWarnings();

describe('encapsulation', () => {
  test('a gate of the app covers what is encapsulated in it, with the pattern of the whole path', async () => {
    const gate = createTollgate({ limits: [slidingWindow({ name: 'route', by: 'route', limit: 100, window: '1m' })] });
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
    expect((await gate.inspect({}, { route: 'GET /api/v/:model/c/:id' }))[0].used).toBe(20);
  });

  test('a gate of a plugin covers that plugin alone', async () => {
    const gate = createTollgate({ limits: LIMITS });
    const app = fastify();
    app.register(async (api) => {
      await api.register(tollgate, { gate, identify: () => ({ user: 'ann' }), defaultTier: 'small' });
      api.get('/in', large, paid);
      api.get('/in/plain', paid);
    });
    app.get('/out', large, paid);
    const answers = await Promise.all(['/in', '/in/plain', '/out'].map((url) => app.inject(url)));
    expect(answers.map(({ body }) => body)).toEqual(['paid', 'paid', 'free']);
    expect(await usedByAnn(gate)).toBe(11);
  });

  test('of several gates the nearest is paid at; those around it take their default tier', async () => {
    const [outer, inner] = [createTollgate({ limits: LIMITS }), createTollgate({ limits: LIMITS })];
    const identify = () => ({ user: 'ann' });
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
    const gate = createTollgate({ limits: LIMITS });
    const app = fastify();
    app.register(tollgate, { gate, identify: () => ({ user: 'ann' }) });
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
    const gate = createTollgate({
      limits: [slidingWindow({ name: 'route', by: 'route', limit: 100, window: '1m' })],
    });
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
    const usedBy = async (route: string) => (await gate.inspect({}, { route }))[0].used;
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

describe('the lifecycle', () => {
  const HOOKS = ['onRequest', 'preParsing', 'preValidation', 'preHandler', 'onSend', 'onResponse'] as const;
  const schema = {
    body: { type: 'object', required: ['tokens'], properties: { tokens: { type: 'number' } } },
  } as const;
  const byBody = {
    config: { toll: { tier: 'small', permits: ({ body }: FastifyRequest) => (body as { tokens: number }).tokens } },
  } as const;
  const post = (app: FastifyInstance, url: string, payload: string) =>
    app.inject({ method: 'POST', url, payload, headers: { 'content-type': 'application/json' } });

  function observe(app: FastifyInstance): string[] {
    const seen: string[] = [];
    for (const hook of HOOKS) app.addHook(hook as 'onRequest', async () => void seen.push(hook));
    return seen;
  }

  test('the hooks of the app and of the route all run, in their order', async () => {
    let seen: string[] = [];
    const { app } = await openFastify((app) => {
      seen = observe(app);
      const own = (name: string) => async () => void seen.push(name);
      const hooks = { onRequest: own('own onRequest'), preHandler: [own('own preHandler'), own('another')] };
      app.post('/', { ...byBody, ...hooks }, paid);
      app.post('/early', { ...large, ...hooks }, paid);
    });
    const inFull = [
      'onRequest',
      'own onRequest',
      'preParsing',
      'preValidation',
      'preHandler',
      'own preHandler',
      'another',
    ];
    for (const url of ['/', '/early']) {
      seen.length = 0;
      expect((await post(app, url, '{"tokens":5}')).body).toBe('paid');
      await quiet();
      expect(seen).toEqual([...inFull, 'onSend', 'onResponse']);
    }
  });

  test('a constant toll is paid before the body is read, and a refusal ends it there', async () => {
    let seen: string[] = [];
    const { app, used } = await openFastify((app) => {
      seen = observe(app);
      app.post('/', { ...dear, schema }, paid);
    });
    expect((await post(app, '/', '{"tokens":1}')).statusCode).toBe(200);
    for (const body of ['{"tokens":1}', '{}', '{"tok']) {
      seen.length = 0;
      expect((await post(app, '/', body)).statusCode).toBe(429);
      await quiet();
      expect(seen).toEqual(['onSend', 'onResponse']);
    }
    expect(await used()).toBe(100);
  });

  test('a toll that is a function of the request sees the body, validated; one that is wrong costs nothing', async () => {
    const { app, used } = await openFastify((app) => app.post('/', { ...byBody, schema }, paid));
    expect((await post(app, '/', '{"tokens":"7"}')).body).toBe('paid');
    expect(await used()).toBe(7);
    for (const body of ['{}', '{"tok']) expect((await post(app, '/', body)).statusCode).toBe(400);
    expect(await used()).toBe(7);
    expect((await post(app, '/', '{"tokens":94}')).statusCode).toBe(429);
  });

  test('the default tier is paid before the body is read, and gives way to a toll that needs it', async () => {
    const atParsing: unknown[] = [];
    const { app, used } = await openFastify(
      (app) => {
        app.addHook('preParsing', async () => void atParsing.push(await used()));
        app.post('/', byBody, paid);
      },
      { defaultTier: 'large' },
    );
    expect((await post(app, '/', '{"tokens":3}')).body).toBe('paid');
    expect([atParsing, await used(), await used('calls')]).toEqual([[10], 3, 1]);
  });

  test('the admission is the current one in hooks and handlers, also after a body has been read', async () => {
    const { app } = await openFastify((app) => {
      const seen: boolean[] = [];
      const look = (request: FastifyRequest) =>
        seen.push(request.admission !== undefined && currentAdmission() === request.admission);
      app.addHook('onRequest', async (request) => void look(request));
      app.addHook('preHandler', async (request) => void look(request));
      app.addHook('preHandler', (request, _reply, done) => {
        look(request);
        done();
      });
      const handler = async (request: FastifyRequest) => {
        look(request);
        await quiet(1);
        look(request);
        return seen.splice(0);
      };
      app.post('/', large, handler);
      app.post('/late', byBody, handler);
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    for (const [url, expected] of [
      ['/', [true, true, true, true, true]],
      ['/late', [false, true, true, true, true]],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const body = JSON.stringify({ tokens: 5, text: 'x'.repeat(100_000) });
      const answer = await fetch(app.listeningOrigin + url, { method: 'POST', headers, body });
      expect(await answer.json()).toEqual(expected);
    }
    await app.close();
  });

  test('a handler that hijacks the reply is settled when the response ends', async () => {
    const { app, gate, used } = await openFastify((app) =>
      app.get('/', large, (_request, reply) => {
        reply.hijack();
        reply.raw.end('raw');
      }),
    );
    const settled = new Promise((resolve) => gate.on('settled', resolve));
    expect((await app.inject('/')).body).toBe('raw');
    expect(await settled).toMatchObject({ outcome: 'succeeded', provisional: true });
    expect(await used()).toBe(10);
  });

  test.each([
    ['succeeded', paid],
    ['failed', () => Promise.reject(new Error('no provider'))],
  ])('of an injected request the admission is settled as of any: %s', async (outcome, handler) => {
    const { app, gate } = await openFastify((app) => app.get('/', large, handler));
    const settled = new Promise((resolve) => gate.on('settled', resolve));
    expect((await app.inject('/')).headers).toMatchObject({ ratelimit: expect.stringContaining('"user";r=90') });
    expect(await settled).toMatchObject({ outcome, provisional: true });
  });
});

describe('what no route serves is free', () => {
  const openAll = (build: (app: FastifyInstance) => unknown) => openFastify(build, { defaultTier: 'large' });

  test('answered by Fastify', async () => {
    const { app, used } = await openAll(() => {});
    expect((await app.inject('/nope')).statusCode).toBe(404);
    expect(await used()).toBe(0);
  });

  test('answered by the app, with hooks of its own, in a plugin as well', async () => {
    const { app, used } = await openAll((app) => {
      const handler = async (request: FastifyRequest) => String(request.admission);
      app.setNotFoundHandler(
        { preHandler: async (_: FastifyRequest, reply: FastifyReply) => void reply.code(404) },
        handler,
      );
      app.register(async (api) => void api.setNotFoundHandler(handler), { prefix: '/api' });
    });
    expect(await app.inject('/nope')).toMatchObject({ statusCode: 404, body: 'undefined' });
    expect((await app.inject('/api/nope')).body).toBe('undefined');
    expect(await used()).toBe(0);
  });

  test('but a route that finds nothing has been paid for, once', async () => {
    const { app, used } = await openAll((app) => app.get('/:id', (_request, reply) => reply.callNotFound()));
    expect((await app.inject('/7')).statusCode).toBe(404);
    expect([await used(), await used('calls')]).toEqual([10, 1]);
  });
});

describe('answers', () => {
  const refused = async (build: (app: FastifyInstance) => unknown, options: Partial<TollgateOptions> = {}) => {
    const { app } = await openFastify(async (app) => {
      await build(app);
      app.get('/', { ...dear, ...schemaOf429 }, paid);
    }, options);
    await app.inject('/');
    return app.inject('/');
  };
  const schemaOf429 = {
    schema: { response: { '4xx': { type: 'object', properties: { error: { type: 'string' } } } } },
  } as const;

  test.each<[string, (app: FastifyInstance) => unknown]>([
    ['a response schema', () => {}],
    ['a serializer', (app) => app.setReplySerializer(() => 'serialized')],
    [
      'a serializer of the reply',
      (app) =>
        app.addHook('onRequest', async (_: FastifyRequest, reply: FastifyReply) => void reply.serializer(() => 'own')),
    ],
    ['a serializer compiler', (app) => app.setSerializerCompiler(() => () => 'compiled')],
    ['hooks before serialization', (app) => app.addHook('preSerialization', async () => ({ changed: true }))],
  ])('a refusal is a problem whatever %s says', async (_, build) => {
    const answer = await refused(build);
    expect(answer.statusCode).toBe(429);
    expect(answer.headers).toMatchObject({
      'content-type': 'application/problem+json',
      'retry-after': expect.any(String),
    });
    expect(answer.json()).toMatchObject({ title: 'Limit reached', status: 429, layer: 'user' });
  });

  test('onSend may have the last word on a refusal', async () => {
    const answer = await refused((app) => app.addHook('onSend', async () => 'mine'));
    expect(answer).toMatchObject({ statusCode: 429, body: 'mine' });
  });

  test.each<[string, NonNullable<TollgateOptions['refuse']>]>([
    ['returns', ({ title }) => ({ error: title, secret: 1 })],
    ['promises', async ({ title }) => ({ error: title, secret: 1 })],
    ['sends', ({ title }, _request, reply) => void reply.send({ error: title, secret: 1 })],
    ['sends and returns the reply', ({ title }, _request, reply) => reply.send({ error: title, secret: 1 })],
    ['sends and promises the reply', async ({ title }, _request, reply) => reply.send({ error: title, secret: 1 })],
  ])('what `refuse` %s goes the way of any answer', async (_, refuse) => {
    const answer = await refused(() => {}, { refuse });
    expect(answer.statusCode).toBe(429);
    expect(answer.headers).toMatchObject({ 'retry-after': expect.any(String) });
    expect(answer.json()).toEqual({ error: 'Limit reached' });
  });

  test('what goes wrong is an error for the error handler that is nearest to the route', async () => {
    const { app, used } = await openFastify(
      (app) => {
        app.setErrorHandler((error, _request, reply) => reply.code(502).send(`app: ${(error as Error).message}`));
        app.register(async (api) => {
          api.setErrorHandler((error, _request, reply) => reply.code(503).send(`api: ${(error as Error).message}`));
          api.get('/in', large, paid);
        });
        app.get('/out', large, paid);
        app.get('/late', { config: { toll: { tier: () => Promise.reject(new Error('no tier')) } } }, paid);
      },
      { identify: ({ headers }) => (headers.user ? { user: 'ann' } : Promise.reject(undefined)) },
    );
    const message = 'Something other than an error was thrown';
    expect(await app.inject('/in')).toMatchObject({ statusCode: 503, body: `api: ${message}` });
    expect(await app.inject('/out')).toMatchObject({ statusCode: 502, body: `app: ${message}` });
    const late = await app.inject({ url: '/late', headers: { user: 'ann' } });
    expect(late).toMatchObject({ statusCode: 502, body: 'app: no tier' });
    expect(await used()).toBe(0);
  });

  test('without an error handler of the app, an error’s own status holds', async () => {
    const { app } = await openFastify((app) => app.get('/', large, paid), {
      identify: () => Promise.reject(Object.assign(new Error('who?'), { statusCode: 401 })),
    });
    expect((await app.inject('/')).statusCode).toBe(401);
  });

  test('a reply that a hook has sent already is left alone', async () => {
    const { app, used } = await openFastify((app) => {
      app.addHook('onRequest', async (_request, reply) => reply.code(401).send('who?'));
      app.get('/', { config: { toll: { tier: () => 'large' as const } } }, paid);
    });
    expect(await app.inject('/')).toMatchObject({ statusCode: 401, body: 'who?' });
    expect(await used()).toBe(0);
  });
});

test.each([
  ['nobody', false, ['TOLLGATE_PROXY_NOT_TRUSTED']],
  ['a network', 'loopback, 10.0.0.0/8', []],
  ['an address', '127.0.0.1', []],
  ['whoever a function says', () => true, ['TOLLGATE_PROXY_TRUSTED_BLINDLY']],
] as const)('an app that trusts %s as a proxy is warned accordingly', async (_, trustProxy, expected) => {
  const gate = createTollgate({ limits: [slidingWindow({ name: 'ip', by: 'ip', limit: 20, window: '1m' })] });
  const { app } = await openFastify((app) => app.get('/', large, paid), { gate }, { trustProxy });
  for (let i = 0; i < 2; i++) await app.inject({ url: '/', headers: { 'x-forwarded-for': '1.1.1.1' } });
  expect(warnings()).toEqual(expected);
});

test('a gate with a clock of its own admits again when Retry-After is over', async () => {
  const clock = manualClock();
  const { app } = await openFastify((app) => app.get('/', dear, paid), {
    gate: createTollgate({ limits: LIMITS, clock }),
  });
  await app.inject('/');
  clock.advance(Number((await app.inject('/')).headers['retry-after']) * 1000);
  expect((await app.inject('/')).body).toBe('paid');
});
