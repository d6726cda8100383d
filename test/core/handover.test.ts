/** Admissions that are handed over: settled once, wherever they are resumed, by what they were charged and where. */
import {
  type Admission,
  budget,
  concurrency,
  createTollgate,
  memoryStore,
  type Store,
  slidingWindow,
  tokenBucket,
} from '@tollgate/core';
import { type RedisStoreOptions, redisStore } from '@tollgate/core/redis';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { Redis } from 'ioredis';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';
import { START, warnings } from './support.js';

const DAY = 86_400_000;
const prices = { m: { input: '$1/M', output: '$10/M' } } as const;
const request = {
  subject: { user: 'ann', plan: 'pro', token: 'sk-secret' } as object,
  feature: 'report',
  permits: 3,
  model: 'm' as const,
  estimate: { inputTokens: 1000, outputTokens: 100 },
};

function gateOn(store: Store, clock: ManualClock, name = 'jobs') {
  return createTollgate({
    name,
    store,
    clock,
    prices,
    limits: [
      slidingWindow({ name: 'window', by: 'user', limit: 100, window: '1d' }),
      tokenBucket({ name: 'bucket', by: ['user', 'feature'], capacity: 100, refill: '100/d' }),
      slidingWindow({ name: 'free', by: 'tenant', unit: 'tokens', limit: Number.POSITIVE_INFINITY, window: '1d' }),
      concurrency({ name: 'runs', limit: 2, lease: '10m' }),
    ],
    budgets: [budget({ name: 'spend', by: 'user', limit: { pro: '$1' }, per: 'day' })],
  });
}

type Gate = ReturnType<typeof gateOn>;

async function usedIn(gate: Gate): Promise<Record<string, number>> {
  const { limits, budgets } = await gate.inspect({ user: 'ann', plan: 'pro' }, { feature: 'report' });
  return Object.fromEntries([...limits, ...budgets].map(({ layer, used }) => [layer, used]));
}

async function admit(gate: Gate): Promise<Admission> {
  const decision = await gate.admit(request);
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  return decision.admission;
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error) => error.code,
  );

