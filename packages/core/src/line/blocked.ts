/** Who goes behind whom, and what a refusal can be helped by. */
import { type Charge, type Key, keyIn, type Usage } from '../meters/meter.js';
import type { Alternative } from '../store/store.js';
import type { Fairness, Turn } from './fairness.js';
import { peek } from './priority-queue.js';
import type { QueueTerms } from './queue-options.js';
import { scoreOf } from './score.js';
import { rateOf, type Station, type Stations, stationOf } from './station.js';
import type { Entrant, Waiter } from './waiter.js';

/** A station that an alternative has to pass, and what it costs there. */
export interface Passing<A extends Alternative> {
  readonly station: Station<Waiter<A>>;
  readonly charge: Charge;
  readonly key: Key;
}

/** The stations with a line that an alternative has to pass. What costs nothing there passes by. */
export function passings<A extends Alternative>(
  stations: Stations<Waiter<A>>,
  { who, bills }: Alternative,
): readonly Passing<A>[] {
  if (stations.busy.size === 0) return [];
  return bills.flatMap(({ scope, charges }) =>
    charges.flatMap((charge) => {
      if (charge.whenFull !== 'wait' || charge.shadow || charge.cost === 0) return [];
      const key = keyIn(scope, who);
      const station = stationOf(stations, charge.meter, key);
      return station !== undefined && station.queue.size > 0 ? [{ station, charge, key }] : [];
    }),
  );
}

/** Somebody's place in the order of a station. */
export interface Rank {
  readonly score: number;
  /** Of those who have shares. */
  readonly turn: { readonly fairness: Fairness; readonly turn: Turn } | undefined;
}

/** That of one who comes now. */
export function rankAt<A extends Alternative>(
  station: Station<Waiter<A>> | undefined,
  { priority, key }: Pick<Entrant<A>, 'priority' | 'key'>,
  cost: number,
  now: number,
  { ageing }: QueueTerms,
): Rank {
  const fairness = station?.fairness[priority];
  if (station === undefined || fairness === undefined)
    return { score: scoreOf(ageing, priority, now), turn: undefined };
  const turn = fairness.turnOf(key, cost, now, rateOf(station, priority, now));
  return { score: scoreOf(ageing, priority, turn.since), turn: { fairness, turn } };
}

/** True where somebody else goes first, though there were room. Of equal scores those go first who are there. */
export function goesBehind<A extends Alternative>({ queue }: Station<Waiter<A>>, score: number, waiter?: Waiter<A>) {
  const ahead = peek(queue);
  return ahead !== undefined && ahead !== waiter && ahead.score <= score;
}

/** The meters that keep an alternative from fitting; `undefined` where waiting for them doesn't help. */
export function waitsFor(usages: readonly Usage[]): readonly Usage[] | undefined {
  const full = usages.filter(isFull);
  return full.every(({ charge, waitMs }) => charge.whenFull === 'wait' && waitMs < Number.POSITIVE_INFINITY)
    ? full
    : undefined;
}

export function isFull({ charge, waitMs }: Usage): boolean {
  return !charge.shadow && waitMs > 0;
}
