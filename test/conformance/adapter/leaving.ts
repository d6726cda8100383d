/** A client that hangs up: before it is admitted it costs nothing; after that its work is told to stop. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type Admission, memoryStore, type Store, slidingWindow } from '@tollgate/core';
import { deferred, quiet, sendAndStay } from '../../helpers/http-server.js';
import { as, byHeader, type Open, streamingHandler, subjectOf } from './workbench.js';

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })];
const ann = { user: 'ann' };
const toll = { tier: 'large' } as const;

/** Resolves when the server knows that the client has gone. */
async function goneFrom(req: IncomingMessage): Promise<void> {
  if (!req.socket.destroyed) await once(req.socket, 'close');
}

export function leavingContract(open: Open): void {
  /** An app whose requests stop at a question of the adapter's until they are let go on. */
  async function stoppedAt(question: 'identify' | 'skip' | 'tier') {
    const asked = deferred<IncomingMessage>();
    const answered = deferred();
    let handled = 0;
    const stop = async <T>(req: IncomingMessage, value: T): Promise<T> => {
      asked.resolve(req);
      await answered.promise;
      return value;
    };
    const bench = await open({
      limits,
      options: {
        ...(question === 'identify' && { identify: (req) => stop(req, subjectOf(req)) }),
        ...(question === 'skip' && { skip: (req) => stop(req, false) }),
      },
      routes: [
        {
          path: '/',
          toll: question === 'tier' ? { tier: (req) => stop(req, 'large' as const) } : toll,
          handler: () => ({ body: String(++handled) }),
        },
      ],
    });
    return { ...bench, asked: asked.promise, go: answered.resolve, handled: () => handled };
  }

  test.each(['identify', 'skip', 'tier'] as const)(
    'while %s is pending: is charged nothing, and the handler is not run',
    async (question) => {
      const { server, used, errors, settlements, asked, go, handled } = await stoppedAt(question);
      const client = sendAndStay(server, '/', as(ann));
      const req = await asked;
      client.destroy();
      await goneFrom(req);
      go();
      await quiet();
      expect(handled()).toBe(0);
      expect(errors).toEqual([]);
      expect(await used('user', ann)).toBe(0);
      expect(settlements).toEqual([]);
    },
  );

  test.each([
    ['for its first toll', 1, {}],
    ['for its second, which changes the first', 2, { defaultTier: 'small' as const }],
  ])(
    'while the store is asked %s: is given back what was charged, and the handler is not run',
    async (_, nth, more) => {
      const asked = deferred();
      const answered = deferred();
      const memory = memoryStore();
      let takes = 0;
      const store: Store = {
        ...memory,
        async take(request, now) {
          const taken = await memory.take(request, now);
          if (++takes < nth) return taken;
          asked.resolve();
          await answered.promise;
          return taken;
        },
      };
      let req: IncomingMessage | undefined;
      let handled = 0;
      const { server, used, errors } = await open({
        limits,
        store,
        options: {
          ...more,
          identify: (asking) => {
            req = asking;
            return subjectOf(asking);
          },
        },
        routes: [{ path: '/', toll: byHeader, handler: () => ({ body: String(++handled) }) }],
      });
      const client = sendAndStay(server, '/', { ...as(ann), 'x-permits': '10' });
      await asked.promise;
      expect(await used('user', ann)).toBe(10);
      client.destroy();
      await goneFrom(req as IncomingMessage);
      answered.resolve();
      await quiet();
      expect(handled).toBe(0);
      expect(errors).toEqual([]);
      expect(await used('user', ann)).toBe(0);
    },
  );

  async function streaming(options = {}) {
    const { started, handler } = streamingHandler();
    const bench = await open({
      limits,
      options,
      routes: [
        {
          path: '/',
          toll,
          handler,
        },
      ],
    });
    const client = sendAndStay(bench.server, '/', as(ann));
    const admission = await started;
    await once(client, 'data');
    return { ...bench, client, admission };
  }

  test('in the middle of a stream: its signal aborts, the estimate stands', async () => {
    const { client, admission, used, settlements } = await streaming();
    const aborted = once(admission.signal, 'abort');
    expect(admission.signal.aborted).toBe(false);
    client.destroy();
    await aborted;
    expect(admission.signal.reason).toMatchObject({ name: 'TollgateError', code: 'TOLLGATE_CLIENT_GONE' });
    await quiet();
    expect(settlements).toMatchObject([{ outcome: 'failed', provisional: true }]);
    expect(await used('user', ann)).toBe(10);
  });

  test('who asks for the signal only then finds it aborted', async () => {
    const { client, admission, gate } = await streaming();
    const over = new Promise((resolve) => gate.on('settled', resolve));
    client.destroy();
    await over;
    expect(admission.signal.aborted).toBe(true);
  });

  test('what was seen of its usage supersedes the estimate', async () => {
    const { client, admission, used, gate } = await streaming();
    const over = new Promise((resolve) => gate.on('settled', resolve));
    client.destroy();
    await over;
    await admission.settle({ outcome: 'ignored' });
    expect(await used('user', ann)).toBe(0);
  });

  test('`refundOn` hears that the response was not finished', async () => {
    const ends: unknown[] = [];
    const refundOn = (end: unknown) => ends.push(end) > 0;
    const { client, used, gate } = await streaming({ refundOn });
    const over = new Promise((resolve) => gate.on('settled', resolve));
    client.destroy();
    await over;
    expect(ends).toEqual([{ status: 200, finished: false }]);
    expect(await used('user', ann)).toBe(0);
  });

  test('while a long answer that has ended is being sent: has not had it', async () => {
    const answering = deferred();
    const ends: unknown[] = [];
    const { server, gate } = await open({
      limits,
      options: { refundOn: (end) => ends.push(end) < 0 },
      routes: [
        {
          path: '/',
          toll,
          handler() {
            answering.resolve();
            return { body: 'x'.repeat(30_000_000) };
          },
        },
      ],
    });
    const over = new Promise((resolve) => gate.on('settled', resolve));
    const client = sendAndStay(server, '/', as(ann));
    await answering.promise;
    await quiet();
    expect(ends).toEqual([]);
    client.destroy();
    await over;
    expect(ends).toEqual([{ status: 200, finished: false }]);
  });

  test('before its handler has responded: the handler can tell by the signal', async () => {
    const started = deferred<Admission>();
    const done = deferred<string>();
    const { server } = await open({
      limits,
      routes: [
        {
          path: '/',
          toll,
          handler: async ({ admission }) => {
            started.resolve(admission as Admission);
            await once((admission as Admission).signal, 'abort');
            done.resolve('stopped');
            return { body: 'too late' };
          },
        },
      ],
    });
    const client = sendAndStay(server, '/', as(ann));
    await started.promise;
    client.destroy();
    expect(await done.promise).toBe('stopped');
  });

  test('after its answer: has had a request like any other, and so has the next on its connection', async () => {
    const { server, used, settlements, gate } = await open({
      limits,
      routes: [{ path: '/', toll, handler: () => ({ body: 'ok' }) }],
    });
    const client = sendAndStay(server, '/', as(ann));
    const over = new Promise<void>((resolve) => gate.on('settled', () => settlements.length === 2 && resolve()));
    client.write(`GET / HTTP/1.1\r\nHost: localhost\r\nx-subject: {"user":"ann"}\r\n\r\n`);
    await over;
    client.destroy();
    await quiet();
    expect(settlements.map(({ outcome }) => outcome)).toEqual(['succeeded', 'succeeded']);
    expect(await used('user', ann)).toBe(20);
  });
}
