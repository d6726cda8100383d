/** How requests end in Koa’s own ways: by a body, by one that has begun, refused in the app’s words. Of both versions. */
import type Router from '@koa/router';
import type { Admission, Refusal } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { toll } from '@tollgate/koa';
import type koa3 from 'koa';
import type { Context, Middleware, Next } from 'koa';
import { KOA, ok, openKoa } from '../helpers/http-koa.js';
import { closeServers, quiet, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const pass: Middleware = (_ctx, next) => next();
const tooCostly = { permits: 101 };

afterEach(closeServers);

describe.each(KOA)('%s', (_, Koa) => {
  recordWarnings();

  const open = (build: (router: Router, app: koa3) => void, options = {}) => openKoa(Koa, build, options);

  describe('bodies', () => {
    test('set after the toll are as in any app, with the status that Koa gives them', async () => {
      const { server } = await open((router) => {
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
      const { server } = await open((router) => {
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
      const { server, errors } = await open((router) => {
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
      const reply = await send((await open(build, { refuse })).server, '/here');
      expect(reply).toMatchObject({ status: 422, text: '422 /here too-costly 100' });
      expect(reply.headers).toMatchObject({ 'x-should-retry': 'false', ratelimit: expect.any(String) });
    });

    test('may throw, as any middleware may', async () => {
      const refuse = ({ reason }: Refusal, ctx: Context) => ctx.throw(402, reason);
      const { server, errors } = await open(build, { refuse });
      expect((await send(server, '/here')).status).toBe(402);
      expect(errors).toMatchObject([{ status: 402, message: 'too-costly' }]);
    });

    test('that lets the request pass leaves it without an admission, also where a default tier had been paid', async () => {
      const seen: (Admission | undefined)[] = [];
      const refuse = (_refusal: Refusal, ctx: Context, next: Next) => {
        ctx.status = 200;
        return next();
      };
      const { server, used } = await open(
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
});
