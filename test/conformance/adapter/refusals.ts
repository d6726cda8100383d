/** Every reason to refuse, and what the client is told of it: enough to act on, and nothing of others. */
import { type Refusal, slidingWindow, tokenBucket } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { as, byHeader, costing, type Open, ok, problemOf } from './workbench.js';

const ann = { user: 'ann' };
const user = tokenBucket({ name: 'user', by: 'user', capacity: 10, refill: '6/m' });
const routes = [{ path: '/', toll: byHeader, handler: ok }];
const BASE = 'https://iana.org/assignments/http-problem-types';

export function refusalContract(open: Open): void {
  recordWarnings();

  test('a limit that is reached: 429, a problem of type quota-exceeded, the handler is not run', async () => {
    let handled = 0;
    const handler = () => ({ body: String(++handled) });
    const { send, gate, used } = await open({ limits: [user], routes: [{ path: '/', toll: byHeader, handler }] });
    const refusals: Refusal[] = [];
    gate.on('refused', ({ refusal }) => refusals.push(refusal));
    await send('/', costing(7));
    const reply = await send('/', costing(4));
    expect(reply.status).toBe(429);
    expect(reply.headers['content-type']).toBe('application/problem+json');
    expect(reply.headers['retry-after']).toBe('10');
    expect(problemOf(reply)).toEqual({
      type: `${BASE}#quota-exceeded`,
      title: 'Limit reached',
      status: 429,
      detail: "You have used 7 of the 10 permits that 'user' allows; this request costs 4. Try again in 10 seconds.",
      instance: `urn:tollgate:${refusals[0].id}`,
      layer: 'user',
      'violated-policies': ['user'],
      retryAfter: 10,
    });
    expect(handled).toBe(1);
    expect(await used('user', ann)).toBe(7);
  });

  test('refusals have an instance of their own each', async () => {
    const { send } = await open({ limits: [user], routes });
    await send('/', costing(10));
    const replies = [await send('/', costing(1)), await send('/', costing(1))];
    expect(new Set(replies.map((reply) => problemOf(reply).instance)).size).toBe(2);
  });

  test('of several layers that refuse all are named, and the one that takes longest is told of', async () => {
    const { send, used } = await open({
      limits: [
        slidingWindow({ name: 'short', by: 'user', limit: 5, window: '10s' }),
        slidingWindow({ name: 'roomy', by: 'user', limit: 500, window: '1m' }),
        slidingWindow({ name: 'long', by: 'user', limit: 6, window: '1h' }),
      ],
      routes,
    });
    await send('/', costing(5));
    const problem = problemOf(await send('/', costing(2)));
    expect(problem).toMatchObject({ status: 429, layer: 'long', 'violated-policies': ['short', 'long'] });
    expect(problem.detail).toMatch(/^You have used 5 of the 6 permits that 'long' allows; this request costs 2\./);
    for (const layer of ['short', 'roomy', 'long']) expect(await used(layer, ann)).toBe(5);
  });

  test('more than a limit can ever hold: 422, and no retry', async () => {
    const { send, used } = await open({ limits: [user], routes });
    const reply = await send('/', costing(11));
    expect(reply.status).toBe(422);
    expect(reply.headers).toMatchObject({ 'content-type': 'application/problem+json', 'x-should-retry': 'false' });
    expect(reply.headers).not.toHaveProperty('retry-after');
    expect(problemOf(reply)).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Content',
      status: 422,
      detail: "This request costs 11 permits; 'user' never allows more than 10.",
      instance: expect.stringMatching(/^urn:tollgate:./),
      layer: 'user',
      'violated-policies': ['user'],
    });
    expect(await used('user', ann)).toBe(0);
  });

  test('too costly for one layer goes before any that is merely full', async () => {
    const { send, clock } = await open({
      limits: [user, slidingWindow({ name: 'tiny', by: 'user', limit: 3, window: '1s' })],
      routes,
    });
    for (let i = 0; i < 3; i++) {
      await send('/', costing(3));
      clock.advance(1100);
    }
    const reply = await send('/', costing(4));
    expect(reply.status).toBe(422);
    expect(problemOf(reply)).toMatchObject({ layer: 'tiny', 'violated-policies': ['user', 'tiny'] });
  });

  test.each([
    [60, undefined],
    [61, 'false'],
  ])('who is to wait %i s: SDKs are told whether to retry by themselves: %s', async (seconds, shouldRetry) => {
    const { send } = await open({
      limits: [tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '1/s' })],
      routes,
    });
    await send('/', costing(100));
    const { headers } = await send('/', costing(seconds));
    expect(headers['retry-after']).toBe(String(seconds));
    expect(headers['x-should-retry']).toBe(shouldRetry);
  });

  describe('of a limit that the caller shares with others only the name is told', () => {
    const shared = [
      ['all', slidingWindow({ name: 'shared', limit: 977, window: '1m' })],
      ['a feature', slidingWindow({ name: 'shared', by: 'feature', limit: 977, window: '1m' })],
      ['a plan', slidingWindow({ name: 'shared', by: ['plan', 'model'], limit: 977, window: '1m' })],
      ['callers without a name', slidingWindow({ name: 'shared', by: 'user', limit: 977, window: '1m' })],
      ['all, by bucket', tokenBucket({ name: 'shared', capacity: 977, refill: '7/h' })],
    ] as const;
    const anonymous = { plan: 'pro' };

    test.each(shared)('by %s, when it is full', async (_, limit) => {
      const { send } = await open({ limits: [limit], routes });
      await send('/', costing(977, anonymous));
      const reply = await send('/', costing(13, anonymous));
      expect(reply.status).toBe(429);
      expect(problemOf(reply).detail).toMatch(
        /^The limit 'shared', which you share with others, is reached\. Try again/,
      );
      expect(reply.text).not.toMatch(/977|\b13\b/);
      expect(JSON.stringify(reply.headers)).not.toContain('977');
    });

    test.each(shared)('by %s, when the request is too large for it', async (_, limit) => {
      const { send } = await open({ limits: [limit], routes });
      const reply = await send('/', costing(978, anonymous));
      expect(reply.status).toBe(422);
      expect(problemOf(reply).detail).toBe("This request costs more than the limit 'shared' can ever allow.");
      expect(reply.text).not.toMatch(/97[78]/);
    });
  });

  test('a tenant and a key are callers, whose figures are theirs to see', async () => {
    for (const by of ['tenant', 'key', 'ip'] as const) {
      const { send } = await open({ limits: [slidingWindow({ name: 'own', by, limit: 977, window: '1m' })], routes });
      await send('/', costing(977, { [by]: '10.0.0.1' }));
      const reply = await send('/', costing(1, { [by]: '10.0.0.1' }));
      expect(problemOf(reply).detail).toMatch(/^You have used 977 of the 977 permits/);
    }
  });

  test('a refusal of HEAD has no body, and all the headers', async () => {
    const { send } = await open({ limits: [user], routes });
    await send('/', costing(10));
    const reply = await send('/', { ...costing(1), method: 'HEAD' });
    expect(reply).toMatchObject({ status: 429, text: '' });
    expect(reply.headers).toMatchObject({ 'content-type': 'application/problem+json', 'retry-after': '10' });
  });

  describe('a refusal in the app’s own words', () => {
    test.each([
      ['at once', (refusal: Refusal) => ({ body: `no: ${refusal.layer}`, headers: { 'x-own': '1' } })],
      ['later', async (refusal: Refusal) => ({ body: `no: ${refusal.layer}`, headers: { 'x-own': '1' } })],
    ])('%s: status and headers are set, the rest is the app’s', async (_, refuse) => {
      const { send } = await open({ limits: [user], routes, refuse });
      await send('/', costing(10));
      const reply = await send('/', costing(1));
      expect(reply).toMatchObject({ status: 429, text: 'no: user' });
      expect(reply.headers).toMatchObject({ 'retry-after': '10', 'x-own': '1' });
      expect(reply.headers.ratelimit).toBe('"user";r=0;t=10');
    });

    test('may have another status', async () => {
      const { send } = await open({ limits: [user], routes, refuse: () => ({ status: 420, body: 'calm' }) });
      expect((await send('/', costing(11))).status).toBe(420);
    });

    test.each([
      [
        'throws',
        () => {
          throw new Error('no words');
        },
      ],
      ['rejects', () => Promise.reject(new Error('no words'))],
    ])('that %s is the app’s error, and the handler is not reached', async (_, refuse) => {
      let handled = 0;
      const handler = () => ({ body: String(++handled) });
      const { send, errors } = await open({ limits: [user], routes: [{ path: '/', toll: byHeader, handler }], refuse });
      expect(await send('/', costing(11))).toMatchObject({ status: 500, text: 'app error' });
      expect(errors).toEqual([new Error('no words')]);
      expect(handled).toBe(0);
    });
  });

  test('what an earlier middleware has set survives, in answers and in refusals', async () => {
    const earlierHeaders = { 'access-control-allow-origin': 'https://app.example', vary: 'Origin' };
    const { send } = await open({ limits: [user], routes, earlierHeaders });
    expect((await send('/', costing(10))).headers).toMatchObject(earlierHeaders);
    expect((await send('/', { headers: { ...as(ann), 'x-permits': '1' } })).headers).toMatchObject(earlierHeaders);
  });
}
