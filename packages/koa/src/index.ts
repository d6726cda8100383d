/** Tollgate in a Koa app: reads what Koa knows, writes refusals, passes on everything else. */
import type { Admission, Refusal, Tollgate } from '@tollgate/core';
import { type AdminOptions, createAdmin } from '@tollgate/core/admin';
import {
  ADMISSION,
  type Adapter,
  answer,
  asError,
  type ConductOptions,
  conductOf,
  createConduct,
  type Fact,
  FREE,
  isOver,
  isSent,
  makeToll,
  onOver,
  problemBody,
  type TierName,
  type Toll,
  type TollOptions,
} from '@tollgate/core/http';
import type { Context, Middleware, Next } from 'koa';

export {
  apiKeyOf,
  type Fact,
  type FeatureName,
  type ModelName,
  type TierName,
  type TollOptions,
} from '@tollgate/core/http';

declare module 'koa' {
  interface ExtendableContext {
    /** Of this request, once it has passed a toll. */
    admission?: Admission | undefined;
  }
}

/** Answers a refused request in place of problem+json. Status and headers are set already. */
export type Refuse = (refusal: Refusal, ctx: Context, next: Next) => unknown;

export type TollgateOptions = ConductOptions<Context, Refuse>;

/** A route's annotation: a middleware that admits where it stands, and says what it is. */
export interface TollMiddleware extends Middleware {
  readonly toll: Readonly<TollOptions<Context> & { tier: Fact<Context, TierName> | 'free' }>;
}

/**
 * Puts a gate in front of all that is used after it. Use it after CORS, and before or after authentication as `identify`
 * needs; tolls admit where they stand.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function tollgate(gate: Tollgate, options: TollgateOptions = {}): Middleware {
  const { enter } = createConduct(gate, adapter, options);
  return (ctx, next) => {
    // Contexts inherit it: a property that is added to each of them takes as long as the decision.
    if (!('admission' in ctx)) Object.defineProperty(ctx.app.context, 'admission', ADMISSION);
    return answer(adapter, enter, ctx, ctx, next);
  };
}

/**
 * Says what a route, or all routes of a router, cost. Where several meet, the last one holds and nothing is charged twice.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function toll(tier: Fact<Context, TierName>, options: TollOptions<Context> = {}): TollMiddleware {
  return middleware(makeToll(tier, options), { ...options, tier });
}

/** Exempts a route from tolls before it and from the default tier. */
toll.free = middleware(FREE, { tier: 'free' });

function middleware(annotation: Toll<Context>, metadata: TollMiddleware['toll']): TollMiddleware {
  const pass = (ctx: Context) => conductOf<Context, Context>(ctx).pass(ctx, ctx, annotation);
  const pay: Middleware = (ctx, next) => answer(adapter, pass, ctx, ctx, next);
  return Object.assign(pay, { toll: Object.freeze(metadata) });
}

/**
 * What operators may do, for koa-mount's `mount('/admin', …)`: keys, budgets, limits, lines and upstreams over HTTP,
 * described by `/admin/openapi.json`. Where the app has parsed a body already, that is taken.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options; also without `authorize`
 */
export function tollgateAdmin(options: AdminOptions<Context>): Middleware {
  const admin = createAdmin(options);
  return async (ctx) => {
    const answer = await admin.answer({ request: ctx, raw: ctx.req, url: ctx.url, body: adapter.body(ctx) });
    ctx.status = answer.status;
    ctx.set(answer.headers);
    ctx.body = answer.body;
  };
}

/** Of @koa/router: a route, or a middleware of a router, which has no methods. */
interface Layer {
  readonly path: string | RegExp;
  readonly methods: readonly string[];
}

/**
 * The route that the toll stands in or, of a router's own toll, the first one after it that serves the request. The
 * router lists what fits the path in `matched`, and puts into `_matchedRoute` the layer that it has come to.
 */
function routeOf({ method, matched = [], _matchedRoute }: Context): string | undefined {
  const layers: readonly Layer[] = matched;
  const here = layers.findIndex(({ path }) => path === _matchedRoute);
  const route = here < 0 ? undefined : layers.slice(here).find(({ methods }) => methods.includes(method));
  return route && String(route.path);
}

/** Koa's context is request and response. */
const adapter: Adapter<Context, Context, Next> = {
  method: (ctx) => ctx.req.method ?? '',
  url: (ctx) => ctx.originalUrl,
  ip: (ctx) => ctx.ip,
  route: routeOf,
  proxyTrust: ({ app }) => (!app.proxy ? 'none' : app.maxIpsCount > 0 ? 'some' : 'all'),
  header: (ctx, name) => ctx.req.headers[name],
  rawHeaders: (ctx) => ctx.req.rawHeaders,
  // Of body parsers' making, under this name.
  body: (ctx) => (ctx.request as { body?: unknown }).body,
  isBegun: (ctx) => ctx.res.headersSent,
  getHeader: (ctx, name) => ctx.res.getHeader(name),
  setHeader: (ctx, name, value) => void ctx.res.setHeader(name, value),
  removeHeader: (ctx, name) => ctx.remove(name),
  isClosed: (ctx) => isOver(ctx.res),
  onClose({ res }, listener) {
    onOver(res, () => listener({ status: res.statusCode, finished: isSent(res) }));
  },
  refuse(refusal, ctx, _ctx, next) {
    ctx.status = refusal.status;
    const { refuse } = conductOf<Context, Context, Refuse>(ctx);
    if (refuse) return refuse(refusal, ctx, next);
    // Nothing below is reached that would answer where the app has taken the response out of Koa's hands.
    ctx.respond = true;
    ctx.body = problemBody(refusal);
    // After the body, since Koa 2 takes every object for plain JSON.
    ctx.set('Content-Type', 'application/problem+json');
    return undefined;
  },
  /** Koa takes `null` and `undefined` for no error, and would leave the request without an answer. */
  fail(thrown) {
    throw thrown ?? asError(thrown);
  },
};
