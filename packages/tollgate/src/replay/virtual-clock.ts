/** A clock that stands still while anybody has something to do, and then goes on to what is due next. */
import type { Clock } from '@tollgate/core';

export interface VirtualClock extends Clock {
  /** Goes on to a time, in milliseconds since 1970; runs what is due until then, each at its time, and lets follow what follows. */
  goTo(ms: number): Promise<void>;
  /** True where nothing is due until then: it can be set to it at once. */
  isFreeUntil(ms: number): boolean;
  /** Sets a time until which nothing is due. It never goes back. */
  set(ms: number): void;
}

interface Timer {
  readonly due: number;
  readonly task: () => void;
}

export function virtualClock(startMs = 0): VirtualClock {
  let now = startMs;
  /** By when they are due, the first at the end; of equals the one that was set first. */
  const timers: Timer[] = [];

  function add(timer: Timer): void {
    let place = timers.length;
    while (place > 0 && timers[place - 1].due <= timer.due) place--;
    timers.splice(place, 0, timer);
  }

  function set(ms: number): void {
    now = Math.max(now, ms);
  }

  const isFreeUntil = (ms: number) => timers.length === 0 || timers[timers.length - 1].due > ms;

  return {
    now: () => now,
    after(ms, task) {
      const timer = { due: now + Math.max(0, ms), task };
      add(timer);
      return () => {
        const place = timers.indexOf(timer);
        if (place >= 0) timers.splice(place, 1);
      };
    },
    isFreeUntil,
    set,
    async goTo(ms) {
      while (!isFreeUntil(ms)) {
        const { due, task } = timers.pop() as Timer;
        set(due);
        task();
        await followed();
      }
      set(ms);
    },
  };
}

/** All has gone on that need not wait for the clock. */
export function followed(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
