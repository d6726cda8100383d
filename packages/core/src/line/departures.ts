/** How requests leave the line without having begun, or don't come in. */
import type { Usage } from '../meters/meter.js';
import type { Alternative } from '../store/store.js';
import type { Bound } from './depth.js';
import { type Hall, leave, look } from './hall.js';
import type { Outlook } from './outlook.js';
import { paceOf } from './pace.js';
import { serve } from './serve.js';
import { isDropped } from './shedding.js';
import { aheadOf, NOBODY, type Stand } from './station.js';
import type { Entrant, TurnedAway, TurnedAwayFor, Waiter } from './waiter.js';

/** Milliseconds. A client that comes back sooner finds what it has found. */
const LEAST_RETRY = 1000;

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
  const isShed = waiter.isDelayed && isDropped(hall.shedder.level(), waiter.entrant.priority);
  dismiss(hall, waiter, isShed ? 'shed' : 'waited-too-long', isShed ? 'all' : undefined, now);
}

/** Its place in a line that is full goes to one that goes before it. */
export function pushOut<A extends Alternative>(hall: Hall<A>, waiter: Waiter<A>, bound: Bound, now: number): void {
  dismiss(hall, waiter, 'line-full', bound, now);
}

function dismiss<A extends Alternative>(
  hall: Hall<A>,
  waiter: Waiter<A>,
  why: TurnedAwayFor,
  bound: Bound | undefined,
  now: number,
): void {
  const { entrant, usages, since, isDelayed } = waiter;
  const usageAt = (at: Stand<Waiter<A>> | undefined) => usages.find(({ charge }) => charge.meter === at?.station.meter);
  const stand = waiter.stands.find(usageAt);
  const usage = usageAt(stand);
  const ahead = stand ? aheadOf(stand.station, waiter.score, stand.arrival) : NOBODY;
  // What meters say by now would have to be asked for; what is left to wait goes by the pace.
  const rate = stand ? paceOf(stand.station.pace, now) : 0;
  const expectedMs = stand && rate > 0 ? (ahead.cost + stand.cost) / rate : undefined;
  const outlook = usage && { usage, position: ahead.count + 1, leastMs: 0, expectedMs };
  const retryAfterMs = isDelayed ? hall.shedder.waitMs(entrant.priority, now) : (expectedMs ?? 0);
  const others = leave(hall, waiter);
  const waitedMs = Math.max(0, now - since);
  waiter.resolve(turnedAway(hall, entrant, why, { bound, outlook, usages: [usages], retryAfterMs, waitedMs }));
  for (const other of others) serve(hall, other);
}

interface TurnedAwayFacts {
  readonly bound?: Bound | undefined;
  readonly outlook?: Outlook | undefined;
  /** Of each alternative. */
  readonly usages?: readonly (readonly Usage[])[];
  readonly retryAfterMs: number;
  readonly waitedMs?: number;
}

export function turnedAway<A extends Alternative>(
  hall: Hall<A>,
  entrant: Entrant<A>,
  why: TurnedAwayFor,
  { bound, outlook, usages = [], retryAfterMs, waitedMs = 0 }: TurnedAwayFacts,
): TurnedAway {
  const { priority } = entrant;
  const told = usages.find((ofOne) => outlook === undefined || ofOne.includes(outlook.usage)) ?? [];
  return {
    why,
    priority,
    bound,
    outlook,
    usages: told,
    maxWaitMs: mayWaitMs(hall, entrant),
    waitedMs,
    retryAfterMs: Math.max(LEAST_RETRY, Math.ceil(retryAfterMs)),
  };
}

/** Milliseconds that it waits at most. */
export function mayWaitMs<A extends Alternative>({ desk }: Hall<A>, { priority, maxWaitMs }: Entrant<A>): number {
  return Math.min(desk.terms().maxWaitMs[priority], maxWaitMs ?? Number.POSITIVE_INFINITY);
}
