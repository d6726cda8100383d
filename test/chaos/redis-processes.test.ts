/** G1 to G5 over many processes, of which some are killed: no cap is ever passed, as told by those who were admitted. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describeWithRedis, useRedis } from '../helpers/redis-server.js';

const PROCESSES = 8;
const KILLED = 6;
const WINDOW = { limit: 300, ms: 1_000 };
const BUCKET = 25;
/** In cents, and what an admission costs is one. */
const BUDGET = 220;

interface Admitted {
  /** When it was asked for, and when it was known. */
  readonly from: number;
  readonly to: number;
  readonly user: string;
  readonly tenant: string;
}

describeWithRedis('many processes on one Redis', () => {
  const url = useRedis();

  it('never pass a cap together, though some are killed', async () => {
    const log: Admitted[] = [];
    const prefix = `processes ${process.pid}`;
    const running: { child: ChildProcess; ended: Promise<unknown> }[] = [];

    function start(seed: number): void {
      const caps = { windowLimit: WINDOW.limit, windowMs: WINDOW.ms, bucketCapacity: BUCKET, budget: BUDGET, seed };
      const args = [join(__dirname, 'redis-worker.mjs'), url(), prefix, JSON.stringify(caps)];
      const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
      createInterface(child.stdout).on('line', (line) => {
        // What is killed may leave half a line.
        if (line.endsWith('}')) log.push(JSON.parse(line));
      });
      running.push({ child, ended: new Promise((resolve) => child.once('close', resolve)) });
    }

    for (let i = 0; i < PROCESSES; i++) start(i);
    for (let i = 0; i < KILLED; i++) {
      const enough = log.length + 100;
      const isEnding = () =>
        log.length >= enough || running.every(({ child }) => child.exitCode !== null || child.killed);
      while (!isEnding()) await new Promise((resolve) => setTimeout(resolve, 5));
      running[i].child.kill('SIGKILL');
      start(PROCESSES + i);
    }
    await Promise.all(running.map(({ ended }) => ended));

    for (const { from } of log) {
      const within = log.filter((other) => other.from >= from && other.to <= from + WINDOW.ms);
      expect(within.length).toBeLessThanOrEqual(WINDOW.limit);
    }
    // What a killed process was given and had not told of yet stays charged.
    const untold = KILLED * 16;
    const byTenant = countsOf(log.map(({ tenant }) => tenant));
    for (const count of countsOf(log.map(({ user }) => user)).values()) expect(count).toBeLessThanOrEqual(BUCKET);
    for (const count of byTenant.values()) expect(count).toBeLessThanOrEqual(BUDGET);
    expect(log.length).toBeGreaterThanOrEqual(4 * BUDGET - untold);
  }, 120_000);
});

function countsOf(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}
