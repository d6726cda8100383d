/** How an admission is settled: by the adapter when the response closes, by the handler whenever it knows better, once. */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Readable } from 'node:stream';
import { type Admission, slidingWindow } from '@tollgate/core';
import { deferred, quiet } from '../../helpers/http-server.js';
import type { Answer, Call } from './harness.js';
import { as, type Open } from './workbench.js';

const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' });
const permits = slidingWindow({ name: 'permits', by: 'user', limit: 1000, window: '1m' });
const limits = [tokens, permits];
const ann = { user: 'ann' };
const toll = { tier: 'large', estimate: { inputTokens: 100, outputTokens: 200 } } as const;
const usage = { inputTokens: 30, outputTokens: 40 };

export function endingContract(open: Open): void {
  const openFor = (handler: (call: Call) => Answer | Promise<Answer>, options = {}) =>
    open({ limits, options, routes: [{ path: '/', toll, handler }] });
  const ask = { headers: as(ann) };

  test.each([
    [200, 'succeeded'],
    [404, 'succeeded'],
    [500, 'failed'],
    [503, 'failed'],
  ] as const)(
    'a response of %i that nobody settles keeps the estimate, provisionally, as %s',
    async (status, outcome) => {
      const { send, used, settlements } = await openFor(() => ({ status }));
      await send('/', ask);
      expect(settlements).toMatchObject([{ outcome, provisional: true, usage: undefined }]);
      expect([await used('tokens', ann), await used('permits', ann)]).toEqual([300, 10]);
    },
  );

  test('a response that code takes in place of a client, as of a cloud function, is one that succeeds', async () => {
    const { server, gate, settlements } = await openFor(() => ({ body: 'ok' }));
    const over = new Promise((resolve) => gate.on('settled', resolve));
    const req = Object.assign(new IncomingMessage(new Socket()), { method: 'GET', url: '/', headers: as(ann) });
    const res = new ServerResponse(req);
    res.on('finish', () => res.emit('close'));
    res.assignSocket(sink());
    server.emit('request', req, res);
    await over;
    expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: true }]);
  });

  test.each([
    [
      'throws',
      () => {
        throw new Error('no provider');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no provider'))],
  ])('a handler that %s keeps the estimate, and is the app’s error', async (_, handler) => {
    const { send, used, settlements, errors } = await openFor(handler);
    expect(await send('/', ask)).toMatchObject({ status: 500, text: 'app error' });
    expect(errors).toEqual([new Error('no provider')]);
    expect(settlements).toMatchObject([{ outcome: 'failed', provisional: true }]);
    expect(await used('tokens', ann)).toBe(300);
  });

  test('what the handler settles before it responds is final', async () => {
    const { send, used, settlements } = await openFor(async ({ admission }) => {
      await admission?.settle({ usage });
      return { body: 'ok' };
    });
    await send('/', ask);
    expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: false, usage }]);
    expect([await used('tokens', ann), await used('permits', ann)]).toEqual([70, 10]);
  });

  test('settling twice counts once', async () => {
    const { send, used, settlements } = await openFor(async ({ admission }) => {
      await admission?.settle({ usage });
      await admission?.settle({ usage: { inputTokens: 999 } });
      await admission?.settle({ outcome: 'ignored' });
      return {};
    });
    await send('/', ask);
    expect(settlements).toHaveLength(1);
    expect(await used('tokens', ann)).toBe(70);
  });

  test('actual usage above the estimate is booked, and blocks', async () => {
    const { send, used } = await openFor(async ({ admission }) => {
      await admission?.settle({ usage: { inputTokens: 1500 } });
      return {};
    });
    await send('/', ask);
    expect(await used('tokens', ann)).toBe(1700);
    expect((await send('/', ask)).status).toBe(429);
  });

  test('what the handler settles after the response supersedes the provisional end, once', async () => {
    let admission: Admission | undefined;
    const { send, used, settlements } = await openFor((call) => {
      admission = call.admission;
      return { body: 'ok' };
    });
    await send('/', ask);
    expect(await used('tokens', ann)).toBe(300);
    await admission?.settle({ usage });
    expect(await used('tokens', ann)).toBe(70);
    await admission?.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect(await used('tokens', ann)).toBe(70);
    expect(settlements.map(({ provisional }) => provisional)).toEqual([true, false]);
  });

  test('of an admission kept open the response is not the end', async () => {
    let admission: Admission | undefined;
    const { send, used, settlements } = await openFor(
      (call) => {
        admission = call.admission;
        admission?.keepOpen();
        return { status: 500 };
      },
      { refundOn: () => true },
    );
    await send('/', ask);
    expect(settlements).toEqual([]);
    expect(await used('tokens', ann)).toBe(300);
    const more = await admission?.extend({ outputTokens: 50 });
    expect(more?.admitted).toBe(true);
    expect(await used('tokens', ann)).toBe(350);
    await admission?.settle({ usage });
    expect(await used('tokens', ann)).toBe(70);
    expect(settlements).toMatchObject([{ provisional: false }]);
  });

  test('`refundOn` gives back all of the responses it names, and hears how they ended', async () => {
    const ends: unknown[] = [];
    const refundOn = (end: { status: number; finished: boolean }) => ends.push(end) > 0 && end.status === 503;
    const { send, used, settlements } = await openFor(
      ({ req }) => ({ status: Number(req.headers['x-status']), body: 'done' }),
      { refundOn },
    );
    await send('/', { headers: { ...as(ann), 'x-status': '503' } });
    expect([await used('tokens', ann), await used('permits', ann)]).toEqual([0, 0]);
    await send('/', { headers: { ...as(ann), 'x-status': '502' } });
    expect([await used('tokens', ann), await used('permits', ann)]).toEqual([300, 10]);
    expect(ends).toEqual([
      { status: 503, finished: true },
      { status: 502, finished: true },
    ]);
    expect(settlements.map(({ outcome }) => outcome)).toEqual(['ignored', 'failed']);
  });

  test('`refundOn` is asked once, however many annotations the request has met', async () => {
    const refundOn = jest.fn(() => false);
    const { send } = await openFor(() => ({}), { refundOn, defaultTier: 'small' });
    await send('/', ask);
    expect(refundOn).toHaveBeenCalledTimes(1);
  });

  test('a refund can be superseded too', async () => {
    let admission: Admission | undefined;
    const { send, used } = await openFor(
      (call) => {
        admission = call.admission;
        return { status: 500 };
      },
      { refundOn: () => true },
    );
    await send('/', ask);
    expect(await used('tokens', ann)).toBe(0);
    await admission?.settle({ outcome: 'failed', usage });
    expect(await used('tokens', ann)).toBe(70);
  });

  test('a stream is charged as it begins, and settled when it has ended', async () => {
    const go = deferred();
    async function* parts() {
      yield 'one ';
      await go.promise;
      yield 'two';
    }
    const started = deferred();
    const { send, used, settlements } = await openFor(() => {
      started.resolve();
      return { body: Readable.from(parts()) };
    });
    const reply = send('/', ask);
    await started.promise;
    await quiet();
    expect(await used('tokens', ann)).toBe(300);
    expect(settlements).toEqual([]);
    go.resolve();
    expect((await reply).text).toBe('one two');
    expect(settlements).toMatchObject([{ outcome: 'succeeded', provisional: true }]);
  });

  test('a stream may settle when it knows its usage, before its end', async () => {
    const { send, used, settlements } = await openFor(({ admission }) => {
      async function* parts() {
        yield 'text';
        await admission?.settle({ usage });
        yield '[DONE]';
      }
      return { body: Readable.from(parts()) };
    });
    expect((await send('/', ask)).text).toBe('text[DONE]');
    expect(await used('tokens', ann)).toBe(70);
    expect(settlements).toHaveLength(1);
  });

  test('the signal of an answered request does not abort', async () => {
    let admission: Admission | undefined;
    const { send } = await openFor((call) => {
      admission = call.admission;
      return { body: 'ok' };
    });
    await send('/', ask);
    await quiet();
    expect(admission?.signal.aborted).toBe(false);
  });
}

/** In place of a connection, what serverless-http has. */
function sink(): Socket {
  const nothing = () => {};
  const write = (_chunk: unknown, encoding: unknown, done: unknown = encoding) => {
    if (typeof done === 'function') setImmediate(done as () => void);
    return true;
  };
  return {
    _writableState: {},
    writable: true,
    on: nothing,
    removeListener: nothing,
    cork: nothing,
    uncork: nothing,
    write,
  } as never;
}
