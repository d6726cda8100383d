import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { tollgate } from '@tollgate/fastify';
import fastify from 'fastify';

const gate = createTollgate({
  limits: [
    slidingWindow({ name: 'global', limit: 600, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '100/h' }),
    slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: { free: 20, pro: 200 }, window: '1m' }),
  ],
});

const plans = new Map<string | undefined, string>([['ada', 'pro']]);
const app = fastify();
await app.register(tollgate, {
  gate,
  // A real app knows its users by their session or token; here the client says who it is.
  identify({ headers }) {
    const user = headers['x-user']?.toString();
    return { user, plan: plans.get(user) ?? 'free' };
  },
});

app.post<{ Body: { message?: string } | undefined }>(
  '/chat',
  { config: { toll: { tier: 'large', feature: 'chat' } } },
  async ({ body }) => ({ reply: `You said: ${body?.message ?? 'nothing'}` }),
);

app.post<{ Body: { text?: string } | undefined }>(
  '/summarise',
  { config: { toll: { tier: 'medium', feature: 'summarise' } } },
  async ({ body }) => ({ summary: String(body?.text ?? '').slice(0, 80) }),
);

app.post('/embed', { config: { toll: { tier: 'small', feature: 'embed' } } }, async () => ({ embedding: [0.1, 0.2] }));

await app.listen({ port: Number(process.env.PORT ?? 3000) });
console.log(`http://localhost:${new URL(app.listeningOrigin).port}`);
