/** Fastify: as the contract's harness, and as a bench for tests of Fastify alone. */
import { realpathSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import type { ConductOptions } from '@tollgate/core/http';
import { apiKeyOf, type TollConfig, type TollgateOptions, tollgate } from '@tollgate/fastify';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import {
  type Annotation,
  type Answer,
  type Asked,
  bearsStatus,
  type Harness,
  type Step,
} from '../conformance/adapter/harness.js';
import { COUNTS, type GateBench, identify, makeGate, usedByAnn } from './http-gate.js';

// `inject` requires a module that Jest can't, for cookies that no test sends.
const injector = require.resolve('light-my-request', { paths: [realpathSync(require.resolve('fastify'))] });
jest.doMock(require.resolve('cookie', { paths: [realpathSync(injector)] }), () => ({}));

export const fastifyHarness: Harness = async (spec) => {
  const { gate, options = {}, refuse, trustProxy = false, before, outer, earlierHeaders = {}, routes, onError } = spec;
  const { parsesBodies = true, http2 } = spec;
  const app = fastify({
    // Its types would be others.
    ...({ http2 } as object),
    // Fastify itself knows no number of proxies.
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    routerOptions: { maxParamLength: 1 << 20 },
    bodyLimit: 8 << 20,
    // Fastify would refuse such names; what the gate makes of them is the contract's question.
    onProtoPoisoning: 'ignore',
    onConstructorPoisoning: 'ignore',
  });
  if (!parsesBodies) {
    app.removeAllContentTypeParsers();
    app.addContentTypeParser('*', (_request, _payload, done) => done(null));
  }
  app.setErrorHandler((error, _request, reply) => {
    onError(error);
    if (bearsStatus(error)) throw error;
    reply.code(500).type('text/plain').send('app error');
  });
  app.addHook('onRequest', async (_request, reply) => void reply.headers(earlierHeaders));
  if (before) app.addHook('onRequest', hookOf(before));
  if (outer) await app.register(tollgate, { gate: outer.gate ?? gate, ...optionsOf(outer.options) });
  await app.register(tollgate, {
    gate,
    ...optionsOf(options),
    ...(refuse && { refuse: async (refusal, _request, reply) => respond(reply, await refuse(refusal)) }),
  });
  for (const { method = 'GET', path, toll, after, handler } of routes) {
    const config = toll === undefined ? {} : { toll: toll === 'free' ? toll : ofRaw(toll) };
    app.route({
      method,
      url: path,
      config,
      ...(after && { preHandler: hookOf(after) }),
      handler: async (request, reply) =>
        respond(reply, await handler({ req: request.raw, admission: request.admission, key: apiKeyOf(request) })),
    });
  }
  await app.ready();
  return (req, res) => app.routing(req, res);
};

function hookOf(step: Step) {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    await step(request.raw, reply.raw);
    if (reply.raw.writableEnded) reply.hijack();
  };
}

function optionsOf({ identify, skip, ...others }: ConductOptions<IncomingMessage> = {}): Partial<TollgateOptions> {
  return {
    ...others,
    ...(identify && { identify: (request, key) => identify(request.raw, key) }),
    ...(skip && { skip: (request) => skip(request.raw) }),
  };
}

/** The annotation, with functions of Node's request as functions of Fastify's. */
function ofRaw(annotation: Annotation): TollConfig {
  const facts = Object.entries(annotation).map(([name, fact]) => [
    name,
    typeof fact === 'function'
      ? (request: FastifyRequest) => (fact as (req: Asked) => unknown)(askedOf(request))
      : fact,
  ]);
  return Object.fromEntries(facts);
}

function askedOf({ raw, body }: FastifyRequest): Asked {
  return Object.assign(raw, { body });
}

function respond(reply: FastifyReply, { status, headers = {}, body = '' }: Answer): FastifyReply {
  if (status !== undefined) reply.code(status);
  return reply.headers(headers).send(body);
}

/** A handler that tells whether it was paid for. */
export const paid = async (request: FastifyRequest) => (request.admission ? 'paid' : 'free');

/** The options of a route that costs 10. */
export const large = { config: { toll: { tier: 'large' } } } as const;

/** Of one that costs more than `ann` has once she has spent anything. */
export const dear = { config: { toll: { tier: 'small', permits: 100 } } } as const;

export interface FastifyBench extends Pick<GateBench, 'gate' | 'used'> {
  readonly app: FastifyInstance;
}

/** An app, for `inject`, behind a gate with the usual limits. */
export async function openFastify(
  build: (app: FastifyInstance) => unknown,
  options: Partial<TollgateOptions> = {},
  serverOptions: FastifyServerOptions = {},
): Promise<FastifyBench> {
  const gate = makeGate(COUNTS);
  const app = fastify(serverOptions);
  await app.register(tollgate, { gate, identify, ...options });
  await build(app);
  return { app, gate, used: (layer) => usedByAnn(gate, layer) };
}
