/** What the frameworks that speak HTTP/2 promise over it: that it ends as over HTTP/1, which Node tells in other ways. */
import { once } from 'node:events';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  createServer,
  type Http2Server,
  type Http2ServerRequest,
  type Http2ServerResponse,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTollgate, slidingWindow, type TollgateEvents } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { deferred, quiet } from '../../helpers/http-server.js';
import type { AppSpec, Harness } from './harness.js';
import { as, streamingHandler, subjectOf } from './workbench.js';

const ann = { user: 'ann' };
const toll = { tier: 'large' } as const;

export function http2Contract(name: string, harness: Harness): void {
  const running = new Map<Http2Server, ClientHttp2Session>();

  afterEach(async () => {
    for (const [server, session] of running) {
      session.destroy();
      await new Promise((resolve) => server.close(resolve));
    }
    running.clear();
  });

  async function open({
    options,
    routes,
    ...config
  }: Pick<AppSpec, 'options' | 'routes'> & { queue?: { concurrency: number } }) {
    const limits = [
      slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' }),
      slidingWindow({ name: 'address', by: 'ip', limit: 100, window: '1m' }),
    ];
    const gate = createTollgate({ ...config, limits, clock: manualClock() });
    const errors: unknown[] = [];
    const settlements: TollgateEvents['settled'][] = [];
    gate.on('settled', (event) => settlements.push(event));
    const onError = (error: unknown) => void errors.push(error);
    const app = await harness({ gate, options: { identify: subjectOf, ...options }, routes, onError, http2: true });
    const server = createServer(app as RequestListener & ((req: Http2ServerRequest, res: Http2ServerResponse) => void));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const session = connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    running.set(server, session);
    const ask = (path: string, method = 'GET'): ClientHttp2Stream =>
      session.request({ ':path': path, ':method': method, ...as(ann) }).on('error', () => {});
    return {
      gate,
      errors,
      settlements,
      ask,
      async used(layer: string) {
        const { limits } = await gate.inspect({ ...ann, ip: '127.0.0.1' });
        return limits.find((limit) => limit.layer === layer)?.used;
      },
    };
  }

  describe(`${name} over HTTP/2`, () => {
    test('a request is admitted, told how it stands, and settled as succeeded', async () => {
      const { ask, used, settlements, gate } = await open({
        routes: [{ path: '/', toll, handler: ({ admission }) => ({ body: admission ? 'paid' : 'free' }) }],
      });
      const over = new Promise((resolve) => gate.on('settled', resolve));
      const stream = ask('/');
      const [headers] = await once(stream, 'response');
      expect(headers[':status']).toBe(200);
      expect(headers['ratelimit-policy']).toBe(
        '"user";q=100;qu="tollgate-permits";w=60, "address";q=100;qu="tollgate-permits";w=60',
      );
      expect(await text(stream)).toBe('paid');
      await over;
      expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: true }]);
      expect([await used('user'), await used('address')]).toEqual([10, 10]);
    });

    test('HEAD is over when the client has its headers, though the handler goes on', async () => {
      const begin = (_req: IncomingMessage, res: ServerResponse) => {
        res.writeHead(200);
        return new Promise<void>(() => {});
      };
      const { ask, used, settlements, gate } = await open({
        queue: { concurrency: 1 },
        routes: [{ path: '/', toll, after: begin, handler: () => ({}) }],
      });
      const over = new Promise((resolve) => gate.on('settled', resolve));
      const stream = ask('/', 'HEAD');
      const [headers] = await once(stream, 'response');
      expect(headers[':status']).toBe(200);
      expect(await text(stream)).toBe('');
      await over;
      expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: true }]);
      expect([await used('user'), await used('concurrency')]).toEqual([10, 0]);
    });

    test('a refusal is a problem', async () => {
      const { ask } = await open({ routes: [{ path: '/', toll: { ...toll, permits: 101 }, handler: () => ({}) }] });
      const stream = ask('/');
      const [headers] = await once(stream, 'response');
      expect([headers[':status'], headers['content-type']]).toEqual([422, 'application/problem+json']);
      expect(JSON.parse(await text(stream))).toMatchObject({ status: 422, layer: 'user' });
    });

    test('who leaves before it is known who it is, is charged nothing and not handled', async () => {
      const asked = deferred<IncomingMessage>();
      const answered = deferred();
      let handled = 0;
      const { ask, used, settlements, errors } = await open({
        options: {
          async identify(req) {
            asked.resolve(req);
            await answered.promise;
            return subjectOf(req);
          },
        },
        routes: [{ path: '/', toll, handler: () => ({ body: String(++handled) }) }],
      });
      const stream = ask('/');
      const gone = once(await asked.promise, 'close');
      stream.close(constants.NGHTTP2_CANCEL);
      await gone;
      answered.resolve();
      await quiet();
      expect(handled).toBe(0);
      expect(errors).toEqual([]);
      expect(settlements).toEqual([]);
      expect(await used('user')).toBe(0);
    });

    test('who leaves in the middle of a stream: its signal aborts, the estimate stands, as failed', async () => {
      const { started, handler } = streamingHandler();
      const { ask, used, settlements, gate } = await open({
        queue: { concurrency: 1 },
        routes: [
          {
            path: '/',
            toll,
            handler,
          },
        ],
      });
      const stream = ask('/');
      const { signal } = await started;
      await once(stream, 'data');
      const over = new Promise((resolve) => gate.on('settled', resolve));
      stream.close(constants.NGHTTP2_CANCEL);
      await over;
      expect(signal.aborted).toBe(true);
      expect(settlements).toMatchObject([{ outcome: 'failed', provisional: true }]);
      expect([await used('user'), await used('concurrency')]).toEqual([10, 0]);
    });
  });
}
