/** A master, its replica, and a sentinel that has the replica take over when the master dies. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { until } from './redis-cluster.js';
import { answers, freePorts, program, type RedisServer, startRedis } from './redis-server.js';

const NAME = 'main';

export interface RedisSentinel {
  /** A client of whichever is the master. */
  connect(): Redis;
  readonly master: RedisServer;
  /** It was paused for 2 s, as with its machine: it does nothing for the next 30 s, and then it is too late. */
  isTilted(): Promise<boolean>;
  stop(): Promise<void>;
}

export async function startSentinel(): Promise<RedisSentinel> {
  const [port, sentinelPort] = await freePorts(2);
  const master = await startRedis({ port, settings: ['--repl-diskless-sync-delay', '0'] });
  const replica = await startRedis({ settings: ['--replicaof', '127.0.0.1', `${port}`] });
  const folder = mkdtempSync(join(tmpdir(), 'tollgate-sentinel-'));
  const file = join(folder, 'sentinel.conf');
  const settings = [
    `port ${sentinelPort}`,
    'bind 127.0.0.1',
    `dir ${folder}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${port} 1`,
    `sentinel down-after-milliseconds ${NAME} 1000`,
    `sentinel failover-timeout ${NAME} 3000`,
  ];
  writeFileSync(file, settings.join('\n'));
  const child = spawn(program as string, [file, '--sentinel'], { stdio: 'ignore' });
  await answers(sentinelPort);
  const sentinel = new Redis(sentinelPort);
  // It chooses among replicas that it knows to be in step.
  await until(async () => {
    const replicas = (await sentinel.call('sentinel', 'replicas', NAME)) as string[][];
    return replicas.some((fields) => fields.includes(`${replica.port}`) && fields.includes('ok'));
  });
  const clients: Redis[] = [sentinel];
  return {
    master,
    isTilted: async () => (await sentinel.info('sentinel')).includes('sentinel_tilt:1'),
    connect() {
      const sentinels = [{ host: '127.0.0.1', port: sentinelPort }];
      const client = new Redis({ sentinels, name: NAME, retryStrategy: () => 50, sentinelRetryStrategy: () => 50 });
      client.on('error', () => {});
      clients.push(client);
      return client;
    },
    async stop() {
      for (const client of clients) client.disconnect();
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      await Promise.all([master.stop(), replica.stop()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
