/** What processes tell each other by Redis: that they are there, what was changed, and who is the first at something. */
import { createHash, randomBytes } from 'node:crypto';
import { showThrown, warn } from '../../errors.js';
import type { Shared } from '../store.js';
import { pause, type RedisClient } from './client.js';
import { PUBLISH, runScript, SHARED } from './scripts.js';

/** How often a gate asks what was told. */
const POLL_MS = 500;

/** A gate that has not been heard of for so long counts no more. */
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
): Shared {
  const self = randomBytes(9).toString('base64url');
  let names = 0;
  /** By gate, in how many processes there is one. */
  const known = new Map<string, number>();

  /** A name that nothing else has. */
  function newName(): string {
    return `${self}-${names++}`;
  }

  function listen(gate: string, listener: (message: string) => void): () => void {
    const member = newName();
    const begun = performance.now();
    /** When it began, by Redis's time: it hears what was told since, or before and held then. No message ends before it is told. */
    let since: number | undefined;
    let readTo = '0-0';
    let isOver = false;
    let hasFailed = false;

    async function ask(): Promise<readonly StreamEntry[]> {
      const keys = [`${head}/listening/${gate}`, toldKey(gate)];
      const reply = await within(runScript(client, SHARED, keys, [member, readTo, String(GONE_MS)]));
      // Clients may be set to give numbers as texts.
      const [count, now, entries] = reply as [number | string, number | string, readonly StreamEntry[]];
      since ??= Number(now) - (performance.now() - begun);
      if (!isOver) known.set(gate, Number(count));
      return entries;
    }

    function hear([id, [, ends, , message]]: StreamEntry, from: number): void {
      if (isOver) return;
      readTo = id.toString();
      if (Number(ends) >= from) listener(message.toString());
    }

    async function poll(): Promise<void> {
      let isBehind = false;
      try {
        const entries = await ask();
        for (const entry of entries) hear(entry, since as number);
        isBehind = entries.length === MOST_AT_ONCE;
        hasFailed = false;
      } catch (error) {
        if (!hasFailed && !isOver) {
          warn('TOLLGATE_NOT_SHARED', `What other processes tell can't be read: ${showThrown(error)}`);
        }
        hasFailed = true;
      }
      await pause(client, isBehind ? 0 : POLL_MS);
      if (!isOver) void poll();
    }

    void poll();
    return () => {
      isOver = true;
    };
  }

  function toldKey(gate: string): string {
    return `${head}/told/${gate}`;
  }

  return {
    listen,
    instances: (gate) => known.get(gate) ?? 1,
    async claim(name, ttlMs) {
      const key = `${head}/claim/${createHash('sha256').update(name).digest('base64url')}`;
      // Sent again after it was done, it finds its own token.
      const token = newName();
      const args = [key, token, 'NX', 'GET', 'PX', String(Math.max(1, Math.ceil(ttlMs)))];
      const before = (await within(client.callBuffer('set', args))) as Buffer | null;
      return before === null || before.toString() === token;
    },
    async publish(gate, message, ttlMs) {
      const keys = [toldKey(gate), `${head}/telling/${newName()}`];
      await within(runScript(client, PUBLISH, keys, [message, String(ttlMs)]));
    },
  };
}
