/** What becomes of a request that comes to the line: it passes, waits, or is turned away. */
import type { Usage } from '../meters/meter.js';
import { type May, type Priority, then } from '../request.js';
import type { Alternative } from '../store/store.js';
import { goesBehind, isFull, passings, type Rank, rankAt, waitsFor } from './blocked.js';
import { fullFor } from './crowd.js';
import { createFairness } from './fairness.js';
import { arrive, type Hall, isFirst, leave, look, stand, waitForTime } from './hall.js';
import { type Outlook, outlookAt, together } from './outlook.js';
import { paceOf } from './pace.js';
import { scoreOf } from './score.js';
import { aheadOf, costOf, openStation, type Station, stationOf } from './station.js';
import { noteBegins, serve } from './turns.js';
import type { Entrant, Passed, TurnedAway, TurnedAwayFor, Waiter } from './waiter.js';

/** Where somebody would have to wait. */
export interface Stop extends Outlook, Rank {}

/** Milliseconds. A client that comes back sooner finds what it has found. */
const LEAST_RETRY = 1000;

const NO_STOPS: readonly Stop[] = [];

/** @throws whatever the entrant's signal was aborted with, and where the line is closed */
export function enter<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>): May<Passed<A>> {
  const { shedder, desk } = hall;
  const now = desk.clock.now();
  shedder.read(now);
  const { priority, whenShed, alternatives } = entrant;
  const answer = shedder.answer(priority, whenShed);
  if (answer === 'refused' || (answer === 'delayed' && mayWaitMs(hall, entrant) === 0)) {
    return turnedAway(hall, entrant, 'shed', { retryAfterMs: shedder.waitMs(priority, now) });
  }
  if (answer === 'delayed') return delay(hall, entrant, now);
  return approach(hall, entrant, shedder.skips(priority, alternatives.length));
}

