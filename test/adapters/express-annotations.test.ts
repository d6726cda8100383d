/** Annotations in all the places where Express lets one put a handler. Of both versions. */
import { createTollgate } from '@tollgate/core';
import { toll, tollgate } from '@tollgate/express';
import type { Express, RequestHandler } from 'express';
import { EXPRESS, errorHandler, openExpress } from '../helpers/http-express.js';
import { closeServers, listen, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

const ok: RequestHandler = (req, res) => void res.send(req.admission ? 'paid' : 'free');

afterEach(closeServers);

describe.each(EXPRESS)('%s', (_, express) => {
  recordWarnings();

  const open = (build: (app: Express) => void, options = {}) => openExpress(express, build, options);

  test('a toll says what it is', () => {
    const permits = () => 5;
    expect(toll('large', { feature: 'chat', permits }).toll).toEqual({ tier: 'large', feature: 'chat', permits });
    expect(toll.free.toll).toEqual({ tier: 'free' });
    expect(Object.isFrozen(toll('small').toll)).toBe(true);
  });

  test.each([
    ['tollgate', tollgate, 'called with a gate, tollgate(gate).'],
    ['toll', toll, "called with a tier, toll('small')."],
  ])('%s itself, used as a middleware, is told of in one sentence', async (name, factory, right) => {
    const { server, errors } = await open((app) => app.use(factory as unknown as RequestHandler));
    expect((await send(server, '/')).status).toBe(500);
    const message = `'${name}' itself is no middleware, and was called with a request: use what it returns when it is ${right}`;
    expect(errors).toMatchObject([{ code: 'TOLLGATE_CONFIG_INVALID', message }]);
  });

  test('on the app, a path, a router and a route: the last one holds, charged once', async () => {
    const { cost } = await open((app) => {
      const router = express.Router();
      app.use(toll('small'));
      app.use('/api', toll('medium'), router);
      router.get('/plain', ok);
      router.use('/deep', toll('large'));
      router.get('/deep/plain', ok);
      router.get('/deep/dear', toll('xlarge'), ok);
      router.get('/deep/cheap', toll('small'), ok);
      router.get('/deep/free', toll.free, (_req, res) => void res.send('free'));
      app.get('/', ok);
    });
    expect(await cost('/')).toEqual({ status: 200, text: 'paid', cost: [1, 1] });
    expect(await cost('/api/plain')).toMatchObject({ text: 'paid', cost: [3, 1] });
    expect(await cost('/api/deep/plain')).toMatchObject({ text: 'paid', cost: [10, 1] });
    expect(await cost('/api/deep/dear')).toMatchObject({ text: 'paid', cost: [30, 1] });
    expect(await cost('/api/deep/cheap')).toMatchObject({ text: 'paid', cost: [1, 1] });
    expect(await cost('/api/deep/free')).toMatchObject({ text: 'free', cost: [0, 0] });
  });

  test('of a free router a route may have a toll of its own', async () => {
    const { cost } = await open(
      (app) => {
        const router = express.Router();
        router.use(toll.free);
        router.get('/plain', ok);
        router.get('/paid', toll('large'), ok);
        app.use('/api', router);
      },
      { defaultTier: 'medium' },
    );
    expect(await cost('/api/paid')).toMatchObject({ status: 200, text: 'paid', cost: [10, 1] });
    expect(await cost('/api/plain')).toMatchObject({ status: 200, cost: [0, 0] });
  });

  test('two tolls on one route are one', async () => {
    const { cost } = await open((app) => app.get('/', [toll('small'), toll('large')], toll('medium'), ok));
    expect(await cost('/')).toMatchObject({ text: 'paid', cost: [3, 1] });
  });

  test('a toll on a route’s `all` is paid by each method, and by HEAD', async () => {
    const { cost } = await open((app) => app.route('/').all(toll('large')).get(ok).post(ok));
    for (const method of ['GET', 'POST', 'HEAD']) expect(await cost('/', method)).toMatchObject({ cost: [10, 1] });
    expect(await cost('/', 'OPTIONS')).toMatchObject({ cost: [0, 0] });
  });

  test('OPTIONS that Express answers by itself is free, and lists the methods', async () => {
    const { server, cost } = await open((app) => app.get('/', toll('large'), ok), { defaultTier: 'small' });
    expect(await cost('/', 'OPTIONS')).toMatchObject({ status: 200, cost: [0, 0] });
    expect((await send(server, '/', { method: 'OPTIONS' })).headers.allow).toMatch(/GET/);
  });

  test('in nested routers', async () => {
    const { cost } = await open((app) => {
      const [outer, middle, inner] = [express.Router(), express.Router(), express.Router({ mergeParams: true })];
      inner.get('/end', toll('large'), ok);
      middle.use('/:id', inner);
      outer.use('/middle', toll('small'), middle);
      app.use('/outer', outer);
    });
    expect(await cost('/outer/middle/7/end')).toMatchObject({ text: 'paid', cost: [10, 1] });
    expect(await cost('/outer/middle/7/none')).toMatchObject({ status: 404, cost: [1, 1] });
  });

  test('in a mounted app, behind the gate of the outer one', async () => {
    const { cost } = await open(
      (app) => {
        const sub = express();
        sub.get('/paid', toll('large'), ok);
        sub.get('/plain', ok);
        sub.get('/free', toll.free, (_req, res) => void res.send('free'));
        app.use('/sub', sub);
      },
      { defaultTier: 'small' },
    );
    expect(await cost('/sub/paid')).toMatchObject({ text: 'paid', cost: [10, 1] });
    expect(await cost('/sub/plain')).toMatchObject({ text: 'paid', cost: [1, 1] });
    expect(await cost('/sub/free')).toMatchObject({ text: 'free', cost: [0, 0] });
  });

  test('where a middleware rewrites the URL, the route that serves it holds', async () => {
    const { cost } = await open((app) => {
      app.use((req, _res, next) => {
        if (req.url === '/old') req.url = '/new';
        next();
      });
      app.get('/old', toll('xlarge'), ok);
      app.get('/new', toll('large'), ok);
    });
    expect(await cost('/old')).toMatchObject({ text: 'paid', cost: [10, 1] });
  });

  test('a catch-all before the route costs nothing that the route does not', async () => {
    const { cost } = await open((app) => {
      app.all(/.*/, (_req, _res, next) => next());
      app.use((_req, _res, next) => next());
      app.get('/', toll('large'), ok);
      app.get('/plain', ok);
    });
    expect(await cost('/')).toMatchObject({ text: 'paid', cost: [10, 1] });
    expect(await cost('/plain')).toMatchObject({ text: 'free', cost: [0, 0] });
  });

  test("after next('route') the route that takes over holds; passing on to one without a toll keeps what was paid", async () => {
    const { cost } = await open((app) => {
      const skip: RequestHandler = (_req, _res, next) => next('route');
      app.get('/dear', toll('xlarge'), skip, ok);
      app.get('/dear', toll('small'), ok);
      app.get('/plain', toll('large'), skip);
      app.get('/plain', ok);
      app.get('/early', skip, toll('xlarge'), ok);
      app.get('/early', toll('medium'), ok);
    });
    expect(await cost('/dear')).toMatchObject({ text: 'paid', cost: [1, 1] });
    expect(await cost('/plain')).toMatchObject({ text: 'paid', cost: [10, 1] });
    expect(await cost('/early')).toMatchObject({ text: 'paid', cost: [3, 1] });
  });

  test('a toll without a gate before it is a clear error', async () => {
    const errors: unknown[] = [];
    const app = express();
    let handled = 0;
    app.get('/', toll('small'), (_req, res) => {
      handled++;
      res.send('ok');
    });
    app.use(tollgate(createTollgate({ limits: [] })));
    app.use(errorHandler((error) => errors.push(error)));
    const server = await listen(app);
    expect((await send(server, '/')).status).toBe(500);
    expect(errors).toMatchObject([
      { name: 'TollgateError', code: 'TOLLGATE_NO_GATE', message: expect.stringContaining('tollgate(gate)') },
    ]);
    expect(handled).toBe(0);
  });

  test('wrong options are told of all at once, where they are given', () => {
    const gateOptions = {
      identify: 'user',
      skip: 1,
      headers: 'new',
      refundOn: true,
      ipv6Prefix: 8,
      defaultTier: 5,
      more: 1,
    };
    expect(() => tollgate(createTollgate({ limits: [] }), gateOptions as never)).toThrow(
      expect.objectContaining({
        code: 'TOLLGATE_CONFIG_INVALID',
        problems: expect.arrayContaining(Object.keys(gateOptions).map((path) => expect.objectContaining({ path }))),
      }),
    );
    expect(() => tollgate({ decide: true } as never, null as never)).toThrow(
      expect.objectContaining({
        problems: [
          { path: 'config', value: null, expected: expect.stringMatching(/^an object with any of authenticate, /) },
          { path: 'gate', value: { decide: true }, expected: 'what createTollgate({ … }) returned' },
        ],
      }),
    );
    const tollOptions = { feature: '', priority: 'now', model: 3, estimate: 5, permits: -1, more: 1 };
    expect(() => toll('' as never, tollOptions as never)).toThrow(
      expect.objectContaining({
        code: 'TOLLGATE_CONFIG_INVALID',
        problems: expect.arrayContaining(
          ['tier', ...Object.keys(tollOptions)].map((path) => expect.objectContaining({ path })),
        ),
      }),
    );
  });
});
