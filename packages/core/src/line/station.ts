/**
 * Stations: where requests wait. Each is a meter's record for one key, and has a line of its own.
 *
 * Those at which nobody waits are kept while they are few, for what is known of their pace.
 */
import { type Key, keyIn, type Meter, type Scope, type Usage, type Who } from '../meters/meter.js';
import type { Priority } from '../request.js';
import type { Fairness } from './fairness.js';
import type { Entry } from './heap.js';
import { newPace, noteStart, type Pace, paceOf, resume } from './pace.js';
import { byPriority, PRIORITIES } from './priorities.js';
import { countAhead, type LaneName, type PriorityQueue, priorityQueue, push, remove } from './priority-queue.js';

/** In the heap of the {@link Station.openAt}. */
export interface Station<W extends object> extends Entry {
  readonly meter: Meter;
  readonly key: Key;
  readonly queue: PriorityQueue<W>;
  /** By priority, how many wait and what they cost here. */
  readonly pending: Readonly<Record<Priority, Pending>>;
  readonly pace: Pace;
  /** Of each priority alone. */
  readonly paces: Readonly<Record<Priority, Pace>>;
  /** At which each priority asks, served or not. It is kept where all requests share the meter. */
  readonly asked: Readonly<Record<Priority, Pace>>;
  /** Between those that wait; none where nobody has a share. */
  fairness: Partial<Record<Priority, Fairness>>;
  /** When there may be room for the first by itself, in milliseconds since 1970; `Infinity`: no time is waited for. */
  openAt: number;
  /** Milliseconds that slots which rest are left alone for, at least. */
  restMs: number;
  /** What the meter said to whom it refused last. */
  seen: Usage | undefined;
  /** The first is being tried: nobody else is meanwhile. */
  isServed: boolean;
  /** Room may have come meanwhile. */
  isPoked: boolean;
}

/** How many wait, and what they cost together. */
export interface Pending {
  count: number;
  cost: number;
}

export const NOBODY: Readonly<Pending> = { count: 0, cost: 0 };

export interface Stations<W extends object> {
  readonly byMeter: Map<Meter, Map<string | undefined, Station<W>>>;
  /** Of the meters that all requests share. */
  readonly shared: Station<W>[];
  /** At which somebody waits. */
  readonly busy: Set<Station<W>>;
  /** The others but for the shared, in the order in which the last has left. */
  readonly idle: Set<Station<W>>;
}

/** Where somebody stands in a station's line. */
export interface Stand<W extends object> {
  readonly station: Station<W>;
  readonly arrival: number;
  readonly cost: number;
}

const SPARE_STATIONS = 256;

/** Requests come by chance, and what so many tell is right to a tenth, about. */
const MANY = 128;

export function noStations<W extends object>(): Stations<W> {
  return { byMeter: new Map(), shared: [], busy: new Set(), idle: new Set() };
}

/** That of a meter and key, if there is one. */
export function stationOf<W extends object>({ byMeter }: Stations<W>, meter: Meter, key: Key): Station<W> | undefined {
  return byMeter.get(meter)?.get(nameOf(key));
}

/** That at which somebody would wait for a meter of a scope, if there is one. */
export function stationFor<W extends object>(
  { byMeter }: Stations<W>,
  meter: Meter,
  scope: Scope,
  who: Who,
): Station<W> | undefined {
  const { at } = scope;
  // As `nameOf` has it, without an array for each request.
  const name = at.length > 1 ? nameOf(keyIn(scope, who)) : at.length === 1 ? who[at[0]] : undefined;
  return byMeter.get(meter)?.get(name);
}

/** The same for all keys of a meter that are equal, and for no others. */
function nameOf(key: Key): string | undefined {
  return key.length < 2 ? key[0] : JSON.stringify(key);
}

export function openStation<W extends object>(stations: Stations<W>, meter: Meter, key: Key): Station<W> {
  const known = stationOf(stations, meter, key);
  if (known !== undefined) return known;
  const station: Station<W> = {
    meter,
    key,
    queue: priorityQueue(),
    pending: byPriority(() => ({ count: 0, cost: 0 })),
    pace: newPace(MANY),
    paces: byPriority(() => newPace()),
    asked: byPriority(() => newPace(MANY)),
    fairness: {},
    openAt: Number.POSITIVE_INFINITY,
    restMs: 1,
    seen: undefined,
    isServed: false,
    isPoked: false,
    place: 0,
  };
  const ofMeter = stations.byMeter.get(meter) ?? new Map();
  stations.byMeter.set(meter, ofMeter.set(nameOf(key), station));
  if (key.length === 0) stations.shared.push(station);
  return station;
}

/** Somebody waits here from now on. */
export function join<W extends object>(
  stations: Stations<W>,
  station: Station<W>,
  lane: LaneName,
  score: number,
  cost: number,
  waiter: W,
  now: number,
): Stand<W> {
  const { queue, pace, paces } = station;
  const { priority } = lane;
  const pending = station.pending[priority];
  if (queue.size === 0) {
    resume(pace, now);
    stations.idle.delete(station);
    stations.busy.add(station);
  }
  if (pending.count === 0) resume(paces[priority], now);
  pending.count++;
  pending.cost += cost;
  return { station, arrival: push(queue, lane, score, waiter), cost };
}

/** Waits here no longer. */
export function leave<W extends object>(
  stations: Stations<W>,
  { station, arrival, cost }: Stand<W>,
  lane: LaneName,
  score: number,
): void {
  const { queue } = station;
  const pending = station.pending[lane.priority];
  remove(queue, lane, { score, arrival });
  pending.count--;
  // Sums of fractions drift; of none it is exactly nothing.
  pending.cost = pending.count === 0 ? 0 : pending.cost - cost;
  if (queue.size > 0) return;
  stations.busy.delete(station);
  // Of those who come to a line that is empty nobody is ahead.
  station.fairness = {};
  if (station.key.length === 0) return;
  stations.idle.add(station);
  for (const oldest of stations.idle) {
    if (stations.idle.size <= SPARE_STATIONS) break;
    if (oldest.isServed) continue;
    stations.idle.delete(oldest);
    stations.byMeter.get(oldest.meter)?.delete(nameOf(oldest.key));
  }
}

/** Something begins that costs so much here, while others wait or after it has waited itself. */
export function begins<W extends object>(station: Station<W>, priority: Priority, cost: number, now: number): void {
  noteStart(station.pace, cost, now);
  noteStart(station.paces[priority], cost, now);
}

/** What those that wait cost that go before a score; before whoever comes now with it, unless an arrival is given. */
export function aheadOf<W extends object>(
  { queue, pending }: Station<W>,
  score: number,
  arrival = Number.POSITIVE_INFINITY,
): Readonly<Pending> {
  if (queue.size === 0) return NOBODY;
  const ahead = { count: 0, cost: 0 };
  const counts = countAhead(queue, { score, arrival });
  for (const priority of PRIORITIES) {
    const { count, cost } = pending[priority];
    if (count === 0) continue;
    ahead.count += counts[priority];
    // Each as the mean of its priority.
    ahead.cost += (counts[priority] / count) * cost;
  }
  return ahead;
}

/**
 * How fast a priority begins, for its shares. While that isn't known nobody is held back: what is guessed too low would hold
 * back who asks for a little too much.
 */
export function rateOf<W extends object>({ paces }: Station<W>, priority: Priority, now: number): number {
  return paceOf(paces[priority], now) || Number.POSITIVE_INFINITY;
}
