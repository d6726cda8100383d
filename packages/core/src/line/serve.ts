/** Whose turn it is, and what comes of it. A request is charged when it begins, and not before. */
import type { Charge, Key, Usage } from '../meters/meter.js';
import { isPromise, type May, type Priority } from '../request.js';
import type { Alternative, NotTaken, Taken } from '../store/store.js';
import { goesBehind, isFull, isHelpedByWaiting, passings } from './blocked.js';
import type { Turn } from './fairness.js';
import { type Asked, type Hall, isFirst, leave, look, moveFrom, setOpening, stand, waitForTime } from './hall.js';
import { peek } from './priority-queue.js';
import { begins, type Station } from './station.js';
import type { Waiter } from './waiter.js';

/** Where somebody has to wait next, and what the meters said, if they were asked. */
interface Next {
  readonly charge: Charge;
  readonly key: Key;
  readonly usage: Usage | undefined;
  /** Of all meters of the alternative. */
  readonly usages: readonly Usage[];
}

const NOT_ASKED: readonly Usage[] = [];

/**
 * Lets those begin at a station whose turn it is, as long as they fit. None is tried while another is, here or elsewhere:
 * where room comes meanwhile, that is noted, and the first is tried once more.
 */
export function serve<A extends Alternative>(hall: Hall<A>, station: Station<Waiter<A>>): void {
  if (station.isServed) {
    station.isPoked = true;
    return;
  }
  station.isServed = true;
  for (;;) {
    const waiter = peek(station.queue);
    if (waiter === undefined) break;
    station.isPoked = waiter.isTried;
    if (waiter.isTried) break;
    const trying = tryNow(hall, waiter, station);
    if (isPromise(trying)) {
      keep(hall, trying, () => {
        station.isServed = false;
        if (!isFirst(waiter, station) || station.isPoked) serve(hall, station);
      });
      return;
    }
    if (isFirst(waiter, station) && !station.isPoked) break;
  }
  station.isServed = false;
}

/** Tries one who has a turn. */
function tryNow<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>, at: Station<Waiter<A>>): May<void> {
  const { desk, stations } = hall;
  // Where many leave at once, by one signal or as the line is closed, it is one after the other.
  if (hall.isClosed || waiter.entrant.signal?.aborted) return;
  const now = desk.clock.now();
  const asked: Asked = { at: now, rooms: hall.rooms };
  try {
    const ways = waiter.entrant.renewed(now);
    const open: A[] = [];
    const behind: Next[] = [];
    for (let i = waiter.skips; i < ways.length; i++) {
      const passing = passings(stations, ways[i]).find(({ station }) => goesBehind(station, waiter.score, waiter));
      if (passing === undefined) open.push(ways[i]);
      else behind.push({ charge: passing.charge, key: passing.station.key, usage: undefined, usages: NOT_ASKED });
    }
    if (open.length === 0) return goOn(hall, waiter, at, behind, asked);
    waiter.isTried = true;
    const taking = desk.take(open, now, waiter.entrant.tells, waiter.score);
    if (!isPromise(taking)) return tried(hall, waiter, at, open, behind, asked, taking);
    return taking
      .then((result) => tried(hall, waiter, at, open, behind, asked, result))
      .catch((error) => fail(hall, waiter, error));
  } catch (error) {
    fail(hall, waiter, error);
  }
}

/** @param behind where others go first: of the alternatives that were not asked for */
function tried<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  at: Station<Waiter<A>>,
  open: readonly A[],
  behind: readonly Next[],
  asked: Asked,
  result: Taken | NotTaken | undefined,
): void {
  waiter.isTried = false;
  if (waiter.hasLeft) {
    if (result !== undefined && 'receipt' in result) hall.desk.giveBack(result.receipt);
    return;
  }
  if (result === undefined || 'receipt' in result) {
    if (result) noteBegins(hall, waiter.entrant.priority, waiter.turn, open[result.taken]);
    end(hall, waiter, at, open, result);
    return;
  }
  const next = [...behind];
  for (const usages of result.refused) {
    const one = nextAfter(usages, at);
    if (one) next.push(one);
  }
  if (next.length === 0) end(hall, waiter, at, open, result);
  else goOn(hall, waiter, at, next, asked);
}

