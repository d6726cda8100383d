/** What becomes of a request that comes to the line: it passes, waits, or is turned away. */
import type { Usage } from '../meters/meter.js';
import { isPromise, type May, then } from '../request.js';
import type { Alternative } from '../store/store.js';
import { goesBehind, isFull, passings, rankAt, waitsFor } from './blocked.js';
import { mayWaitMs, pushOut, turnedAway } from './departures.js';
import { type Hall, leave, overflowFor } from './hall.js';
import { noteAsked } from './load.js';
import { outlookAt, together } from './outlook.js';
import { peek } from './priority-queue.js';
import { isDropped, skipsFirstRungs } from './shedding.js';
import { aheadOf, NOBODY, stationOf } from './station.js';
import { delay, type Held, type Stop, wait } from './stays.js';
import { noteBegins } from './turns.js';
import type { Entrant, Passed, Waiter } from './waiter.js';

const NO_STOPS: readonly Stop[] = [];

/** @throws whatever the entrant's signal was aborted with, and where the line is closed */
export function enter<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>): May<Passed<A>> {
  const { shedder, desk } = hall;
  const now = desk.clock.now();
  noteAsked(hall.stations, entrant.priority, entrant.alternatives[0], now);
  shedder.read(now);
  const { priority, key, whenShed, alternatives } = entrant;
  const level = shedder.level();
  const isRefused = whenShed === 'refuse' || mayWaitMs(hall, entrant) === 0;
  if (isDropped(level, priority)) {
    if (!isRefused) return delay(hall, entrant, now);
    return turnedAway(hall, entrant, 'shed', { bound: 'all', retryAfterMs: shedder.waitMs(priority, now) });
  }
  const own = shedder.ownOf(key, now);
  // Who had rather wait does so in the line: beyond its share it is behind all others.
  if (isDropped(own.level, priority) && isRefused) {
    return turnedAway(hall, entrant, 'shed', { bound: 'each', retryAfterMs: own.waitMs });
  }
  return approach(hall, entrant, skipsFirstRungs(Math.max(level, own.level), priority, alternatives.length));
}

/**
 * Those come in, as if they came now, that were delayed and whose priority is served again: one after the other, as long as
 * they begin at once and the pressure lets the level be. All together would hold up those for whom they were delayed.
 */
export function release<A extends Alternative>(hall: Hall<A>): void {
  const { delayed, shedder } = hall;
  for (let next = peek(delayed); next && shedder.releases(next.entrant.priority); next = peek(delayed)) {
    leave(hall, next);
    const coming = comeAgain(hall, next);
    if (isPromise(coming)) {
      void coming.then(() => release(hall));
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
  const alternatives = entrant.renewed(now);
  const told = (passed: Passed<A>) => resolve({ ...passed, waitedMs: passed.waitedMs + before });
  try {
    const coming: Entrant<A> = {
      ...entrant,
      alternatives,
      maxWaitMs: Math.max(0, deadline - now),
      withdrawn: (waitedMs) => entrant.withdrawn(waitedMs + before),
    };
    const passing = approach(hall, coming, skipsFirstRungs(hall.shedder.level(), priority, alternatives.length));
    return isPromise(passing) ? passing.then(told, reject) : told(passing);
  } catch (error) {
    reject(error);
  }
}

/** Begins at once where there is room that nobody waits for who goes first. */
function approach<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, skips: number): May<Passed<A>> {
  const { desk, stations } = hall;
  assertStays(hall, entrant);
  const asked = hall.rooms;
  const now = desk.clock.now();
  const ways = skips === 0 ? entrant.alternatives : entrant.alternatives.slice(skips);
  const open = stations.busy.size === 0 ? ways : ways.filter((way) => !isBehind(hall, entrant, way, now));
  const told = (usages: readonly (readonly Usage[])[] | undefined): May<Passed<A>> =>
    usages === undefined
      ? { result: undefined, alternatives: ways, waitedMs: 0 }
      : hold(hall, { entrant, skips, ways, usages, asked });
  if (open.length === 0) return then(peekAll(hall, ways), told);
  return then(desk.take(open, now), (result) => {
    if (result !== undefined && 'refused' in result) {
      return open.length === ways.length ? told(result.refused) : then(peekAll(hall, ways), told);
    }
    if (result && stations.busy.size > 0) pass(hall, entrant, open[result.taken], now);
    return { result, alternatives: open, waitedMs: 0 };
  });
}

/** The store may have taken its time since it came. */
function assertStays<A extends Alternative>({ isClosed, desk }: Hall<A>, { signal }: Entrant<A>): void {
  if (isClosed) throw desk.closed();
  signal?.throwIfAborted();
}

/** True where somebody who waits goes first, though there may be room. */
function isBehind<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, way: A, now: number): boolean {
  const { stations, desk } = hall;
  return passings(stations, way).some(({ station, charge }) =>
    goesBehind(station, rankAt(station, entrant, charge.cost, now, desk.terms()).score),
  );
}

