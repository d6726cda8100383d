/** Keeps meters in Redis, for any number of processes: each step is atomic there, over all its records. */
import type { Usage } from '../../meters/meter.js';
import { denyCache } from '../deny-cache.js';
import type { NotTaken, Receipt, Store, Taken } from '../store.js';
import { callable, pause, type RedisClient } from './client.js';
import { createCommits } from './commits.js';
import { failed, giveUp, tooLate } from './faults.js';
import { createLine } from './line.js';
import { createRecords } from './named-records.js';
import { MOST_ENTRIES, type Operation, type RedisEntry, type Settle } from './operation.js';
import { checkOptions, type RedisStoreOptions } from './options.js';
import { shardedStore } from './shards.js';
import { createShared } from './shared.js';
import { createSpendLedger } from './spend-ledger.js';
import { turnOf } from './waitings.js';

export type { RedisClient } from './client.js';
export type { RedisStoreOptions } from './options.js';

/** Before what has to be settled, and could not be, is once more. */
const AGAIN_MS = 1_000;

/**
 * A store in Redis 7.0 or newer, or Valkey. Its steps fail with `TOLLGATE_STORE_FAILED` or `TOLLGATE_STORE_TIMEOUT`, and
 * have then not taken effect, or are undone as soon as that is known.
 *
 * @param client of ioredis 5 or 6: a `Redis`, also by Sentinel, or a `Cluster`. It stays yours to set up, and to quit.
 *   Where nobody listens to its `error` events, which would print them, the store does: it tells of outages itself
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` for a client or an option that is none
 */
export function redisStore(client: RedisClient, options: RedisStoreOptions = {}): Store {
  const { prefix = 'tollgate', timeoutMs = 1_000, clock = 'redis' } = options;
  const { shardBy, shared, spendLedger = false } = options;
  checkOptions({ ...options, client, prefix, timeoutMs, clock, spendLedger });
  // The steps that fail tell of an outage; without a listener ioredis prints one at each attempt to connect.
  if (client.listenerCount?.('error') === 0) client.on?.('error', () => {});
  const isTimeGiven = clock === 'gate';
  const callee = callable(client);
  const open = (tag: string) => openStore(callee, `{${tag}}`, timeoutMs, isTimeGiven, spendLedger);
  if (shardBy === undefined) return denyCache(open(prefix));
  // A prefix has no brace, so no other store has such tags.
  const shard = (number: number) => open(`${prefix}{${number}`);
  const later = () => pause(callee, AGAIN_MS);
  return denyCache(shardedStore(shard, open(prefix), { shardBy, shared: shared ?? [], isTimeGiven, later }));
}

/** All of whose keys begin alike. */
function openStore(
  client: RedisClient,
  head: string,
  timeoutMs: number,
  isTimeGiven: boolean,
  hasLedger: boolean,
): Store {
  const ledger = hasLedger ? createSpendLedger() : undefined;
  const commits = createCommits(client, head, timeoutMs, isTimeGiven, known, giveBack, ledger);
  const shared = createShared(client, head, within);
  const records = createRecords(client, head, within);
  const line = createLine(client, head, commits.instance, within);
  /** Settlings that wait for what becomes of another one of the same entries, each for as long as it has time. */
  const held = new Map<Settle, NodeJS.Timeout>();
  /** A gate's clock that is set back is ignored until it has caught up; Redis's own is the records' matter. */
  let latest = 0;

  function tick(now: number): number {
    if (now > latest) latest = now;
    return isTimeGiven ? latest : now;
  }

  function settle(entries: Receipt, actual: readonly number[], now: number, goesOn: boolean): Promise<void> {
    if (entries.length > MOST_ENTRIES) return settleInSteps(entries, actual, now, goesOn);
    return new Promise((resolve, reject) => {
      const at = performance.now();
      begin({ kind: 'settle', entries, actual, goesOn, now, at, givenUp: false, resolve, reject });
    });
  }

  /** As of an agent's admission that was extended a thousand times. */
  async function settleInSteps(entries: Receipt, actual: readonly number[], now: number, goesOn: boolean) {
    const steps: Promise<void>[] = [];
    for (let i = 0; i < entries.length; i += MOST_ENTRIES) {
      const to = i + MOST_ENTRIES;
      steps.push(settle(entries.slice(i, to), actual.slice(i, to), now, goesOn));
    }
    await Promise.all(steps);
  }

  function begin(operation: Settle): void {
    if (hasToWait(operation)) {
      const timer = setTimeout(() => {
        held.delete(operation);
        giveUp(operation, tooLate(timeoutMs));
      }, timeoutMs);
      held.set(operation, timer);
      return;
    }
    for (const entry of operation.entries as readonly RedisEntry[]) entry.settling = operation;
    commits.submit(operation);
  }

  function known(operation: Operation): void {
    if (operation.kind !== 'settle') return;
    for (const entry of operation.entries as readonly RedisEntry[]) entry.settling = undefined;
    for (const [waiting, timer] of held) {
      if (hasToWait(waiting)) continue;
      clearTimeout(timer);
      held.delete(waiting);
      begin(waiting);
    }
  }

  /** Until it is done. */
  function giveBack(receipt: Receipt, now: number): void {
    const nothing = receipt.map(() => 0);
    settle(receipt, nothing, now, false).catch(() => pause(client, AGAIN_MS).then(() => giveBack(receipt, now)));
  }

  function within<T>(promise: Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(tooLate(timeoutMs)), timeoutMs);
      promise.then(resolve, (error) => reject(failed(error))).finally(() => clearTimeout(timer));
    });
  }

  return {
    records,
    shared,
    line,
    join: () => ({ ...openStore(client, head, timeoutMs, isTimeGiven, hasLedger), records, shared }),
    take({ alternatives, tells = false, score: given }, now) {
      const score = turnOf(alternatives, given);
      return new Promise<Taken | NotTaken>((resolve, reject) => {
        const at = performance.now();
        commits.submit({
          kind: 'take',
          alternatives,
          tells,
          score,
          now: tick(now),
          at,
          givenUp: false,
          resolve,
          reject,
        });
      });
    },
    settle: (entries, actual, now, goesOn = false) => settle(entries, actual, tick(now), goesOn),
    observe(seen, now) {
      return new Promise<boolean>((resolve, reject) => {
        const at = performance.now();
        commits.submit({ kind: 'observe', seen, now: tick(now), at, givenUp: false, resolve, reject });
      });
    },
    peek(who, bills, now) {
      return new Promise<readonly Usage[]>((resolve, reject) => {
        const at = performance.now();
        commits.submit({ kind: 'peek', who, bills, now: tick(now), at, givenUp: false, resolve, reject });
      });
    },
    async close() {
      await line.told();
      return new Promise((resolve) => commits.whenIdle(resolve));
    },
  };
}

/** What becomes of another settling of the same entries isn't known yet. */
function hasToWait({ entries }: Settle): boolean {
  for (let i = 0; i < entries.length; i++) if ((entries[i] as RedisEntry).settling !== undefined) return true;
  return false;
}
