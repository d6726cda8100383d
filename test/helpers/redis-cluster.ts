/** A cluster of three masters on this machine, and a replica of each where a test lets masters die. */
import type { RedisClient } from '@tollgate/core/redis';
import { Cluster, Redis } from 'ioredis';
import { freePorts, type RedisServer, startRedis } from './redis-server.js';

const SLOTS = 16_384;
const MASTERS = 3;

/** What is used of a client by whatever version. */
interface Client extends RedisClient {
  on(event: 'error', listener: () => void): unknown;
  disconnect(): void;
}

interface Address {
  readonly host: string;
  readonly port: number;
}

interface Node {
  readonly server: RedisServer;
  readonly busPort: number;
  readonly id: string;
  readonly admin: Redis;
}

export interface RedisCluster {
  /** By ioredis 6, unless by the `Cluster` of another. */
  connect(by?: new (startup: Address[], options: object) => Client): Client;
  /** Which of the masters that it began with a key is on; to be asked until a replica takes over. */
  masterOf(key: string): Promise<number>;
  admin(node: number): Redis;
  kill(node: number): Promise<void>;
  /**
   * Moves the slot of a key to a node, some keys at a time, as `redis-cli --cluster reshard` does.
   *
   * @param halfWay called once when the first has been moved
   */
  moveSlotOf(key: string, to: number, halfWay?: () => void): Promise<void>;
  stop(): Promise<void>;
}

export async function startCluster({ hasReplicas = false } = {}): Promise<RedisCluster> {
  const size = hasReplicas ? 2 * MASTERS : MASTERS;
  const ports = await freePorts(2 * size);
  const timeoutMs = hasReplicas ? 1_000 : 30_000;
  const nodes = await Promise.all(
    Array.from({ length: size }, (_, i) => startNode(ports[2 * i], ports[2 * i + 1], timeoutMs)),
  );
  const masters = nodes.slice(0, MASTERS);
  for (const [i, { admin }] of masters.entries()) {
    const [first, next] = [i, i + 1].map((part) => Math.floor((part * SLOTS) / MASTERS));
    await admin.call('cluster', 'addslotsrange', first, next - 1);
    await admin.call('cluster', 'set-config-epoch', i + 1);
  }
  for (const { server, busPort } of nodes.slice(1)) {
    await nodes[0].admin.call('cluster', 'meet', '127.0.0.1', server.port, busPort);
  }
  for (const { admin } of nodes)
    await until(async () => (await infoOf(admin)).cluster_known_nodes === `${nodes.length}`);
  for (const [i, { admin }] of nodes.slice(MASTERS).entries()) {
    await until(async () => (await admin.call('cluster', 'replicate', masters[i].id)) === 'OK');
  }
  for (const { admin } of nodes) await until(async () => (await infoOf(admin)).cluster_state === 'ok');
  for (const { admin } of nodes.slice(MASTERS)) {
    await until(async () => (await admin.info('replication')).includes('master_link_status:up'));
  }
  const clients: Client[] = [];

  async function masterOf(key: string): Promise<number> {
    const slot = await nodes[0].admin.cluster('KEYSLOT', key);
    for (const [i, { admin }] of masters.entries()) {
      const ranges = (await admin.call('cluster', 'slots')) as [number, number, [string, number, string]][];
      const id = ranges.find(([first, last]) => first <= slot && slot <= last)?.[2][2];
      if (id === nodes[i].id) return i;
    }
    throw new Error(`no node has slot ${slot}`);
  }

  return {
    connect(by = Cluster) {
      const startup = masters.map(({ server }) => ({ host: '127.0.0.1', port: server.port }));
      const client = new by(startup, {});
      client.on('error', () => {});
      clients.push(client);
      return client;
    },
    masterOf,
    admin: (node) => nodes[node].admin,
    kill: (node) => nodes[node].server.kill(),
    async moveSlotOf(key, to, halfWay) {
      const slot = await nodes[0].admin.cluster('KEYSLOT', key);
      const [source, target] = [masters[await masterOf(key)], masters[to]];
      await target.admin.call('cluster', 'setslot', slot, 'importing', source.id);
      await source.admin.call('cluster', 'setslot', slot, 'migrating', target.id);
      for (;;) {
        const next = (await source.admin.cluster('GETKEYSINSLOT', slot, halfWay ? 1 : 100)) as string[];
        if (next.length === 0) break;
        await source.admin.call('migrate', '127.0.0.1', target.server.port, '', 0, 5_000, 'keys', ...next);
        halfWay?.();
        halfWay = undefined;
      }
      for (const { admin } of [target, source, ...masters]) {
        await admin.call('cluster', 'setslot', slot, 'node', target.id);
      }
    },
    async stop() {
      for (const client of [...clients, ...nodes.map(({ admin }) => admin)]) client.disconnect();
      await Promise.all(nodes.map(({ server }) => server.stop()));
    },
  };
}

/** @param timeoutMs after which a node that doesn't answer is taken for dead */
async function startNode(port: number, busPort: number, timeoutMs: number): Promise<Node> {
  const timeout = ['--cluster-node-timeout', `${timeoutMs}`];
  const settings = ['--cluster-enabled', 'yes', '--cluster-port', `${busPort}`, ...timeout];
  const server = await startRedis({ port, settings });
  const admin = new Redis(server.port, { retryStrategy: () => 100 });
  admin.on('error', () => {});
  return { server, busPort, admin, id: (await admin.call('cluster', 'myid')) as string };
}

async function infoOf(admin: Redis): Promise<Record<string, string>> {
  const lines = ((await admin.call('cluster', 'info')) as string).split('\r\n');
  return Object.fromEntries(lines.map((line) => line.split(':')));
}

/** Asks until it is so, and gives up after half a minute, so that a test that fails ends. What fails is not so yet. */
export async function until(is: () => Promise<boolean>): Promise<void> {
  const latest = performance.now() + 30_000;
  while (!(await is().catch(() => false))) {
    if (performance.now() > latest) throw new Error('it has not become so');
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
