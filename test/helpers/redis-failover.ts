/** A master and its replica, that can be made to lag, and to take over. */
import type { Store } from '@tollgate/core';
import { type RedisStoreOptions, redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { type FaultyProxy, startFaultyProxy } from './faulty-proxy.js';
import { until } from './redis-cluster.js';
import { freePorts, startRedis } from './redis-server.js';

interface ClientOptions {
  maxRetriesPerRequest?: number;
  enableReadyCheck?: boolean;
  enableOfflineQueue?: boolean;
}

export interface RedisFailover {
  /** To whichever is the master. */
  readonly proxy: FaultyProxy;
  readonly master: Redis;
  readonly replica: Redis;
  open(options?: RedisStoreOptions, clientOptions?: ClientOptions): { readonly store: Store; readonly client: Redis };
  /** The replica has all that was done so far. */
  replicated(): Promise<void>;
  /** The replica follows no more. */
  lag(): Promise<void>;
  /** The master dies, and the replica takes over. @param isEmpty it has nothing */
  takeOver(isEmpty?: boolean): Promise<void>;
  /** What has taken over dies, and another one that has nothing takes over. */
  takeOverAnew(): Promise<void>;
  stop(): Promise<void>;
}

export async function startFailover(): Promise<RedisFailover> {
  const [port] = await freePorts(1);
  const servers = [
    await startRedis({ port, settings: ['--repl-diskless-sync-delay', '0'] }),
    await startRedis({ settings: ['--replicaof', '127.0.0.1', `${port}`] }),
  ];
  const [master, replica] = servers.map((server) => new Redis(server.port, { retryStrategy: () => 50 }));
  const clients = [master, replica];
  for (const client of clients) client.on('error', () => {});
  const proxy = await startFaultyProxy(port);
  await until(async () => (await replica.info('replication')).includes('master_link_status:up'));
  const stores: Store[] = [];

  return {
    proxy,
    master,
    replica,
    open(options, clientOptions = {}) {
      const client = new Redis(proxy.port, { retryStrategy: () => 20, ...clientOptions });
      client.on('error', () => {});
      clients.push(client);
      const store = redisStore(client, { clock: 'gate', timeoutMs: 10_000, ...options });
      stores.push(store);
      return { store, client };
    },
    async replicated() {
      // Redis waits for what the connection that asks has written, and what was before.
      await master.set('mark', '', 'PX', 60_000);
      expect(await master.wait(1, 20_000)).toBe(1);
    },
    async lag() {
      await replica.replicaof('127.0.0.1', 1);
    },
    async takeOver(isEmpty = false) {
      await servers[0].kill();
      await replica.replicaof('NO', 'ONE');
      if (isEmpty) await replica.flushall();
      proxy.redirect(servers[1].port);
    },
    async takeOverAnew() {
      const third = await startRedis();
      servers.push(third);
      proxy.redirect(third.port);
      await servers[1].kill();
    },
    async stop() {
      // Else they go on asking a Redis that is gone.
      await Promise.all(stores.map((store) => store.close()));
      for (const client of clients) client.disconnect();
      await proxy.close();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}
