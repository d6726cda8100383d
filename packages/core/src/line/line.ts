/**
 * The line: where requests wait until there is room. It knows scores, stations and wake-ups; what things cost, and what is
 * told to whom, is the gate's.
 *
 * The words: a *station* is where requests wait, one for each meter and key, with a line of its own; the *hall* is all of them,
 * and everybody who waits. A *way* is an alternative of a request, a *stop* a station at which it would have to wait, an
 * *outlook* how long that takes.
 *
 * A request waits at the station of a meter that refuses it: of several the one that takes longest, and for each of its
 * alternatives one. Where a station may have room (something was given back there, its time has come, limits have changed),
 * the one whose turn it is is tried, with all its alternatives, and charged if it fits. If it doesn't fit, all that come
 * after it there wait on, so that a large cost isn't starved by small ones. If another meter alone is in the way, it moves
 * to that station, with the score that it has. So nobody holds up those who wait for something else; who needs two meters
 * that both are short waits for one after the other.
 *
 * Whoever comes goes behind those at each station that it has to pass, unless its score is better. Where as many wait as may,
 * it takes the place of the last in order, if that goes after it.
 *
 * Where the store is shared, the lines of all processes keep one order (`SharedLine`): each tells the score of the first at
 * each of its stations, and a take is not made where the first elsewhere goes before it.
 *
 * Invariants: who waits and is not delayed or being tried stands at a station at least; no station and nobody is tried
 * twice at once; what is taken for one who has left meanwhile is given back at once.
 */
import type { Meter, Usage, Who } from '../meters/meter.js';
import type { May, Priority } from '../request.js';
import type { Alternative, Receipt } from '../store/store.js';
import { stopsOf } from './approach.js';
import { enter, release } from './arrivals.js';
import { mayWaitMs, timeOut, withdraw } from './departures.js';
import type { FairKey } from './fairness.js';
import { type Hall, type LineDesk, look, openHall } from './hall.js';
import { first } from './heap.js';
import { byPriority } from './priorities.js';
import { serve, serveDue } from './serve.js';
import { stationFor, stationOf } from './station.js';
import type { Entrant, Passed } from './waiter.js';

/** How the line stands. */
export interface LineState {
  /** How many wait, without those that are delayed. */
  readonly waiting: number;
  /** Shed, and not refused since they had rather wait. */
  readonly delayed: number;
  /** What is shed: 0 nothing, 1 `background`, 2 `batch`, 3 the best model of `standard`, 4 `standard`, too. */
  readonly level: number;
  readonly priorities: Readonly<Record<Priority, { readonly waiting: number; readonly longestMs: number }>>;
  /** By the values of `fairBy`; one, `undefined`, where there is no such. Those of which nobody waits are not here. */
  readonly values: readonly LineValueState[];
}

export interface LineValueState extends Readonly<Record<Priority, number>> {
  readonly value: FairKey;
}

export interface Line<A extends Alternative> {
  /** @throws whatever its signal is aborted with while it waits, and where the line is closed */
  enter(entrant: Entrant<A>): May<Passed<A>>;
  /** Something was settled: those are tried who wait for what it gave back. */
  gaveBack(receipt: Receipt): void;
  /** Some meters turn out to have more room than they had: those are tried who wait for them. */
  found(room: readonly { readonly meter: Meter; readonly who: Who }[]): void;
  /** All may have changed: everywhere the next is tried. */
  stir(): void;
  /** The terms have changed. */
  renewed(): void;
  state(): LineState;
  /**
   * How long one would wait that comes now; `undefined` where it wouldn't, or where waiting doesn't help.
   *
   * @param usages what the meters of each of its alternatives say
   */
  outlook(
    entrant: Entrant<A>,
    usages: readonly (readonly Usage[])[],
  ): Promise<{ readonly position: number; readonly expectedMs: number | undefined } | undefined>;
  /** Turns all away, and resolves once nothing is asked of the store for them any more. */
  close(): Promise<void>;
}

export function createLine<A extends Alternative>(desk: LineDesk<A>): Line<A> {
  const hall: Hall<A> = openHall(desk, ring);
  const { stations, shedder, deadlines, openings, depth } = hall;

  function lookAround(): void {
    look(hall);
    release(hall);
  }

  /** Time comes to those at its very end. */
  function ring(): void {
    const now = desk.clock.now();
    for (let due = first(openings); due && due.openAt <= now; due = first(openings)) serveDue(hall, due);
    for (let due = first(deadlines); due && due.deadline <= now; due = first(deadlines)) timeOut(hall, due, now);
    lookAround();
  }

  function found(room: readonly { readonly meter: Meter; readonly who: Who }[]): void {
    hall.rooms++;
    if (stations.busy.size === 0) return;
    for (const { meter, who } of room) {
      const station = stationFor(stations, meter, meter.scope, who);
      if (station) serve(hall, station);
    }
    lookAround();
  }

  const unlisten = desk.elsewhere?.onRoom((meter, key) => {
    hall.rooms++;
    const station = stationOf(stations, meter, key);
    if (station) serve(hall, station);
    lookAround();
  });

  return {
    enter: (entrant) => enter(hall, entrant),
    gaveBack(receipt) {
      if (stations.busy.size === 0) hall.rooms++;
      else found(receipt.flatMap(({ charge, who, cost }) => (cost < charge.cost ? { meter: charge.meter, who } : [])));
    },
    found,
    stir() {
      hall.rooms++;
      for (const station of [...stations.busy]) serve(hall, station);
      lookAround();
    },
    renewed() {
      // Shares and the most that somebody is held back for them have changed: all are even again.
      for (const station of stations.busy) station.fairness = {};
    },
    state() {
      const now = desk.clock.now();
      const priorities = byPriority(() => ({ waiting: 0, longestMs: 0 }));
      const values = new Map<FairKey, Record<Priority, number>>();
      for (const { entrant, since } of deadlines.entries) {
        const { priority, key } = entrant;
        const ofPriority = priorities[priority];
        ofPriority.waiting++;
        ofPriority.longestMs = Math.max(ofPriority.longestMs, now - since);
        const ofValue = values.get(key) ?? byPriority(() => 0);
        ofValue[priority]++;
        values.set(key, ofValue);
      }
      return {
        waiting: depth.all.waiting,
        delayed: depth.all.delayed,
        level: shedder.level(),
        priorities,
        values: [...values].map(([value, counts]) => ({ value, ...counts })),
      };
    },
    async outlook(entrant, usages) {
      if (mayWaitMs(hall, entrant) === 0) return undefined;
      const stops = await stopsOf(hall, entrant, entrant.alternatives, usages);
      if ('free' in stops || stops.length === 0) return undefined;
      const { position, expectedMs } = stops.reduce((a, b) => (b.leastMs < a.leastMs ? b : a));
      return { position, expectedMs };
    },
    async close() {
      hall.isClosed = true;
      for (const waiter of [...deadlines.entries]) {
        if (!waiter.hasLeft) withdraw(hall, waiter, desk.closed(waiter.entrant.id));
      }
      hall.alarm.set(Number.POSITIVE_INFINITY, false);
      unlisten?.();
      await Promise.all(hall.tries);
    },
  };
}