/** @param open gates of one name, in as many processes as there can be */
function promises(open: (clock: ManualClock) => [Gate, Gate]): void {
  let clock: ManualClock;
  let web: Gate;
  let worker: Gate;
  const usage = { inputTokens: 2000, outputTokens: 50 };

  beforeEach(() => {
    clock = manualClock(START);
    [web, worker] = open(clock);
  });

  afterEach(async () => {
    await web.close();
    await worker.close();
  });

  it('is settled where it is resumed, by what it was charged', async () => {
    const id = await (await admit(web)).handOver();
    expect(await usedIn(web)).toEqual({ window: 3, bucket: 3, runs: 1, spend: 2_000_000 });
    const admission = await worker.resume(id);
    expect([admission.id, admission.model, admission.estimate]).toEqual([
      id,
      'm',
      { inputTokens: 1000, outputTokens: 100, usd: 2_000_000 },
    ]);
    expect(await admission.layers()).toHaveLength(5);
    await admission.settle({ usage });
    expect(await usedIn(web)).toEqual({ window: 3, bucket: 3, runs: 0, spend: 2_500_000 });
    expect(await codeOf(worker.resume(id))).toBe('TOLLGATE_ADMISSION_SETTLED');
  });

  it('gives back in the period that was charged, and in no other', async () => {
    const id = await (await admit(web)).handOver({ within: '2d' });
    clock.advance(DAY);
    await (await admit(web)).settle();
    const admission = await worker.resume(id);
    await admission.settle({ outcome: 'ignored' });
    expect((await usedIn(web)).spend).toBe(2_000_000);
  });

  it('is settled once by many, whoever they are, and told of once', async () => {
    const told: unknown[] = [];
    for (const gate of new Set([web, worker])) gate.on('settled', ({ id }) => told.push(id));
    const here = await admit(web);
    const id = await here.handOver();
    const resumed = await Promise.all([web, worker, worker, worker].map((gate) => gate.resume(id)));
    const all = [here, ...resumed];
    await Promise.all(all.map((admission) => admission.settle({ outcome: 'ignored' })));
    expect(await usedIn(web)).toEqual({ window: 0, bucket: 0, runs: 0, spend: 0 });
    await Promise.all(all.map((admission) => admission.settle({ usage })));
    expect((await usedIn(web)).spend).toBe(0);
    expect(told).toEqual([id]);
  });

  it('goes as a change that was asked for before has left it', async () => {
    const here = await admit(web);
    await admit(web);
    const smaller = web.admit({ ...request, permits: 1 }, { extending: here });
    const id = await here.handOver();
    expect(await smaller).toMatchObject({ admitted: true });
    expect(await usedIn(web)).toMatchObject({ window: 4 });
    await (await worker.resume(id)).settle();
    expect(await usedIn(web)).toMatchObject({ window: 4 });
  });

  it('can be extended where it is resumed, and no more where it was made', async () => {
    const here = await admit(web);
    const id = await here.handOver();
    expect(await codeOf(here.extend({ outputTokens: 100 }))).toBe('TOLLGATE_ADMISSION_SETTLED');
    expect(await codeOf(here.handOver())).toBe('TOLLGATE_ADMISSION_SETTLED');
    const admission = await worker.resume(id);
    expect((await admission.extend({ outputTokens: 100 })).admitted).toBe(true);
    expect((await usedIn(web)).spend).toBe(3_000_000);
    await admission.settle({ usage });
    expect((await usedIn(web)).spend).toBe(2_500_000);
  });

  it('is not settled as the response closes', async () => {
    const here = await admit(web);
    await here.handOver();
    await here.conclude({ outcome: 'ignored' });
    expect((await usedIn(web)).window).toBe(3);
  });

  it('gives no slot back that its lease has, and others have now', async () => {
    const id = await (await admit(web)).handOver();
    clock.advance(20 * 60_000);
    for (let i = 0; i < 2; i++) await admit(web);
    await (await worker.resume(id)).settle();
    expect((await usedIn(web)).runs).toBe(2);
  });

  it('refuses what is no id, no time, or was settled before', async () => {
    const here = await admit(web);
    for (const id of ['', 'a', '*', '}{x', 'aaaaaaaa-!', undefined as never, 7 as never]) {
      expect(await codeOf(worker.resume(id))).toBe('TOLLGATE_REQUEST_INVALID');
    }
    expect(await codeOf(worker.resume('aaaaaaaa-1'))).toBe('TOLLGATE_ADMISSION_UNKNOWN');
    for (const within of ['0s', '31d', 'soon', -1, null]) {
      expect(await codeOf(here.handOver({ within: within as never }))).toBe('TOLLGATE_REQUEST_INVALID');
    }
    const misspelt = here.handOver({ withn: '2d' } as object);
    await expect(misspelt).rejects.toThrow('handOver.withn: got a value that is not shown; expected no such field.');
    await here.settle();
    expect(await codeOf(here.handOver())).toBe('TOLLGATE_ADMISSION_SETTLED');
  });
}

describe('an admission that is handed over, in memory', () => {
  promises((clock) => {
    const gate = gateOn(memoryStore(), clock);
    return [gate, gate];
  });

  it('stays charged as estimated once its time is over, which is told', async () => {
    const clock = manualClock(START);
    const gate = gateOn(memoryStore(), clock);
    const here = await admit(gate);
    const id = await here.handOver({ within: '1h' });
    const resumed = await gate.resume(id);
    clock.advance(3_600_000);
    expect(await codeOf(gate.resume(id))).toBe('TOLLGATE_ADMISSION_UNKNOWN');
    const heard = warnings();
    await Promise.all([here, resumed].map((admission) => admission.settle({ outcome: 'ignored' })));
    expect((await usedIn(gate)).spend).toBe(2_000_000);
    expect(heard.map(({ code }) => code)).toEqual(['TOLLGATE_ADMISSION_UNKNOWN', 'TOLLGATE_ADMISSION_UNKNOWN']);
  });

  it('is not, where the store keeps none, and can be settled as before', async () => {
    const gate = gateOn({ ...memoryStore(), records: undefined }, manualClock(START));
    const here = await admit(gate);
    expect(await codeOf(here.handOver())).toBe('TOLLGATE_NOT_KEPT');
    expect(await codeOf(gate.resume('aaaaaaaa-1'))).toBe('TOLLGATE_NOT_KEPT');
    await here.settle({ outcome: 'ignored' });
    expect((await usedIn(gate)).spend).toBe(0);
  });
});

