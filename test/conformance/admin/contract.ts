/** What the admin surface promises in every framework that mounts it. */
import type { IncomingMessage } from 'node:http';
import { TollgateError } from '@tollgate/core';
import type { AdminOptions } from '@tollgate/core/admin';
import { openAdmin } from '../../helpers/admin-bench.js';
import type { AdminHarness } from '../../helpers/http-admin.js';
import { closeServers, portOf } from '../../helpers/http-server.js';
import { recordWarnings } from '../../helpers/http-warnings.js';
import { rawRequest } from '../../helpers/raw-request.js';

export function adminContract(harness: AdminHarness): void {
  const warnings = recordWarnings();
  afterEach(closeServers);

  const open = (options: Partial<AdminOptions<IncomingMessage>> = {}, parsesBodies = false) =>
    openAdmin(options, (given) => harness({ ...given, parsesBodies }));

  test.each(['/admin/keys', '/admin/openapi.json', '/admin/nowhere', '/admin/keys/../keys'])(
    'who is nobody learns nothing at %s',
    async (path) => {
      const { ask } = await open();
      for (const method of ['GET', 'HEAD', 'POST', 'PATCH', 'OPTIONS', 'DELETE']) {
        const { status, headers, text } = await ask(method, path, undefined, { headers: { 'x-operator': 'no' } });
        expect([method, status, headers['cache-control']]).toEqual([method, 401, 'no-store']);
        if (method !== 'HEAD')
          expect(JSON.parse(text)).toEqual({ type: 'about:blank', title: 'Unauthorized', status: 401 });
      }
    },
  );

  test.each([
    [false, 403],
    [undefined, 401],
    ['yes', 401],
    [1, 401],
  ])('%p of authorize is answered by %d, sooner or later', async (value, status) => {
    for (const authorize of [() => value, async () => value]) {
      const { ask, keys } = await open({ authorize: authorize as () => boolean });
      expect(await ask('POST', '/admin/keys', { service: 'search' })).toMatchObject({ status });
      expect(await keys.list()).toEqual([]);
    }
  });

  test('what authorize throws is told to the log alone', async () => {
    const thrown = [
      new Error('the session store is down'),
      new TollgateError('TOLLGATE_UNKNOWN_KEY', 'of eve'),
      undefined,
    ];
    for (const one of thrown) {
      const { ask } = await open({
        authorize: () => {
          throw one;
        },
      });
      const { status, text } = await ask('GET', '/admin/keys');
      expect([status, JSON.parse(text)]).toEqual([
        500,
        { type: 'about:blank', title: 'Internal Server Error', status: 500 },
      ]);
    }
    expect(warnings()).toEqual(thrown.map(() => 'TOLLGATE_ADMIN_FAILED'));
  });

  test.each([true, false])('a body is read, whether the app has parsed it (%p) or not', async (parsesBodies) => {
    const { ask, keys } = await open({}, parsesBodies);
    const made = await ask('POST', '/admin/keys', { service: 'search', subject: { tenant: 'acme' } });
    expect(made).toMatchObject({ status: 201, json: { key: { service: 'search', subject: { tenant: 'acme' } } } });
    expect(await keys.verify(made.json.text)).toMatchObject({ key: { id: made.json.key.id } });
    const { id } = made.json.key;
    expect(await ask('POST', `/admin/keys/${id}/revoke`, '')).toMatchObject({ status: 200, json: { id } });
    expect(await ask('POST', '/admin/keys', {})).toMatchObject({
      status: 422,
      json: { errors: [{ field: 'service' }] },
    });
  });

  test('queries, HEAD, OPTIONS and what is not there are answered as such', async () => {
    const { ask } = await open();
    const usage = await ask('GET', '/admin/gates/api/usage?user=u%2F1');
    expect(usage).toMatchObject({
      status: 200,
      json: { limits: [{ layer: 'user', key: ['u/1'] }, { layer: 'concurrency' }] },
    });
    expect(usage.headers).toMatchObject({
      'content-type': expect.stringContaining('application/json'),
      'cache-control': 'no-store',
    });
    expect(await ask('HEAD', '/admin/keys')).toMatchObject({ status: 200, text: '' });
    expect(await ask('OPTIONS', '/admin/keys')).toMatchObject({
      status: 204,
      headers: { allow: 'GET, POST, HEAD, OPTIONS' },
    });
    expect(await ask('DELETE', '/admin/keys')).toMatchObject({
      status: 405,
      headers: { allow: 'GET, POST, HEAD, OPTIONS' },
    });
    const { status, headers } = await ask('GET', '/admin/nowhere');
    expect([status, headers['content-type']]).toEqual([404, expect.stringContaining('application/problem+json')]);
  });

  test('what a page of another origin can send is refused, whatever it says', async () => {
    const { ask, keys } = await open();
    for (const type of [
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data',
      'text/plain; application/json',
      'application/jsonp',
    ]) {
      const headers = { 'content-type': type };
      expect(await ask('POST', '/admin/keys', { service: 'search' }, { headers })).toMatchObject({ status: 415 });
    }
    expect(await ask('POST', '/admin/keys')).toMatchObject({ status: 415 });
    expect(await keys.list()).toEqual([]);
  });

  test('a body that is too large or no JSON changes nothing', async () => {
    const { ask, keys } = await open();
    const large = JSON.stringify({ service: 'search', environment: 'x'.repeat(70_000) });
    expect(await ask('POST', '/admin/keys', large)).toMatchObject({ status: 413, headers: { connection: 'close' } });
    for (const body of ['{', '{"service":"search"} x', '\u0000']) {
      expect(await ask('POST', '/admin/keys', body)).toMatchObject({ status: 400 });
    }
    expect(await keys.list()).toEqual([]);
  });

  test('paths are taken as they come', async () => {
    const { server, keys } = await open();
    const { key } = await keys.create({ service: 'search' });
    const ask = (path: string) => rawRequest(portOf(server), [`GET ${path} HTTP/1.1`, 'Host: x', 'X-Operator: yes']);
    expect(await ask(`/admin/keys/${key.id}`)).toBe(200);
    const paths = [
      '/admin/keys/../gates',
      '/admin/gates/../keys',
      '/admin/keys/',
      '/admin/keys/%2e%2e',
      '/admin/gates/__proto__/usage',
      '/admin/constructor',
      `/admin/keys%2F${key.id}`,
      '/admin/keys/%ff',
      '/admin/keys/%00',
    ];
    // Fastify refuses itself what is no path.
    for (const path of paths) expect([path, [400, 404]]).toEqual([path, expect.arrayContaining([await ask(path)])]);
  });
}
