/** What a store in Redis is made with. */
import { configError, strayOptions } from '../../errors.js';
import type { Dimension } from '../../request.js';
import type { RedisClient } from './client.js';

export interface RedisStoreOptions {
  /**
   * What all keys begin with, in braces: `'tollgate'` unless given. Gates of one name, or of none, that share a prefix share
   * their usage. Without braces, for they make a hash tag: all keys of a store are in one slot of a cluster, unless it is
   * sharded.
   */
  prefix?: string;
  /**
   * Milliseconds, a whole number from 1 to 600,000, in which Redis has to answer: 1,000 unless given. What takes longer
   * fails, and is not charged.
   */
  timeoutMs?: number;
  /** Whose time counts: Redis's, unless given, which is one for all processes; or that of each gate's `clock`. */
  clock?: 'redis' | 'gate';
  /**
   * Spreads the store over a cluster: each value of this dimension, such as each tenant, has its records in one of 64 slots,
   * and what counts by it is charged there, all or nothing. All in one slot unless given.
   */
  shardBy?: Dimension;
  /**
   * Of a store that is sharded, the names of the limits and budgets that don't count by `shardBy`, and so are shared by all
   * shards: a process leases a part of what they have left, to use without asking for each request.
   */
  shared?: readonly string[];
  /**
   * Keeps a ledger of what this process has spent of budgets in the last five minutes, and spends again what a failover or a
   * restart of Redis loses of that. `false` unless given.
   */
  spendLedger?: boolean;
}

const LONGEST_TIMEOUT_MS = 600_000;

interface Checked {
  readonly client: unknown;
  readonly prefix: unknown;
  readonly timeoutMs: unknown;
  readonly clock: unknown;
  readonly shardBy?: unknown;
  readonly shared?: unknown;
  readonly spendLedger: unknown;
}

export function checkOptions(checked: Checked): void {
  const { client, prefix, timeoutMs, clock, shardBy, shared, spendLedger, ...others } = checked;
  const problems = strayOptions('redisStore', others);
  const wrong = (field: string, value: unknown, expected: string) =>
    problems.push({ path: `redisStore.${field}`, value, expected });
  if (typeof (client as Partial<RedisClient> | undefined)?.callBuffer !== 'function') {
    wrong('client', client, "ioredis's Redis or Cluster, such as new Redis('redis://localhost:6379')");
  }
  if (typeof prefix !== 'string' || !/^[^{}]{1,100}$/u.test(prefix)) {
    wrong('prefix', prefix, 'a text of 1 to 100 characters without { and }, which delimit it within keys');
  }
  if (!Number.isInteger(timeoutMs) || (timeoutMs as number) < 1 || (timeoutMs as number) > LONGEST_TIMEOUT_MS) {
    wrong('timeoutMs', timeoutMs, `a whole number of milliseconds from 1 to ${LONGEST_TIMEOUT_MS}`);
  }
  if (clock !== 'redis' && clock !== 'gate') wrong('clock', clock, "'redis' or 'gate'");
  if (shardBy !== undefined && (typeof shardBy !== 'string' || shardBy === '')) {
    wrong('shardBy', shardBy, "a dimension, such as 'tenant'");
  }
  if (shared !== undefined && !Array.isArray(shared)) {
    wrong('shared', shared, "a list of names of limits and budgets, such as ['global']");
  }
  for (const [i, name] of Array.isArray(shared) ? shared.entries() : []) {
    if (typeof name !== 'string') wrong(`shared[${i}]`, name, "a limit's or budget's name");
  }
  if (shared !== undefined && shardBy === undefined) {
    wrong('shared', shared, 'to be given with shardBy alone: without it all limits are in one shard');
  }
  if (typeof spendLedger !== 'boolean') wrong('spendLedger', spendLedger, 'true or false');
  if (problems.length > 0) throw configError(problems);
}
