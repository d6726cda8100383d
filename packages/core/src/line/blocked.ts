/** Who goes behind whom, and what a refusal can be helped by. */
import type { Charge, Usage } from '../meters/meter.js';
import type { Alternative } from '../store/store.js';
import type { Turn } from './fairness.js';
import { peek } from './priority-queue.js';
import type { QueueTerms } from './queue-options.js';
import { scoreOf } from './score.js';
import { rateOf, type Station, type Stations, stationFor } from './station.js';
import type { Entrant, Waiter } from './waiter.js';

/** A station that an alternative has to pass, and what it costs there. */
export interface Passing<A extends Alternative> {
  readonly station: Station<Waiter<A>>;
  readonly charge: Charge;
}

/** The stations with a line that an alternative has to pass. */
export function passings<A extends Alternative>(
  stations: Stations<Waiter<A>>,
  { who, bills }: Alternative,
): readonly Passing<A>[] {
  const found: Passing<A>[] = [];
  if (stations.busy.size === 0) return found;
  for (const { scope, charges } of bills) {
    for (const charge of charges) {
      if (!isWaitedFor(charge)) continue;
      const station = stationFor(stations, charge.meter, scope, who);
      if (station !== undefined && station.queue.size > 0) found.push({ station, charge });
    }
  }
  return found;
}

/** What costs nothing passes by. */
function isWaitedFor({ whenFull, shadow, cost }: Charge): boolean {
  return whenFull === 'wait' && !shadow && cost > 0;
}

/** Somebody's place in the order of a station. */
export interface Rank {
  readonly score: number;
  /** Of those who have shares. */
  readonly turn: Turn | undefined;
}

/** That of one who comes now. */
export function rankAt<A extends Alternative>(
  station: Station<Waiter<A>> | undefined,
  { priority, key }: Pick<Entrant<A>, 'priority' | 'key'>,
  cost: number,
  now: number,
  { ageing }: QueueTerms,
): Rank {
  const turn = station?.fairness[priority]?.turnOf(key, cost, now, rateOf(station, priority, now));
  return { score: scoreOf(ageing, priority, turn?.since ?? now), turn };
}

/** True where somebody else goes first, though there were room. Of equal scores those go first who are there. */
export function goesBehind<A extends Alternative>({ queue }: Station<Waiter<A>>, score: number, waiter?: Waiter<A>) {
  const ahead = peek(queue);
  return ahead !== undefined && ahead !== waiter && ahead.score <= score;
}

/** True where a charge has to wait at a station for what it would fit into, since somebody goes first. */
export function isBehindAt<A extends Alternative>(
  station: Station<Waiter<A>> | undefined,
  charge: Charge,
  score: number,
): boolean {
  return station !== undefined && isWaitedFor(charge) && goesBehind(station, score);
}

export function isFull({ charge, waitMs }: Usage): boolean {
  return !charge.shadow && waitMs > 0;
}

/** Whether waiting for those meters helps that keep an alternative from fitting. */
export function isHelpedByWaiting(usages: readonly Usage[]): boolean {
  return usages.every(
    (usage) => !isFull(usage) || (usage.charge.whenFull === 'wait' && usage.waitMs < Number.POSITIVE_INFINITY),
  );
}
