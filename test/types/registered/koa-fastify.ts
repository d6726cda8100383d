/** The gate that `app.ts` registers, on the routes of Koa and Fastify. By `tsc -b`; never run. */
import type { Tollgate } from '@tollgate/core';
import { tollgate as plugin } from '@tollgate/fastify';
import { type TollMiddleware, toll, tollgate } from '@tollgate/koa';
import type { FastifyInstance } from 'fastify';

export const tolls: TollMiddleware[] = [
  toll('cheap', { feature: 'chat' }),
  toll((ctx) => (ctx.query.long ? 'dear' : 'cheap')),
  // @ts-expect-error: a default tier, which this gate has not
  toll('small'),
  toll('cheap', { model: 'embedder', usd: '$0.02' }),
  toll('cheap', { model: (ctx) => ctx.get('x-model'), degrade: (ctx) => ctx.query.exact === undefined }),
  // @ts-expect-error: no such feature
  toll('cheap', { feature: 'chatter' }),
  // @ts-expect-error: no such model
  toll('cheap', { model: 'bset' }),
];

const answer = () => 'Good evening.';

export async function routes(app: FastifyInstance, gate: Tollgate): Promise<void> {
  await app.register(plugin, { gate, defaultTier: 'dear' });
  // @ts-expect-error: a default tier, which this gate has not
  await app.register(plugin, { gate, defaultTier: 'small' });
  app.get('/free', { config: { toll: 'free' } }, answer);
  app.get('/chat', { config: { toll: { tier: 'cheap', feature: 'chat' } } }, answer);
  app.get('/long', { config: { toll: { tier: (request) => (request.query ? 'dear' : 'cheap') } } }, answer);
  app.get('/model', { config: { toll: { tier: 'cheap', model: 'best', floor: 'fair', degrade: true } } }, answer);
  app.get('/body', { config: { toll: { tier: 'cheap', model: ({ body }) => String(body), usd: '$1' } } }, answer);
  // @ts-expect-error: no such model
  app.get('/bset', { config: { toll: { tier: 'cheap', model: 'bset' } } }, answer);
  // @ts-expect-error: no such model to go down to
  app.get('/floor', { config: { toll: { tier: 'cheap', model: 'best', floor: 'fiar' } } }, answer);
  // @ts-expect-error: a default tier, which this gate has not
  app.get('/small', { config: { toll: { tier: 'small' } } }, answer);
  // @ts-expect-error: no such feature
  app.get('/chatter', { config: { toll: { tier: 'cheap', feature: 'chatter' } } }, answer);
}

export async function refusals(app: FastifyInstance, gate: Tollgate): Promise<void> {
  tollgate(gate, {
    refuse: async ({ detail, status }, ctx, next) => {
      ctx.body = { detail, again: status !== 422 };
      await next();
    },
  });
  // @ts-expect-error: the context answers, and there is no response beside it
  tollgate(gate, { refuse: (_refusal, _ctx, _res, next: () => void) => next() });
  // @ts-expect-error: a function answers
  tollgate(gate, { refuse: 'no' });
  await app.register(plugin, { gate, refuse: ({ detail }, request, reply) => reply.send({ detail, id: request.id }) });
  // @ts-expect-error: a refusal has no such field
  await app.register(plugin, { gate, refuse: ({ message }) => message });
}
