/** How requests come to wait. */
import type { Usage } from '../meters/meter.js';
import type { May, Priority } from '../request.js';
import type { Alternative } from '../store/store.js';
import { onAbort } from './aborts.js';
import { type Rank, rankAt } from './blocked.js';
import { mayWaitMs, pushOut, turnedAway, withdraw } from './departures.js';
import { createFairness } from './fairness.js';
import { type Asked, arrive, type Hall, isFirst, look, overflowFor, stand, waitForTime } from './hall.js';
import type { Outlook } from './outlook.js';
import { PRIORITIES } from './priorities.js';
import { serve } from './serve.js';
import { openStation, type Station } from './station.js';
import type { Entrant, Passed, Waiter } from './waiter.js';

/** Where somebody would have to wait. */
export interface Stop extends Outlook, Rank {}

/** One that would begin, and the ways that it has to. */
export interface Coming<A extends Alternative> {
  readonly entrant: Entrant<A>;
  readonly ways: readonly A[];
  /** Of its alternatives, how many are passed over, from the first. */
  readonly skips: number;
  readonly asked: Asked;
}

/**
 * It waits at all of the stops.
 *
 * @param first the one of them at which it has its turn first, about
 * @param usages what the meters of that alternative said
 */
export function enqueue<A extends Alternative>(
  hall: Hall<A>,
  { entrant, skips, asked }: Coming<A>,
  stops: readonly Stop[],
  first: Stop,
  usages: readonly Usage[],
  maxWaitMs: number,
): Promise<Passed<A>> {
  const { stations, desk } = hall;
  const now = desk.clock.now();
  const { charge, key } = first.usage;
  const station = openStation(stations, charge.meter, key);
  share(hall, station, entrant.priority);
  const { score, turn } = rankAt(station, entrant, charge.cost, now, desk.terms());
  turn?.of.enter(turn);
  const facts = { since: now, deadline: now + maxWaitMs, score, turn, skips, usages, isDelayed: false };
  return comeIn(hall, entrant, facts, (waiter) => {
    for (const { usage } of stops) {
      const at = stand(hall, waiter, usage.charge, usage.key, now);
      if (isFirst(waiter, at)) waitForTime(hall, at, usage, asked.at, now);
    }
    entrant.queued(first);
    // What was refused before room came may fit now.
    if (hall.rooms !== asked.rooms) for (const { station } of [...waiter.stands]) serve(hall, station);
  });
}

/**
 * Waits until its priority is served again, and then comes in as all do.
 *
 * @param retryAfterMs until then, about
 */
export function delay<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  now: number,
  retryAfterMs: number,
): May<Passed<A>> {
  const { priority, key } = entrant;
  // By priority, and in each as they come: none of them gains on another.
  const score = PRIORITIES.indexOf(priority);
  const overflow = overflowFor(hall, key, true, score);
  if (overflow && !overflow.last) {
    return turnedAway(hall, entrant, 'line-full', { bound: overflow.bound, retryAfterMs });
  }
  if (overflow?.last) pushOut(hall, overflow.last, overflow.bound, now);
  const deadline = now + mayWaitMs(hall, entrant);
  const facts = { since: now, deadline, score, turn: undefined, skips: 0, usages: [], isDelayed: true };
  return comeIn(hall, entrant, facts, () => entrant.queued(undefined));
}

type Facts<A extends Alternative> = Pick<
  Waiter<A>,
  'since' | 'deadline' | 'score' | 'turn' | 'skips' | 'usages' | 'isDelayed'
>;

/** @param begin what it does first: its promise is made by then */
function comeIn<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  { since, deadline, score, turn, skips, usages, isDelayed }: Facts<A>,
  begin: (waiter: Waiter<A>) => void,
): Promise<Passed<A>> {
  const { signal } = entrant;
  return new Promise((resolve, reject) => {
    const waiter: Waiter<A> = {
      entrant,
      since,
      deadline,
      score,
      isDelayed,
      delayedAs: 0,
      skips,
      stands: [],
      turn,
      usages,
      isTried: false,
      hasLeft: false,
      resolve,
      reject,
      unlisten: signal && onAbort(signal, () => withdraw(hall, waiter, signal.reason)),
      place: 0,
    };
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
