/** A key that may ask for a route may not ask for one that is called the same in another router. */
import Router from '@koa/router';
import { memoryStore } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import { toll as expressToll } from '@tollgate/express';
import { toll as koaToll } from '@tollgate/koa';
import express from 'express';
import { EXPRESS, openExpress } from '../helpers/http-express.js';
import { openFastify, paid } from '../helpers/http-fastify.js';
import { KOA, ok, openKoa } from '../helpers/http-koa.js';
import { closeServers, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';

afterEach(closeServers);
recordWarnings();

async function keyOf(route: string) {
  const keys = keyRing({ store: memoryStore() });
  const { reveal } = await keys.create({ service: 'search', scopes: { routes: [route] } });
  return { authenticate: keys, headers: { 'x-api-key': reveal() } };
}

/** What is answered to a key of `GET /users`, of each of the paths. */
async function expectKept(ask: (path: string) => Promise<number>): Promise<void> {
  const answers = [];
  for (const path of ['/users', '/admin/users', '/admin/plain', '/plain']) answers.push(await ask(path));
  expect(answers).toEqual([200, 403, 403, 403]);
}

test.each(EXPRESS)('in %s', async (_, createApp) => {
  const { authenticate, headers } = await keyOf('GET /users');
  const { server } = await openExpress(
    createApp,
    (app) => {
      const router = () =>
        express
          .Router()
          .get('/users', expressToll('small'), (_req, res) => void res.send('users'))
          .get('/plain', (_req, res) => void res.send('plain'));
      app.use('/admin', router()).use(router());
    },
    { authenticate },
  );
  await expectKept(async (path) => (await send(server, path, { headers })).status);
});

test.each(KOA)('in %s', async (_, Koa) => {
  const { authenticate, headers } = await keyOf('GET /users');
  const { server } = await openKoa(
    Koa,
    (router) => {
      const routes = () => new Router().get('/users', koaToll('small'), ok).get('/plain', ok).routes();
      router.use('/admin', routes()).use(routes());
    },
    { authenticate },
  );
  await expectKept(async (path) => (await send(server, path, { headers })).status);
});

test('in Fastify', async () => {
  const { authenticate, headers } = await keyOf('GET /users');
  const { app } = await openFastify(
    (app) => {
      const routes = async (server: typeof app) => {
        server.get('/users', { config: { toll: { tier: 'small' } } }, paid).get('/plain', paid);
      };
      app.register(routes, { prefix: '/admin' });
      app.register(routes);
    },
    { authenticate },
  );
  await expectKept(async (path) => (await app.inject({ url: path, headers })).statusCode);
});
