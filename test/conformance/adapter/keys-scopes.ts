/** What keys may be used for: a request that a key has no right to is refused before anything of it is done. */
import { memoryStore, slidingWindow } from '@tollgate/core';
import { type KeyRing, type KeyScopes, keyRing } from '@tollgate/core/keys';
import { portOf } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { rawRequest } from '../../helpers/raw-request.js';
import type { Asked, Route } from './harness.js';
import { type BenchSpec, type Open, ok, problemOf } from './workbench.js';

const subject = { tenant: 'acme', user: 'ann', plan: 'pro' };
const limits = [slidingWindow({ name: 'key', by: 'key', limit: 100, window: '1m' })];
const toll = { tier: 'large', feature: 'chat', model: 'm-1' } as const;

export function keyScopesContract(open: Open): void {
  recordWarnings();

  async function setUp({ options, ...spec }: Partial<BenchSpec> = {}) {
    const keys: KeyRing = keyRing({ store: memoryStore() });
    const reached: string[] = [];
    const route = (path: string, rest: Partial<Route> = {}): Route => ({
      path,
      handler: () => {
        reached.push(path);
        return { body: path };
      },
      ...rest,
    });
    const routes = [route('/', { toll }), route('/plain'), route('/free', { toll: 'free' })];
    const bench = await open({ limits, routes, ...spec, options: { authenticate: keys, ...options } });
    const show = async (path: string, text: string) => bench.send(path, { headers: { 'x-api-key': text } });
    return { ...bench, keys, reached, show };
  }

  describe('a scope', () => {
    test.each<[string, KeyScopes, number]>([
      ['nothing restricted', {}, 200],
      ['its feature', { features: ['embed', 'chat'] }, 200],
      ['features that begin alike', { features: ['ch*'] }, 200],
      ['another feature', { features: ['embed'] }, 403],
      ['its model', { models: ['m-1'] }, 200],
      ['another model', { models: ['m-2'] }, 403],
      ['its route', { routes: ['GET /'] }, 200],
      ['another method', { routes: ['POST /'] }, 403],
      ['another path', { routes: ['GET /other'] }, 403],
      ['all of it but one', { routes: ['GET /'], features: ['chat'], models: ['m-2'] }, 403],
      ['nothing at all', { features: [] }, 403],
      ['what all objects inherit', { features: ['constructor', '__proto__'] }, 403],
    ])('of %s: is kept', async (_, scopes, status) => {
      const { show, keys, used, reached } = await setUp();
      const { key, reveal } = await keys.create({ service: 'search', subject, scopes });
      const reply = await show('/', reveal());
      expect(reply.status).toBe(status);
      expect(reached).toEqual(status === 200 ? ['/'] : []);
      expect(await used('key', { key: key.id })).toBe(status === 200 ? 10 : 0);
      if (status === 403) {
        expect(problemOf(reply)).toMatchObject({
          title: 'Forbidden',
          status: 403,
          detail: expect.stringMatching(/^This API key has no access to this (route|feature|model)\.$/),
        });
      }
    });

    test('is kept where a request does not say what it is for', async () => {
      const spec = { routes: [{ path: '/', toll: { tier: 'small' } as const, handler: ok }] };
      const { show, keys } = await setUp(spec);
      const { reveal } = await keys.create({ service: 'search', subject, scopes: { models: ['m-1'] } });
      expect((await show('/', reveal())).status).toBe(403);
    });

    test('is asked of the route’s own toll, and what a default tier was charged is given back', async () => {
      const { show, keys, used } = await setUp({ options: { defaultTier: 'small' } });
      const [right, wrong] = [
        await keys.create({ service: 'search', subject, scopes: { features: ['chat'] } }),
        await keys.create({ service: 'search', subject, scopes: { features: ['embed'] } }),
      ];
      expect((await show('/', right.reveal())).status).toBe(200);
      expect((await show('/', wrong.reveal())).status).toBe(403);
      expect(await used('key', { key: right.key.id })).toBe(10);
      expect(await used('key', { key: wrong.key.id })).toBe(0);
    });

    test.each<[unknown, number]>([
      ['m-1', 200],
      ['m-2', 403],
      [['m-1'], 403],
      [{ startsWith: true }, 403],
      [undefined, 403],
    ])('of a model is kept where clients choose it, as %j', async (chosen, status) => {
      const model = (req: Asked) => (req.body as { model?: string }).model;
      const { send, keys, errors } = await setUp({
        routes: [{ method: 'POST', path: '/chat', toll: { tier: 'small', model }, handler: ok }],
      });
      const { reveal } = await keys.create({ service: 'search', subject, scopes: { models: ['m-1'] } });
      const headers = { 'x-api-key': reveal(), 'content-type': 'application/json' };
      const reply = await send('/chat', { method: 'POST', headers, body: JSON.stringify({ model: chosen }) });
      expect([reply.status, errors]).toEqual([status, []]);
    });

    describe('of routes', () => {
      const scopes = { routes: ['GET /plain', 'POST /chats/:id', '* /v1/*'] };
      const paths: [string, string, number][] = [
        ['GET', '/plain', 200],
        ['GET', '/plain?a=/other', 200],
        ['HEAD', '/plain', 200],
        ['POST', '/chats/1', 200],
        ['POST', '/chats/a%2Fb?x', 200],
        ['POST', '/v1/a/b', 200],
        ['GET', '/v1/', 200],
        ['GET', '/free', 403],
        ['GET', '/', 403],
        ['GET', '/nowhere', 403],
        ['POST', '/plain', 403],
        ['OPTIONS', '/plain', 403],
        ['GET', '/Plain', 403],
        ['GET', '/plain/', 403],
        ['GET', '/plain/more', 403],
        ['GET', '/chats/1', 403],
        ['POST', '/chats/', 403],
        ['POST', '/chats/1/messages', 403],
        ['POST', '/v1', 403],
        ['GET', '/v1//plain', 403],
        ['GET', '/v1/../free', 403],
        ['GET', '/v1/%2e%2E/free', 403],
        ['GET', '/v1/..%2Ffree', 403],
        ['GET', '/v1/.', 403],
        ['GET', '/v1/..\\free', 403],
        ['GET', '//plain', 403],
        ['GET', 'http://x/plain', 403],
        ['GET', '/free?/plain', 403],
        ['GET', '/free#/plain', 403],
      ];

      test('holds for all that comes to the gate, whether or not a toll stands there', async () => {
        const reached = (method: 'GET' | 'POST', path: string): Route => ({ method, path, handler: ok });
        const { keys, server } = await setUp({
          routes: [
            reached('GET', '/'),
            reached('GET', '/plain'),
            { ...reached('GET', '/free'), toll: 'free' },
            reached('POST', '/chats/:id'),
            reached('GET', '/v1/'),
            reached('POST', '/v1/a/b'),
          ],
        });
        const { reveal } = await keys.create({ service: 'search', subject, scopes });
        const key = `x-api-key: ${reveal()}`;
        const answers = [];
        for (const [method, path] of paths) {
          answers.push([
            method,
            path,
            await rawRequest(portOf(server), [`${method} ${path} HTTP/1.1`, 'Host: x', key]),
          ]);
        }
        expect(answers).toEqual(paths);
      });
    });

    test('of another environment is kept on every route', async () => {
      const { show, keys } = await setUp();
      const { reveal } = await keys.create({ service: 'search', environment: 'staging' });
      for (const path of ['/', '/plain', '/free']) {
        expect(problemOf(await show(path, reveal()))).toMatchObject({
          status: 403,
          detail: 'This API key is of another environment.',
        });
      }
    });
  });
}
