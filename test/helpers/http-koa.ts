/** Koa, either version: as the contract's harness, and as a bench for tests of Koa alone. */
import type { IncomingMessage, Server } from 'node:http';
import Router from '@koa/router';
import { createTollgate, type Tollgate } from '@tollgate/core';
import type { ConductOptions, Fact, TierName, TollOptions } from '@tollgate/core/http';
import { manualClock } from '@tollgate/core/testing';
import { type TollgateOptions, type TollMiddleware, toll, tollgate } from '@tollgate/koa';
import koa3, { type Context, type Middleware } from 'koa';
import koa2 from 'koa2';
import type { Annotation, Answer, Harness } from '../conformance/adapter/harness.js';
import { LIMITS, usedByAnn } from './http-express.js';
import { listen } from './http-server.js';

export function koaHarness(Koa: typeof koa3): Harness {
  return ({ gate, options, refuse, trustProxy, earlierHeaders = {}, routes, onError }) => {
    const app = new Koa({ proxy: Boolean(trustProxy), maxIpsCount: typeof trustProxy === 'number' ? trustProxy : 0 });
    app.silent = true;
    const router = new Router();
    app.use(errorHandler(onError));
    app.use((ctx, next) => {
      ctx.set(earlierHeaders);
      return next();
    });
    const gateOptions: TollgateOptions = askedOfNode({ ...options });
    if (refuse) gateOptions.refuse = async (refusal, ctx) => respond(ctx, await refuse(refusal));
    app.use(tollgate(gate, gateOptions));
    for (const { method = 'GET', path, toll, handler } of routes) {
      const handle = async (ctx: Context) => respond(ctx, await handler({ req: ctx.req, admission: ctx.admission }));
      router.register(path, [method], [...annotationOf(toll), handle]);
    }
    app.use(router.routes());
    return app.callback();
  };
}

/** Stands first, as error handlers do in Koa. */
export function errorHandler(onError: (error: unknown) => void): Middleware {
  return async (ctx, next) => {
    try {
      await next();
    } catch (error) {
      onError(error);
      ctx.status = 500;
      ctx.body = 'app error';
    }
  };
}

function annotationOf(annotation: Annotation | 'free' | undefined): TollMiddleware[] {
  if (annotation === undefined) return [];
  if (annotation === 'free') return [toll.free];
  const { tier, ...options } = askedOfNode(annotation);
  return [toll(tier, options)];
}

/** The contract's functions ask Node's request; `refundOn` asks neither. */
function askedOfNode(questions: ConductOptions<IncomingMessage>): ConductOptions<Context>;
function askedOfNode(questions: Annotation): TollOptions<Context> & { tier: Fact<Context, TierName> };
function askedOfNode(questions: object): object {
  const entries = Object.entries(questions).map(([name, ask]) =>
    typeof ask === 'function' && name !== 'refundOn' ? [name, (ctx: Context) => ask(ctx.req)] : [name, ask],
  );
  return Object.fromEntries(entries);
}

function respond(ctx: Context, { status, headers = {}, body = '' }: Answer): void {
  if (status !== undefined) ctx.status = status;
  ctx.set(headers);
  ctx.body = body;
}

/** Both versions that the adapter serves, for `describe.each`. */
export const KOA = [
  ['Koa 2', koa2],
  ['Koa 3', koa3],
] as const;

export interface KoaBench {
  readonly gate: Tollgate;
  readonly server: Server;
  /** What reached the app's error handler, which stands first. */
  readonly errors: unknown[];
  /** What a limit has counted for `ann`, on whose behalf all requests come unless `identify` says otherwise. */
  used(layer?: string): Promise<number>;
}

/** An app behind a gate with the limits `user` (permits), `calls` (requests) and `tokens`, each per user. */
export async function openKoa(
  Koa: typeof koa3,
  build: (router: Router, app: koa3) => void,
  options: TollgateOptions = {},
): Promise<KoaBench> {
  const gate = createTollgate({ limits: LIMITS, clock: manualClock() });
  const errors: unknown[] = [];
  const app = new Koa();
  const router = new Router();
  app.use(errorHandler((error) => errors.push(error)));
  app.use(tollgate(gate, { identify: () => ({ user: 'ann' }), ...options }));
  build(router, app);
  app.use(router.routes());
  const server = await listen(app.callback());
  return { gate, server, errors, used: (layer = 'user') => usedByAnn(gate, layer) };
}
