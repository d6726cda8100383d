/** What processes tell each other by Redis: that they are there, what was changed, and who is the first at something. */
import { createHash, randomBytes } from 'node:crypto';
import { showThrown, warn } from '../../errors.js';
import type { Shared } from '../store.js';
import { PUBLISH, type RedisClient, runScript, SHARED } from './scripts.js';

export interface RedisShared extends Shared {
  close(): void;
}

/** How often a process asks what others have told. */
const POLL_MS = 500;

/** A process that has not been heard of for so long counts no more. */
const GONE_MS = 10_000;

/** Entries that are read at once, as shared.lua has it. */
const MOST_AT_ONCE = 1000;

/** An entry of a stream: its id, and names and values in turn. */
type StreamEntry = readonly [id: Buffer, fields: readonly Buffer[]];

/**
 * @param head of all keys
 * @param within lets a promise fail where Redis takes too long
 */
export function createShared(
  client: RedisClient,
  head: string,
  within: <T>(promise: Promise<T>) => Promise<T>,
): RedisShared {
  const self = randomBytes(9).toString('base64url');
  const listeners = new Set<(message: string) => void>();
  let known = 1;
  let readTo = '0-0';
  /** All has been heard that was told before this process began to listen. */
  let hasCaughtUp = false;
  let told = 0;
  let timer: NodeJS.Timeout | undefined;
  let isPolling = false;
  let hasFailed = false;

  async function poll(): Promise<void> {
    isPolling = true;
    try {
      const keys = [`${head}/processes`, `${head}/told`];
      const reply = await within(runScript(client, SHARED, keys, [self, readTo, String(GONE_MS)]));
      hasFailed = false;
      const [count, now, entries] = reply as [number, number, readonly StreamEntry[]];
      known = Math.max(1, count);
      for (const [id, [, from, , ends, , message]] of entries) {
        readTo = id.toString();
        // Who begins to listen hears what still holds, who listens already all.
        if (from.toString() === self || (!hasCaughtUp && Number(ends) <= now)) continue;
        for (const listener of listeners) listener(message.toString());
      }
      hasCaughtUp ||= entries.length < MOST_AT_ONCE;
    } catch (error) {
      if (!hasFailed) warn('TOLLGATE_NOT_SHARED', `What other processes tell can't be read: ${showThrown(error)}`);
      hasFailed = true;
    }
    isPolling = listeners.size > 0;
    if (isPolling) timer = setTimeout(poll, POLL_MS).unref();
  }

  return {
    instances: () => known,
    async claim(name, ttlMs) {
      const key = `${head}/claim/${createHash('sha256').update(name).digest('base64url')}`;
      // Sent again after it was done, it finds its own token.
      const token = `${self} ${told++}`;
      const args = [key, token, 'NX', 'GET', 'PX', String(Math.max(1, Math.ceil(ttlMs)))];
      const before = (await within(client.callBuffer('set', args))) as Buffer | null;
      return before === null || before.toString() === token;
    },
    async publish(message, ttlMs) {
      const keys = [`${head}/told`, `${head}/telling/${self}/${told++}`];
      await within(runScript(client, PUBLISH, keys, [self, message, String(ttlMs)]));
    },
    listen(listener) {
      listeners.add(listener);
      if (!isPolling) void poll();
      return () => void listeners.delete(listener);
    },
    close() {
      listeners.clear();
      isPolling = false;
      clearTimeout(timer);
    },
  };
}
