/** Tollgate in a Fastify app: reads what Fastify knows, writes refusals, passes on everything else. */
import type { Admission, May, Refusal, Tollgate } from '@tollgate/core';
import { type AdminOptions, createAdmin } from '@tollgate/core/admin';
import {
  type Adapter,
  type Annotation,
  admissionOfThis,
  andThen,
  annotationReader,
  answer,
  asError,
  type ConductOptions,
  conductOf,
  configError,
  createConduct,
  isOver,
  isSent,
  onOver,
  type Passage,
  problemBody,
  type Toll,
} from '@tollgate/core/http';
import type {
  FastifyInstance,
  FastifyPluginAsync,
  FastifyReply,
  FastifyRequest,
  HookHandlerDoneFunction,
} from 'fastify';
import fastifyPlugin from 'fastify-plugin';

export {
  apiKeyOf,
  type Fact,
  type FeatureName,
  type ModelName,
  type TierName,
  type TollOptions,
} from '@tollgate/core/http';

declare module 'fastify' {
  interface FastifyRequest {
    /** Of this request, once it has paid its route's toll. */
    readonly admission: Admission | undefined;
  }
  interface FastifyContextConfig {
    /** What the route costs. `free` exempts it from the default tier. */
    toll?: TollConfig | 'free';
  }
}

/** Answers a refused request in place of problem+json: sends, or returns what to send. Status and headers are set already. */
export type Refuse = (refusal: Refusal, request: FastifyRequest, reply: FastifyReply) => unknown;

export interface TollgateOptions extends ConductOptions<FastifyRequest, Refuse> {
  gate: Tollgate;
}

/**
 * A route's annotation. Where any of it is a function of the request, or the gate counts tokens or dollars and `estimate`
 * leaves them to what the body says, it is paid when the body has been read and validated.
 */
export type TollConfig = Annotation<FastifyRequest>;

/** Whose gate the routes of an instance pay at: encapsulated ones inherit it, or have one of their own. */
const CONDUCT = Symbol.for('tollgate.conduct');

async function plugin(app: FastifyInstance, given: TollgateOptions): Promise<void> {
  const { gate, ...options } = checked(given);
  const adapter = adapterOf();
  const conduct = createConduct(gate, adapter, options);
  const tollOf = annotationReader<FastifyRequest>(gate);
  /** Some toll is paid once the body is there. */
  let hasLate = false;

  Object.assign(app, { [CONDUCT]: conduct });
  if (!app.hasRequestDecorator('admission')) app.decorateRequest('admission', { getter: admissionOfThis });

  app.addHook('onRoute', function (route) {
    const { config, method, url } = route;
    if (isNearest(this)) tollOf(config?.toll, method, url);
    if ('toll' in route) throw misplaced(route.toll, `${method} ${url}`);
  });
  app.addHook('onRequest', (request, reply, done) => void answer(adapter, enter, request, reply, done));
  app.addHook('preHandler', (request, reply, done) => {
    if (hasLate) answer(adapter, payLate, request, reply, done);
    else done();
  });

  /** Of several gates only the nearest is paid at. */
  function isNearest(server: FastifyInstance): boolean {
    return (server as { [CONDUCT]?: unknown })[CONDUCT] === conduct;
  }

  function enter(request: FastifyRequest, reply: FastifyReply): May<Passage> {
    // What no route stands for costs nothing, and needs a key like everything else.
    if (request.is404) return options.authenticate && conduct.enter(request, reply, true);
    const toll = tollFor(request);
    const isDue = toll !== undefined && !isLate(toll);
    hasLate ||= toll !== undefined && !isDue;
    const entered = conduct.enter(request, reply, isDue);
    if (!isDue) return entered;
    return entered === undefined
      ? conduct.pass(request, reply, toll)
      : andThen(entered, (passage) => passage ?? conduct.pass(request, reply, toll));
  }

  function tollFor({
    server,
    routeOptions: { config, method, url },
  }: FastifyRequest): Toll<FastifyRequest> | undefined {
    return isNearest(server) ? tollOf(config.toll, method, url) : undefined;
  }

  /** To be paid when the body has been read: a fact may ask for it, or the tokens are estimated from it. */
  function isLate({ open, leavesTokens }: Toll<FastifyRequest>): boolean {
    return open.length > 0 || (leavesTokens && gate.countsTokens);
  }

  function payLate(request: FastifyRequest, reply: FastifyReply): May<Passage> {
    const toll = request.is404 ? undefined : tollFor(request);
    return toll && isLate(toll) ? conduct.pass(request, reply, toll) : undefined;
  }
}

