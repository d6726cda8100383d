/** Traffic, played against a gate with a line under a clock that jumps from one thing that is due to the next. */
import { setImmediate as settled } from 'node:timers/promises';
import {
  type AdmitRequest,
  type Clock,
  createTollgate,
  type Priority,
  type QueueOptions,
  type Refusal,
} from '@tollgate/core';

const START = Date.UTC(2026, 0, 1);

/** Requests that come by chance, one independent of another. */
export interface Traffic {
  readonly priority: Priority;
  readonly tenant: string;
  /** The part of the capacity that it asks for: 1 is all of it. */
  readonly asks: number;
  /** Mean milliseconds that a request of it runs; from half as long to one and a half times as long. */
  readonly runsMs: number;
  /** When the first comes at the earliest, and the last at the latest: milliseconds from the start. */
  readonly from: number;
  readonly to: number;
  readonly whenShed?: AdmitRequest['whenShed'];
}

/** What became of a request. Times are in milliseconds from the start. */
export interface Ended {
  readonly priority: Priority;
  readonly tenant: string;
  readonly cameAt: number;
  /** `undefined`: it was admitted. */
  readonly refusal: Refusal | undefined;
  readonly waitedMs: number;
}

/** A number from 0 up to, not including, 1 at each call: D. H. Lehmer's generator. */
export function dice(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Plays the traffic through so many slots, until all has ended. */
export async function play(
  traffic: readonly Traffic[],
  { concurrency, ...queue }: QueueOptions & { concurrency: number },
  seed = 1,
): Promise<Ended[]> {
  const { clock, run } = timeline();
  const gate = createTollgate({ queue: { ...queue, concurrency }, ladders: [], clock });
  const ends: Ended[] = [];

  async function ask({ priority, tenant, whenShed }: Traffic, runsMs: number): Promise<void> {
    const cameAt = clock.now() - START;
    const decision = await gate.admit({
      permits: 1,
      priority,
      subject: { tenant },
      ...(whenShed !== undefined && { whenShed }),
    });
    const waitedMs = clock.now() - START - cameAt;
    const { refusal, admission } = { refusal: undefined, admission: undefined, ...decision };
    ends.push({ priority, tenant, cameAt, refusal, waitedMs });
    if (admission) clock.after(runsMs, () => void admission.settle());
  }

  for (const [i, one] of traffic.entries()) {
    const roll = dice(seed * 1000 + i);
    const meanPauseMs = one.runsMs / (one.asks * concurrency);
    const comes = (at: number): void => {
      const next = at - meanPauseMs * Math.log(1 - roll());
      if (next >= one.to) return;
      const runsMs = one.runsMs * (0.5 + roll());
      clock.after(START + next - clock.now(), () => {
        comes(next);
        void ask(one, runsMs);
      });
    };
    comes(one.from);
  }
  await run();
  await gate.close();
  return ends;
}

function timeline(): { readonly clock: Clock; run(): Promise<void> } {
  let now = START;
  const due = new Set<{ readonly at: number; readonly task: () => void }>();
  return {
    clock: {
      now: () => now,
      after(ms, task) {
        const timer = { at: now + Math.max(0, ms), task };
        due.add(timer);
        return () => void due.delete(timer);
      },
    },
    async run() {
      while (due.size > 0) {
        let next: { readonly at: number; readonly task: () => void } | undefined;
        for (const timer of due) if (next === undefined || timer.at < next.at) next = timer;
        if (next === undefined) return;
        due.delete(next);
        now = next.at;
        next.task();
        await settled();
      }
    },
  };
}
