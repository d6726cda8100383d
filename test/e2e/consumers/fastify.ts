/** An app as the README shows it, in what any module setting accepts. Answers one request and refuses the next. */
import { createTollgate, slidingWindow } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { tollgate } from '@tollgate/fastify';
import Fastify from 'fastify';

export async function run(): Promise<number[]> {
  const gate = createTollgate({ limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })] });
  const app = Fastify();
  await app.register(tollgate, { gate, identify: (request) => ({ user: String(request.headers['x-user']) }) });
  app.get('/chat', { config: { toll: { tier: 'large', feature: 'chat' } } }, async (request, reply) => {
    reply.status(request.admission && request.admission.id === currentAdmission()?.id ? 200 : 500);
    return {};
  });
  const address = await app.listen({ port: 0, host: '127.0.0.1' });
  const visit = async () => (await fetch(`${address}/chat`, { headers: { 'x-user': 'ada' } })).status;
  const statuses = [await visit(), await visit()];
  app.server.closeAllConnections();
  await app.close();
  return statuses;
}

// @ts-expect-error not a tier
export const wrong = () => Fastify().get('/', { config: { toll: { tier: 'huge' } } }, () => 'ok');
