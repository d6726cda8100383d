/** Annotations in all the places where Koa and its router let one put a middleware, and routes as limits know them. Of both versions. */
import Router from '@koa/router';
import { slidingWindow } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/koa';
import type koa3 from 'koa';
import type { Middleware } from 'koa';
import { makeGate, statusesOf } from '../helpers/http-gate.js';
import { KOA, ok, openKoa } from '../helpers/http-koa.js';
import { closeServers, listen } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const pass: Middleware = (_ctx, next) => next();

afterEach(closeServers);

describe.each(KOA)('%s', (_, Koa) => {
  const warnings = recordWarnings();

  const open = (build: (router: Router, app: koa3) => void, options = {}) => openKoa(Koa, build, options);

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
      const gate = makeGate([slidingWindow({ name: 'route', by: 'route', limit: 1, window: '1m' })]);
      const app = new Koa();
      const router = new Router();
      app.use(tollgate(gate));
      build(router);
      app.use(router.routes());
      return statusesOf(await listen(app.callback()), paths);
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
});
