/** How the adapter behaves among Koa's own ways: routers, the context, errors that go up, bodies. Of both versions. */
import Router from '@koa/router';
import { type Admission, createTollgate, currentAdmission, type Refusal, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { toll, tollgate } from '@tollgate/koa';
import type koa3 from 'koa';
import type { Context, Middleware, Next } from 'koa';
import { LIMITS, usedByAnn } from '../helpers/http-express.js';
import { KOA, openKoa } from '../helpers/http-koa.js';
import { closeServers, listen, quiet, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const identify = () => ({ user: 'ann' });
const pass: Middleware = (_ctx, next) => next();
const tooCostly = { permits: 101 };

function ok(ctx: Context): void {
  ctx.body = ctx.admission ? 'paid' : 'free';
}

afterEach(closeServers);

describe.each(KOA)('%s', (_, Koa) => {
  const warnings = recordWarnings();

  /** What a request costs: permits, then requests. */
  async function open(build: (router: Router, app: koa3) => void, options = {}) {
    const bench = await openKoa(Koa, build, options);
    const used = async () => [await bench.used('user'), await bench.used('calls')];
    async function cost(path: string, method = 'GET') {
      const before = await used();
      const { text, status } = await send(bench.server, path, { method });
      return { text, status, cost: (await used()).map((one, i) => one - before[i]) };
    }
    return { ...bench, cost };
  }

  test('a toll says what it is', () => {
    const permits = () => 5;
    expect(toll('large', { feature: 'chat', permits }).toll).toEqual({ tier: 'large', feature: 'chat', permits });
    expect(toll.free.toll).toEqual({ tier: 'free' });
    expect(Object.isFrozen(toll('small').toll)).toBe(true);
  });

  describe('annotations', () => {
    test('on the app, a router, a path of it and a route: the last one holds, charged once', async () => {
      const { cost } = await open((router, app) => {
        app.use(toll('small'));
        const api = new Router({ prefix: '/api' });
        api.use(toll('medium'));
        api.use('/deep', toll('large'));
        api.get('/plain', ok);
        api.get('/deep/plain', ok);
        api.get('/deep/dear', toll('xlarge'), ok);
        api.get('/deep/cheap', toll('small'), ok);
        api.get('/deep/free', toll.free, ok);
        app.use(api.routes());
        router.get('/', ok);
      });
      expect(await cost('/')).toEqual({ status: 200, text: 'paid', cost: [1, 1] });
      expect(await cost('/api/plain')).toMatchObject({ text: 'paid', cost: [3, 1] });
      expect(await cost('/api/deep/plain')).toMatchObject({ text: 'paid', cost: [10, 1] });
      expect(await cost('/api/deep/dear')).toMatchObject({ text: 'paid', cost: [30, 1] });
      expect(await cost('/api/deep/cheap')).toMatchObject({ text: 'paid', cost: [1, 1] });
      expect(await cost('/api/deep/free')).toMatchObject({ text: 'free', cost: [0, 0] });
    });

    test('in nested routers, whichever is built first', async () => {
      const { cost } = await open((router) => {
        const [middle, inner] = [new Router(), new Router()];
        inner.use(toll('medium'));
        inner.get('/end', toll('large'), ok);
        inner.get('/plain', ok);
        middle.use('/:id', inner.routes());
        router.use('/middle', toll('small'), middle.routes());
      });
      expect(await cost('/middle/7/end')).toMatchObject({ text: 'paid', cost: [10, 1] });
      expect(await cost('/middle/7/plain')).toMatchObject({ text: 'paid', cost: [3, 1] });
      expect(await cost('/middle/7/none')).toMatchObject({ status: 404, cost: [0, 0] });
    });

    test('of a free router a route may have a toll of its own', async () => {
      const { cost } = await open(
        (router) => {
          router.use(toll.free);
          router.get('/plain', ok);
          router.get('/paid', toll('large'), ok);
        },
        { defaultTier: 'medium' },
      );
      expect(await cost('/paid')).toMatchObject({ text: 'paid', cost: [10, 1] });
      expect(await cost('/plain')).toMatchObject({ text: 'free', cost: [0, 0] });
    });

    test('where several routes fit, the one that serves holds', async () => {
      const { cost } = await open((router) => {
        router.get('/a/b', toll('small'), ok);
        router.get('/a/:x', toll('xlarge'), ok);
        router.get('/f/:x', toll('xlarge'), pass);
        router.get('/f/b', toll('medium'), ok);
      });
      expect(await cost('/a/b')).toMatchObject({ text: 'paid', cost: [1, 1] });
      expect(await cost('/f/b')).toMatchObject({ text: 'paid', cost: [3, 1] });
    });

    test('HEAD costs what GET does; what no route serves, and OPTIONS, cost nothing', async () => {
      const { cost } = await open((router, app) => {
        app.use(router.allowedMethods());
        router.use(toll('medium'));
        router.get('/', toll('large'), ok);
      });
      expect(await cost('/', 'HEAD')).toEqual({ status: 200, text: '', cost: [10, 1] });
      expect(await cost('/', 'OPTIONS')).toMatchObject({ status: 200, cost: [0, 0] });
      expect(await cost('/', 'POST')).toMatchObject({ status: 405, cost: [0, 0] });
      expect(await cost('/none')).toMatchObject({ status: 404, cost: [0, 0] });
    });
  });

  describe('limits by route', () => {
    async function statuses(build: (router: Router) => void, paths: string[]) {
      const gate = createTollgate({ limits: [slidingWindow({ name: 'route', by: 'route', limit: 1, window: '1m' })] });
      const app = new Koa();
      const router = new Router();
      app.use(tollgate(gate));
      build(router);
      app.use(router.routes());
      const server = await listen(app.callback());
      const replies = [];
      for (const path of paths) replies.push((await send(server, path)).status);
      return replies;
    }

    test('know it by its pattern and that of where its router is mounted, never by a path of the client’s choice', async () => {
      const build = (router: Router) => {
        const inner = new Router();
        inner.get('/chats/:id', toll('small'), ok);
        router.use('/users/:user', inner.routes());
      };
      expect(await statuses(build, ['/users/1/chats/1', '/users/1/chats/2'])).toEqual([200, 429]);
      expect(await statuses(build, ['/users/1/chats/1', '/users/2/chats/1'])).toEqual([200, 429]);
      expect(await statuses(build, ['/users/1/chats/1', '/USERS/1/chats/1'])).toEqual([200, 429]);
    });

    test('take, of several that fit, the one that the toll stands in', async () => {
      const build = (router: Router) => {
        router.get('/a/:x', toll('small'), ok);
        router.get('/a/b', toll('small'), ok);
        router.get(/^\/re\/.*/, toll('small'), ok);
        router.get('/f/:x', pass);
        router.get('/f/b', toll('small'), ok);
        router.get('/f/c', toll('small'), ok);
      };
      expect(await statuses(build, ['/a/b', '/a/c', '/re/1', '/re/2'])).toEqual([200, 429, 200, 429]);
      expect(await statuses(build, ['/f/b', '/f/c', '/f/b'])).toEqual([200, 200, 429]);
    });

    test('tell the routes of a router apart whose toll is for them all', async () => {
      const build = (router: Router) => {
        router.use(toll('small'));
        router.get('/a/:id', ok);
        router.get('/b', ok);
      };
      expect(await statuses(build, ['/a/1', '/b', '/a/2', '/b'])).toEqual([200, 200, 429, 429]);
      expect(warnings()).toEqual([]);
    });
  });

  describe('the context', () => {
    test('has the admission, which is the current one, below the toll and after what is below', async () => {
      const seen: unknown[] = [];
      const { server } = await openKoa(Koa, (router, app) => {
        app.use(async (ctx, next) => {
          await next();
          seen.push(ctx.admission?.model, currentAdmission());
        });
        router.get('/', toll('large', { model: 'haiku' }), async (ctx) => {
          await quiet(1);
          seen.push(ctx.admission?.model, ctx.admission === currentAdmission());
          ctx.body = 'ok';
        });
      });
      await send(server, '/');
      expect(seen).toEqual(['haiku', true, 'haiku', undefined]);
    });

    test('may have been extended by the app', async () => {
      const { server } = await openKoa(Koa, (router, app) => {
        app.context.spent = function (this: Context) {
          return this.admission === currentAdmission() && this.state.earlier;
        };
        app.use((ctx, next) => {
          ctx.state.earlier = 'kept';
          return next();
        });
        router.get('/', toll('small'), (ctx) => {
          ctx.body = ctx.spent();
        });
      });
      expect((await send(server, '/')).text).toBe('kept');
    });

    test('that bypasses Koa still has its headers, and is refused by Koa', async () => {
      const bypass: Middleware = (ctx, next) => {
        ctx.respond = false;
        return next();
      };
      const { server, used } = await openKoa(Koa, (router) => {
        router.get('/', bypass, toll('large'), (ctx) => {
          ctx.res.statusCode = 200;
          ctx.res.end('raw');
        });
        router.get('/dear', bypass, toll('large', tooCostly), ok);
      });
      const raw = await send(server, '/');
      expect(raw).toMatchObject({ status: 200, text: 'raw', headers: { ratelimit: expect.any(String) } });
      expect((await send(server, '/dear')).status).toBe(422);
      expect(await used()).toBe(10);
    });
  });

  describe('next', () => {
    test.each([
      ['passes', {}, undefined, 1],
      ['is refused', tooCostly, undefined, 0],
      ['fails', {}, new Error('who?'), 0],
    ] as const)(
      'is called once at most where a toll %s, and its end is waited for',
      async (_, options, fault, times) => {
        const steps: string[] = [];
        const { server } = await openKoa(
          Koa,
          (router) => {
            const around: Middleware = (ctx, next) =>
              toll('small', options)(ctx, async () => {
                steps.push('in');
                await next();
                await quiet(1);
                steps.push('out');
              });
            router.get('/', around, ok);
          },
          { identify: () => (fault ? Promise.reject(fault) : { user: 'ann' }) },
        );
        await send(server, '/');
        expect(steps).toEqual(['in', 'out'].slice(0, times * 2));
      },
    );

    test('hands on what the middleware below returns', async () => {
      const returned: unknown[] = [];
      const { server } = await openKoa(Koa, (router) => {
        router.get(
          '/',
          async (_ctx, next) => void returned.push(await next()),
          toll('small'),
          (ctx) => {
            ok(ctx);
            return 'value';
          },
        );
      });
      await send(server, '/');
      expect(returned).toEqual(['value']);
    });
  });

  describe('errors', () => {
    test('of what is below go up unchanged, past tolls and gate; the estimate stands', async () => {
      const thrown: unknown[] = [];
      const fault = new Error('handler');
      const { server, errors, used } = await openKoa(Koa, (router) => {
        router.use(async (ctx, next) => {
          try {
            await next();
          } catch (error) {
            thrown.push(error, ctx.admission !== undefined, currentAdmission());
            throw error;
          }
        });
        router.get('/', toll('large'), async () => {
          await quiet(1);
          throw fault;
        });
      });
      expect(await send(server, '/')).toMatchObject({ status: 500, text: 'app error' });
      expect(thrown).toEqual([fault, true, undefined]);
      expect(errors).toEqual([fault]);
      expect(await used()).toBe(10);
    });

    /** An app without an error handler of its own. */
    async function bare(middleware: Middleware[], options = {}) {
      const gate = createTollgate({ limits: LIMITS, clock: manualClock() });
      const app = new Koa();
      const emitted: unknown[] = [];
      app.on('error', (error) => emitted.push(error));
      app.use(tollgate(gate, { identify, ...options }));
      for (const one of middleware) app.use(one);
      return { server: await listen(app.callback()), emitted, used: () => usedByAnn(gate) };
    }

    test('are answered by Koa in its way where the app has none: ctx.throw with its status, headers and words', async () => {
      const { server, emitted, used } = await bare([
        toll('large'),
        (ctx) => ctx.throw(402, 'no money', { headers: { 'x-why': 'money' } }),
      ]);
      const reply = await send(server, '/');
      expect(reply).toMatchObject({ status: 402, text: 'no money', headers: { 'x-why': 'money' } });
      expect(emitted).toMatchObject([{ status: 402 }]);
      expect(await used()).toBe(10);
    });

    test('of identify too: with ctx.throw it can refuse whom it does not know', async () => {
      const { server, used } = await bare([toll('large'), ok], { identify: (ctx: Context) => ctx.throw(401, 'who?') });
      expect(await send(server, '/')).toMatchObject({ status: 401, text: 'who?' });
      expect(await used()).toBe(0);
    });

    test.each([undefined, null, 0, 'x'])(
      'of identify that are %p leave no request without an answer',
      async (thrown) => {
        for (const identify of [
          () => Promise.reject(thrown),
          () => {
            throw thrown;
          },
        ]) {
          const { server, emitted } = await bare([toll('large'), ok], { identify });
          expect((await send(server, '/')).status).toBe(500);
          expect(emitted).toEqual([expect.any(Error)]);
        }
      },
    );

    test('of the adapter show nothing of themselves', async () => {
      const { server, emitted } = await bare([toll('small')], { identify: () => ({ user: ['secret-id'] }) });
      expect(await send(server, '/')).toMatchObject({ status: 500, text: 'Internal Server Error' });
      expect(emitted).toMatchObject([{ code: 'TOLLGATE_REQUEST_INVALID' }]);
    });

    test('a toll without a gate is one', async () => {
      const app = new Koa();
      const emitted: unknown[] = [];
      app.on('error', (error) => emitted.push(error));
      app.use(toll('small'));
      expect((await send(await listen(app.callback()), '/')).status).toBe(500);
      expect(emitted).toMatchObject([{ code: 'TOLLGATE_NO_GATE' }]);
    });
  });

  describe('bodies', () => {
    test('set after the toll are as in any app, with the status that Koa gives them', async () => {
      const { server } = await openKoa(Koa, (router) => {
        router.get('/json', toll('small'), (ctx) => {
          ctx.body = { answer: 42 };
        });
        router.get('/none', toll('small'), pass);
        router.get('/empty', toll('small'), (ctx) => {
          ctx.body = null;
        });
      });
      const json = await send(server, '/json');
      expect(json).toMatchObject({ status: 200, text: '{"answer":42}' });
      expect(json.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        ratelimit: expect.any(String),
      });
      expect((await send(server, '/none')).status).toBe(404);
      expect((await send(server, '/empty')).status).toBe(204);
    });

    test('of a refusal can be seen, and wrapped, by what stands before; HEAD has none', async () => {
      const seen: unknown[] = [];
      const { server } = await openKoa(Koa, (router) => {
        router.use(async (ctx, next) => {
          await next();
          seen.push(ctx.status, ctx.type, (ctx.body as { layer: string }).layer);
        });
        router.get('/', toll('small', tooCostly), ok);
      });
      const reply = await send(server, '/');
      expect(reply.headers['content-type']).toBe('application/problem+json');
      expect(JSON.parse(reply.text)).toMatchObject({ status: 422, layer: 'user' });
      const head = await send(server, '/', { method: 'HEAD' });
      expect(head).toMatchObject({ status: 422, text: '', headers: { 'content-type': 'application/problem+json' } });
      expect(seen).toEqual([422, 'application/problem+json', 'user', 422, 'application/problem+json', 'user']);
    });

    test('that the app has begun by hand go on where the toll is paid; where it is refused it is an error', async () => {
      const begin: Middleware = async (ctx, next) => {
        ctx.res.statusCode = 200;
        ctx.res.write('begun ');
        await next().finally(() => ctx.res.end());
      };
      const { server, errors } = await openKoa(Koa, (router) => {
        router.get('/', begin, toll('small'), (ctx) => void ctx.res.write('ended'));
        router.get('/dear', begin, toll('small', tooCostly), (ctx) => void ctx.res.write('ended'));
      });
      const reply = await send(server, '/');
      expect(reply).toMatchObject({ status: 200, text: 'begun ended' });
      expect(reply.headers).not.toHaveProperty('ratelimit');
      expect(errors).toEqual([]);
      expect((await send(server, '/dear')).text).toBe('begun ');
      expect(errors).toMatchObject([{ name: 'TollgateError', code: 'TOLLGATE_TOO_LATE' }]);
    });
  });

  describe('a custom refusal', () => {
    const build = (router: Router) => router.get('/here', toll('small', tooCostly), ok);

    test('gets the refusal and the context, whose status and headers are set', async () => {
      const refuse = async ({ reason, violated }: Refusal, ctx: Context) => {
        await quiet(1);
        ctx.body = `${ctx.status} ${ctx.path} ${reason} ${violated[0].limit}`;
      };
      const reply = await send((await openKoa(Koa, build, { refuse })).server, '/here');
      expect(reply).toMatchObject({ status: 422, text: '422 /here too-costly 100' });
      expect(reply.headers).toMatchObject({ 'x-should-retry': 'false', ratelimit: expect.any(String) });
    });

    test('may throw, as any middleware may', async () => {
      const refuse = ({ reason }: Refusal, ctx: Context) => ctx.throw(402, reason);
      const { server, errors } = await openKoa(Koa, build, { refuse });
      expect((await send(server, '/here')).status).toBe(500);
      expect(errors).toMatchObject([{ status: 402, message: 'too-costly' }]);
    });

    test('that lets the request pass leaves it without an admission, also where a default tier had been paid', async () => {
      const seen: (Admission | undefined)[] = [];
      const refuse = (_refusal: Refusal, ctx: Context, next: Next) => {
        ctx.status = 200;
        return next();
      };
      const { server, used } = await openKoa(
        Koa,
        (router) =>
          router.get('/', toll('small', tooCostly), (ctx) => {
            seen.push(ctx.admission, currentAdmission());
            ctx.body = 'let in';
          }),
        { refuse, defaultTier: 'small' },
      );
      expect(await send(server, '/')).toMatchObject({ status: 200, text: 'let in' });
      expect(seen).toEqual([undefined, undefined]);
      expect(await used()).toBe(0);
    });
  });

  test('of two gates the nearest counts, by its own refusal and admission', async () => {
    const saying = (word: string) => (_refusal: Refusal, ctx: Context) => {
      ctx.body = word;
    };
    const inner = createTollgate({ limits: LIMITS, clock: manualClock() });
    const { cost } = await open(
      (router) => {
        const area = new Router();
        area.use(tollgate(inner, { identify, refuse: saying('inner') }));
        area.get('/', toll('large'), ok);
        area.get('/dear', toll('large', tooCostly), ok);
        area.get('/plain', ok);
        router.use('/inner', area.routes());
        router.get('/', toll('medium'), ok);
        router.get('/dear', toll('large', tooCostly), ok);
      },
      { defaultTier: 'small', refuse: saying('outer') },
    );
    expect(await cost('/inner')).toEqual({ status: 200, text: 'paid', cost: [1, 1] });
    expect(await usedByAnn(inner)).toBe(10);
    expect(await cost('/inner/plain')).toEqual({ status: 200, text: 'free', cost: [1, 1] });
    expect(await cost('/')).toEqual({ status: 200, text: 'paid', cost: [3, 1] });
    expect(await usedByAnn(inner)).toBe(10);
    expect((await cost('/inner/dear')).text).toBe('inner');
    expect((await cost('/dear')).text).toBe('outer');
  });
});
