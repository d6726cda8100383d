/** What processes share by a store, in one process, at once. */
import type { Shared } from '@tollgate/core';

/** How telling goes. */
export interface HubState {
  /** Of all that is asked, while it is set. */
  error?: Error | undefined;
  /** What is asked is done all the same. */
  isLate?: boolean;
  /** Nothing is heard until `deliver` is called. */
  isHeldUp?: boolean;
}

interface Listening {
  readonly gate: string;
  readonly listener: (message: string) => void;
  /** How much of what was told it has been told. */
  readTo: number;
}

export interface Hub {
  join(): Shared;
  /** Has all heard that was told. */
  deliver(): void;
  /** Has nobody hear what was told and not heard. */
  lose(): void;
}

/** @param now milliseconds, the time by which claims and what is told end */
export function sharedHub(state: HubState = {}, now: () => number = () => 0): Hub {
  const listening = new Set<Listening>();
  const claimed = new Map<string, number>();
  const told: { readonly gate: string; readonly message: string; readonly ends: number }[] = [];

  function check(): void {
    if (state.error && !state.isLate) throw state.error;
  }

  function answer<T>(value: T): T {
    if (state.error) throw state.error;
    return value;
  }

  function deliver(): void {
    for (const one of listening) {
      while (one.readTo < told.length) {
        const { gate, message } = told[one.readTo++];
        if (gate === one.gate) one.listener(message);
      }
    }
  }

  return {
    deliver,
    lose() {
      for (const one of listening) one.readTo = told.length;
    },
    join: () => ({
      instances: () => Math.max(1, listening.size),
      async claim(name, ttlMs) {
        check();
        const isFirst = !((claimed.get(name) ?? 0) > now());
        if (isFirst) claimed.set(name, now() + ttlMs);
        return answer(isFirst);
      },
      async publish(gate, message, ttlMs) {
        check();
        told.push({ gate, message, ends: now() + ttlMs });
        if (!state.isHeldUp) deliver();
        return answer(undefined);
      },
      listen(gate, listener) {
        const one = { gate, listener, readTo: told.length };
        listening.add(one);
        for (const { gate, message, ends } of [...told]) if (gate === one.gate && ends > now()) listener(message);
        return () => void listening.delete(one);
      },
    }),
  };
}
