/** Requests that a client sends at once on one connection: their answers wait for each other, and may never be sent. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { type Admission, slidingWindow } from '@tollgate/core';
import { deferred, quiet, sendAndStay } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { as, type Open, subjectOf } from './workbench.js';

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' })];
const ann = { user: 'ann' };

const ANOTHER = 'GET / HTTP/1.1\r\nHost: localhost\r\nx-subject: {"user":"ann"}\r\n\r\n';

export function pipeliningContract(open: Open): void {
  const warned = recordWarnings();

  test('are all over where the client leaves: their signals abort, their slots are free', async () => {
    const MANY = 12;
    const all = deferred();
    const admissions: Admission[] = [];
    const { server, used, settlements, gate } = await open({
      limits,
      queue: { concurrency: MANY },
      routes: [
        {
          path: '/',
          toll: { tier: 'small' },
          async handler({ admission }) {
            if (admissions.push(admission as Admission) === MANY) all.resolve();
            // The last is answered, and its answer waits to be sent.
            if (admissions.length < MANY) await once((admission as Admission).signal, 'abort');
            return { body: 'ok' };
          },
        },
      ],
    });
    const client = sendAndStay(server, '/', as(ann));
    for (let i = 1; i < MANY; i++) client.write(ANOTHER);
    await all.promise;
    expect(await used('concurrency')).toBe(MANY);
    const over = new Promise<void>((resolve) => gate.on('settled', () => settlements.length === MANY && resolve()));
    client.destroy();
    await over;
    await quiet();
    expect(admissions.map(({ signal }) => signal.aborted)).toEqual(Array(MANY).fill(true));
    expect(settlements.map(({ outcome }) => outcome)).toEqual(Array(MANY).fill('failed'));
    expect([await used('user', ann), await used('concurrency')]).toEqual([MANY, 0]);
    expect(warned()).toEqual([]);
  });

  test('are charged nothing where it leaves while it is asked who it is', async () => {
    const answered = deferred();
    const both = deferred<IncomingMessage>();
    let asked = 0;
    const { server, used, errors, settlements } = await open({
      limits,
      options: {
        async identify(req) {
          if (++asked === 2) both.resolve(req);
          await answered.promise;
          return subjectOf(req);
        },
      },
      routes: [{ path: '/', toll: { tier: 'large' }, handler: () => ({ body: 'ok' }) }],
    });
    const client = sendAndStay(server, '/', as(ann));
    client.write(ANOTHER);
    const req = await both.promise;
    client.destroy();
    await once(req.socket, 'close');
    answered.resolve();
    await quiet();
    expect([errors, settlements]).toEqual([[], []]);
    expect(await used('user', ann)).toBe(0);
  });
}