/** Has begun before others that wait: it counts for the share of its key. */
function pass<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, way: A, now: number): void {
  for (const { station, charge } of passings(hall.stations, way)) {
    const { turn } = rankAt(station, entrant, charge.cost, now, hall.desk.terms());
    turn?.fairness.enter(turn.turn);
    turn?.fairness.begin(turn.turn);
  }
  noteBegins(hall, { entrant, turn: undefined }, way);
}

function hold<A extends Alternative>(hall: Hall<A>, held: Held<A>): May<Passed<A>> {
  const { entrant, ways, usages } = held;
  const maxWaitMs = mayWaitMs(hall, entrant);
  const isRefused = usages.every((ofOne) => ofOne.some(isFull));
  if (isRefused && maxWaitMs === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
  return then(stopsOf(hall, entrant, ways, usages), (stops) => {
    if (stops === 'none') return approach(hall, entrant, held.skips);
    if (stops.length === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
    assertStays(hall, entrant);
    const stop = stops.reduce((a, b) => (leastMsAt(b) < leastMsAt(a) ? b : a));
    const overflow = overflowFor(hall, { key: entrant.key, isDelayed: false, score: stop.score });
    const expectedMs = stop.expectedMs ?? leastMsAt(stop);
    if (overflow && !overflow.last) {
      const { bound } = overflow;
      return turnedAway(hall, entrant, 'line-full', { bound, outlook: stop, usages, retryAfterMs: expectedMs });
    }
    if (maxWaitMs === 0 || leastMsAt(stop) > maxWaitMs) {
      const retryAfterMs = Math.max(expectedMs, leastMsAt(stop)) - maxWaitMs;
      return turnedAway(hall, entrant, 'too-long-wait', { outlook: stop, usages, retryAfterMs });
    }
    if (overflow?.last) pushOut(hall, overflow.last, overflow.bound, hall.desk.clock.now());
    return wait(hall, { ...held, stops, first: stop, maxWaitMs });
  });
}

/**
 * Where it has to wait: for each alternative that waiting may help, the station at which that takes longest. `none` where
 * an alternative has nothing to wait for any more.
 */
export function stopsOf<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  ways: readonly A[],
  usages: readonly (readonly Usage[])[],
): May<readonly Stop[] | 'none'> {
  const { stations, desk } = hall;
  const now = desk.clock.now();
  const found = ways.map((way, i): May<readonly Stop[]> | undefined => {
    if (waitsFor(usages[i]) === undefined) return undefined;
    const behind = passings(stations, way)
      .filter(({ station, charge }) =>
        goesBehind(station, rankAt(station, entrant, charge.cost, now, desk.terms()).score),
      )
      .map(({ charge }) => charge.meter);
    const waits = usages[i].filter((usage) => isFull(usage) || behind.includes(usage.charge.meter));
    return together(
      waits.map((usage) => {
        const { charge, key } = usage;
        const station = stationOf(stations, charge.meter, key);
        const rank = rankAt(station, entrant, charge.cost, now, desk.terms());
        const ahead = station === undefined ? NOBODY : aheadOf(station, rank.score);
        return then(outlookAt(station, usage, ahead, now, desk.peek), (outlook): Stop => ({ ...outlook, ...rank }));
      }),
    );
  });
  const helped = found.filter((stops) => stops !== undefined);
  return then(together(helped), (stopsOfEach) => {
    if (stopsOfEach.some(({ length }) => length === 0)) return 'none';
    const longest = stopsOfEach.map((stops) => stops.reduce((a, b) => (leastMsAt(b) > leastMsAt(a) ? b : a)));
    return longest.length === 0 ? NO_STOPS : longest;
  });
}

/** What its key has asked before holds it back too. */
function leastMsAt({ leastMs, turn }: Stop): number {
  return Math.max(leastMs, turn?.turn.waitMs ?? 0);
}

/** What the alternatives' meters say; `undefined` if the store failed. */
export function peekAll<A extends Alternative>(
  { desk }: Hall<A>,
  ways: readonly A[],
): May<readonly (readonly Usage[])[] | undefined> {
  return then(together(ways.map(({ who, bills }) => desk.peek(who, bills))), (usages) =>
    usages.every((ofOne) => ofOne !== undefined) ? usages : undefined,
  );
}
