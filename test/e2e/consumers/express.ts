/** An app as the README shows it, in what any module setting accepts. Answers one request and refuses the next. */
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createTollgate, slidingWindow } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';

export async function run(): Promise<number[]> {
  const gate = createTollgate({ limits: [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })] });
  const app = express();
  app.use(tollgate(gate, { identify: (req) => ({ user: req.get('x-user') }) }));
  app.get('/chat', toll('large', { feature: 'chat' }), (req, res) => {
    res.sendStatus(req.admission && req.admission.id === currentAdmission()?.id ? 200 : 500);
  });
  const server = app.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const visit = async () => (await fetch(`http://127.0.0.1:${port}/chat`, { headers: { 'x-user': 'ada' } })).status;
  const statuses = [await visit(), await visit()];
  server.closeAllConnections();
  server.close();
  return statuses;
}

// @ts-expect-error not a tier
export const wrong = () => toll('huge');
