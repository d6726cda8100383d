/** What becomes of a request that comes to the line: its priority may be given up for now. */
import { isPromise, type May } from '../request.js';
import type { Alternative } from '../store/store.js';
import { approach } from './approach.js';
import { mayWaitMs, turnedAway } from './departures.js';
import { delay } from './enqueue.js';
import { type Hall, leave } from './hall.js';
import { noteAsked } from './load.js';
import { peekAmong } from './priority-queue.js';
import { isDropped, skipsFirstRungs } from './shedding.js';
import type { Entrant, Passed, Waiter } from './waiter.js';

/** @throws whatever the entrant's signal was aborted with, and where the line is closed */
export function enter<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>): May<Passed<A>> {
  const { shedder, desk } = hall;
  const now = desk.clock.now();
  noteAsked(hall.stations, entrant.priority, entrant.alternatives[0], now);
  shedder.read(now);
  const { priority, key, whenShed, alternatives } = entrant;
  const level = shedder.level();
  const isOfAll = isDropped(level, priority);
  const own = isOfAll ? undefined : shedder.ownOf(key, now);
  if (isOfAll || (own && isDropped(own.level, priority))) {
    const retryAfterMs = own?.waitMs ?? shedder.waitMs(priority, now);
    if (whenShed === 'delay' && mayWaitMs(hall, entrant) > 0) return delay(hall, entrant, now, retryAfterMs);
    return turnedAway(hall, entrant, 'shed', { bound: isOfAll ? 'all' : 'each', retryAfterMs });
  }
  return approach(hall, entrant, skipsFirstRungs(Math.max(level, own?.level ?? 0), priority, alternatives.length));
}

/**
 * Those come in, as if they came now, that were delayed and whose priority is served again: one after the other, as long as
 * they begin at once and the pressure lets the level be. All together would hold up those for whom they were delayed.
 */
export function release<A extends Alternative>(hall: Hall<A>): void {
  const { delayed, shedder, desk } = hall;
  while (delayed.size > 0) {
    const now = desk.clock.now();
    const next = peekAmong(delayed, ({ entrant: { priority, key } }) => shedder.releases(priority, key, now));
    if (next === undefined) return;
    leave(hall, next);
    const coming = comeAgain(hall, next);
    if (isPromise(coming)) {
      const done = coming.then(() => {
        hall.tries.delete(done);
        release(hall);
      });
      hall.tries.add(done);
      return;
    }
  }
}

/** What it has waited counts, and its deadline stands. */
function comeAgain<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>): May<void> {
  const { entrant, since, deadline, resolve, reject } = waiter;
  const { priority } = entrant;
  const now = hall.desk.clock.now();
  const before = Math.max(0, now - since);
  const told = (passed: Passed<A>) => resolve({ ...passed, waitedMs: passed.waitedMs + before });
  try {
    const alternatives = entrant.renewed(now);
    const coming: Entrant<A> = {
      id: entrant.id,
      priority,
      key: entrant.key,
      whenShed: entrant.whenShed,
      maxWaitMs: Math.max(0, deadline - now),
      tells: entrant.tells,
      signal: entrant.signal,
      alternatives,
      renewed: (at) => entrant.renewed(at),
      queued: (outlook) => entrant.queued(outlook),
      withdrawn: (waitedMs) => entrant.withdrawn(waitedMs + before),
    };
    const passing = approach(hall, coming, skipsFirstRungs(hall.shedder.level(), priority, alternatives.length));
    return isPromise(passing) ? passing.then(told, reject) : told(passing);
  } catch (error) {
    reject(error);
  }
}
