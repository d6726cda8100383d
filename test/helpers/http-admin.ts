/** The admin surface as each framework mounts it, at `/admin`, in an app of its own. */
import type { IncomingMessage, RequestListener } from 'node:http';
import { text } from 'node:stream/consumers';
import type { AdminOptions } from '@tollgate/core/admin';
import { tollgateAdmin as expressAdmin } from '@tollgate/express';
import { tollgateAdmin as fastifyAdmin } from '@tollgate/fastify';
import { tollgateAdmin as koaAdmin } from '@tollgate/koa';
import express5 from 'express';
import express4 from 'express4';
import fastify from 'fastify';
import koa3, { type Middleware } from 'koa';
import mount from 'koa-mount';
import koa2 from 'koa2';

export interface AdminSpec extends AdminOptions<IncomingMessage> {
  /** The app parses bodies itself, before; Fastify parses none on the surface, whatever the app does elsewhere. */
  readonly parsesBodies?: boolean;
}

export type AdminHarness = (spec: AdminSpec) => RequestListener | Promise<RequestListener>;

function express(createApp: typeof express5): AdminHarness {
  return ({ parsesBodies, ...options }) => {
    const app = createApp();
    if (parsesBodies) app.use(createApp.json({ limit: '8mb' }));
    app.use('/admin', expressAdmin(options));
    return app;
  };
}

function koa(Koa: typeof koa3): AdminHarness {
  return ({ parsesBodies, authorize, ...options }) => {
    const app = new Koa();
    app.silent = true;
    if (parsesBodies) app.use(parseJson);
    app.use(mount('/admin', koaAdmin({ ...options, authorize: (ctx) => authorize(ctx.req) })));
    return app.callback();
  };
}

/** As Koa's body parsers do: what they have parsed stands on Koa's request. */
const parseJson: Middleware = async (ctx, next) => {
  if (ctx.is('json')) Object.assign(ctx.request, { body: JSON.parse((await text(ctx.req)) || '{}') });
  await next();
};

const fastifyHarness: AdminHarness = async ({ parsesBodies, authorize, ...options }) => {
  const app = fastify();
  await app.register(fastifyAdmin, { prefix: '/admin', ...options, authorize: ({ raw }) => authorize(raw) });
  await app.ready();
  return (req, res) => app.routing(req, res);
};

export const FRAMEWORKS: readonly (readonly [string, AdminHarness])[] = [
  ['Express 4', express(express4)],
  ['Express 5', express(express5)],
  ['Koa 2', koa(koa2)],
  ['Koa 3', koa(koa3)],
  ['Fastify 5', fastifyHarness],
];
