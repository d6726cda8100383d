/** The line over processes, of which some are killed: never more than the slots run, none is lost, and the urgent go first. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { type Admission, createTollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { describeWithOwnRedis, describeWithRedis, startRedis, useRedis } from '../helpers/redis-server.js';

const SLOTS = 8;
const KILLED = 4;

interface Instance {
  readonly child: ChildProcessByStdio<Writable, Readable, null>;
  readonly ended: Promise<unknown>;
  begun: number;
  isKilled: boolean;
}

/** Something begins or ends in an instance. */
interface Event {
  readonly at: number;
  readonly begins: boolean;
  readonly instance: Instance;
}

/** How many run after each event. What is killed ends with the last that it has told. */
function running(events: readonly Event[]): number[] {
  const last = new Map(events.map((event) => [event.instance, event]));
  const counts = new Map<Instance, number>();
  return events
    .toSorted((a, b) => a.at - b.at)
    .map((event) => {
      const { instance, begins } = event;
      counts.set(instance, (counts.get(instance) ?? 0) + (begins ? 1 : -1));
      if (instance.isKilled && last.get(instance) === event) counts.delete(instance);
      return [...counts.values()].reduce((sum, count) => sum + count, 0);
    });
}

async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
}

describeWithRedis('a line of many processes', () => {
  const url = useRedis();

  it('lets as many run as may, and the urgent first, though some are killed', async () => {
    const prefix = `line ${process.pid}`;
    const events: Event[] = [];
    const begun = { interactive: 0, background: 0 };

    function start(priority: 'interactive' | 'background'): Instance {
      const options = { priority, visitors: 2 * SLOTS, slots: SLOTS, leaseMs: 1_000, holdMs: 20 };
      const args = [join(__dirname, 'line-worker.mjs'), url(), prefix, JSON.stringify(options)];
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.once('close', resolve));
      const instance: Instance = { child, ended, begun: 0, isKilled: false };
      createInterface(child.stdout).on('line', (line) => {
        // What is killed may leave half a line.
        if (!line.endsWith('}')) return;
        const { at, begins } = JSON.parse(line);
        events.push({ at, begins, instance });
        if (!begins) return;
        instance.begun++;
        begun[priority]++;
      });
      return instance;
    }

    const alive = [start('interactive'), start('interactive')];
    await until(() => alive.every(({ begun }) => begun > 3 * SLOTS));
    const patient = start('background');
    for (let i = 0; i < KILLED; i++) {
      const enough = begun.interactive + 100 + 50 * Math.random();
      await until(() => begun.interactive > enough);
      const [killed] = alive.splice(0, 1);
      killed.isKilled = true;
      killed.child.kill('SIGKILL');
      await killed.ended;
      const next = start('interactive');
      alive.push(next);
      await until(() => next.begun > 0);
    }
    const whileUrgent = { ...begun };
    // The slots of those that were killed come back.
    const killed = events.length;
    await until(() => running(events).slice(killed).includes(SLOTS));
    for (const { child } of alive) child.stdin.write('end');
    await until(() => patient.begun > 3 * SLOTS);
    patient.child.stdin.write('end');
    await Promise.all([...alive, patient].map(({ ended }) => ended));

    expect(Math.max(...running(events))).toBe(SLOTS);
    expect(whileUrgent.background).toBeLessThan(whileUrgent.interactive / 20);
  }, 60_000);
});

describeWithOwnRedis('a line whose Redis is gone', () => {
  it('goes on in each instance, with its share of the slots', async () => {
    const server = await startRedis();
    const instances = Array.from({ length: 2 }, () => {
      const client = new Redis(server.port, { retryStrategy: () => 50, maxRetriesPerRequest: null });
      client.on('error', () => {});
      const store = redisStore(client, { timeoutMs: 200 });
      const gate = createTollgate({
        name: 'api',
        limits: [],
        store,
        queue: { concurrency: 4, maxWait: '10m', shedding: false },
      });
      gate.on('store.failed', () => {});
      return { client, store, gate };
    });
    const [busy, waits] = instances;
    await until(() => instances.every(({ store }) => store.shared?.instances('api') === 2));
    for (let i = 0; i < 4; i++) expect(await busy.gate.admit({ permits: 1 })).toMatchObject({ admitted: true });
    const began: Admission[] = [];
    const isQueued = new Promise((resolve) => waits.gate.on('queued', resolve));
    for (let i = 0; i < 3; i++) {
      void waits.gate.admit({ permits: 1 }).then((decision) => decision.admitted && began.push(decision.admission));
    }
    await isQueued;
    expect(began).toHaveLength(0);
    await server.kill();
    await until(() => began.length === 2);
    expect(began).toHaveLength(2);
    await began[0].settle();
    await until(() => began.length === 3);
    for (const { client } of instances) client.disconnect();
    await Promise.all(instances.map(({ gate }) => gate.close()));
    await server.stop();
  }, 30_000);
});
