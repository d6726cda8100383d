/** Two instances of an app over HTTP, which share their limits and budgets by a Redis. */
import { budget, createTollgate, slidingWindow, type Tollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';
import { Redis } from 'ioredis';
import { closeServers, listen, send } from '../helpers/http-server.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

afterEach(closeServers);

describeWithRedis('two instances of an app', () => {
  const url = useRedis();
  const clients: Redis[] = [];
  const gates: Tollgate[] = [];
  afterAll(async () => {
    for (const gate of gates) await gate.close();
    for (const client of clients) await client.quit();
  });

  async function start() {
    const client = new Redis(url());
    clients.push(client);
    const gate = createTollgate({
      store: redisStore(client, { prefix: `app ${process.pid}`, timeoutMs: 60_000 }),
      limits: [slidingWindow({ name: 'user', by: 'user', unit: 'requests', limit: 4, window: '1h' })],
      budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'month' })],
    });
    gates.push(gate);
    const app = express();
    app.use(tollgate(gate, { identify: (req) => ({ user: req.get('x-user') }) }));
    app.get('/', toll('small', { usd: '$0.4' }), async (req, res) => {
      await req.admission?.settle({ usd: '$0.2' });
      res.json({ usd: '$0.2' });
    });
    return { gate, server: await listen(app) };
  }

  it('admit, settle and refuse as one', async () => {
    const [one, two] = [await start(), await start()];
    const visit = async ({ server }: typeof one) => (await send(server, '/', { headers: { 'x-user': 'ann' } })).status;
    expect([await visit(one), await visit(two), await visit(one), await visit(two)]).toEqual([200, 200, 200, 200]);
    // $0.8 is spent, and all four requests.
    expect(await visit(two)).toBe(402);
    const { limits, budgets } = await two.gate.inspect({ user: 'ann' });
    expect([limits[0].used, budgets[0].used]).toEqual([4, 800_000_000]);
    const refused = await send(one.server, '/', { headers: { 'x-user': 'ann' } });
    expect(JSON.parse(refused.text)).toMatchObject({
      status: 402,
      layer: 'spend',
      'violated-policies': ['user', 'spend'],
    });
  });
});
