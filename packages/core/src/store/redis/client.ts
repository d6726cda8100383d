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
  /** `'end'` once it has been closed, by `quit` or `disconnect`, or has given up: until it is connected again, if ever. */
  readonly status?: string;
  listenerCount?(event: 'error'): number;
  on?(event: 'error' | 'end', listener: () => void): unknown;
  once?(event: 'ready', listener: () => void): unknown;
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
    get status() {
      return client.status as string;
    },
    on: (event, listener) => client.on?.(event, listener),
    once: (event, listener) => client.once?.(event, listener),
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

export function hasEnded({ status }: RedisClient): boolean {
  return status === 'end';
}

/** What is to be done as clients end: one listener for all of it, for Node warns where there are many. */
const endings = new WeakMap<RedisClient, Set<() => void>>();

/** Calls `task` each time that a client ends. Returns what ends that. */
export function onEnd(client: RedisClient, task: () => void): () => void {
  const tasks = endings.get(client) ?? listenForEnd(client);
  tasks.add(task);
  return () => void tasks.delete(task);
}

function listenForEnd(client: RedisClient): Set<() => void> {
  const tasks = new Set<() => void>();
  endings.set(client, tasks);
  client.on?.('end', () => {
    for (const task of [...tasks]) task();
  });
  return tasks;
}

/** When clients that have ended are connected again, if ever: one listener for all who wait for that. */
const revivals = new WeakMap<RedisClient, Promise<void>>();

async function revived(client: RedisClient): Promise<void> {
  const known = revivals.get(client);
  if (known !== undefined) return known;
  const revival = new Promise<void>((resolve) => void client.once?.('ready', resolve));
  revivals.set(client, revival);
  await revival;
  revivals.delete(client);
}

/** Lets time pass before a client is asked once more. While it has ended it is not: mostly that is for ever. */
export async function pause(client: RedisClient, ms: number): Promise<void> {
  await passing(ms);
  while (hasEnded(client)) await revived(client);
}

/** Doesn't keep the process from its end. */
export function passing(ms: number): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, ms).unref());
}
