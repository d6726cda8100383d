/** Tollgate in a Fastify app: reads what Fastify knows, writes refusals, passes on everything else. */
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
  asError,
  type ConductOptions,
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
  then,
} from '@tollgate/core/http';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';

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

export interface TollgateOptions extends ConductOptions<FastifyRequest> {
  gate: Tollgate;
  /** Answers a refused request in place of problem+json: sends, or returns what to send. Status and headers are set already. */
  refuse?: (refusal: Refusal, request: FastifyRequest, reply: FastifyReply) => unknown;
}

/** A route's annotation. Where any of it is a function of the request, it is paid when the body has been read and validated. */
export interface TollConfig extends TollOptions<FastifyRequest> {
  tier: Fact<FastifyRequest, TierName>;
}

/** Whose gate the routes of an instance pay at: encapsulated ones inherit it, or have one of their own. */
const CONDUCT = Symbol.for('tollgate.conduct');

async function plugin(app: FastifyInstance, { gate, refuse, ...options }: TollgateOptions): Promise<void> {
  const conduct = createConduct(gate, adapterOf(), options);
  Object.assign(app, { [CONDUCT]: conduct });
  if (!app.hasRequestDecorator('admission')) app.decorateRequest('admission', { getter: admissionOfThis });

  app.addHook('onRoute', ({ config, method, url }) => void dueOf(config?.toll, method, url));
  app.addHook('onRequest', (request, reply, done) => {
    if (request.is404) done();
    else answer(() => enter(request, reply), refuse, request, reply, done);
  });
  app.addHook('preHandler', (request, reply, done) => {
    const toll = late.get(request);
    answer(() => toll && conduct.pass(request, reply, toll), refuse, request, reply, done);
  });

  /** Tolls that are paid once the body is there. */
  const late = new WeakMap<FastifyRequest, Toll<FastifyRequest>>();

  function enter(request: FastifyRequest, reply: FastifyReply): May<Passage> {
    return then(conduct.enter(request, reply), (passage) =>
      passage === undefined || (passage !== 'gone' && passage.admitted) ? pay(request, reply) : passage,
    );
  }

  /** Of several gates only the nearest is paid at. */
  function pay(request: FastifyRequest, reply: FastifyReply): May<Passage> {
    // Fastify puts this together afresh whenever it is asked for.
    const { config, method, url } = request.routeOptions;
    const due = dueOf(config.toll, method, url);
    if (due === undefined || (request.server as { [CONDUCT]?: unknown })[CONDUCT] !== conduct) return undefined;
    if (!due.late) return conduct.pass(request, reply, due.toll);
    late.set(request, due.toll);
    return undefined;
  }
}

/**
 * Puts a gate in front of the routes of the app, or of the plugin that it is registered in. Await it before adding
 * routes: wrong annotations are then refused where they stand, and not by the requests that come.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options, or of a route's `config.toll`
 */
export const tollgate: FastifyPluginAsync<TollgateOptions> = fastifyPlugin(plugin, {
  fastify: '5.x',
  name: '@tollgate/fastify',
});

/** What an annotation comes to. */
interface Due {
  readonly toll: Toll<FastifyRequest>;
  /** A fact is a function of the request, which may ask for the body. */
  readonly late: boolean;
}

const EXEMPT: Due = { toll: FREE, late: false };

/** By annotation, which Fastify hands from the route to its requests. */
const dues = new WeakMap<object, Due>();

function dueOf(annotation: TollConfig | 'free' | undefined, method: string | string[], url = ''): Due | undefined {
  if (annotation === undefined) return undefined;
  if (annotation === 'free') return EXEMPT;
  const made = dues.get(annotation);
  if (made) return made;
  const where = `config.toll of ${method} ${url}`;
  if (typeof annotation !== 'object' || annotation === null) {
    const expected = "'free', or what the route costs, such as { tier: 'large' }";
    const problem = { path: 'toll', value: annotation, expected };
    throw new TollgateError('TOLLGATE_CONFIG_INVALID', `${where}: expected ${expected}.`, [problem]);
  }
  try {
    const { tier, ...options } = annotation;
    const late = Object.values(annotation).some((fact) => typeof fact === 'function');
    const due = { toll: makeToll(tier, options), late };
    dues.set(annotation, due);
    return due;
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    throw new TollgateError(error.code, `${where}: ${error.message}`, error.problems);
  }
}

/** Calls `done` once: with what went wrong before the route, or without anything to go on to it. */
function answer(
  pass: () => May<Passage>,
  refuse: TollgateOptions['refuse'],
  request: FastifyRequest,
  reply: FastifyReply,
  done: (error?: Error) => void,
): void {
  const fail = (thrown: unknown) => done(asError(thrown));
  let passage: May<Passage>;
  try {
    passage = pass();
  } catch (thrown) {
    fail(thrown);
    return;
  }
  if (isPromise(passage)) passage.then(proceed, fail);
  else proceed(passage);

  function proceed(passage: Passage): void {
    if (passage === 'gone') return;
    const admission = admissionOf(request);
    if (passage !== undefined && !passage.admitted) {
      runWithAdmission(undefined, () => send(passage.refusal, refuse, request, reply)).catch(fail);
    } else if (admission === currentAdmission()) done();
    else runWithAdmission(admission, done);
  }
}

async function send(
  refusal: Refusal,
  refuse: TollgateOptions['refuse'],
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<void> {
  if (reply.raw.headersSent) {
    throw new TollgateError('TOLLGATE_TOO_LATE', `Refused after the response had begun: ${refusal.detail}`);
  }
  reply.code(refusal.status);
  if (refuse) {
    const payload = await refuse(refusal, request, reply);
    if (payload !== undefined) reply.send(payload);
  } else {
    // As bytes, which no serializer of the app's touches.
    reply.type('application/problem+json').send(Buffer.from(JSON.stringify(problemBody(refusal))));
  }
}

function admissionOfThis(this: FastifyRequest): Admission | undefined {
  return admissionOf(this);
}

function adapterOf(): Adapter<FastifyRequest, FastifyReply> {
  let trust: ReturnType<typeof trustOf> | undefined;
  return {
    method: (request) => request.method,
    ip: (request) => request.ip,
    route: (request) => request.routeOptions.url,
    proxyTrust(request) {
      trust ??= trustOf(request);
      return trust;
    },
    header: (request, name) => request.headers[name],
    setHeaders(reply, headers) {
      if (reply.raw.headersSent) return;
      for (const [name, value] of headers) reply.header(name, value);
    },
    isClosed: ({ raw }) => raw.closed || raw.destroyed,
    onClose({ raw }, listener) {
      // Injected responses emit `finish`, and never say that they are.
      let finished = false;
      raw.on('finish', () => {
        finished = true;
      });
      raw.on('close', () => listener({ status: raw.statusCode, finished }));
    },
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
