/** Clients of Redis, as they are made by users of ioredis 5 or 6, also for Sentinel and Cluster. */

/** What is used of one. */
export interface RedisClient {
  callBuffer(command: string, args: (string | Buffer | number)[]): Promise<unknown>;
  /** For gates with a queue: a connection that may block. What a `Redis` is to do otherwise comes first, of a `Cluster` second. */
  duplicate?(first?: unknown, second?: unknown): BlockingClient;
  /** For clients that pipeline by themselves. */
  pipeline?(): unknown;
  readonly isCluster?: boolean;
  readonly options?: object;
  listenerCount?(event: 'error'): number;
  on?(event: 'error', listener: () => void): unknown;
}

export interface BlockingClient extends Pick<RedisClient, 'callBuffer'> {
  on(event: 'error', listener: (error: Error) => void): unknown;
  disconnect(): void;
}

/** Of a pipeline. */
interface Pipeline {
  callBuffer(...command: Parameters<RedisClient['callBuffer']>): this;
  exec(): Promise<[error: Error | null, reply: unknown][]>;
}

/**
 * A client that can be asked anything: one that is to pipeline by itself (`enableAutoPipelining`) fails where it is given a
 * command by its name, by an error that ends the process. It is given a pipeline for each.
 */
export function callable(client: RedisClient): RedisClient {
  const { enableAutoPipelining } = (client.options ?? {}) as { enableAutoPipelining?: boolean };
  if (!enableAutoPipelining) return client;
  return {
    isCluster: client.isCluster ?? false,
    options: client.options ?? {},
    duplicate: (...how) => client.duplicate?.(...how) as BlockingClient,
    async callBuffer(command, args) {
      const pipeline = client.pipeline?.() as Pipeline;
      const [[error, reply]] = await pipeline.callBuffer(command, args).exec();
      if (error !== null) throw error;
      return reply;
    },
  };
}

/** A connection whose calls may take as long as they do: one that was given up would be answered all the same, and that be lost. */
export function blockingOf(client: RedisClient): BlockingClient | undefined {
  const patient = { commandTimeout: undefined };
  const plain = { enableAutoPipelining: false };
  if (!client.isCluster) return client.duplicate?.({ ...plain, ...patient });
  const { redisOptions } = client.options as { redisOptions?: object };
  return client.duplicate?.([], { ...plain, redisOptions: { ...redisOptions, ...patient } });
}
