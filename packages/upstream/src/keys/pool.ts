/** The keys of a provider while they are in use: whose turn it is, which come and which leave. */
import { type Clock, systemClock } from '@tollgate/core';
import type { KeyOptions } from './key.js';
import { cached } from './secrets.js';

/** A key in use. Its source is asked once a minute at most, or for a fresh secret. */
export interface PooledKey extends KeyOptions {
  /** As it was configured, by which it is known again. */
  readonly configured: KeyOptions;
  /** Turns that it is owed, in weights: see {@link offerKeys}. */
  turns: number;
  inFlight: number;
  /** It has been taken away, and is still here for what is in flight. */
  isLeaving: boolean;
}

export interface KeyPool {
  keys: readonly PooledKey[];
  /** By which secrets grow old. */
  readonly clock: Clock;
}

const SECRET_TTL = '1m';

export function createPool(keys: readonly KeyOptions[], clock: Clock = systemClock): KeyPool {
  return { keys: keys.map((key) => poolKey(key, clock)), clock };
}

function poolKey(configured: KeyOptions, clock: Clock): PooledKey {
  const secret = cached(configured.secret, { ttl: SECRET_TTL, clock });
  return { ...configured, secret, configured, turns: 0, inFlight: 0, isLeaving: false };
}

/**
 * The keys that serve, in the order in which to try them; whoever asks takes a turn. Turns go round smoothly by weight: a key
 * of weight 2 goes first twice as often as one of weight 1, and not twice in a row where it needn't. Which key has most left
 * is for its meters to say; turns spread calls over keys of which nothing is known yet, and need nothing that instances would
 * have to share.
 */
export function offerKeys(pool: KeyPool, serves: (key: PooledKey) => boolean = () => true): readonly PooledKey[] {
  const serving = pool.keys.filter((key) => !key.isLeaving && serves(key));
  let total = 0;
  for (const key of serving) {
    const { weight = 1 } = key;
    key.turns += weight;
    total += weight;
  }
  const order = serving.toSorted((a, b) => b.turns - a.turns);
  if (order.length > 0) order[0].turns -= total;
  return order;
}

/**
 * Notes that a call begins with a key.
 *
 * @returns what ends it, safe to call twice; `undefined` where the key was taken away since it was offered, and isn't to be used
 */
export function beginCall(pool: KeyPool, key: PooledKey): (() => void) | undefined {
  if (key.isLeaving) return undefined;
  key.inFlight += 1;
  let isOver = false;
  return () => {
    if (isOver) return;
    isOver = true;
    key.inFlight -= 1;
    if (key.isLeaving && key.inFlight === 0) pool.keys = pool.keys.filter((other) => other !== key);
  };
}

/**
 * Puts keys in place of all that are there. One that is configured as before goes on as it was, all others come anew. What
 * isn't among them is offered no more, and leaves when its last call has ended.
 */
export function setKeys(pool: KeyPool, keys: readonly KeyOptions[]): void {
  const before = pool.keys;
  const next = keys.map((configured) => {
    const same = before.find((key) => !key.isLeaving && isSame(key.configured, configured));
    return same ?? poolKey(configured, pool.clock);
  });
  const leaving = before.filter((key) => !next.includes(key));
  for (const key of leaving) key.isLeaving = true;
  pool.keys = [...next, ...leaving.filter(({ inFlight }) => inFlight > 0)];
}

function isSame(one: KeyOptions, other: KeyOptions): boolean {
  const fields = ['name', 'secret', 'weight', 'environment', 'dailyBudget', 'createdAt'] as const;
  return fields.every((field) => one[field] === other[field]);
}