/** Other frameworks' way is `app.use(tollgate(gate))`. */
function checked(given: TollgateOptions | undefined): TollgateOptions {
  if (given !== undefined) return given;
  const expected = 'an object, as in app.register(tollgate, { gate })';
  throw configError([{ path: 'options', value: given, expected }]);
}

/** A route without a toll would be free, and Fastify doesn't mind what it doesn't know. */
function misplaced(toll: unknown, route: string): Error {
  return configError([
    { path: `toll of ${route}`, value: toll, expected: 'to stand in config, as { config: { toll: … } }' },
  ]);
}

/**
 * Puts a gate in front of the routes of the app, or of the plugin that it is registered in. Await it before adding
 * routes: wrong annotations are then refused where they stand, and not by the requests that come. A tier must be one of
 * the gate that is the nearest as its route is added.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options, or of a route's `config.toll`
 */
export const tollgate: FastifyPluginAsync<TollgateOptions> = fastifyPlugin(plugin, {
  fastify: '5.x',
  name: '@tollgate/fastify',
});

/**
 * What operators may do, for `app.register(tollgateAdmin, { prefix: '/admin', … })`: keys, budgets, limits, lines and
 * upstreams over HTTP, described by `/admin/openapi.json`.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options; also without `authorize`
 */
export const tollgateAdmin: FastifyPluginAsync<AdminOptions<FastifyRequest>> = async (app, options) => {
  const { gates, keyRing, upstreams, authorize } = options;
  const admin = createAdmin({ gates, keyRing, upstreams, authorize });
  const depth = app.prefix.split('/').filter((part) => part !== '').length;
  // Bodies are read once it is known that an operator asks.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  app.all('/*', { config: { toll: 'free' } }, async (request, reply) => {
    const { raw } = request;
    const url = `/${(raw.url ?? '')
      .split('/')
      .slice(depth + 1)
      .join('/')}`;
    const { status, headers, body } = await admin.answer({ request, raw, url, body: undefined });
    // As bytes, which no serializer of the app's touches.
    return reply
      .code(status)
      .headers(headers)
      .send(body && Buffer.from(body));
  });
};

function adapterOf(): Adapter<FastifyRequest, FastifyReply, HookHandlerDoneFunction> {
  let trust: ReturnType<typeof trustOf> | undefined;
  return {
    method: (request) => request.method,
    url: (request) => request.originalUrl,
    ip: (request) => request.ip,
    route: (request) => request.routeOptions.url,
    proxyTrust(request) {
      trust ??= trustOf(request);
      return trust;
    },
    header: (request, name) => request.headers[name],
    rawHeaders: (request) => request.raw.rawHeaders,
    body: (request) => request.body,
    isBegun: ({ raw }) => raw.headersSent,
    getHeader: (reply, name) => reply.getHeader(name),
    setHeader: (reply, name, value) => void reply.header(name, value),
    removeHeader: (reply, name) => void reply.removeHeader(name),
    isClosed: ({ raw }) => isOver(raw),
    onClose({ raw }, listener) {
      onOver(raw, () => listener({ status: raw.statusCode, finished: isSent(raw) }));
    },
    refuse(refusal, request, reply) {
      reply.code(refusal.status);
      const { refuse } = conductOf<FastifyRequest, FastifyReply, Refuse>(request);
      if (refuse)
        return andThen(refuse(refusal, request, reply), (payload) => payload !== undefined && reply.send(payload));
      // As bytes, which no serializer of the app's touches. A reply is a promise of its end, which nobody waits for.
      return void reply.type('application/problem+json').send(Buffer.from(JSON.stringify(problemBody(refusal))));
    },
    fail: (thrown, done) => done(asError(thrown)),
  };
}

/** More proxies than any app has. */
const STRANGERS = Array.from({ length: 32 }, (_, i) => `203.0.113.${i}`);

/** Fastify keeps its `trustProxy` to itself: what it makes of a long way through strangers tells. */
function trustOf(request: FastifyRequest): 'none' | 'some' | 'all' {
  const raw = { headers: { 'x-forwarded-for': STRANGERS.join() }, socket: { remoteAddress: STRANGERS[0] } };
  const { ips }: FastifyRequest = Object.create(request, { raw: { value: raw } });
  if (ips === undefined) return 'none';
  return ips.length > STRANGERS.length ? 'all' : 'some';
}
