/** What must not compile of the admin surface, and what must: `authorize` asks the framework's own request. */
import { createTollgate, memoryStore, slidingWindow } from '@tollgate/core';
import { keyRing } from '@tollgate/core/keys';
import { tollgateAdmin as expressAdmin } from '@tollgate/express';
import { tollgateAdmin as fastifyAdmin } from '@tollgate/fastify';
import { tollgateAdmin as koaAdmin } from '@tollgate/koa';
import { createUpstream, openai } from '@tollgate/upstream';
import fastify from 'fastify';

const gate = createTollgate({
  tiers: { cheap: 1 },
  limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })],
});
const keys = keyRing({ store: memoryStore(), limits: { spend: '$5' } });
const llm = createUpstream({ gate, providers: [openai({ keys: [] })] });

export async function mounting(): Promise<void> {
  const gates = [gate];
  expressAdmin({ gates, keyRing: keys, upstreams: { llm }, authorize: (req) => req.get('x-user') === 'ann' });
  koaAdmin({ gates, authorize: async (ctx) => ctx.get('x-user') === 'ann' || undefined });
  const app = fastify();
  await app.register(fastifyAdmin, { prefix: '/admin', gates, authorize: ({ headers }) => headers.host === 'ops' });
  // @ts-expect-error: never without it
  expressAdmin({ gates });
  // @ts-expect-error: a user is no yes
  koaAdmin({ gates, authorize: (ctx) => ctx.get('x-user') });
  // @ts-expect-error: never without it
  await app.register(fastifyAdmin, { prefix: '/admin', gates });
}
