/** Everybody who waits, and the bookkeeping of who comes, moves and goes. Decides nothing. */
import type { Clock } from '../clock.js';
import type { Charge, Key, Usage } from '../meters/meter.js';
import type { May } from '../request.js';
import type { Alternative, NotTaken, Receipt, SharedLine, Taken } from '../store/store.js';
import { type Alarm, createAlarm } from './alarm.js';
import { type Bound, count, type Depth, fullFor, noDepth } from './depth.js';
import type { FairKey } from './fairness.js';
import { add, extract, first, type Heap, heapBy, reorder } from './heap.js';
import type { Peek } from './outlook.js';
import { last, lastOf, type PriorityQueue, peek, priorityQueue, push, remove } from './priority-queue.js';
import type { QueueTerms } from './queue-options.js';
import { createShedder, type Shedder } from './shedder.js';
import { join, leave as leaveStation, noStations, openStation, type Station, type Stations } from './station.js';
import { isDueBefore, type Waiter } from './waiter.js';

/** What the line needs of its gate. */
export interface LineDesk<A extends Alternative> {
  readonly clock: Clock;
  /** The present ones. */
  terms(): QueueTerms;
  /** The lines of other processes, where the store tells of them. */
  readonly elsewhere: SharedLine | undefined;
  /** Other processes may make room, whether or not anybody tells of it. */
  readonly isShared: boolean;
  /**
   * Charges the first alternative that fits as a whole and at no meter goes behind somebody elsewhere, or nothing.
   * `undefined` if the store failed; never rejects.
   *
   * @param tells what the meters say then is wanted too
   */
  take(alternatives: readonly A[], now: number, tells: boolean, score: number): May<Taken | NotTaken | undefined>;
  readonly peek: Peek;
  /** What the meters would say to each of several alternatives; `undefined` if that can't be told. */
  peekAll(alternatives: readonly A[]): May<readonly (readonly Usage[])[] | undefined>;
  /** Gives back what was charged for a request that has left meanwhile. */
  giveBack(receipt: Receipt): void;
  levelChanged(from: number, to: number): void;
  /** What a request is told that waits as the gate is closed, by its id. */
  closed(id: string | undefined): unknown;
}

export interface Hall<A extends Alternative> {
  readonly desk: LineDesk<A>;
  readonly stations: Stations<Waiter<A>>;
  readonly depth: Depth;
  readonly deadlines: Heap<Waiter<A>>;
  /** Of stations at which time is waited for. */
  readonly openings: Heap<Station<Waiter<A>>>;
  /** Shed, and not refused: they wait at no station. By priority, and in each as they came. */
  readonly delayed: PriorityQueue<Waiter<A>>;
  readonly shedder: Shedder;
  readonly alarm: Alarm;
  /** Asks of the store for those who wait. */
  readonly tries: Set<Promise<unknown>>;
  /** How often room may have come: what was refused before the last time may fit now. */
  rooms: number;
  isClosed: boolean;
}

/** When meters are asked: what they say of time counts from then, and of what came back afterwards they say nothing. */
export interface Asked {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** The hall's count by then. */
  readonly rooms: number;
}

/** Milliseconds after which resting slots are tried again at the latest, and those behind others elsewhere. */
const LONGEST_REST = 250;

/** Milliseconds after which the first is tried again at the latest, where others may have made room. */
const UNTOLD_MS = 1000;

/** @param ring told when something is due */
export function openHall<A extends Alternative>(desk: LineDesk<A>, ring: () => void): Hall<A> {
  const stations = noStations<Waiter<A>>();
  const depth = noDepth();
  return {
    desk,
    stations,
    depth,
    deadlines: heapBy<Waiter<A>>(isDueBefore),
    openings: heapBy<Station<Waiter<A>>>((a, b) => a.openAt < b.openAt),
    delayed: priorityQueue(),
    shedder: createShedder(desk.terms, depth, stations, desk.levelChanged),
    alarm: createAlarm(desk.clock, ring),
    tries: new Set(),
    rooms: 0,
    isClosed: false,
  };
}

/** Looks around after anybody may have come or gone: how great the pressure is, and what is due first. */
export function look<A extends Alternative>({ desk, alarm, deadlines, openings, shedder }: Hall<A>): void {
  shedder.read(desk.clock.now());
  const deadline = first(deadlines)?.deadline ?? Number.POSITIVE_INFINITY;
  const openAt = first(openings)?.openAt ?? Number.POSITIVE_INFINITY;
  alarm.set(Math.min(deadline, openAt, shedder.nextAt()), deadlines.entries.length > 0);
}

/** Somebody waits from now on, as yet at no station. */
export function arrive<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>): void {
  add(hall.deadlines, waiter);
  count(hall.depth, waiter.entrant.key, waiter.isDelayed, 1);
  if (waiter.isDelayed) waiter.delayedAs = push(hall.delayed, waiter.entrant, waiter.score, waiter);
}

