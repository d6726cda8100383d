/** What is answered among Fastify's own ways: serializers, error handlers, `refuse`, replies that have begun. */
import type { TollgateOptions } from '@tollgate/fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { dear, large, openFastify, paid } from '../helpers/http-fastify.js';
import { closeServers, listen, quiet, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

recordWarnings();

afterEach(closeServers);

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

describe('a response that has begun before the toll', () => {
  /** Over HTTP, where the head is on its way once any of the body is. */
  async function begun(build: (app: FastifyInstance) => unknown, options: Partial<TollgateOptions> = {}) {
    const errors: unknown[] = [];
    const { app, used } = await openFastify(async (app) => {
      app.addHook('preParsing', async (_request, reply) => void reply.raw.write('begun '));
      app.addHook('onError', async (_request, _reply, error) => void errors.push(error));
      await build(app);
    }, options);
    await app.ready();
    return { errors, used, send: async () => send(await listen((req, res) => app.routing(req, res)), '/') };
  }

  const late = (permits: number) => ({ config: { toll: { tier: 'small', permits: () => permits } } }) as const;

  test('goes on where the toll is paid, and no header is sent twice', async () => {
    const { errors, used, send } = await begun((app) =>
      app.get('/', late(10), (_request, reply) => {
        reply.hijack();
        reply.raw.end('ended');
      }),
    );
    const reply = await send();
    expect(reply).toMatchObject({ status: 200, text: 'begun ended' });
    expect(reply.headers).not.toHaveProperty('ratelimit');
    expect(errors).toEqual([]);
    expect(await used()).toBe(10);
  });

  test.each<[string, Partial<TollgateOptions>]>([
    ['', {}],
    [', whatever `refuse` would have answered', { refuse: () => 'no' }],
  ])('is an error where it is refused, and the handler is not reached%s', async (_, options) => {
    let handled = 0;
    const { errors, used, send } = await begun((app) => app.get('/', late(101), async () => ++handled), options);
    await expect(send()).rejects.toThrow();
    await quiet();
    expect(errors).toMatchObject([{ name: 'TollgateError', code: 'TOLLGATE_TOO_LATE' }]);
    expect(handled).toBe(0);
    expect(await used()).toBe(0);
  });
});
