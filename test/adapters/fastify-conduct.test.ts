/** How the adapter behaves among Fastify's own ways: hooks, bodies, what no route serves, proxies, inject. */
import { slidingWindow } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { manualClock } from '@tollgate/core/testing';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { dear, large, openFastify, paid } from '../helpers/http-fastify.js';
import { LIMITS, makeGate } from '../helpers/http-gate.js';
import { quiet } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const warnings = recordWarnings();

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

test.each([
  ['nobody', false, ['TOLLGATE_PROXY_NOT_TRUSTED']],
  ['a network', 'loopback, 10.0.0.0/8', []],
  ['an address', '127.0.0.1', []],
  ['whoever a function says', () => true, ['TOLLGATE_PROXY_TRUSTED_BLINDLY']],
] as const)('an app that trusts %s as a proxy is warned accordingly', async (_, trustProxy, expected) => {
  const gate = makeGate([slidingWindow({ name: 'ip', by: 'ip', limit: 20, window: '1m' })]);
  const { app } = await openFastify((app) => app.get('/', large, paid), { gate }, { trustProxy });
  for (let i = 0; i < 2; i++) await app.inject({ url: '/', headers: { 'x-forwarded-for': '1.1.1.1' } });
  expect(warnings()).toEqual(expected);
});

test('a gate with a clock of its own admits again when Retry-After is over', async () => {
  const clock = manualClock();
  const { app } = await openFastify((app) => app.get('/', dear, paid), {
    gate: makeGate(LIMITS, clock),
  });
  await app.inject('/');
  clock.advance(Number((await app.inject('/')).headers['retry-after']) * 1000);
  expect((await app.inject('/')).body).toBe('paid');
});
