/** How requests come to wait. */
import type { Usage } from '../meters/meter.js';
import type { May, Priority } from '../request.js';
import type { Alternative } from '../store/store.js';
import { type Rank, rankAt } from './blocked.js';
import { mayWaitMs, pushOut, turnedAway, withdraw } from './departures.js';
import { createFairness } from './fairness.js';
import { arrive, type Hall, isFirst, look, overflowFor, stand, waitForTime } from './hall.js';
import type { Outlook } from './outlook.js';
import { PRIORITIES } from './priorities.js';
import { openStation, type Station } from './station.js';
import { serve } from './turns.js';
import type { Entrant, Passed, Waiter } from './waiter.js';

/** Where somebody would have to wait. */
export interface Stop extends Outlook, Rank {}

/** One that can't begin now, and what the meters said to it. */
export interface Held<A extends Alternative> {
  readonly entrant: Entrant<A>;
  readonly skips: number;
  readonly ways: readonly A[];
  /** Of each alternative. */
  readonly usages: readonly (readonly Usage[])[];
  /** The hall's count of rooms when the meters were asked. */
  readonly asked: number;
}

interface Staying<A extends Alternative> extends Held<A> {
  readonly stops: readonly Stop[];
  /** The one of them at which it has its turn first, about. */
  readonly first: Stop;
  readonly maxWaitMs: number;
}

export function wait<A extends Alternative>(
  hall: Hall<A>,
  { entrant, skips, usages, asked, stops, first, maxWaitMs }: Staying<A>,
): Promise<Passed<A>> {
  const { stations, desk } = hall;
  const now = desk.clock.now();
  const { charge, key } = first.usage;
  const station = openStation(stations, charge.meter, key);
  share(hall, station, entrant.priority);
  const { score, turn } = rankAt(station, entrant, charge.cost, now, desk.terms());
  turn?.fairness.enter(turn.turn);
  const told = usages.find((ofOne) => ofOne.includes(first.usage)) ?? [];
  const facts = { since: now, deadline: now + maxWaitMs, score, turn, skips, isDelayed: false, usages: told };
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

/** Waits until its priority is served again, and then comes in as all do. */
export function delay<A extends Alternative>(hall: Hall<A>, entrant: Entrant<A>, now: number): May<Passed<A>> {
  const { shedder } = hall;
  const { priority, key } = entrant;
  const score = PRIORITIES.indexOf(priority);
  const overflow = overflowFor(hall, { key, isDelayed: true, score });
  if (overflow && !overflow.last) {
    return turnedAway(hall, entrant, 'line-full', {
      bound: overflow.bound,
      retryAfterMs: shedder.waitMs(priority, now),
    });
  }
  if (overflow?.last) pushOut(hall, overflow.last, overflow.bound, now);
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
  const { signal } = entrant;
  return new Promise((resolve, reject) => {
    const aborted = () => withdraw(hall, waiter, signal?.reason);
    const waiter: Waiter<A> = {
      ...facts,
      entrant,
      delayedAs: 0,
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

/** Between those that wait there for it, if anybody has a share. */
function share<A extends Alternative>({ desk }: Hall<A>, station: Station<Waiter<A>>, priority: Priority): void {
  const { fairBy, weights, maxWaitMs } = desk.terms();
  if (fairBy === undefined || station.fairness[priority] !== undefined) return;
  station.fairness[priority] = createFairness({ allowanceMs: maxWaitMs[priority], weights });
}