/** The bound that leaves no room for one more, and who gives way to it: the last in order, unless it would be that itself. */
export interface Overflow<A extends Alternative> {
  readonly bound: Bound;
  readonly last: Waiter<A> | undefined;
}

/** `undefined` where there is room. */
export function overflowFor<A extends Alternative>(
  { delayed, stations, depth, desk }: Hall<A>,
  key: FairKey,
  isDelayed: boolean,
  score: number,
): Overflow<A> | undefined {
  const bound = fullFor(depth, key, isDelayed, desk.terms());
  if (bound === undefined) return undefined;
  const queues = isDelayed ? [delayed] : [...stations.busy].map(({ queue }) => queue);
  let found: Waiter<A> | undefined;
  for (const queue of queues) {
    const one = bound === 'all' ? last(queue) : lastOf(queue, key);
    if (one && one.score > (found?.score ?? score)) found = one;
  }
  return { bound, last: found };
}

/** Somebody waits for what the charge counts, too. Returns the station. */
export function stand<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  charge: Charge,
  key: Key,
  now: number,
): Station<Waiter<A>> {
  const station = openStation(hall.stations, charge.meter, key);
  const { stands, entrant, score } = waiter;
  if (standsAt(waiter, station)) return station;
  stands.push(join(hall.stations, station, entrant, score, charge.cost, waiter, now));
  tellElsewhere(hall, station);
  return station;
}

/** Who is the first there may have changed. */
function tellElsewhere<A extends Alternative>({ desk }: Hall<A>, station: Station<Waiter<A>>): void {
  if (desk.elsewhere === undefined) return;
  const score = peek(station.queue)?.score;
  if (score === station.told) return;
  station.told = score;
  desk.elsewhere.waits(station.meter, station.key, score);
}

export function standsAt<A extends Alternative>({ stands }: Waiter<A>, station: Station<Waiter<A>>): boolean {
  return stands.some((stand) => stand.station === station);
}

/** True where it is this one's turn. */
export function isFirst<A extends Alternative>(waiter: Waiter<A>, { queue }: Station<Waiter<A>>): boolean {
  return peek(queue) === waiter;
}

/**
 * The first is refused: time may help.
 *
 * @param usage what the meter said that was asked `askedAt`
 */
export function waitForTime<A extends Alternative>(
  hall: Hall<A>,
  station: Station<Waiter<A>>,
  usage: Usage,
  askedAt: number,
  now: number,
): void {
  station.seen = usage;
  if (usage.isBehind) {
    setOpening(hall, station, now + LONGEST_REST);
    return;
  }
  const { rule, cost, limit } = usage.charge;
  // Nobody knows when slots that rest after an overload do so no longer: they are asked for ever more seldom.
  const rests = rule.kind === 'slots' && cost > limit;
  const at = Math.max(askedAt + usage.waitMs, now + (rests ? station.restMs : 1));
  if (rests) station.restMs = Math.min(LONGEST_REST, 2 * station.restMs);
  setOpening(hall, station, hall.desk.isShared ? Math.min(at, now + UNTOLD_MS) : at);
}

/** @param at milliseconds since 1970; `Infinity`: nothing is waited for */
export function setOpening<A extends Alternative>(hall: Hall<A>, station: Station<Waiter<A>>, at: number): void {
  const isIn = station.openAt < Number.POSITIVE_INFINITY;
  const isToBeIn = at < Number.POSITIVE_INFINITY;
  if (isIn && !isToBeIn) extract(hall.openings, station);
  station.openAt = at;
  if (!isToBeIn) return;
  if (isIn) reorder(hall.openings, station);
  else add(hall.openings, station);
}

/** Stands there no longer. Returns true where it was this one's turn, and somebody else's now. */
export function moveFrom<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  station: Station<Waiter<A>>,
): boolean {
  const at = waiter.stands.findIndex((stand) => stand.station === station);
  if (at < 0) return false;
  const wasFirst = isFirst(waiter, station);
  const [stand] = waiter.stands.splice(at, 1);
  leaveStation(hall.stations, stand, waiter.entrant, waiter.score);
  tellElsewhere(hall, station);
  if (wasFirst) setOpening(hall, station, Number.POSITIVE_INFINITY);
  return wasFirst && station.queue.size > 0;
}

/** Waits no longer. Returns the stations where it is somebody else's turn now. */
export function leave<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>): Station<Waiter<A>>[] {
  waiter.hasLeft = true;
  waiter.unlisten?.();
  extract(hall.deadlines, waiter);
  if (waiter.isDelayed) remove(hall.delayed, waiter.entrant, { score: waiter.score, arrival: waiter.delayedAs });
  count(hall.depth, waiter.entrant.key, waiter.isDelayed, -1);
  const others: Station<Waiter<A>>[] = [];
  // From the last, for each is taken out.
  for (let at = waiter.stands.length - 1; at >= 0; at--) {
    const { station } = waiter.stands[at];
    if (moveFrom(hall, waiter, station)) others.push(station);
  }
  return others;
}
