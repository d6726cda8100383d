/** What stands in for ioredis: the same, at the Redis of the tests. A cluster is made and not asked. */
import * as ioredis from 'ioredis';

export class Redis extends ioredis.Redis {
  constructor(_url: string) {
    super(process.env.REDIS_URL ?? '');
  }
}

export class Cluster extends ioredis.Cluster {
  constructor(nodes: { host: string; port: number }[]) {
    super(nodes, { lazyConnect: true });
  }
}
