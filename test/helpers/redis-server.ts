/** A Redis for tests: the one at `REDIS_URL`, else one that is started here, on a free port, and keeps nothing. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';

const PROGRAMS = ['redis-server', 'valkey-server'];

/** What is on the PATH. */
export const program = PROGRAMS.find((name) => spawnSync(name, ['--version']).status === 0);

/** The name of what is left out where there is no Redis; `redis-reporter.cjs` tells of it at the end. */
const LEFT_OUT = 'left out, as there is no Redis: ';

/** Suites on Redis. */
export const describeWithRedis = describeWhere(process.env.REDIS_URL !== undefined || program !== undefined);

/** Suites on servers that are killed and started again. */
export const describeWithOwnRedis = describeWhere(program !== undefined);

function describeWhere(isThere: boolean): (name: string, suite: () => void) => void {
  return (name, suite) => (isThere ? describe(name, suite) : describe.skip(LEFT_OUT + name, suite));
}

export interface RedisServer {
  readonly port: number;
  /** Ends at once, as when its machine fails. */
  kill(): Promise<void>;
  /** Begins again on the same port, with what it has kept. */
  start(): Promise<void>;
  stop(): Promise<void>;
}

/**
 * One of its own, to be killed and started again. Keeps each write, if it is to keep any.
 *
 * @param settings more of them, as its command line has them
 */
export async function startRedis({
  keeps = false,
  port: given = undefined as number | undefined,
  settings = [] as readonly string[],
} = {}): Promise<RedisServer> {
  if (program === undefined) throw new Error(`none of ${PROGRAMS.join(', ')} is on the PATH`);
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-redis-'));
  const port = given ?? (await freePorts(1))[0];
  const saving = keeps ? ['--appendonly', 'yes', '--appendfsync', 'always'] : ['--appendonly', 'no'];
  let child: ChildProcess | undefined;

  const server: RedisServer = {
    port,
    async start() {
      const where = ['--port', `${port}`, '--bind', '127.0.0.1', '--dir', folder];
      child = spawn(program, [...where, '--save', '', ...saving, ...settings], { stdio: 'ignore' });
      await answers(port);
    },
    async kill() {
      const ended = child && new Promise((resolve) => child?.once('exit', resolve));
      child?.kill('SIGKILL');
      await ended;
      child = undefined;
    },
    async stop() {
      await server.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await server.start();
  return server;
}

/** For all tests of a file, to be called where they are described. Gives where it is once they run. */
export function useRedis(): () => string {
  let server: RedisServer | undefined;
  beforeAll(async () => {
    if (process.env.REDIS_URL === undefined) server = await startRedis();
  });
  afterAll(() => server?.stop());
  return () => process.env.REDIS_URL ?? `redis://127.0.0.1:${server?.port}`;
}

/** Waits until there is somebody who answers. */
export async function answers(port: number): Promise<void> {
  const client = new Redis(port, { retryStrategy: () => 20, maxRetriesPerRequest: 500 });
  client.on('error', () => {});
  await client.ping();
  client.disconnect();
}

/** Different ones: all are held until all are known. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer());
  await Promise.all(servers.map((server) => once(server.listen(0, '127.0.0.1'), 'listening')));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), 'close')));
  return ports;
}
