/** What a route says that it costs is what is charged: once, whatever annotations meet. */
import { type Limit, slidingWindow } from '@tollgate/core';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { as, byHeader, costing, type Open, ok } from './workbench.js';

const user = slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' });
const ann = { user: 'ann' };

export function annotationContract(open: Open): void {
  recordWarnings();

  test('a route is charged what its tier costs', async () => {
    const { send, used } = await open({
      limits: [user],
      routes: [
        { path: '/small', toll: { tier: 'small' }, handler: ok },
        { path: '/large', toll: { tier: 'large' }, handler: ok },
      ],
    });
    expect(await send('/small', { headers: as(ann) })).toMatchObject({ status: 200, text: 'ok' });
    expect(await used('user', ann)).toBe(1);
    await send('/large', { headers: as(ann) });
    expect(await used('user', ann)).toBe(11);
  });

  test('a route without an annotation is free, and has no admission', async () => {
    const { send, used } = await open({
      limits: [user],
      routes: [{ path: '/', handler: ({ admission }) => ({ body: String(admission) }) }],
    });
    expect((await send('/', { headers: as(ann) })).text).toBe('undefined');
    expect(await used('user', ann)).toBe(0);
  });

  test('a path that no route serves is free, and answered by the framework', async () => {
    const { send, used } = await open({
      limits: [user],
      routes: [{ path: '/', toll: { tier: 'large' }, handler: ok }],
    });
    expect((await send('/elsewhere', { headers: as(ann) })).status).toBe(404);
    expect(await used('user', ann)).toBe(0);
  });

  describe('a default tier', () => {
    test('that the gate lacks is told of as the gate is mounted, with all else that is wrong there', async () => {
      const options = { defaultTier: 'huge', headers: 'new', identity: () => ({}) } as never;
      await expect((async () => open({ limits: [user], options, routes: [] }))()).rejects.toMatchObject({
        code: 'TOLLGATE_CONFIG_INVALID',
        problems: expect.arrayContaining([
          { path: 'headers', value: 'new', expected: "'draft', 'legacy', 'both' or false" },
          { path: 'identity', value: 'a value that is not shown', expected: 'no such field' },
          { path: 'defaultTier', value: 'huge', expected: "one of 'small', 'medium', 'large', 'xlarge'" },
        ]),
      });
    });

    test('is what a route without an annotation costs', async () => {
      const { send, used } = await open({
        limits: [user],
        options: { defaultTier: 'medium' },
        routes: [{ path: '/', handler: ({ admission }) => ({ body: typeof admission?.id }) }],
      });
      expect((await send('/', { headers: as(ann) })).text).toBe('string');
      expect(await used('user', ann)).toBe(3);
    });

    test.each([
      ['small', 'large', 10],
      ['large', 'small', 1],
      ['medium', 'medium', 3],
    ] as const)('of %s gives way to a route of %s, which is charged %i in all', async (defaultTier, tier, cost) => {
      const { send, used } = await open({
        limits: [user, slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 100, window: '1m' })],
        options: { defaultTier },
        routes: [{ path: '/', toll: { tier }, handler: ok }],
      });
      expect((await send('/', { headers: as(ann) })).status).toBe(200);
      expect(await used('user', ann)).toBe(cost);
      expect(await used('calls', ann)).toBe(1);
    });

    test('makes one admission with the annotation, and one settlement', async () => {
      const { send, gate, settlements } = await open({
        limits: [user],
        options: { defaultTier: 'small' },
        routes: [{ path: '/', toll: { tier: 'large' }, handler: ({ admission }) => ({ body: admission?.id ?? '' }) }],
      });
      const admitted: string[] = [];
      gate.on('admitted', ({ id }) => admitted.push(id));
      const { text } = await send('/', { headers: as(ann) });
      expect(new Set(admitted)).toEqual(new Set([text]));
      expect(settlements.map(({ id }) => id)).toEqual([text]);
    });

    test('moves to the feature that the route names', async () => {
      const { send, gate } = await open({
        limits: [slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: 100, window: '1m' })],
        options: { defaultTier: 'small' },
        routes: [{ path: '/', toll: { tier: 'large', feature: 'chat' }, handler: ok }],
      });
      await send('/', { headers: as(ann) });
      expect((await gate.inspect(ann, { feature: 'chat' })).limits[0].used).toBe(10);
      const without = await gate.explain({ subject: ann, permits: 0 });
      expect(without.layers[0].used).toBe(0);
    });

    test('is given back where the route is free, which then has no admission', async () => {
      const { send, used } = await open({
        limits: [user],
        options: { defaultTier: 'large' },
        routes: [{ path: '/', toll: 'free', handler: ({ admission }) => ({ body: String(admission) }) }],
      });
      const { text, headers } = await send('/', { headers: as(ann) });
      expect(await used('user', ann)).toBe(0);
      // Where the gate knows the route beforehand, nothing was charged and there is nothing to say.
      expect(headers.ratelimit ?? 'nothing').toMatch(/"user";r=100|nothing/);
      expect(text).toBe('undefined');
    });

    test('is given back where the route is refused', async () => {
      const { send, used } = await open({
        limits: [user],
        options: { defaultTier: 'large' },
        routes: [
          { path: '/cheap', handler: ok },
          { path: '/dear', toll: { tier: 'small', permits: 95 }, handler: ok },
        ],
      });
      await send('/cheap', { headers: as(ann) });
      expect((await send('/dear', { headers: as(ann) })).status).toBe(429);
      expect(await used('user', ann)).toBe(10);
    });
  });

  describe('methods', () => {
    const limits: Limit[] = [user, slidingWindow({ name: 'route', by: 'route', limit: 100, window: '1m' })];

    test('HEAD counts as GET, also where limits count by route', async () => {
      const { send, used, gate } = await open({
        limits,
        routes: [{ path: '/here', toll: { tier: 'large' }, handler: ok }],
      });
      const reply = await send('/here', { method: 'HEAD', headers: as(ann) });
      expect(reply).toMatchObject({ status: 200, text: '' });
      await send('/here', { headers: as(ann) });
      expect(await used('user', ann)).toBe(20);
      expect((await gate.inspect({}, { route: 'GET /here' })).limits[0].used).toBe(20);
    });

    test('OPTIONS is free, with a route of its own and without, whatever the default tier', async () => {
      const { send, used } = await open({
        limits,
        options: { defaultTier: 'large' },
        routes: [
          { path: '/here', toll: { tier: 'large' }, handler: ok },
          { method: 'OPTIONS', path: '/there', toll: { tier: 'large' }, handler: () => ({ body: 'there' }) },
        ],
      });
      await send('/here', { method: 'OPTIONS', headers: as(ann) });
      expect((await send('/there', { method: 'OPTIONS', headers: as(ann) })).text).toBe('there');
      expect(await used('user', ann)).toBe(0);
    });

    test('a route is counted by its pattern, not by the path that was asked for', async () => {
      const { send, gate } = await open({
        limits,
        routes: [{ path: '/chats/:id', toll: { tier: 'small' }, handler: ok }],
      });
      for (const path of ['/chats/1', '/chats/2', '/chats/3?x=1']) await send(path, { headers: as(ann) });
      const [state] = (await gate.inspect({}, { route: 'GET /chats/:id' })).limits;
      expect(state.used).toBe(3);
    });

    test('a request that offers an upgrade to a normal route is charged like any other', async () => {
      const { send, used } = await open({ limits, routes: [{ path: '/', toll: { tier: 'large' }, handler: ok }] });
      const headers = { ...as(ann), Connection: 'Upgrade', Upgrade: 'websocket' };
      expect((await send('/', { headers })).status).toBe(200);
      expect(await used('user', ann)).toBe(10);
    });
  });

  describe('functions of the request', () => {
    test('say tier, feature and model, at once or later', async () => {
      const { send, gate } = await open({
        limits: [slidingWindow({ name: 'all', by: ['feature', 'model'], limit: 100, window: '1m' })],
        routes: [
          {
            path: '/',
            toll: {
              tier: (req) => (req.headers['x-big'] ? 'large' : 'small'),
              feature: async (req) => req.headers['x-feature'] as string,
              model: async (req) => req.headers['x-model'] as string,
            },
            handler: ({ admission }) => ({ body: String(admission?.model) }),
          },
        ],
      });
      const facts = { 'x-feature': 'chat', 'x-model': 'haiku' };
      expect((await send('/', { headers: { ...facts, 'x-big': '1' } })).text).toBe('haiku');
      await send('/', { headers: facts });
      expect((await gate.inspect({}, { feature: 'chat', model: 'haiku' })).limits[0].used).toBe(11);
    });

    test('say the permits in place of those of the tier, or leave them to it', async () => {
      const { send, used } = await open({
        limits: [user],
        routes: [
          { path: '/given', toll: byHeader, handler: ok },
          { path: '/left', toll: { tier: 'large', permits: async () => undefined }, handler: ok },
        ],
      });
      await send('/given', costing(7, ann));
      expect(await used('user', ann)).toBe(7);
      await send('/left', { headers: as(ann) });
      expect(await used('user', ann)).toBe(17);
    });

    test.each([
      ['at once', (n: number) => ({ inputTokens: n, outputTokens: 2 * n })],
      ['later', async (n: number) => ({ inputTokens: n, outputTokens: 2 * n })],
    ])('say an estimate %s, which the handler can see', async (_, estimate) => {
      const { send, used } = await open({
        limits: [slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' })],
        routes: [
          {
            path: '/',
            toll: { tier: 'small', estimate: (req) => estimate(Number(req.headers['x-tokens'])) },
            handler: ({ admission }) => ({ body: JSON.stringify(admission?.estimate) }),
          },
        ],
      });
      const { text } = await send('/', { headers: { ...as(ann), 'x-tokens': '50' } });
      expect(JSON.parse(text)).toEqual({ inputTokens: 50, outputTokens: 100, usd: 0 });
      expect(await used('tokens', ann)).toBe(150);
    });

    test('that throw or reject are the app’s error: nothing is charged, the handler is not reached', async () => {
      const fault = new Error('the price list is gone');
      let reached = 0;
      const handler = () => ({ body: String(reached++) });
      const { send, used, errors } = await open({
        limits: [user],
        routes: [
          {
            path: '/throws',
            toll: {
              tier: () => {
                throw fault;
              },
            },
            handler,
          },
          { path: '/rejects', toll: { tier: 'small', permits: () => Promise.reject(fault) }, handler },
        ],
      });
      for (const path of ['/throws', '/rejects']) {
        expect(await send(path, { headers: as(ann) })).toMatchObject({ status: 500, text: 'app error' });
      }
      expect(errors).toEqual([fault, fault]);
      expect(reached).toBe(0);
      expect(await used('user', ann)).toBe(0);
    });
  });
}
