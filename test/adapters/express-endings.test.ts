/** How requests end in Express's own ways: settled by the handler, refused in the app's words, upgraded. Of both versions. */
import { once } from 'node:events';
import { ServerResponse } from 'node:http';
import type { Refusal } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { toll, tollgate } from '@tollgate/express';
import type { NextFunction, Request, Response } from 'express';
import { EXPRESS, openExpress } from '../helpers/http-express.js';
import { makeGate } from '../helpers/http-gate.js';
import { closeServers, deferred, quiet, send, sendAndStay } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

afterEach(closeServers);

describe.each(EXPRESS)('%s', (_, express) => {
  const warned = recordWarnings();

  describe('settling in the handler', () => {
    const estimate = { inputTokens: 100, outputTokens: 200 };

    test('after res.json, and after something has been awaited, supersedes the provisional end once', async () => {
      const provisional = deferred();
      const done = deferred();
      const { server, gate, used } = await openExpress(express, (app) =>
        app.get('/', toll('small', { estimate }), async (req, res) => {
          res.json({ answer: 42 });
          await provisional.promise;
          await req.admission?.settle({ usage: { inputTokens: 7, outputTokens: 8 } });
          await req.admission?.settle({ usage: { inputTokens: 500 } });
          done.resolve();
        }),
      );
      const ends: boolean[] = [];
      gate.on('settled', (event) => {
        ends.push(event.provisional);
        provisional.resolve();
      });
      expect((await send(server, '/')).text).toBe('{"answer":42}');
      await done.promise;
      expect(ends).toEqual([true, false]);
      expect(await used('tokens')).toBe(15);
    });

    test('while a stream is written by hand', async () => {
      const { server, used } = await openExpress(express, (app) =>
        app.get('/', toll('small', { estimate }), async (req, res) => {
          res.type('text/event-stream');
          for (const part of ['a', 'b']) {
            res.write(`data: ${part}\n\n`);
            await quiet(1);
          }
          await req.admission?.settle({ usage: { inputTokens: 1, outputTokens: 2 } });
          res.end();
        }),
      );
      const reply = await send(server, '/');
      expect(reply.text).toBe('data: a\n\ndata: b\n\n');
      expect(reply.headers).toMatchObject({ 'content-type': expect.stringContaining('text/event-stream') });
      expect(reply.headers.ratelimit).toContain('"user";r=99');
      expect(await used('tokens')).toBe(3);
    });
  });

  describe('a custom refusal', () => {
    test('gets the refusal, request, response and next', async () => {
      const refuse = (refusal: Refusal, req: Request, res: Response) => {
        res.type('text').send(`${res.statusCode} ${req.path} ${refusal.reason} ${refusal.violated[0].limit}`);
      };
      const { server } = await openExpress(
        express,
        (app) => app.get('/here', toll('small', { permits: 101 }), (_req, res) => void res.send('ok')),
        {
          refuse,
        },
      );
      expect(await send(server, '/here')).toMatchObject({ status: 422, text: '422 /here too-costly 100' });
    });

    test('may hand the refusal to the app’s error handlers', async () => {
      const refuse = (refusal: Refusal, _req: Request, _res: Response, next: NextFunction) =>
        next(new Error(refusal.reason));
      const { server, errors } = await openExpress(
        express,
        (app) => app.get('/', toll('small', { permits: 101 }), (_req, res) => void res.send('ok')),
        {
          refuse,
        },
      );
      expect((await send(server, '/')).status).toBe(500);
      expect(errors).toEqual([new Error('too-costly')]);
    });

    test('that lets the request pass leaves it without an admission, also where a default tier had been paid', async () => {
      const refuse = (_refusal: Refusal, _req: Request, res: Response, next: NextFunction) => {
        res.status(200);
        next();
      };
      const { server, used } = await openExpress(
        express,
        (app) =>
          app.get(
            '/',
            toll('small', { permits: 101 }),
            (req, res) => void res.json([typeof req.admission, typeof currentAdmission()]),
          ),
        { refuse, defaultTier: 'small' },
      );
      expect((await send(server, '/')).text).toBe('["undefined","undefined"]');
      expect(await used()).toBe(0);
    });

    test('of the nearest gate is the one that is used', async () => {
      const gate = makeGate();
      const router = express.Router();
      router.use(tollgate(gate, { refuse: (_refusal, _req, res) => res.send('inner') }));
      router.get('/', toll('small', { permits: 101 }), (_req, res) => void res.send('ok'));
      const { server } = await openExpress(
        express,
        (app) => {
          app.use('/inner', router);
          app.get('/', toll('small', { permits: 101 }), (_req, res) => void res.send('ok'));
        },
        { refuse: (_refusal, _req, res) => res.send('outer') },
      );
      expect((await send(server, '/inner')).text).toBe('inner');
      expect((await send(server, '/')).text).toBe('outer');
    });
  });

  test('a promise is no word for a refund: nothing is given back, and the operator is told', async () => {
    const refundOn = (async () => true) as never;
    const { server, used } = await openExpress(
      express,
      (app) => app.get('/', toll('large'), (_req, res) => void res.send('ok')),
      { refundOn },
    );
    await send(server, '/');
    expect(await used()).toBe(10);
    expect(warned()).toContain('TOLLGATE_SETTLE_FAILED');
  });

  test('a function for refunds that throws is no reason for the process to fall', async () => {
    const { server, used } = await openExpress(
      express,
      (app) => app.get('/', toll('large'), (_req, res) => void res.send('ok')),
      {
        refundOn: () => {
          throw new Error('refundOn');
        },
      },
    );
    const fell = jest.fn();
    server.on('request', (_req, res) => {
      const emit = res.emit.bind(res);
      res.emit = (event: string, ...args: unknown[]) => {
        try {
          return emit(event as 'close', ...(args as []));
        } catch (error) {
          fell(error);
          return true;
        }
      };
    });
    expect((await send(server, '/')).status).toBe(200);
    expect(fell).not.toHaveBeenCalled();
    expect(await used()).toBe(10);
  });

  test('an upgrade that the app is handed with a response of no connection, as by express-ws, is over with its own', async () => {
    const handled = deferred<Request>();
    const { app, gate, server, used } = await openExpress(express, (app) =>
      app.get('/', toll('large'), (req) => handled.resolve(req)),
    );
    server.on('upgrade', (req, socket) => {
      socket.on('end', () => socket.end()).resume();
      app(req, new ServerResponse(req));
    });
    const client = sendAndStay(server, '/', { Connection: 'Upgrade', Upgrade: 'echo' });
    const { admission } = await handled.promise;
    const over = new Promise((resolve) => gate.on('settled', resolve));
    client.destroy();
    await over;
    expect([admission?.signal.aborted, await used()]).toEqual([true, 10]);
  });

  test('real upgrades go past the gate: neither asked who they are nor charged', async () => {
    let asked = 0;
    const { server, used } = await openExpress(
      express,
      (app) => app.get('/', toll('large'), (_req, res) => void res.send('ok')),
      {
        defaultTier: 'small',
        identify: () => {
          asked++;
          return { user: 'ann' };
        },
      },
    );
    server.on('upgrade', (_req, socket) => {
      socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello');
    });
    const client = sendAndStay(server, '/', { Connection: 'Upgrade', Upgrade: 'echo' });
    let received = '';
    client.setEncoding('utf8').on('data', (part) => {
      received += part;
    });
    await once(client, 'end');
    expect(received).toMatch(/^HTTP\/1\.1 101 .*hello$/s);
    expect(received.toLowerCase()).not.toContain('ratelimit');
    expect([asked, await used()]).toEqual([0, 0]);
  });
});
