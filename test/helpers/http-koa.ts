/** Koa, either version: as the contract's harness, and as a bench for tests of Koa alone. */
import type { IncomingMessage } from 'node:http';
import { json } from 'node:stream/consumers';
import Router from '@koa/router';
import type { ConductOptions, Fact, TierName, TollOptions } from '@tollgate/core/http';
import { apiKeyOf, type TollgateOptions, type TollMiddleware, toll, tollgate } from '@tollgate/koa';
import koa3, { type Context, type Middleware } from 'koa';
import koa2 from 'koa2';
import {
  type Annotation,
  type Answer,
  type Asked,
  bearsStatus,
  type Harness,
  type Step,
} from '../conformance/adapter/harness.js';
import { benchOf, type GateBench, identify, makeGate } from './http-gate.js';
import { listen } from './http-server.js';

export function koaHarness(Koa: typeof koa3): Harness {
  return ({
    gate,
    options,
    refuse,
    trustProxy,
    parsesBodies = true,
    before,
    outer,
    earlierHeaders = {},
    routes,
    onError,
  }) => {
    const app = new Koa({ proxy: Boolean(trustProxy), maxIpsCount: typeof trustProxy === 'number' ? trustProxy : 0 });
    app.silent = true;
    const router = new Router();
    app.use(errorHandler(onError));
    app.use((ctx, next) => {
      ctx.set(earlierHeaders);
      return next();
    });
    if (before) app.use(middlewareOf(before));
    if (parsesBodies) app.use(parseJson);
    if (outer) app.use(tollgate(outer.gate ?? gate, askedOfNode({ ...outer.options })));
    const gateOptions: TollgateOptions = askedOfNode({ ...options });
    if (refuse) gateOptions.refuse = async (refusal, ctx) => respond(ctx, await refuse(refusal));
    app.use(tollgate(gate, gateOptions));
    for (const { method = 'GET', path, earlierToll, toll, after, handler } of routes) {
      const tolls = [...annotationOf(earlierToll), ...annotationOf(toll)];
      const handle = async (ctx: Context) =>
        respond(ctx, await handler({ req: ctx.req, admission: ctx.admission, key: apiKeyOf(ctx) }));
      router.register(path, [method], [...tolls, ...(after ? [middlewareOf(after)] : []), handle]);
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
      if (bearsStatus(error)) throw error;
      ctx.status = 500;
      ctx.body = 'app error';
    }
  };
}

/** As Koa's body parsers do: what they have parsed stands on Koa's request. */
const parseJson: Middleware = async (ctx, next) => {
  if (ctx.is('json')) Object.assign(ctx.request, { body: await json(ctx.req) });
  await next();
};

function middlewareOf(step: Step): Middleware {
  return async (ctx, next) => {
    await step(ctx.req, ctx.res);
    if (ctx.res.writableEnded) ctx.respond = false;
    else await next();
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
    typeof ask === 'function' && name !== 'refundOn'
      ? [name, (ctx: Context, ...more: unknown[]) => ask(askedOf(ctx), ...more)]
      : [name, ask],
  );
  return Object.fromEntries(entries);
}

function askedOf({ req, request }: Context): Asked {
  return Object.assign(req, { body: (request as { body?: unknown }).body });
}

function respond(ctx: Context, { status, headers = {}, body = '' }: Answer): void {
  if (status !== undefined) ctx.status = status;
  ctx.set(headers);
  ctx.body = body;
}

/** A handler that tells whether it was paid for. */
export function ok(ctx: Context): void {
  ctx.body = ctx.admission ? 'paid' : 'free';
}

/** Both versions that the adapter serves, for `describe.each`. */
export const KOA = [
  ['Koa 2', koa2],
  ['Koa 3', koa3],
] as const;

/** An app behind a gate with the usual limits, whose error handler stands first. */
export async function openKoa(
  Koa: typeof koa3,
  build: (router: Router, app: koa3) => void,
  options: TollgateOptions = {},
): Promise<GateBench> {
  const gate = makeGate();
  const errors: unknown[] = [];
  const app = new Koa();
  const router = new Router();
  app.use(errorHandler((error) => errors.push(error)));
  app.use(tollgate(gate, { identify, ...options }));
  build(router, app);
  app.use(router.routes());
  return benchOf(gate, await listen(app.callback()), errors);
}
