/** Users who ask a provider again and again, in time that is played. */
import type { ManualClock } from '@tollgate/core/testing';
import { type CallRecord, type FakeProvider, randomBy } from '@tollgate/fake-provider';

export const MINUTE = 60_000;

export interface LoadOptions {
  readonly clock: ManualClock;
  readonly users: number;
  /** How often they ask, all together, as long as none has to wait. */
  readonly perMinute: number;
  readonly minutes: number;
  /** Asks once. Returns the status of the answer, once it is read to its end. */
  ask(user: number): Promise<number>;
  /** Plays time, where it is not the clock's own `play`. */
  play?(ms: number): Promise<void>;
}

/**
 * Each user pauses, asks, and pauses again. Whoever has waited long asks again the sooner, so that they ask for as much as they
 * said. Returns the status of every answer.
 */
export async function playUsers(options: LoadOptions): Promise<number[]> {
  const { clock, users, perMinute, minutes, ask, play = clock.play } = options;
  const random = randomBy(1);
  const end = clock.now() + minutes * MINUTE;
  const everyMs = (users * MINUTE) / perMinute;
  const statuses: number[] = [];
  let gone = 0;

  async function use(user: number): Promise<void> {
    let next = clock.now() + random() * everyMs;
    for (;;) {
      await sleepUntil(clock, next);
      if (clock.now() >= end) break;
      statuses.push(await ask(user));
      // Nobody asks for more than one thing at a time, or at once for all that there was no time for.
      next = Math.max(next + everyMs * (0.5 + random()), clock.now() + 1);
    }
    gone++;
  }

  const all = Promise.all(Array.from({ length: users }, (_, user) => use(user)));
  while (gone < users) await play(1000);
  await all;
  return statuses;
}

/** What an app does without help: asks twice more, when it is told to come back, or else soon. */
export function naiveRetry(fetch: typeof globalThis.fetch, clock: ManualClock): typeof globalThis.fetch {
  return async (input, init) => {
    for (let retries = 0; ; retries++) {
      const response = await fetch(input, init);
      const isWorthIt = response.status === 429 || response.status >= 500;
      if (!isWorthIt || retries === 2) return response;
      const told = response.headers.get('retry-after');
      await sleepUntil(clock, clock.now() + (told === null ? 500 * 2 ** retries : Number(told) * 1000));
    }
  };
}

/** The share of what a provider could have done, from one minute to another, that it was asked to do. */
export function shareUsed(
  { calls }: FakeProvider,
  unit: 'requests' | 'tokens',
  perMinute: number,
  [from, until]: readonly [number, number],
): number {
  const done = calls.filter(({ status, at }) => status === 200 && at >= from && at < until);
  const used = unit === 'requests' ? done.length : done.reduce((sum, { usage }) => sum + usage.input + usage.output, 0);
  return used / ((perMinute * (until - from)) / MINUTE);
}

export function countOf429({ calls }: FakeProvider): number {
  return calls.filter(({ status }) => status === 429).length;
}

/** The most calls in any interval of a length. */
export function mostWithin(ms: number, calls: readonly CallRecord[]): number {
  return Math.max(...calls.map(({ at }) => calls.filter((other) => other.at >= at && other.at < at + ms).length));
}

function sleepUntil(clock: ManualClock, at: number): Promise<void> {
  return new Promise((resolve) => {
    clock.after(at - clock.now(), resolve);
  });
}