/** Begins at once where there is room that nobody waits for who goes first. */
function approach<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, skips: number): May<Passed<A>> {
  const { desk, stations } = hall;
  // The store may have taken its time since it came.
  if (hall.isClosed) throw desk.closed();
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

/** One that can't begin now, and what the meters said to it. */
interface Held<A extends Alternative> {
  readonly entrant: Entrant<A>;
  readonly skips: number;
  readonly ways: readonly A[];
  /** Of each alternative. */
  readonly usages: readonly (readonly Usage[])[];
  /** The hall's count of rooms when the meters were asked. */
  readonly asked: number;
}

function hold<A extends Alternative>(hall: Hall<A>, held: Held<A>): May<Passed<A>> {
  const { entrant, ways, usages } = held;
  const maxWaitMs = mayWaitMs(hall, entrant);
  const isRefused = usages.every((ofOne) => ofOne.some(isFull));
  if (isRefused && maxWaitMs === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
  return then(stopsOf(hall, entrant, ways, usages), (stops) => {
    if (stops === 'none') return approach(hall, entrant, held.skips);
    if (stops.length === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
    const stop = stops.reduce((a, b) => (leastMsAt(b) < leastMsAt(a) ? b : a));
    const full = fullFor(hall.crowd, { fairKey: entrant.fairKey, isDelayed: false }, hall.desk.terms());
    const expectedMs = stop.expectedMs ?? leastMsAt(stop);
    if (full) return turnedAway(hall, entrant, 'line-full', { full, outlook: stop, usages, retryAfterMs: expectedMs });
    if (maxWaitMs === 0 || leastMsAt(stop) > maxWaitMs) {
      const retryAfterMs = Math.max(expectedMs, leastMsAt(stop)) - maxWaitMs;
      return turnedAway(hall, entrant, 'too-long-wait', { outlook: stop, usages, retryAfterMs });
    }
    return wait(hall, held, stops, stop, maxWaitMs);
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
        const ahead = station === undefined ? 0 : aheadOf(station, rank.score);
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

function wait<A extends Alternative>(
  hall: Hall<A>,
  { entrant, skips, usages, asked }: Held<A>,
  stops: readonly Stop[],
  first: Stop,
  maxWaitMs: number,
): Promise<Passed<A>> {
  const { stations, desk } = hall;
  // As above.
  if (hall.isClosed) throw desk.closed();
  entrant.signal?.throwIfAborted();
  const now = desk.clock.now();
  const { charge, key } = first.usage;
  const station = openStation(stations, charge.meter, key);
  share(hall, station, entrant.priority);
  const { score, turn } = rankAt(station, entrant, charge.cost, now, desk.terms());
  turn?.fairness.enter(turn.turn);
  const facts = { since: now, deadline: now + maxWaitMs, score, turn, skips, isDelayed: false, usages: usages.flat() };
  return comeIn(hall, entrant, facts, (waiter) => {
    for (const { usage } of stops) {
      const at = stand(hall, waiter, usage.charge, usage.key, now);
      if (isFirst(waiter, at)) waitForTime(hall, at, usage, now);
    }
    entrant.queued(first);
    // What was refused before room came may fit now.
    if (hall.rooms !== asked) for (const at of [...waiter.at.keys()]) serve(hall, at);
  });
}

/** Waits until its priority is served again, and then as all do, by the time at which it came. */
function delay<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, now: number): May<Passed<A>> {
  const { shedder, desk, crowd } = hall;
  const { priority, fairKey } = entrant;
  const full = fullFor(crowd, { fairKey, isDelayed: true }, desk.terms());
  if (full) return turnedAway(hall, entrant, 'line-full', { full, retryAfterMs: shedder.waitMs(priority, now) });
  const score = scoreOf(desk.terms().ageing, priority, now);
  const deadline = now + mayWaitMs(hall, entrant);
  const facts = { since: now, deadline, score, turn: undefined, skips: 0, isDelayed: true, usages: [] };
  return comeIn(hall, entrant, facts, () => entrant.queued(undefined));
}

type Facts<A extends Alternative> = Pick<
  Waiter<A>,
  'since' | 'deadline' | 'score' | 'turn' | 'skips' | 'isDelayed' | 'usages'
>;

/** @param begin what it does first: its promise is made by then */
function comeIn<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  facts: Facts<A>,
  begin: (waiter: Waiter<A>) => void,
): Promise<Passed<A>> {
  const { priority, fairKey, signal } = entrant;
  return new Promise((resolve, reject) => {
    const aborted = () => withdraw(hall, waiter, signal?.reason);
    const waiter: Waiter<A> = {
      ...facts,
      entrant,
      lane: { priority, key: fairKey },
      at: new Map(),
      isTried: false,
      hasLeft: false,
      resolve,
      reject,
      unlisten: () => signal?.removeEventListener('abort', aborted),
      place: 0,
    };
    signal?.addEventListener('abort', aborted);
    arrive(hall, waiter);
    begin(waiter);
    look(hall);
  });
}

/** Leaves without an answer. */
export function withdraw<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>, reason: unknown): void {
  const now = hall.desk.clock.now();
  const others = leave(hall, waiter);
  waiter.reject(reason);
  waiter.entrant.withdrawn(Math.max(0, now - waiter.since));
  for (const station of others) serve(hall, station);
  look(hall);
}

/** Has waited for as long as it may. */
export function timeOut<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>, now: number): void {
  const { entrant, usages, since, isDelayed } = waiter;
  const [station, stand] = [...waiter.at][0] ?? [];
  const usage = station && usages.find(({ charge }) => charge.meter === station.meter);
  const ahead = station && stand ? aheadOf(station, waiter.score, stand.arrival) : 0;
  // What meters say by now would have to be asked for; what is left to wait goes by the pace.
  const rate = station === undefined ? 0 : paceOf(station.pace, now);
  const expectedMs = station && rate > 0 ? (costOf(station, ahead) + (stand?.cost ?? 0)) / rate : undefined;
  const outlook = usage && { usage, position: ahead + 1, leastMs: 0, expectedMs };
  const retryAfterMs = isDelayed ? hall.shedder.waitMs(entrant.priority, now) : (expectedMs ?? 0);
  const others = leave(hall, waiter);
  const waitedMs = Math.max(0, now - since);
  const why = hall.shedder.isDropped(entrant.priority) && isDelayed ? 'shed' : 'waited-too-long';
  waiter.resolve(turnedAway(hall, entrant, why, { outlook, usages: [usages], retryAfterMs, waitedMs }));
  for (const other of others) serve(hall, other);
}

interface TurnedAwayFacts {
  readonly full?: 'all' | 'each';
  readonly outlook?: Outlook | undefined;
  /** Of each alternative. */
  readonly usages?: readonly (readonly Usage[])[];
  readonly retryAfterMs: number;
  readonly waitedMs?: number;
}

function turnedAway<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  why: TurnedAwayFor,
  { full, outlook, usages = [], retryAfterMs, waitedMs = 0 }: TurnedAwayFacts,
): TurnedAway {
  const { priority } = entrant;
  const told = usages.find((ofOne) => outlook === undefined || ofOne.includes(outlook.usage)) ?? [];
  return {
    why,
    priority,
    full,
    outlook,
    usages: told,
    maxWaitMs: mayWaitMs(hall, entrant),
    waitedMs,
    retryAfterMs: Math.max(LEAST_RETRY, Math.ceil(retryAfterMs)),
  };
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

/** Milliseconds that it waits at most. */
export function mayWaitMs<A extends Alternative>({ desk }: Hall<A>, { priority, maxWaitMs }: Entrant<A>): number {
  return Math.min(desk.terms().maxWaitMs[priority], maxWaitMs ?? Number.POSITIVE_INFINITY);
}

/** Between those that wait there for it, if anybody has a share. */
function share<A extends Alternative>({ desk }: Hall<A>, station: Station<Waiter<A>>, priority: Priority): void {
  const { fairBy, weights, maxWaitMs } = desk.terms();
  if (fairBy === undefined || station.fairness[priority] !== undefined) return;
  station.fairness[priority] = createFairness({ allowanceMs: maxWaitMs[priority], weights });
}
