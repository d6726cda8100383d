/** Warns where a service has so few keys that none could be revoked without an outage. */
import type { Clock } from '../clock.js';
import { warn } from '../errors.js';
import { type ApiKey, isLive } from './key.js';

const FEWEST = 2;

/** From a change to the look at what it led to: a look reads all keys, and a key is seldom the only one that is made or revoked. */
const LOOK_AFTER_MS = 60_000;

/** Has all keys looked at after changes: once for all of the same minute, when it is over or nothing more will be changed. */
export function watchFew(look: () => Promise<unknown>, clock: Clock) {
  let cancel: (() => void) | undefined;

  /** What has been done is not undone for it. */
  async function lookNow(): Promise<void> {
    cancel = undefined;
    await look().catch(() => {});
  }

  return {
    changed(): void {
      cancel ??= clock.after(LOOK_AFTER_MS, lookNow);
    },
    async close(): Promise<void> {
      if (cancel === undefined) return;
      cancel();
      await lookNow();
    },
  };
}

/**
 * Warns of each service with too few live keys in an environment, once until it is seen with enough.
 *
 * @param warned those that have been warned of
 */
export function warnOfFew(keys: readonly ApiKey[], now: number, warned: Set<string>): void {
  for (const [name, count] of liveCounts(keys, now)) {
    if (count >= FEWEST) warned.delete(name);
    else if (!warned.has(name)) {
      warned.add(name);
      const [environment, service] = JSON.parse(name);
      const left = count === 0 ? 'no live API key' : 'one live API key';
      const advice = 'Give it two, each of which it can go on with when the other has to be revoked.';
      warn('TOLLGATE_FEW_KEYS', `The service '${service}' has ${left} in '${environment}'. ${advice}`);
    }
  }
}

/** By service and environment. A key that has been rotated is on its way out, and its successor in its place. */
function liveCounts(keys: readonly ApiKey[], now: number): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const key of keys) {
    const name = JSON.stringify([key.environment, key.service]);
    const counted = isLive(key, now) && key.successor === undefined ? 1 : 0;
    counts.set(name, (counts.get(name) ?? 0) + counted);
  }
  return counts;
}
