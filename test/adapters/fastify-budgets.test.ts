/** When a route's toll is paid in Fastify: at once where all is known, else when the body has been read and validated. */
import { budget, createTollgate, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import type { TollConfig, TollgateOptions } from '@tollgate/fastify';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { openFastify, paid } from '../helpers/http-fastify.js';
import { identify } from '../helpers/http-gate.js';

/** A thousand tokens cost a cent. */
const prices = { m: { input: '$10/M', output: '$10/M' } } as const;
const estimate = { inputTokens: 1000, outputTokens: 1000 };
const CENT = 10e6;

const schema = { body: { type: 'object', required: ['prompt'], properties: { prompt: { type: 'string' } } } } as const;
const VALID = { prompt: 'What is the time?', max_tokens: 1000 };

/** An app whose gate counts dollars and permits, and what `ann` had spent at each step of the request. */
async function openWith(build: (app: FastifyInstance) => unknown, options: Partial<TollgateOptions> = {}) {
  const gate = createTollgate({
    limits: [slidingWindow({ name: 'permits', by: 'user', limit: 40, window: '1m' })],
    budgets: [budget({ name: 'user', by: 'user', limit: '$0.10', per: 'day' })],
    prices: { ...prices, default: prices.m },
    tiers: { small: 1, large: { permits: 10, inputTokens: 1000, outputTokens: 2000 }, xlarge: 35 },
    clock: manualClock(),
  });
  const spent = async () => (await gate.inspect(identify())).budgets[0].used;
  const permits = async () => (await gate.inspect(identify())).limits[0].used;
  const at: [hook: string, spent: number, isPaid: boolean][] = [];
  const { app } = await openFastify(
    (app) => {
      for (const hook of ['onRequest', 'preParsing', 'preValidation', 'preHandler'] as const) {
        app.addHook(hook as 'onRequest', async (request) => {
          at.push([hook, await spent(), request.admission !== undefined]);
        });
      }
      return build(app);
    },
    { gate, ...options },
  );
  const post = (url: string, payload: object = VALID) => app.inject({ method: 'POST', url, payload });
  return { app, gate, post, spent, permits, at };
}

const routeWith = (toll: Partial<TollConfig>) => ({
  config: { toll: { tier: 'small', model: 'm', ...toll } as const },
});

const EARLY: [string, Partial<TollConfig>][] = [
  ['an estimate', { estimate }],
  ['an estimate, a floor and dollars', { estimate, floor: 'm', degrade: false, usd: '$0.02' }],
];

test.each(EARLY)('with %s it is paid before the body is read', async (_, toll) => {
  const { post, at, spent } = await openWith((app) => app.post('/', { ...routeWith(toll), schema }, paid));
  expect((await post('/')).body).toBe('paid');
  expect(at).toEqual(['onRequest', 'preParsing', 'preValidation', 'preHandler'].map((hook) => [hook, 2 * CENT, true]));
  for (let i = 0; i < 4; i++) await post('/');
  expect(await spent()).toBe(10 * CENT);
  at.length = 0;
  expect((await post('/', { wrong: 'body' })).statusCode).toBe(402);
  expect(at).toEqual([]);
});

const LATE: [string, Partial<TollConfig>][] = [
  ['no estimate', {}],
  ['an estimate of the input alone', { estimate: { inputTokens: 1000 } }],
  ['an estimate of the output alone', { estimate: { outputTokens: 1000 } }],
  ['dollars alone', { usd: '$0.02' }],
  ['an estimate, and a model as a function', { estimate, model: () => 'm' }],
  ['an estimate, and a floor as a function', { estimate, floor: async () => undefined }],
  ['an estimate, and dollars as a function', { estimate, usd: () => '$0.02' }],
];

test.each(LATE)('with %s it is paid when the body has been read and validated', async (_, toll) => {
  const { post, at, spent } = await openWith((app) => app.post('/', { ...routeWith(toll), schema }, paid));
  expect((await post('/')).body).toBe('paid');
  expect(at.map(([hook, , isPaid]) => [hook, isPaid])).toEqual([
    ['onRequest', false],
    ['preParsing', false],
    ['preValidation', false],
    ['preHandler', true],
  ]);
  expect(at.slice(0, 3).map(([, spent]) => spent)).toEqual([0, 0, 0]);
  const once = await spent();
  expect(once).toBeGreaterThan(CENT);
  expect((await post('/', { wrong: 'body' })).statusCode).toBe(400);
  expect(await spent()).toBe(once);
});

test('where nothing counts tokens or dollars, it is paid before the body is read', async () => {
  const { app, used } = await openFastify((app) => app.post('/', { ...routeWith({}), schema }, paid));
  expect((await app.inject({ method: 'POST', url: '/', payload: {} })).statusCode).toBe(400);
  expect(await used()).toBe(1);
});

test('a body that comes as plain text counts as text', async () => {
  const { app, spent } = await openWith((app) => app.post('/', routeWith({}), paid));
  const ask = (payload: string) =>
    app.inject({ method: 'POST', url: '/', payload, headers: { 'content-type': 'text/plain' } });
  await ask('word '.repeat(100));
  const few = await spent();
  expect(few).toBeGreaterThanOrEqual(100 * 10_000);
  await ask('word '.repeat(1000));
  const many = (await spent()) - few;
  // The answers are taken to be as long as each other.
  expect(many - few).toBeGreaterThanOrEqual(900 * 10_000);
});

describe('a default tier', () => {
  const byDefault = { defaultTier: 'large' } as const;
  const routes = (app: FastifyInstance) => {
    app.post('/plain', paid);
    app.post('/free', { config: { toll: 'free' } }, paid);
    app.post('/own', routeWith({ estimate }), paid);
    app.post('/late', routeWith({}), paid);
    app.post('/full', routeWith({ tier: 'xlarge', estimate: { inputTokens: 0, outputTokens: 0 } }), paid);
  };

  test('is paid before the body is read, at what it says, whatever comes in the body', async () => {
    const { post, at, spent, permits } = await openWith(routes, byDefault);
    expect((await post('/plain')).body).toBe('paid');
    expect(at[0]).toEqual(['onRequest', 3 * CENT, true]);
    expect([await spent(), await permits()]).toEqual([3 * CENT, 10]);
  });

  test('is no charge on a route with a toll of its own, not even for a while', async () => {
    const { gate, post, at, spent, permits } = await openWith(routes, byDefault);
    const admitted: unknown[] = [];
    gate.on('admitted', ({ request, extended }) => admitted.push([request.tier, extended]));
    expect((await post('/own')).body).toBe('paid');
    expect(admitted).toEqual([['small', false]]);
    expect(at.map(([, spent]) => spent)).toEqual(Array(4).fill(2 * CENT));
    expect([await spent(), await permits()]).toEqual([2 * CENT, 1]);
  });

  test('that has no room refuses neither free routes nor those with a toll of their own', async () => {
    const { gate, post, permits } = await openWith(routes, byDefault);
    const refused: unknown[] = [];
    gate.on('refused', ({ request }) => refused.push(request.tier));
    expect((await post('/full')).body).toBe('paid');
    expect((await post('/plain')).statusCode).toBe(429);
    expect((await post('/free')).body).toBe('free');
    expect((await post('/own')).body).toBe('paid');
    expect([await permits(), refused]).toEqual([36, ['large']]);
  });

  test('is paid before a toll that waits for the body, and gives way to it', async () => {
    const { post, at, spent, permits } = await openWith(routes, byDefault);
    expect((await post('/late')).body).toBe('paid');
    expect(at.slice(0, 3)).toEqual(['onRequest', 'preParsing', 'preValidation'].map((hook) => [hook, 3 * CENT, true]));
    const [, inTheEnd] = at[3];
    expect([await spent(), await permits()]).toEqual([inTheEnd, 1]);
    expect(inTheEnd).toBeGreaterThan(CENT);
    expect(inTheEnd).toBeLessThan(2 * CENT);
  });

  test('that has no room refuses before the body is read what would have waited for it', async () => {
    const { post, at } = await openWith(routes, byDefault);
    await post('/full');
    at.length = 0;
    expect((await post('/late')).statusCode).toBe(429);
    expect(at).toEqual([]);
  });

  test('is given back where the toll that waits for the body is refused', async () => {
    const { post, spent } = await openWith((app) => {
      routes(app);
      app.post('/dear', routeWith({ usd: () => '$0.09' }), paid);
    }, byDefault);
    await post('/own');
    expect((await post('/dear')).statusCode).toBe(402);
    expect(await spent()).toBe(2 * CENT);
  });

  test('stays paid where the body is no good', async () => {
    const { post, spent } = await openWith((app) => app.post('/', { ...routeWith({}), schema }, paid), byDefault);
    expect((await post('/', {})).statusCode).toBe(400);
    expect(await spent()).toBe(3 * CENT);
  });
});

test('the gate is told of the body as the schema has left it', async () => {
  const withDefault = {
    body: { type: 'object', properties: { max_tokens: { type: 'number', default: 1000 }, prompt: { type: 'string' } } },
  } as const;
  const handler = async (request: FastifyRequest) => request.admission?.estimate.outputTokens;
  const { post } = await openWith((app) => app.post('/', { ...routeWith({}), schema: withDefault }, handler));
  expect((await post('/', { prompt: 'x' })).json()).toBe(1000);
});
