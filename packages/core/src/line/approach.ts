/** A request begins, waits, or is turned away. */
import type { Usage } from '../meters/meter.js';
import { andThen, isPromise, type May, together } from '../request.js';
import type { Alternative, NotTaken, Taken } from '../store/store.js';
import { goesBehind, isBehindAt, isFull, isHelpedByWaiting, passings, rankAt } from './blocked.js';
import { mayWaitMs, pushOut, turnedAway } from './departures.js';
import { type Coming, enqueue, type Stop } from './enqueue.js';
import { type Hall, overflowFor } from './hall.js';
import { outlookAt } from './outlook.js';
import { scoreOf } from './score.js';
import { noteBegins } from './serve.js';
import { aheadOf, NOBODY, stationOf } from './station.js';
import type { Entrant, Passed } from './waiter.js';

/**
 * Begins at once where there is room that nobody waits for who goes first.
 *
 * @throws whatever the entrant's signal was aborted with, and where the line is closed
 */
export function approach<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, skips: number): May<Passed<A>> {
  assertStays(hall, entrant);
  const { desk, stations } = hall;
  const now = desk.clock.now();
  const ways = skips === 0 ? entrant.alternatives : entrant.alternatives.slice(skips);
  const coming = { entrant, ways, skips, asked: { at: now, rooms: hall.rooms } };
  const open = stations.busy.size === 0 ? ways : ways.filter((way) => !isBehind(hall, entrant, way, now));
  return open.length === 0 ? askedFor(hall, coming) : take(hall, coming, open, now);
}

/** Those are taken that have nothing to wait for, by the limits that hold by now. What can't be asked may count for nothing. */
function approachBy<A extends Alternative>(hall: Hall<A>, coming: Coming<A>, known: Known): May<Passed<A>> {
  const { entrant, skips } = coming;
  assertStays(hall, entrant);
  const now = hall.desk.clock.now();
  const ways = entrant.renewed(now).slice(skips);
  const open = known.free.map((i) => ways[i]);
  return take(hall, { ...coming, ways }, open, now, known);
}

/** @param known where it has been asked about all ways */
function take<A extends Alternative>(
  hall: Hall<A>,
  coming: Coming<A>,
  open: readonly A[],
  now: number,
  known?: Known,
): May<Passed<A>> {
  const { desk } = hall;
  const { entrant } = coming;
  const taking = desk.take(open, now, entrant.tells, scoreOf(desk.terms().ageing, entrant.priority, now));
  if (!isPromise(taking)) return judged(hall, coming, open, taking, known);
  return taking.then((result) => judged(hall, coming, open, result, known));
}

/** The store may have taken its time since it came. */
function assertStays<A extends Alternative>({ isClosed, desk }: Hall<A>, entrant: Entrant<A>): void {
  const { id, signal } = entrant;
  if (!isClosed && !signal?.aborted) return;
  entrant.withdrawn(0);
  throw isClosed ? desk.closed(id) : signal?.reason;
}

/** True where somebody who waits goes first, though there may be room. */
function isBehind<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, way: A, now: number): boolean {
  const terms = hall.desk.terms();
  return passings(hall.stations, way).some(({ station, charge }) =>
    goesBehind(station, rankAt(station, entrant, charge.cost, now, terms).score),
  );
}

function judged<A extends Alternative>(
  hall: Hall<A>,
  coming: Coming<A>,
  open: readonly A[],
  result: Taken | NotTaken | undefined,
  known: Known | undefined,
): May<Passed<A>> {
  const { entrant, ways } = coming;
  if (result !== undefined && 'refused' in result) {
    if (known) return hold(hall, coming, withRefused(known, result.refused));
    return open.length === ways.length ? hold(hall, coming, result.refused) : askedFor(hall, coming);
  }
  if (result !== undefined && hall.stations.busy.size > 0) pass(hall, entrant, open[result.taken]);
  return { result, alternatives: open, waitedMs: 0 };
}

function withRefused({ usages, free }: Known, refused: Known['usages']): Known['usages'] {
  return usages.map((ofOne, i) => (free.includes(i) ? refused[free.indexOf(i)] : ofOne));
}

/** Has begun before others that wait: it counts for the share of its key. */
function pass<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, way: A): void {
  const now = hall.desk.clock.now();
  for (const { station, charge } of passings(hall.stations, way)) {
    const { turn } = rankAt(station, entrant, charge.cost, now, hall.desk.terms());
    turn?.of.enter(turn);
    turn?.of.begin(turn);
  }
  noteBegins(hall, entrant.priority, undefined, way);
}

