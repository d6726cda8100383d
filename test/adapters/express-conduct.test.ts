/** How the adapter behaves among Express's own ways: next, errors, parsers, responses that have begun. Of both versions. */
import type { Admission } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { toll, tollgate } from '@tollgate/express';
import type express5 from 'express';
import type { NextFunction, Request, Response } from 'express';
import supertest from 'supertest';
import { EXPRESS, openExpress } from '../helpers/http-express.js';
import { identify, makeGate } from '../helpers/http-gate.js';
import { closeServers, listen, quiet, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

afterEach(closeServers);

describe.each(EXPRESS)('%s', (_, express, version) => {
  recordWarnings();

  describe('next', () => {
    /** Counts the calls of the `next` that the adapter's middlewares are given. */
    function counted(middleware: express5.RequestHandler, calls: unknown[][]) {
      return (req: Request, res: Response, next: NextFunction) =>
        middleware(req, res, (...args: unknown[]) => {
          calls.push(args);
          next(...(args as []));
        });
    }

    test.each([
      ['passes', 1, undefined, [[]]],
      ['is refused', 101, undefined, []],
      ['fails', 1, new Error('who?'), [[new Error('who?')]]],
    ] as const)('is called once at most where a toll %s', async (_, permits, fault, expected) => {
      const calls: unknown[][] = [];
      const { server } = await openExpress(
        express,
        (app) => app.get('/', counted(toll('small', { permits }), calls), (_req, res) => void res.send('ok')),
        {
          identify: () => (fault ? Promise.reject(fault) : { user: 'ann' }),
        },
      );
      await send(server, '/');
      await quiet();
      expect(calls).toEqual(expected);
    });

    test('is called once where the handler after it throws at once', async () => {
      const calls: unknown[][] = [];
      const { server, errors } = await openExpress(express, (app) => {
        app.get('/', counted(toll('small'), calls), () => {
          throw new Error('handler');
        });
      });
      expect((await send(server, '/')).status).toBe(500);
      await quiet();
      expect(calls).toEqual([[]]);
      expect(errors).toEqual([new Error('handler')]);
    });

    test('takes a request that the app has made of another for that one', async () => {
      const pay = toll('small', { permits: 60 });
      const { server } = await openExpress(express, (app) =>
        app.get(
          '/',
          (req, res, next) => pay(Object.create(req), res, next),
          (req, res) => void res.json(req.admission !== undefined),
        ),
      );
      const answers = [await send(server, '/'), await send(server, '/')];
      expect(answers.map(({ status, text }) => [status, status === 200 && text])).toEqual([
        [200, 'true'],
        [429, false],
      ]);
    });

    test('of the gate itself is called once, with a default tier and without', async () => {
      for (const options of [{}, { defaultTier: 'small' as const }]) {
        const gate = makeGate();
        const calls: unknown[][] = [];
        const app = express();
        app.use(counted(tollgate(gate, options), calls));
        app.get('/', (_req, res) => void res.send('ok'));
        await send(await listen(app), '/');
        expect(calls).toEqual([[]]);
      }
    });
  });

  test('res.locals and headers set before the gate are there after it', async () => {
    const app = express();
    app.use((_req, res, next) => {
      res.locals.earlier = 'kept';
      res.set('x-earlier', 'kept');
      next();
    });
    app.use(tollgate(makeGate(), { identify }));
    app.get('/', toll('small'), (_req, res) => void res.json(res.locals));
    const reply = await send(await listen(app), '/');
    expect(JSON.parse(reply.text)).toEqual({ earlier: 'kept' });
    expect(reply.headers).toMatchObject({ 'x-earlier': 'kept', ratelimit: expect.any(String) });
  });

  test('the admission is on the request, and the current one', async () => {
    const { server } = await openExpress(express, (app) =>
      app.get('/', toll('large', { model: 'haiku' }), (req, res) => {
        res.json([req.admission?.model, req.admission === currentAdmission()]);
      }),
    );
    expect((await send(server, '/')).text).toBe('["haiku",true]');
  });

  test('the current admission outlasts a body parser between toll and handler', async () => {
    const { app } = await openExpress(
      express,
      (app) => {
        app.use(express.json());
        app.post(
          '/',
          (req, res) => void res.json([req.body, req.admission !== undefined && req.admission === currentAdmission()]),
        );
      },
      { defaultTier: 'small' },
    );
    const { body } = await supertest(app)
      .post('/')
      .send({ text: 'x'.repeat(90_000) });
    expect(body[0].text).toHaveLength(90_000);
    expect(body[1]).toBe(true);
  });

  test('a toll after the body parser can price by the body', async () => {
    const { app, used } = await openExpress(express, (app) => {
      app.use(express.json());
      app.post('/', toll('small', { permits: (req) => req.body.count }), (_req, res) => void res.send('ok'));
    });
    expect((await supertest(app).post('/').send({ count: 7 })).status).toBe(200);
    expect(await used()).toBe(7);
    for (const count of ['7', -7, null, { valueOf: 1 }, [7], 1e300]) {
      await supertest(app).post('/').send({ count });
    }
    // Of null nothing is said, so the tier's price holds; all others are errors.
    expect(await used()).toBe(8);
    expect((await supertest(app).post('/').send({ count: 93 })).status).toBe(429);
  });

  test('a toll before the body parser refuses before the body is read', async () => {
    const { app } = await openExpress(express, (app) => {
      app.post('/', toll('small', { permits: 101 }), express.json(), (_req, res) => void res.send('ok'));
      app.post('/late', express.json(), toll('small', { permits: 101 }), (_req, res) => void res.send('ok'));
    });
    const malformed = (path: string) => supertest(app).post(path).type('json').send('{"tok');
    expect((await malformed('/')).status).toBe(422);
    expect((await malformed('/late')).status).toBe(400);
  });

  test('an identity from the query that is a list or an object is an error, and charges nobody', async () => {
    const { app, gate, errors } = await openExpress(
      express,
      (app) => {
        app.set('query parser', 'extended');
        app.get('/', toll('small'), (_req, res) => void res.send('ok'));
      },
      { identify: (req) => ({ user: req.query.user as string }) },
    );
    for (const query of [
      'user=ann&user=bob',
      'user[]=ann',
      'user[$ne]=ann',
      'user[toString]=ann',
      'user[__proto__]=ann',
    ]) {
      const { status, text } = await supertest(app).get(`/?${query}`);
      expect([query, status, text]).toEqual([query, 500, 'app error']);
    }
    expect(errors).toMatchObject(Array(5).fill({ code: 'TOLLGATE_REQUEST_INVALID' }));
    for (const name of ['ann', 'bob', '__proto__']) expect((await gate.inspect({ user: name })).limits[0].used).toBe(0);
    expect((await supertest(app).get('/?user=__proto__')).status).toBe(200);
  });

  test('in production, what goes wrong in the adapter shows nothing of itself by Express’s own error page', async () => {
    const log = jest.spyOn(console, 'error').mockImplementation(() => {});
    const gate = makeGate();
    const app = express().set('env', 'production');
    app.use(tollgate(gate, { identify: () => ({ user: ['secret-id'] }) as never }));
    app.get('/', toll('small'), (_req, res) => void res.send('ok'));
    const reply = await send(await listen(app), '/');
    expect(reply.status).toBe(500);
    expect(reply.text).not.toMatch(/secret-id|TOLLGATE|at |\.ts/);
    await quiet();
    log.mockRestore();
  });

  describe('a response that has begun before the toll', () => {
    const begin = (_req: Request, res: Response, next: NextFunction) => {
      res.write('begun ');
      next();
    };

    test('goes on where the toll is paid, and no header is sent twice', async () => {
      const { server, errors, used } = await openExpress(express, (app) =>
        app.get('/', begin, toll('small'), (_req, res) => void res.end('ended')),
      );
      const reply = await send(server, '/');
      expect(reply).toMatchObject({ status: 200, text: 'begun ended' });
      expect(reply.headers).not.toHaveProperty('ratelimit');
      expect(errors).toEqual([]);
      expect(await used()).toBe(1);
    });

    test('is an error where it is refused, and the handler is not reached', async () => {
      let handled = 0;
      const { server, errors } = await openExpress(express, (app) =>
        app.get('/', begin, toll('small', { permits: 101 }), () => void handled++),
      );
      const log = jest.spyOn(console, 'error').mockImplementation(() => {});
      await expect(send(server, '/')).rejects.toThrow();
      await quiet();
      log.mockRestore();
      expect(errors).toMatchObject([{ name: 'TollgateError', code: 'TOLLGATE_TOO_LATE' }]);
      expect(handled).toBe(0);
    });
  });

  describe('error handlers', () => {
    test('see the admission of the request that failed, and may settle it', async () => {
      const seen: (Admission | undefined)[] = [];
      const { server, used } = await openExpress(express, (app) => {
        app.get('/', toll('large'), (_req, _res, next) => next(new Error('handler')));
        app.use(async (_error: unknown, req: Request, res: Response, _next: NextFunction) => {
          seen.push(req.admission, currentAdmission());
          await req.admission?.settle({ outcome: 'ignored' });
          res.status(502).send('sorry');
        });
      });
      expect((await send(server, '/')).status).toBe(502);
      expect(seen[0]).toBeDefined();
      expect(seen[1]).toBe(seen[0]);
      expect(await used()).toBe(0);
    });

    test('that send what the adapter failed with are not charged for it', async () => {
      const { server, used } = await openExpress(express, (app) =>
        app.get('/', toll('huge' as never), (_req, res) => void res.send('ok')),
      );
      expect(await send(server, '/')).toMatchObject({ status: 500, text: 'app error' });
      expect(await used()).toBe(0);
    });

    if (version === 5) {
      test('are reached by async handlers that reject, whose estimate stands', async () => {
        const { server, errors, used } = await openExpress(express, (app) =>
          app.get('/', toll('large'), async () => {
            await Promise.resolve();
            throw new Error('rejected');
          }),
        );
        expect(await send(server, '/')).toMatchObject({ status: 500, text: 'app error' });
        expect(errors).toEqual([new Error('rejected')]);
        expect(await used()).toBe(10);
      });
    }
  });

  test('what a default tier was charged is given back where the gate is closed before the toll', async () => {
    const bench = await openExpress(
      express,
      (app) =>
        app.get(
          '/',
          (_req, _res, next) => void bench.gate.close().then(() => next()),
          toll('large'),
          (_req, res) => void res.send('ok'),
        ),
      { defaultTier: 'small' },
    );
    const outcomes: string[] = [];
    bench.gate.on('settled', ({ outcome }) => outcomes.push(outcome));
    expect((await send(bench.server, '/')).status).toBe(503);
    expect(outcomes).toEqual(['ignored']);
    expect(bench.errors).toEqual([]);
  });
});