/** Stays where it is refused; else goes to where that takes longest. Of slots nobody knows, so they come last. */
function nextAfter<A extends Alternative>(usages: readonly Usage[], at: Station<Waiter<A>>): Next | undefined {
  const full = usages.filter(isFull);
  if (full.length === 0 || !isHelpedByWaiting(usages)) return undefined;
  const here = full.find(({ charge, key }) => at.meter === charge.meter && isSame(at.key, key));
  const usage = here ?? full.reduce((a, b) => (knownMs(b) > knownMs(a) ? b : a));
  return { charge: usage.charge, key: usage.key, usage, usages };
}

function knownMs({ charge, waitMs }: Usage): number {
  return charge.rule.kind === 'slots' ? 0 : waitMs;
}

function isSame(a: Key, b: Key): boolean {
  return a.every((value, i) => value === b[i]);
}

/** Waits on: at these stations, and at others no longer. */
function goOn<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  at: Station<Waiter<A>>,
  next: readonly Next[],
  asked: Asked,
): void {
  const now = hall.desk.clock.now();
  const before = waiter.stands.map(({ station }) => station);
  waiter.usages = next.find(({ usage }) => usage !== undefined)?.usages ?? waiter.usages;
  const stations = next.map(({ charge, key, usage }) => {
    const station = stand(hall, waiter, charge, key, now);
    if (usage && isFirst(waiter, station)) waitForTime(hall, station, usage, asked.at, now);
    return station;
  });
  for (const station of before) {
    if (!stations.includes(station) && moveFrom(hall, waiter, station) && station !== at) serve(hall, station);
  }
  for (const station of stations) {
    if (station === at) continue;
    // What was refused before room came may fit now, and so may what was not asked for since somebody went first who has left.
    const mayFit =
      hall.rooms !== asked.rooms || (isFirst(waiter, station) && station.openAt === Number.POSITIVE_INFINITY);
    if (before.includes(station) ? station.isPoked : mayFit) serve(hall, station);
  }
}

/** Leaves with what was said. */
function end<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  at: Station<Waiter<A>>,
  alternatives: readonly A[],
  result: Taken | NotTaken | undefined,
): void {
  const waitedMs = Math.max(0, hall.desk.clock.now() - waiter.since);
  const others = leave(hall, waiter);
  waiter.resolve({ result, alternatives, waitedMs });
  for (const station of others) if (station !== at) serve(hall, station);
}

function fail<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>, error: unknown): void {
  waiter.isTried = false;
  if (waiter.hasLeft) return;
  const others = leave(hall, waiter);
  waiter.reject(error);
  for (const station of others) serve(hall, station);
}

/** What it takes from those that wait is part of the pace at which they begin. */
export function noteBegins<A extends Alternative>(
  hall: Hall<A>,
  priority: Priority,
  turn: Turn | undefined,
  alternative: A,
): void {
  const now = hall.desk.clock.now();
  for (const { station, charge } of passings(hall.stations, alternative)) {
    begins(station, priority, charge.cost, now);
    station.restMs = 1;
  }
  turn?.of.begin(turn);
}

/** Goes on when the store has answered, and keeps account of that for when the line is closed. */
function keep<A extends Alternative>(hall: Hall<A>, trying: Promise<void>, goesOn?: () => void): void {
  const done: Promise<void> = trying.then(() => {
    hall.tries.delete(done);
    goesOn?.();
    look(hall);
  });
  hall.tries.add(done);
}

/** What is due by time at a station is looked at. */
export function serveDue<A extends Alternative>(hall: Hall<A>, station: Station<Waiter<A>>): void {
  setOpening(hall, station, Number.POSITIVE_INFINITY);
  serve(hall, station);
}
