/** Headroom where the store is down, asked behind a cache of refusals, shared by processes, or spread over shards. */
import { createTollgate, headroom, memoryStore, type Store } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { Redis } from 'ioredis';
import { denyCache } from '../../packages/core/src/store/deny-cache.js';
import { breakableStore } from '../helpers/breakable-store.js';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { askers, gateOf, MINUTE, SECOND, START, thrownBy } from './support.js';

const rpm = headroom({ name: 'rpm', by: 'key', limit: 60, window: '1m' });
const request = { permits: 1, subject: { key: 'k' } };

it('keeps to a share while the store is down, corrected by a share of what is observed', async () => {
  const store = breakableStore(undefined, 2);
  const { gate, admission, refusal, clock } = gateOf([rpm], { store });
  gate.on('store.failed', () => {});
  const before = await admission(request);
  store.break();
  const last = await admission(request);
  await last.observe([{ layer: 'rpm', remaining: 20 }]);
  for (let i = 0; i < 10; i++) await admission(request);
  expect(await refusal(request)).toMatchObject({ layer: 'rpm', retryAfterMs: 2 * SECOND });
  await before.observe([{ layer: 'rpm', shutMs: MINUTE }]);
  clock.advance(MINUTE - 1);
  expect(await refusal(request)).toMatchObject({ retryAfterMs: 1 + 2 * SECOND });
  clock.advance(1 + 2 * SECOND);
  await admission(request);
});

it('is not refused by what is known of it, once it was observed to have room', async () => {
  const { admission, refusal } = gateOf([{ ...rpm, whenFull: 'refuse' }], { store: denyCache(memoryStore()) });
  for (let i = 0; i < 59; i++) await admission(request);
  const last = await admission(request);
  await refusal(request);
  for (let i = 0; i < 2; i++) await last.observe([{ layer: 'rpm', remaining: 60 }]);
  await admission(request);
});

it('needs a store that observes', () => {
  const { take, settle, peek, close } = memoryStore();
  const store: Store = { take, settle, peek, close };
  expect(thrownBy(() => gateOf([rpm], { store })).message).toContain(
    'store: got an object; expected a store with observe(), since there is headroom',
  );
});

describeWithRedis('headroom in Redis', () => {
  const url = useRedis();
  let clients: Redis[];
  let count = 0;
  beforeAll(() => {
    clients = [new Redis(url()), new Redis(url())];
  });
  afterAll(() => Promise.all(clients.map((client) => client.quit())));

  /** All that has been sent is done. */
  async function sent(): Promise<void> {
    for (let i = 0; i < 5; i++) {
      await new Promise(setImmediate);
      for (const client of clients) await client.ping();
    }
  }

  function open(clock: ManualClock) {
    const prefix = `headroom ${process.pid} ${count++}`;
    return clients.map((client) => {
      const store = redisStore(client, { prefix, clock: 'gate', timeoutMs: 10_000 });
      return createTollgate({ limits: [rpm], queue: { maxWait: '1h', shedding: false }, clock, store });
    });
  }

  it('is one for all processes, and what one observes lets those begin who wait in another', async () => {
    const clock = manualClock(START);
    const [here, there] = open(clock);
    const a = askers(here);
    const b = askers(there);
    for (let i = 0; i < 60; i++) a.ask(`${i}`, request);
    await sent();
    for (let i = 0; i < 3; i++) b.ask(`${i}`, request);
    await sent();
    expect([a.began.length, b.began.length]).toEqual([60, 0]);
    for (let i = 0; i < 4; i++) await a.of('59').observe([{ layer: 'rpm', remaining: 4 }]);
    while (b.began.length < 2) await sent();
    await sent();
    expect(b.began).toEqual(['0', '1']);
    clock.advance(SECOND);
    while (b.began.length < 3) await sent();
    await Promise.all([here.close(), there.close()]);
  });

  it('is kept in shards, or shared by all of them', async () => {
    const prefix = `headroom ${process.pid} ${count++}`;
    const options = { prefix, clock: 'gate', timeoutMs: 10_000 } as const;
    for (const store of [
      redisStore(clients[0], { ...options, shardBy: 'key' }),
      redisStore(clients[0], { ...options, shardBy: 'tenant', shared: ['rpm'] }),
    ]) {
      const { gate, admission, refusal } = gateOf([{ ...rpm, whenFull: 'refuse' }], { store });
      const first = await admission(request);
      await first.observe([{ layer: 'rpm', remaining: 1 }]);
      await admission(request);
      expect(await refusal(request)).toMatchObject({ layer: 'rpm' });
      await first.observe([{ layer: 'rpm', shutMs: SECOND }]);
      expect(await refusal(request)).toMatchObject({ retryAfterMs: SECOND });
      await gate.close();
    }
    const lost = () => gateOf([rpm], { store: redisStore(clients[0], { ...options, shardBy: 'tenant' }) });
    expect(thrownBy(lost).message).toContain("the limit 'rpm': got 'key'; expected to count by 'tenant' too");
  });
});
