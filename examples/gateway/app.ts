/** An OpenAI-compatible gateway: a team's keys, limits, budgets and line before several providers. */
import { budget, createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { startStandIns } from '@tollgate/fake-provider';
import { tollgate } from '@tollgate/fastify';
import { createUpstream, env, openai, openrouter } from '@tollgate/upstream';
import fastify, { type FastifyError, type FastifyReply, type FastifyRequest } from 'fastify';

if (process.env.OPENAI_KEY_1 === undefined) Object.assign(process.env, await startStandIns());
const { PORT = '3000', OPENAI_URL = 'https://api.openai.com/v1', OPENROUTER_URL } = process.env;

/** Who may use it, by the key that they were given. A real gateway keeps them elsewhere. */
const CLIENTS = new Map([
  ['gw-ada', { user: 'ada', tenant: 'search', plan: 'pro' }],
  ['gw-bob', { user: 'bob', tenant: 'intern', plan: 'free' }],
]);

/** The dollars are OpenAI's; what another provider asks for the same model is near enough for a budget. */
const PRICES = {
  'gpt-5': { input: '$1.25/M', cachedInput: '$0.125/M', output: '$10/M' },
  'gpt-5-mini': { input: '$0.25/M', cachedInput: '$0.025/M', output: '$2/M' },
  'text-embedding-3-small': { input: '$0.02/M', output: '$0/M' },
} as const;

/** Headers of providers that clients don't see. */
const HIDDEN =
  /^(content-(encoding|length)|transfer-encoding|connection|keep-alive|date|set-cookie|openai-.+|x-ratelimit-.+)$/;

const gate = createTollgate({
  name: 'gateway',
  tiers: { small: { permits: 1, outputTokens: 0 }, large: 10 },
  limits: [
    tokenBucket({
      name: 'requests',
      by: 'user',
      unit: 'requests',
      capacity: { free: 20, pro: 200 },
      refill: { free: '20/m', pro: '200/m' },
    }),
    slidingWindow({ name: 'tokens', by: ['user', 'model'], unit: 'tokens', limit: '100k', window: '1m' }),
  ],
  budgets: [
    budget({ name: 'company-day', limit: '$50', per: 'day', alertAt: [0.8, 1] }),
    // Who has spent four fifths is served by the cheaper model.
    budget({ name: 'user-day', by: 'user', limit: { free: '$0.05', pro: '$5' }, per: 'day', degradeAt: [0.8] }),
  ],
  ladders: [['gpt-5', 'gpt-5-mini']],
  prices: PRICES,
  queue: { concurrency: 64, fairBy: 'tenant', maxWait: { interactive: '10s' } },
});

const llm = createUpstream({
  gate,
  providers: [
    openai({
      baseUrl: OPENAI_URL,
      keys: [
        { name: 'prod-1', secret: env('OPENAI_KEY_1') },
        { name: 'prod-2', secret: env('OPENAI_KEY_2') },
      ],
    }),
    openrouter({
      baseUrl: OPENROUTER_URL,
      keys: [
        { name: 'spare-1', secret: env('OPENROUTER_KEY_1') },
        { name: 'spare-2', secret: env('OPENROUTER_KEY_2') },
      ],
    }),
  ],
  failover: {
    openai: [{ provider: 'openrouter', models: { 'gpt-5': 'openai/gpt-5', 'gpt-5-mini': 'openai/gpt-5-mini' } }],
  },
  degrade: true,
});

const app = fastify({ bodyLimit: 8_000_000 });
app.setErrorHandler((error: FastifyError, _, reply) => {
  const { statusCode = 500, message } = error;
  // What the client got wrong is no 500, which SDKs would try again.
  if (statusCode < 500) return reply.code(statusCode).send(errorOf('invalid_request', message));
  console.error(error);
  return reply.code(500).send(errorOf('server_error', 'The gateway has failed.'));
});
app.setNotFoundHandler(({ method, url }, reply) => {
  return reply.code(404).send(errorOf('unknown_url', `The gateway has nothing at ${method} ${url}.`));
});

app.addHook('onRequest', async (request, reply) => {
  if (clientOf(request) === undefined) {
    await reply.code(401).send(errorOf('invalid_api_key', 'The gateway does not know this key.'));
  }
});

await app.register(tollgate, {
  gate,
  identify: clientOf,
  refuse: ({ reason, detail }) => errorOf(reason, detail),
});

for (const [path, tier] of [
  ['/chat/completions', 'large'],
  ['/responses', 'large'],
  ['/embeddings', 'small'],
] as const) {
  const toll = { tier, feature: path, priority: 'interactive', model: modelOf } as const;
  app.post(`/v1${path}`, { config: { toll }, preValidation: requireModel }, async ({ body }, reply) => {
    const headers = { 'Content-Type': 'application/json' };
    return relay(await llm.fetch(OPENAI_URL + path, { method: 'POST', headers, body: JSON.stringify(body) }), reply);
  });
}

app.get('/v1/models', async () => ({
  object: 'list',
  data: Object.keys(PRICES).map((id) => ({ id, object: 'model', created: 0, owned_by: 'gateway' })),
}));

await app.listen({ port: Number(PORT) });
console.log(`http://localhost:${new URL(app.listeningOrigin).port}`);

function clientOf({ headers: { authorization = '' } }: FastifyRequest) {
  return CLIENTS.get(authorization.replace(/^Bearer /, ''));
}

function modelOf({ body }: FastifyRequest): string | undefined {
  return (body as { model?: string } | null)?.model;
}

async function requireModel(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const model = modelOf(request);
  if (model === undefined) {
    await reply.code(400).send(errorOf('missing_model', "The body has to name a 'model'."));
  } else if (!Object.hasOwn(PRICES, model)) {
    await reply.code(404).send(errorOf('model_not_found', `The gateway has no model '${model}'.`));
  }
}

/** As OpenAI words errors, so that its SDKs show them. */
function errorOf(code: string, message: string) {
  return { error: { message, type: 'gateway_error', param: null, code } };
}

/** Passes an answer on as it comes. How it was encoded on its way here, and how the account stands, is nobody's business. */
function relay({ status, headers, body }: Response, reply: FastifyReply): FastifyReply {
  for (const [name, value] of headers) if (!HIDDEN.test(name)) reply.header(name, value);
  return reply.code(status).send(body);
}
