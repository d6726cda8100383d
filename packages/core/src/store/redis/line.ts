/** What the lines of processes tell each other by Redis: who is the first to wait, and where there may be room for it. */
import { type Key, type Meter, whoHas } from '../../meters/meter.js';
import type { SharedLine } from '../store.js';
import { type BlockingClient, blockingOf, hasEnded, onEnd, pause, type RedisClient } from './client.js';
import { createWaitersNames, waitingName } from './keys.js';
import { runScript, WAIT } from './scripts.js';

export interface RedisLine extends SharedLine {
  /** Others have been told of all that has changed, or could not be. */
  told(): Promise<void>;
}

/** How often an instance in which somebody waits says so again. What was lost meanwhile is put right by that. */
const BEAT_MS = 500;

/** An instance that has not been heard of for so long is dead: who waits there holds up nobody. */
const DEAD_MS = 2_000;

/** Of the stations that one call tells of. */
const MOST_AT_ONCE = 500;

/** Seconds that one call waits to be woken. */
const BLOCK_S = 5;

/** After that has failed. */
const PAUSE_MS = 500;

interface Head {
  readonly meter: Meter;
  readonly key: Key;
  readonly score: number;
}

/**
 * @param head of all keys
 * @param instance by which Redis knows this one from others
 * @param within lets a promise fail where Redis takes too long
 */
export function createLine(
  client: RedisClient,
  head: string,
  instance: string,
  within: <T>(promise: Promise<T>) => Promise<T>,
): RedisLine {
  const nameOf = createWaitersNames(head);
  const waiting = waitingName(head);
  const listeners = new Set<(meter: Meter, key: Key) => void>();
  /** The first of those who wait here, by the names of the waiters. */
  const heads = new Map<string, Head>();
  /** Of whom others have not been told yet. */
  const untold = new Set<string>();
  let isScheduled = false;
  let isBeating = false;
  let blocking: BlockingClient | undefined;
  let unlisten = () => {};

  function change(name: string): void {
    untold.add(name);
    if (isScheduled) return;
    isScheduled = true;
    setImmediate(tell);
  }

  async function tell(): Promise<void> {
    isScheduled = false;
    const names = [...untold];
    untold.clear();
    const calls: Promise<unknown>[] = [];
    for (let i = 0; i < names.length; i += MOST_AT_ONCE) {
      const some = names.slice(i, i + MOST_AT_ONCE);
      const scores = some.map((name) => String(heads.get(name)?.score ?? ''));
      calls.push(within(runScript(client, WAIT, [waiting, ...some], [instance, String(DEAD_MS), ...scores])));
    }
    // What fails is told again: of who waits by the next beat, of who doesn't when this one is woken for it.
    await Promise.allSettled(calls);
    if (heads.size > 0 && !isBeating) void beat();
  }

  async function beat(): Promise<void> {
    isBeating = true;
    await pause(client, BEAT_MS);
    isBeating = false;
    for (const name of heads.keys()) change(name);
  }

  function connect(): void {
    if (hasEnded(client)) return void reconnect();
    blocking = blockingOf(client);
    if (blocking === undefined) return;
    // Who made the client hears of that one's.
    blocking.on('error', () => {});
    unlisten = onEnd(client, reconnect);
    void listen(blocking);
  }

  function hangUp(): void {
    unlisten();
    blocking?.disconnect();
    blocking = undefined;
  }

  /** Once the client is, if it ever is: the connection of its own would keep the process from its end. */
  async function reconnect(): Promise<void> {
    hangUp();
    await pause(client, PAUSE_MS);
    if (blocking === undefined && listeners.size > 0) connect();
  }

  async function listen(connection: BlockingClient): Promise<void> {
    const isOpen = () => blocking === connection;
    while (isOpen()) {
      try {
        const woken = await connection.callBuffer('bzpopmin', [`${waiting}/${instance}`, BLOCK_S]);
        if (woken !== null && isOpen()) look(head + String((woken as Buffer[])[1]));
      } catch {
        if (isOpen()) await pause(client, PAUSE_MS);
      }
    }
  }

  function look(name: string): void {
    const found = heads.get(name);
    // Others had heard of somebody who waits here no longer.
    if (found === undefined) change(name);
    else for (const listener of listeners) listener(found.meter, found.key);
  }

  return {
    waits(meter, key, score) {
      const name = nameOf(meter, whoHas(key, meter.scope));
      if (score === undefined) heads.delete(name);
      else heads.set(name, { meter, key, score });
      change(name);
    },
    onRoom(listener) {
      listeners.add(listener);
      if (blocking === undefined) connect();
      return () => {
        listeners.delete(listener);
        if (listeners.size === 0) hangUp();
      };
    },
    told: tell,
  };
}
