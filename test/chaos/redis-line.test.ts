/** The line over processes, of which some are killed: never more than the slots run, none is lost, and the urgent go first. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

const SLOTS = 8;
const LEASE_MS = 1_000;
const KILLED = 4;

interface Instance {
  readonly child: ChildProcess;
  readonly priority: string;
  /** What runs there. */
  readonly running: Set<number>;
  readonly ended: Promise<unknown>;
  begun: number;
}

describeWithRedis('a line of many processes', () => {
  const url = useRedis();

  it('lets as many run as may, and the urgent first, though some are killed', async () => {
    const prefix = `line ${process.pid}`;
    const instances: Instance[] = [];
    const begun = { interactive: 0, background: 0 };
    let mostRunning = 0;

    function start(priority: 'interactive' | 'background'): Instance {
      const options = { priority, visitors: 2 * SLOTS, slots: SLOTS, leaseMs: LEASE_MS, holdMs: 20 };
      const args = [join(__dirname, 'line-worker.mjs'), url(), prefix, JSON.stringify(options)];
      const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
      const ended = new Promise((resolve) => child.once('close', resolve));
      const instance: Instance = { child, priority, running: new Set(), ended, begun: 0 };
      createInterface(child.stdout as NonNullable<typeof child.stdout>).on('line', (line) => {
        if (!line.endsWith('}')) return;
        events.push({ ...JSON.parse(line), instance });
        if (!line.includes('begins')) return;
        instance.begun++;
        begun[priority]++;
      });
      instances.push(instance);
      return instance;
    }

    interface Event {
      readonly at: number;
      readonly begins?: number;
      readonly ends?: number;
      readonly instance: Instance;
    }
    const events: Event[] = [];
    const until = async (isSo: () => boolean) => {
      while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 5));
    };

    const alive = [start('interactive'), start('interactive')];
    await until(() => alive.every(({ begun }) => begun > 3 * SLOTS));
    const patient = start('background');
    const killedAt = new Map<Instance, number>();
    for (let i = 0; i < KILLED; i++) {
      const before = begun.interactive;
      await until(() => begun.interactive > before + 100 + 50 * Math.random());
      const killed = alive.shift() as Instance;
      killed.child.kill('SIGKILL');
      await killed.ended;
      killedAt.set(killed, Date.now());
      const next = start('interactive');
      alive.push(next);
      await until(() => next.begun > 0);
    }
    const whileUrgent = { ...begun };
    // All slots come back.
    const from = events.length;
    await until(() => {
      mostRunning = Math.max(0, ...running(events).slice(from));
      return mostRunning === SLOTS;
    });
    for (const { child } of alive) child.stdin?.write('end\n');
    await until(() => patient.begun > 3 * SLOTS);
    patient.child.stdin?.write('end\n');
    await Promise.all(instances.map(({ ended }) => ended));

    expect(Math.max(...running(events))).toBe(SLOTS);
    expect(whileUrgent.background).toBeLessThan(whileUrgent.interactive / 20);

    /** How many run after each event; what is killed ends with the last that it has told. */
    function running(all: readonly Event[]): number[] {
      const last = new Map(all.map((event) => [event.instance, event]));
      const now = new Map<Instance, number>();
      return all
        .toSorted((a, b) => a.at - b.at || Number('begins' in a) - Number('begins' in b))
        .map((event) => {
          const { instance, begins } = event;
          now.set(instance, (now.get(instance) ?? 0) + (begins === undefined ? -1 : 1));
          if (killedAt.has(instance) && last.get(instance) === event) now.delete(instance);
          return [...now.values()].reduce((sum, count) => sum + count, 0);
        });
    }
  }, 60_000);
});
