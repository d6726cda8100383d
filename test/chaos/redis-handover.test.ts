/** G5 for admissions that are handed over: settled once by many processes, and however the network fails. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type Admission, budget, createTollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { type FaultyProxy, startFaultyProxy } from '../helpers/faulty-proxy.js';
import { describeWithOwnRedis, type RedisServer, startRedis } from '../helpers/redis-server.js';

const CENT = 10_000_000;

describeWithOwnRedis('admissions that are handed over', () => {
  let server: RedisServer;
  let proxy: FaultyProxy;
  let clients: Redis[] = [];

  beforeEach(async () => {
    server = await startRedis({ keeps: true });
    proxy = await startFaultyProxy(server.port);
  });

  afterEach(async () => {
    for (const client of clients) client.disconnect();
    clients = [];
    await proxy.close();
    await server.stop();
  });

  function gateAt(port: number, { timeoutMs = 20_000, resends = true } = {}) {
    const client = new Redis(port, { retryStrategy: () => 20, autoResendUnfulfilledCommands: resends });
    client.on('error', () => {});
    clients.push(client);
    const gate = createTollgate({
      name: 'jobs',
      // Nothing else is sent meanwhile that could be lost in place of what is to be.
      store: { ...redisStore(client, { timeoutMs }), shared: undefined },
      budgets: [budget({ name: 'spend', by: 'user', limit: '$1000', per: 'month' })],
    });
    gate.on('store.failed', () => {});
    return gate;
  }

  type Gate = ReturnType<typeof gateAt>;

  async function admit(gate: Gate): Promise<Admission> {
    const decision = await gate.admit({ subject: { user: 'ann' }, permits: 0, usd: '$0.10' });
    if (!decision.admitted) throw new Error(decision.refusal.detail);
    return decision.admission;
  }

  async function spentIn(gate: Gate): Promise<number> {
    return (await gate.inspect({ user: 'ann' })).budgets[0].used / CENT;
  }

  it('are settled once by several processes that have the same jobs', async () => {
    const web = gateAt(server.port);
    const told: { id: string; cents: number }[] = [];
    const workers = [1, 2].map((cents) => {
      const args = [join(__dirname, 'handover-worker.mjs'), `redis://127.0.0.1:${server.port}`, 'tollgate', `${cents}`];
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      createInterface(child.stdout).on('line', (line) => told.push(JSON.parse(line)));
      return { child, ended: new Promise((resolve) => child.once('close', resolve)) };
    });
    const ids: string[] = [];
    for (let round = 0; round < 15; round++) {
      const some = await Promise.all(Array.from({ length: 10 }, async () => (await admit(web)).handOver()));
      for (const { child } of workers) child.stdin.write(`${some.join('\n')}\n`);
      ids.push(...some);
    }
    for (const { child } of workers) child.stdin.end();
    await Promise.all(workers.map(({ ended }) => ended));
    expect(told.map(({ id }) => id).sort()).toEqual([...ids].sort());
    expect(await spentIn(web)).toBe(told.reduce((sum, { cents }) => sum + cents, 0));
    await web.close();
  });

  it('are settled once where replies are lost at each step', async () => {
    const [web, worker] = [gateAt(proxy.port), gateAt(proxy.port)];
    const here = await admit(web);
    proxy.loseNextReply();
    const id = await here.handOver();
    const resumed = await worker.resume(id);
    proxy.loseNextReply();
    await resumed.settle({ usd: '$0.04' });
    proxy.loseNextReply();
    await here.settle({ outcome: 'ignored' });
    expect(await spentIn(gateAt(server.port))).toBe(4);
  });

  it('are settled once where both settle at once and replies are lost all the time', async () => {
    const [web, worker] = [gateAt(proxy.port), gateAt(proxy.port)];
    let spent = 0;
    for (let round = 0; round < 20; round++) {
      const here = await admit(web);
      const resumed = await worker.resume(await here.handOver());
      const told: number[] = [];
      const stops = [web, worker].map((gate, i) => gate.on('settled', () => told.push(i + 1)));
      proxy.loseNextReply();
      await Promise.all([here.settle({ usd: '$0.01' }), resumed.settle({ usd: '$0.02' })]);
      for (const stop of stops) stop();
      expect(told).toHaveLength(1);
      spent += told[0];
    }
    expect(await spentIn(gateAt(server.port))).toBe(spent);
  });

  it('that were, though it seemed to fail, are settled once all the same', async () => {
    const web = gateAt(proxy.port, { timeoutMs: 1_500, resends: false });
    const worker = gateAt(server.port);
    await (await admit(web)).handOver();
    const here = await admit(web);
    proxy.loseNextReply();
    await expect(here.handOver()).rejects.toMatchObject({ code: 'TOLLGATE_STORE_TIMEOUT' });
    await (await worker.resume(here.id)).settle({ usd: '$0.04' });
    await here.settle({ outcome: 'ignored' });
    expect(await spentIn(worker)).toBe(14);
  });

  it('that were not in time can be settled here, and never elsewhere', async () => {
    const web = gateAt(proxy.port, { timeoutMs: 1_500, resends: false });
    const worker = gateAt(server.port);
    await (await admit(web)).handOver();
    const here = await admit(web);
    proxy.delayNext();
    await expect(here.handOver()).rejects.toMatchObject({ code: 'TOLLGATE_STORE_TIMEOUT' });
    await here.settle({ usd: '$0.03' });
    while ((await spentIn(worker)) !== 13) await new Promise((resolve) => setTimeout(resolve, 10));
    proxy.deliver();
    await new Promise((resolve) => setTimeout(resolve, 50));
    await expect(worker.resume(here.id)).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    expect(await spentIn(worker)).toBe(13);
  });

  it('outlast a restart of Redis that keeps its data', async () => {
    const [web, worker] = [gateAt(server.port), gateAt(server.port)];
    const id = await (await admit(web)).handOver();
    await server.kill();
    await server.start();
    await (await worker.resume(id)).settle({ usd: '$0.04' });
    expect(await spentIn(worker)).toBe(4);
    await expect(web.resume(id)).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
  });
});