describeWithRedis('an admission that is handed over, in Redis', () => {
  const url = useRedis();
  const clients: Redis[] = [];
  let count = 0;

  afterEach(() => {
    for (const client of clients.splice(0)) client.disconnect();
  });

  function open(prefix: string, options: RedisStoreOptions = {}): Store {
    const client = new Redis(url());
    clients.push(client);
    return redisStore(client, { prefix, clock: 'gate', timeoutMs: 20_000, ...options });
  }

  promises((clock) => {
    const prefix = `handover ${process.pid} ${count++}`;
    return [gateOn(open(prefix), clock), gateOn(open(prefix), clock)];
  });

  describe('over shards', () => {
    promises((clock) => {
      const prefix = `handover ${process.pid} ${count++}`;
      const options: RedisStoreOptions = { shardBy: 'user', shared: ['free', 'runs'] };
      return [gateOn(open(prefix, options), clock), gateOn(open(prefix, options), clock)];
    });
  });

  it('is resumed by a gate of another configuration, and is of no gate of another name', async () => {
    const clock = manualClock(START);
    const prefix = `handover ${process.pid} ${count++}`;
    const web = gateOn(open(prefix), clock);
    const id = await (await admit(web)).handOver();
    const store = open(prefix);
    const other = createTollgate({
      name: 'jobs',
      store,
      clock,
      limits: [concurrency({ name: 'runs', limit: 9, lease: '10m' })],
    });
    const stranger = createTollgate({ name: 'other', store, clock, limits: [] as never, queue: {} });
    expect(await codeOf(stranger.resume(id))).toBe('TOLLGATE_ADMISSION_UNKNOWN');
    await (await other.resume(id)).settle({ outcome: 'ignored' });
    expect(await usedIn(web)).toEqual({ window: 0, bucket: 0, runs: 0, spend: 0 });
    await Promise.all([web, other, stranger].map((gate) => gate.close()));
  });

  it('leaves nothing there but for its time, and nothing that is secret', async () => {
    const prefix = `handover ${process.pid} ${count++}`;
    const gate = gateOn(open(prefix), manualClock(START), 'jobs:a.b');
    const id = await (await admit(gate)).handOver({ within: '2h' });
    const [client] = clients;
    const [key] = await client.keys(`*:${id}`);
    expect(await client.pttl(key)).toBeGreaterThan(7_100_000);
    expect(await client.get(key)).not.toContain('sk-secret');
    await (await gate.resume(id)).settle();
    expect(await client.get(key)).toMatch(/^![\w-]{12}$/);
    expect(await client.pttl(key)).toBeGreaterThan(7_100_000);
    await gate.close();
  });

  it('is unknown once its time is over, and nobody settles it any more', async () => {
    const gate = gateOn(open(`handover ${process.pid} ${count++}`), manualClock(START));
    const id = await (await admit(gate)).handOver({ within: '1s' });
    const resumed = await gate.resume(id);
    while ((await codeOf(gate.resume(id))) === 'done') await new Promise((resolve) => setTimeout(resolve, 20));
    warnings();
    await resumed.settle({ outcome: 'ignored' });
    expect((await usedIn(gate)).spend).toBe(2_000_000);
    await gate.close();
  });
});
