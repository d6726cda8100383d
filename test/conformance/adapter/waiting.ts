/** Requests that wait in the line: they are handled when their turn comes, and leave it when their client does. */
import type { Admission, AdmitRequest, TollgateEvents } from '@tollgate/core';
import { deferred, quiet, sendAndStay } from '../../helpers/http-server.js';
import type { Annotation } from './harness.js';
import { as, type Open, problemOf } from './workbench.js';

const ann = { user: 'ann' };
const CAPACITY = 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity';

export function waitingContract(open: Open): void {
  /** An app with one slot, whose requests to `/first` hold it until they are let go. */
  async function occupied(toll: Annotation = { tier: 'small' }) {
    const started = deferred();
    const letGo = deferred();
    const admissions: (Admission | undefined)[] = [];
    const bench = await open({
      queue: { concurrency: 1, maxWait: '10s' },
      routes: [
        {
          path: '/first',
          toll: { tier: 'small' },
          async handler() {
            started.resolve();
            await letGo.promise;
            return { body: 'first' };
          },
        },
        {
          path: '/next',
          toll,
          handler({ admission }) {
            admissions.push(admission);
            return { body: 'next' };
          },
        },
      ],
    });
    const queued: TollgateEvents['queued'][] = [];
    const waiting = deferred();
    bench.gate.on('queued', (event) => {
      queued.push(event);
      waiting.resolve();
    });
    const first = bench.send('/first');
    await started.promise;
    return { ...bench, first, letGo: letGo.resolve, admissions, queued, waiting: waiting.promise };
  }

  test('are handled when what ran before them has ended', async () => {
    const { send, first, letGo, admissions, waiting, clock, errors, used } = await occupied();
    const next = send('/next', { headers: as(ann) });
    await waiting;
    expect(admissions).toEqual([]);
    clock.advance(2000);
    letGo();
    expect((await first).text).toBe('first');
    expect(await next).toMatchObject({ status: 200, text: 'next' });
    expect(admissions).toMatchObject([{ waitedMs: 2000 }]);
    await quiet();
    expect(await used('concurrency')).toBe(0);
    expect(errors).toEqual([]);
  });

  test('are refused with 503 and Retry-After when they have waited for as long as they may', async () => {
    const { send, first, letGo, admissions, waiting, clock } = await occupied();
    const next = send('/next');
    await waiting;
    clock.advance(10_000);
    const reply = await next;
    expect(reply.status).toBe(503);
    expect(reply.headers['retry-after']).toBe('1');
    expect(problemOf(reply)).toMatchObject({
      type: CAPACITY,
      title: 'Waited too long',
      status: 503,
      detail:
        "This request has waited 10 seconds for 'concurrency', as long as it may; it was number 1 in the line. Try again in 1 second.",
      layer: 'concurrency',
      position: 1,
      retryAfter: 1,
    });
    expect(admissions).toEqual([]);
    letGo();
    await first;
  });

  test('are told to come again when the gate is closed, as are those that come then', async () => {
    const { send, gate, first, letGo, waiting, queued, admissions, errors, settlements } = await occupied();
    const withdrawn: TollgateEvents['withdrawn'][] = [];
    const refused: TollgateEvents['refused'][] = [];
    gate.on('withdrawn', (event) => withdrawn.push(event));
    gate.on('refused', (event) => refused.push(event));
    const next = send('/next');
    await waiting;
    await gate.close();
    const replies = [await next, await send('/next')];
    const [inLine, late] = replies.map((reply) => String(problemOf(reply).instance).replace('urn:tollgate:', ''));
    expect([queued, withdrawn]).toMatchObject([[{ id: inLine }], [{ id: inLine }]]);
    expect(refused).toMatchObject([{ id: late, request: { tier: 'small' }, refusal: { id: late, reason: 'closed' } }]);
    expect(late).not.toBe(inLine);
    for (const reply of replies) {
      expect(reply.status).toBe(503);
      expect(reply.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '5' });
      expect(problemOf(reply)).toMatchObject({
        type: CAPACITY,
        title: 'Shutting down',
        status: 503,
        detail: 'This service is being shut down or restarted. Try again in 5 seconds.',
        retryAfter: 5,
      });
    }
    await expect(gate.admit({ tier: 'small' })).rejects.toMatchObject({ code: 'TOLLGATE_CLOSED' });
    letGo();
    expect((await first).text).toBe('first');
    await quiet();
    expect(admissions).toEqual([]);
    expect(errors).toEqual([]);
    expect(settlements).toHaveLength(1);
  });

  test('leave the line when their client does, charged nothing', async () => {
    const { server, gate, first, letGo, admissions, waiting, used, errors, settlements } = await occupied();
    const withdrawn = deferred<AdmitRequest>();
    gate.on('withdrawn', ({ request }) => withdrawn.resolve(request));
    const client = sendAndStay(server, '/next', as(ann));
    await waiting;
    client.destroy();
    await withdrawn.promise;
    expect((await gate.inspect({})).line?.waiting).toBe(0);
    letGo();
    await first;
    await quiet();
    expect(admissions).toEqual([]);
    expect(errors).toEqual([]);
    expect(settlements).toHaveLength(1);
    expect(await used('concurrency')).toBe(0);
  });

  test('have a signal that aborts when their client leaves later, and only then', async () => {
    const { server, send, first, letGo, admissions, waiting } = await occupied();
    const next = send('/next');
    await waiting;
    letGo();
    await Promise.all([first, next]);
    await quiet();
    expect(admissions[0]?.signal.aborted).toBe(false);
    expect(server.listening).toBe(true);
  });

  test('are as urgent, and wait as long, as their annotation says', async () => {
    const toll: Annotation = {
      tier: 'small',
      priority: () => 'batch',
      maxWait: (req) => (req.headers['x-wait'] as '2s' | undefined) ?? '1h',
      whenShed: 'delay',
    };
    const { send, first, letGo, waiting, queued, clock } = await occupied(toll);
    const next = send('/next', { headers: { 'x-wait': '2s' } });
    await waiting;
    expect(queued).toMatchObject([{ request: { priority: 'batch', maxWait: '2s', whenShed: 'delay' }, position: 1 }]);
    clock.advance(2000);
    expect((await next).status).toBe(503);
    letGo();
    await first;
  });

  test('fail as errors of the app where their annotation says what is none', async () => {
    const toll: Annotation = { tier: 'small', maxWait: () => 'soon' as '1s' };
    const { send, first, letGo, errors } = await occupied(toll);
    expect((await send('/next')).status).toBe(500);
    expect(errors).toMatchObject([{ code: 'TOLLGATE_REQUEST_INVALID' }]);
    letGo();
    await first;
  });
}