/** Asks what the meters of all ways say, and charges nothing. */
function askedFor<A extends Alternative>(hall: Hall<A>, coming: Coming<A>): May<Passed<A>> {
  const { ways } = coming;
  return andThen(hall.desk.peekAll(ways), (usages) =>
    usages === undefined ? { result: undefined, alternatives: ways, waitedMs: 0 } : hold(hall, coming, usages),
  );
}

/** It can't begin now. */
function hold<A extends Alternative>(
  hall: Hall<A>,
  coming: Coming<A>,
  usages: readonly (readonly Usage[])[],
): May<Passed<A>> {
  const { entrant, ways } = coming;
  const maxWaitMs = mayWaitMs(hall, entrant);
  const isRefused = usages.every((ofOne) => ofOne.some((usage) => isFull(usage) && !usage.isBehind));
  if (isRefused && maxWaitMs === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
  return andThen(stopsOf(hall, entrant, ways, usages), (stops) => {
    if ('free' in stops) return approachBy(hall, coming, { usages, free: stops.free });
    if (stops.length === 0) return { result: { refused: usages }, alternatives: ways, waitedMs: 0 };
    assertStays(hall, entrant);
    return stay(hall, coming, stops, usages, maxWaitMs);
  });
}

/** Waiting helps: it does, unless it would do so in vain. */
function stay<A extends Alternative>(
  hall: Hall<A>,
  coming: Coming<A>,
  stops: readonly Stop[],
  usages: readonly (readonly Usage[])[],
  maxWaitMs: number,
): May<Passed<A>> {
  const { entrant } = coming;
  const first = stops.length === 1 ? stops[0] : stops.reduce((a, b) => (leastMsAt(b) < leastMsAt(a) ? b : a));
  const leastMs = leastMsAt(first);
  const expectedMs = first.expectedMs ?? leastMs;
  const overflow = overflowFor(hall, entrant.key, false, first.score);
  if (overflow && !overflow.last) {
    const { bound } = overflow;
    return turnedAway(hall, entrant, 'line-full', { bound, outlook: first, usages, retryAfterMs: expectedMs });
  }
  if (maxWaitMs === 0 || leastMs > maxWaitMs) {
    const retryAfterMs = Math.max(expectedMs, leastMs) - maxWaitMs;
    return turnedAway(hall, entrant, 'too-long-wait', { outlook: first, usages, retryAfterMs });
  }
  if (overflow?.last) pushOut(hall, overflow.last, overflow.bound, hall.desk.clock.now());
  const told = usages.find((ofOne) => ofOne.includes(first.usage)) ?? [];
  return enqueue(hall, coming, stops, first, told, maxWaitMs);
}

/** The alternatives that have nothing to wait for any more, by their places. */
interface Free {
  readonly free: readonly number[];
}

/** What meters said of all alternatives. */
interface Known extends Free {
  readonly usages: readonly (readonly Usage[])[];
}

/**
 * Where it has to wait: for each alternative that waiting may help, the station at which that takes longest. Where some have
 * nothing to wait for, those.
 *
 * @param usages what the meters of each say
 */
export function stopsOf<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  ways: readonly A[],
  usages: readonly (readonly Usage[])[],
): May<readonly Stop[] | Free> {
  const now = hall.desk.clock.now();
  const helped: number[] = [];
  for (let i = 0; i < ways.length; i++) if (isHelpedByWaiting(usages[i])) helped.push(i);
  return andThen(together(helped.map((i) => stopsFor(hall, entrant, usages[i], now))), (stopsOfEach) => {
    const free = helped.filter((_, i) => stopsOfEach[i].length === 0);
    if (free.length > 0) return { free };
    return stopsOfEach.map((stops) => stops.reduce((a, b) => (leastMsAt(b) > leastMsAt(a) ? b : a)));
  });
}

/** All at which an alternative has to wait. */
function stopsFor<A extends Alternative>(
  { stations, desk }: Hall<A>,
  entrant: Entrant<A>,
  usages: readonly Usage[],
  now: number,
): May<readonly Stop[]> {
  const stops: May<Stop>[] = [];
  for (const usage of usages) {
    const { charge, key } = usage;
    const station = stationOf(stations, charge.meter, key);
    const { score, turn } = rankAt(station, entrant, charge.cost, now, desk.terms());
    if (!isFull(usage) && !isBehindAt(station, charge, score)) continue;
    const ahead = station === undefined ? NOBODY : aheadOf(station, score);
    const outlook = outlookAt(station, usage, ahead, now, desk.peek);
    stops.push(
      andThen(outlook, ({ position, leastMs, expectedMs }) => ({ usage, position, leastMs, expectedMs, score, turn })),
    );
  }
  return together(stops);
}

/** What its key has asked before holds it back too. */
function leastMsAt({ leastMs, turn }: Stop): number {
  return Math.max(leastMs, turn?.waitMs ?? 0);
}
