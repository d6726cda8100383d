/** How the adapter behaves among Koa's own ways: the context, next, errors that go up, several gates. Of both versions. */
import Router from '@koa/router';
import type { Refusal } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { toll, tollgate } from '@tollgate/koa';
import type koa3 from 'koa';
import type { Context, Middleware } from 'koa';
import { identify, makeGate, usedByAnn } from '../helpers/http-gate.js';
import { KOA, ok, openKoa } from '../helpers/http-koa.js';
import { closeServers, listen, quiet, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const tooCostly = { permits: 101 };

afterEach(closeServers);

describe.each(KOA)('%s', (_, Koa) => {
  recordWarnings();

  const open = (build: (router: Router, app: koa3) => void, options = {}) => openKoa(Koa, build, options);

  test.each([
    ['tollgate', tollgate, 'called with a gate, tollgate(gate).'],
    ['toll', toll, "called with a tier, toll('small')."],
  ])('%s itself, used as a middleware, is told of in one sentence', async (name, factory, right) => {
    const { server, errors } = await open((_router, app) => app.use(factory as unknown as Middleware));
    expect((await send(server, '/')).status).toBe(500);
    const message = `'${name}' itself is no middleware, and was called with a request: use what it returns when it is ${right}`;
    expect(errors).toMatchObject([{ code: 'TOLLGATE_CONFIG_INVALID', message }]);
  });

  describe('the context', () => {
    test('has the admission, which is the current one, below the toll and after what is below', async () => {
      const seen: unknown[] = [];
      const { server } = await open((router, app) => {
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
      const { server } = await open((router, app) => {
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
      const { server, used } = await open((router) => {
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
        const { server } = await open(
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
      const { server } = await open((router) => {
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
      const { server, errors, used } = await open((router) => {
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
      const gate = makeGate();
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

  test('of two gates the nearest counts, by its own refusal and admission', async () => {
    const saying = (word: string) => (_refusal: Refusal, ctx: Context) => {
      ctx.body = word;
    };
    const inner = makeGate();
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
