/** Fastify: as the contract's harness, and as a bench for tests of Fastify alone. */
import { realpathSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { createTollgate, type Tollgate } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { type TollConfig, type TollgateOptions, tollgate } from '@tollgate/fastify';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import type { Annotation, Answer, Harness } from '../conformance/adapter/harness.js';
import { LIMITS, usedByAnn } from './http-express.js';

// `inject` requires a module that Jest can't, for cookies that no test sends.
const injector = require.resolve('light-my-request', { paths: [realpathSync(require.resolve('fastify'))] });
jest.doMock(require.resolve('cookie', { paths: [realpathSync(injector)] }), () => ({}));

export const fastifyHarness: Harness = async (spec) => {
  const { gate, options = {}, refuse, trustProxy = false, earlierHeaders = {}, routes, onError } = spec;
  const app = fastify({
    // Fastify itself knows no number of proxies.
    trustProxy: typeof trustProxy === 'number' ? (_address, hop) => hop < trustProxy : trustProxy,
    routerOptions: { maxParamLength: 1 << 20 },
  });
  app.setErrorHandler((error, _request, reply) => {
    onError(error);
    reply.code(500).type('text/plain').send('app error');
  });
  app.addHook('onRequest', async (_request, reply) => void reply.headers(earlierHeaders));
  const { identify, skip, ...others } = options;
  await app.register(tollgate, {
    gate,
    ...others,
    ...(identify && { identify: (request) => identify(request.raw) }),
    ...(skip && { skip: (request) => skip(request.raw) }),
    ...(refuse && { refuse: async (refusal, _request, reply) => respond(reply, await refuse(refusal)) }),
  });
  for (const { method = 'GET', path, toll, handler } of routes) {
    const config = toll === undefined ? {} : { toll: toll === 'free' ? toll : ofRaw(toll) };
    app.route({
      method,
      url: path,
      config,
      handler: async (request, reply) =>
        respond(reply, await handler({ req: request.raw, admission: request.admission })),
    });
  }
  await app.ready();
  return (req, res) => app.routing(req, res);
};

/** The annotation, with functions of Node's request as functions of Fastify's. */
function ofRaw(annotation: Annotation): TollConfig {
  const facts = Object.entries(annotation).map(([name, fact]) => [
    name,
    typeof fact === 'function'
      ? (request: FastifyRequest) => (fact as (req: IncomingMessage) => unknown)(request.raw)
      : fact,
  ]);
  return Object.fromEntries(facts);
}

function respond(reply: FastifyReply, { status, headers = {}, body = '' }: Answer): FastifyReply {
  if (status !== undefined) reply.code(status);
  return reply.headers(headers).send(body);
}

export interface FastifyBench {
  readonly app: FastifyInstance;
  readonly gate: Tollgate;
  /** What a limit has counted for `ann`, on whose behalf all requests come unless `identify` says otherwise. */
  used(layer?: string): Promise<number>;
}

/** An app, for `inject`, behind a gate with the limits `user` (permits), `calls` (requests) and `tokens`, each per user. */
export async function openFastify(
  build: (app: FastifyInstance) => unknown,
  options: Partial<TollgateOptions> = {},
  serverOptions: FastifyServerOptions = {},
): Promise<FastifyBench> {
  const gate = createTollgate({ limits: LIMITS, clock: manualClock() });
  const app = fastify(serverOptions);
  await app.register(tollgate, { gate, identify: () => ({ user: 'ann' }), ...options });
  await build(app);
  return { app, gate, used: (layer = 'user') => usedByAnn(gate, layer) };
}
