/**
 * Adaptive slots of each key of a dimension, such as each provider: what one of them bears says nothing of another.
 *
 * Of at most {@link MAX_KEYS} keys it is remembered what they bear, and of more only while something runs: beyond it those
 * are forgotten first for which nothing has run for longest. A key that was forgotten begins anew.
 */
import type { Ending, Key } from '../meters/meter.js';
import { type Begun, type Concurrency, type ConcurrencyState, createConcurrency } from './concurrency.js';
import type { AdaptiveOptions } from './concurrency-options.js';

/** What runs in a slot. */
export interface Running {
  readonly key: Key;
  readonly begun: Begun;
  readonly slots: SlotsOfKey;
}

/** Times are in milliseconds since 1970. */
export interface SlotsByKey {
  /** The most that there can be of a key. */
  readonly max: number;
  /** How many there are of a key now, see {@link Concurrency.limit}. */
  limit(key: Key, now: number): number;
  /** Each has to be ended. What isn't by then counts as failed once twice the lease is over. */
  began(key: Key, now: number): Running;
  /** Does nothing the second time. */
  ended(running: Running, ending: Ending, now: number): void;
  state(key: Key): ConcurrencyState;
}

interface SlotsOfKey {
  /** The key as JSON. */
  readonly id: string;
  readonly concurrency: Concurrency;
  /** In the order in which they began. */
  readonly running: Set<Begun>;
}

export const MAX_KEYS = 1000;

/** @param leaseMs how long a slot is kept at least; above 0 */
export function createSlotsByKey(options: AdaptiveOptions, leaseMs: number): SlotsByKey {
  // A key is in one of these: in the first, in the order in which something last began there; in the other, in the order
  // in which the last one ended.
  const busy = new Map<string, SlotsOfKey>();
  const idle = new Map<string, SlotsOfKey>();

  function known(key: Key): SlotsOfKey | undefined {
    const id = JSON.stringify(key);
    return busy.get(id) ?? idle.get(id);
  }

  function create(key: Key): SlotsOfKey {
    return { id: JSON.stringify(key), concurrency: createConcurrency(options), running: new Set() };
  }

  function end(slots: SlotsOfKey, begun: Begun, ending: Ending, now: number): void {
    if (!slots.running.delete(begun)) return;
    slots.concurrency.ended(begun, ending, now);
    if (slots.running.size > 0) return;
    busy.delete(slots.id);
    idle.set(slots.id, slots);
    forget();
  }

  function endLost(slots: SlotsOfKey, now: number): void {
    for (const begun of slots.running) {
      if (now - begun.at < 2 * leaseMs) return;
      end(slots, begun, { outcome: 'failed' }, now);
    }
  }

  function forget(): void {
    for (const id of idle.keys()) {
      if (busy.size + idle.size <= MAX_KEYS) return;
      idle.delete(id);
    }
  }

  return {
    max: options.max,
    limit: (key, now) => known(key)?.concurrency.limit(now) ?? options.initial,

    began(key, now) {
      const slots = known(key) ?? create(key);
      endLost(slots, now);
      const begun = slots.concurrency.began(now);
      slots.running.add(begun);
      idle.delete(slots.id);
      busy.delete(slots.id);
      busy.set(slots.id, slots);
      if (busy.size + idle.size > MAX_KEYS) {
        // Of keys at which nothing begins any more, what was lost ends here.
        const [oldest] = busy.values();
        endLost(oldest, now);
        forget();
      }
      return { key, begun, slots };
    },

    ended: ({ slots, begun }, ending, now) => end(slots, begun, ending, now),

    state: (key) => (known(key) ?? create(key)).concurrency.state(),
  };
}
