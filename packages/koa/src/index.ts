/** Tollgate in a Koa app: reads what Koa knows, writes refusals, passes on everything else. */
import {
  type Admission,
  currentAdmission,
  type May,
  type Refusal,
  runWithAdmission,
  type Tollgate,
  TollgateError,
} from '@tollgate/core';
import {
  type Adapter,
  admissionOf,
  type Conduct,
  type ConductOptions,
  conductOf,
  createConduct,
  type Fact,
  FREE,
  isPromise,
  makeToll,
  type Passage,
  problemBody,
  type TierName,
  type Toll,
  type TollOptions,
} from '@tollgate/core/http';
import type { Context, Middleware, Next } from 'koa';

declare module 'koa' {
  interface ExtendableContext {
    /** Of this request, once it has passed a toll. */
    admission?: Admission | undefined;
  }
}

export interface TollgateOptions extends ConductOptions<Context> {
  /** Answers a refused request in place of problem+json. Status and headers are set already. */
  refuse?: (refusal: Refusal, ctx: Context, next: Next) => unknown;
}

/** A route's annotation: a middleware that admits where it stands, and says what it is. */
export interface TollMiddleware extends Middleware {
  readonly toll: Readonly<TollOptions<Context> & { tier: Fact<Context, TierName> | 'free' }>;
}

/** A gate's conduct, and how it answers where it refuses. Of Koa's context, which is request and response. */
type KoaConduct = Conduct<Context, Context> & { readonly refuse: TollgateOptions['refuse'] };

/**
 * Puts a gate in front of all that is used after it. Use it after CORS, and before or after authentication as `identify`
 * needs; tolls admit where they stand.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function tollgate(gate: Tollgate, { refuse, ...options }: TollgateOptions = {}): Middleware {
  const conduct: KoaConduct = Object.assign(createConduct(gate, adapter, options), { refuse });
  return (ctx, next) => answer(() => conduct.enter(ctx, ctx), ctx, next);
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
  const pay: Middleware = (ctx, next) =>
    answer(() => conductOf<Context, Context>(ctx).pass(ctx, ctx, annotation), ctx, next);
  return Object.assign(pay, { toll: Object.freeze(metadata) });
}

/**
 * Goes on to what is below, or refuses; over when that is. No promise is made but what others have made: where any code
 * runs under an admission, each costs more than the decision.
 */
function answer(pass: () => May<Passage>, ctx: Context, next: Next): unknown {
  let passage: May<Passage>;
  try {
    passage = pass();
  } catch (thrown) {
    return fail(thrown);
  }
  return isPromise(passage) ? passage.then((passed) => proceed(passed, ctx, next), fail) : proceed(passage, ctx, next);
}

/** Koa takes `null` and `undefined` for no error, and would leave the request without an answer. */
function fail(thrown: unknown): never {
  throw thrown ?? new Error('Something other than an error was thrown', { cause: thrown });
}

function proceed(passage: Passage, ctx: Context, next: Next): unknown {
  if (passage === 'gone') return undefined;
  const admission = admissionOf(ctx);
  if (ctx.admission !== admission) ctx.admission = admission;
  if (passage !== undefined && !passage.admitted) {
    return runWithAdmission(undefined, () => refuse(passage.refusal, ctx, next));
  }
  return admission === currentAdmission() ? next() : runWithAdmission(admission, next);
}

function refuse(refusal: Refusal, ctx: Context, next: Next): unknown {
  if (ctx.headerSent) {
    throw new TollgateError('TOLLGATE_TOO_LATE', `Refused after the response had begun: ${refusal.detail}`);
  }
  ctx.status = refusal.status;
  const conduct = conductOf(ctx) as KoaConduct;
  if (conduct.refuse) return conduct.refuse(refusal, ctx, next);
  // Nothing below is reached that would answer where the app has taken the response out of Koa's hands.
  ctx.respond = true;
  ctx.body = problemBody(refusal);
  // After the body, since Koa 2 takes every object for plain JSON.
  ctx.set('Content-Type', 'application/problem+json');
  return undefined;
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

const adapter: Adapter<Context, Context> = {
  method: (ctx) => ctx.method,
  ip: (ctx) => ctx.ip,
  route: routeOf,
  proxyTrust: ({ app }) => (!app.proxy ? 'none' : app.maxIpsCount > 0 ? 'some' : 'all'),
  header: (ctx, name) => ctx.req.headers[name],
  setHeaders(ctx, headers) {
    for (const [name, value] of headers) ctx.set(name, value);
  },
  isClosed: (ctx) => ctx.res.closed,
  onClose({ res }, listener) {
    res.on('close', () => listener({ status: res.statusCode, finished: res.writableFinished }));
  },
};
