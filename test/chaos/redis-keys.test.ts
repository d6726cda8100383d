/** Keys of instances that share a Redis: rotated under load, revoked everywhere, and no secret in what is kept. */
import type { Server } from 'node:http';
import { budget, createTollgate, type Tollgate } from '@tollgate/core';
import { type KeyRing, keyRing } from '@tollgate/core/keys';
import { redisStore } from '@tollgate/core/redis';
import { manualClock } from '@tollgate/core/testing';
import { toll, tollgate } from '@tollgate/express';
import express from 'express';
import { Redis } from 'ioredis';
import { closeServers, listen, send } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

const HOUR = 3_600_000;
const CENT = 10_000_000;

interface Instance {
  readonly keys: KeyRing;
  readonly gate: Tollgate;
  readonly server: Server;
  readonly client: Redis;
}

describeWithRedis('API keys on Redis', () => {
  const url = useRedis();
  recordWarnings();
  const clock = manualClock();
  let count = 0;
  let prefix: string;
  let instances: Instance[];

  beforeEach(async () => {
    prefix = `keys ${process.pid} ${count++}`;
    instances = await Promise.all([open(), open()]);
  });
  afterEach(async () => {
    await closeServers();
    await Promise.all(instances.map(({ keys, gate }) => Promise.all([keys.close(), gate.close()])));
    await Promise.all(instances.map(({ client }) => client.quit()));
  });

  async function open(): Promise<Instance> {
    const client = new Redis(url());
    const store = redisStore(client, { prefix, timeoutMs: 60_000 });
    const keys: KeyRing = keyRing({ store, clock, pepper: 'the pepper of this test' });
    const gate = createTollgate({
      budgets: [budget({ name: 'spend', by: 'key', limit: '$100', per: 'month' })],
      store,
      clock,
    });
    const app = express();
    app.use(tollgate(gate, { authenticate: keys }));
    app.get('/', toll('small', { usd: '$0.01' }), (_req, res) => void res.send('ok'));
    return { keys, gate, server: await listen(app), client };
  }

  async function statusAt({ server }: Instance, text: string): Promise<number> {
    return (await send(server, '/', { headers: { authorization: `Bearer ${text}` } })).status;
  }

  /** The statuses of so many requests to both, of which some are always under way. */
  async function load(requests: number, texts: readonly string[]): Promise<number[]> {
    const statuses: number[] = [];
    let next = 0;
    const client = async () => {
      while (next < requests) {
        const i = next++;
        statuses.push(await statusAt(instances[i % 2], texts[(i >> 1) % texts.length]));
      }
    };
    await Promise.all(Array.from({ length: 8 }, client));
    return statuses;
  }

  test('rotated under load no request fails, all counts on one budget, and the old one ends with the overlap', async () => {
    const [one, other] = instances;
    const old = await one.keys.create({ service: 'search' });
    const before = load(100, [old.reveal()]);
    const next = await one.keys.rotate(old.key.id, { overlap: '1h' });
    const during = load(200, [old.reveal(), next.reveal()]);
    clock.advance(HOUR - 1);
    const statuses = [await before, await during, await load(20, [old.reveal(), next.reveal()])].flat();
    const after = load(100, [next.reveal()]);
    clock.advance(1);
    for (const instance of instances) expect(await statusAt(instance, old.reveal())).toBe(401);
    statuses.push(...(await after));
    expect(statuses).toEqual(Array(420).fill(200));
    for (const { gate } of [one, other]) {
      const { budgets } = await gate.inspect({ key: old.key.identity });
      expect(budgets).toMatchObject([{ used: 420 * CENT }]);
    }
  });

  test('revoked by one instance, it is refused by another that had it at hand, as soon as that asks what was told', async () => {
    const [one, other] = instances;
    const { key, reveal } = await one.keys.create({ service: 'search' });
    expect(await statusAt(other, reveal())).toBe(200);
    await one.keys.revoke(key.id);
    expect(await statusAt(one, reveal())).toBe(401);
    // Asked twice a second; where that fails the test takes too long.
    while ((await statusAt(other, reveal())) !== 401) await one.client.ping();
  });

  test('what all have counted is added up', async () => {
    const [one, other] = instances;
    const { reveal } = await one.keys.create({ service: 'search' });
    await load(40, [reveal()]);
    await other.keys.list();
    expect(await one.keys.list()).toMatchObject([{ uses: 40, lastUsedAt: clock.now() }]);
  });

  test('nothing in Redis tells a key’s text, all of it ends by itself, and no shown text names any of it', async () => {
    const [{ keys, client }] = instances;
    const { reveal } = await keys.create({ service: 'search' });
    await keys.verify(reveal());
    for (const text of ['*', `{${prefix}}/told`, '\r\nDEL *', reveal().replaceAll('_', ':')]) await keys.verify(text);
    await keys.list();
    const names = await client.keys('*');
    const ours = names.filter((name) => name.startsWith(`{${prefix}}`));
    expect(ours.length).toBeGreaterThan(3);
    const dumps = await Promise.all(ours.map((name) => client.dumpBuffer(name)));
    for (const secret of [reveal().slice(21), reveal().slice(21, 53), 'the pepper of this test']) {
      for (const dump of [...ours, ...dumps]) expect(dump?.includes(secret)).toBe(false);
    }
    for (const name of ours) expect(await client.pttl(name)).toBeGreaterThan(0);
  });
});
