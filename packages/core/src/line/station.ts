/**
 * Stations: where requests wait. Each is a meter's record for one key, and has a line of its own.
 *
 * Those at which nobody waits are kept while they are few, for what is known of their pace.
 */
import type { Key, Meter, Usage } from '../meters/meter.js';
import type { Priority } from '../request.js';
import type { Fairness } from './fairness.js';
import type { Entry } from './heap.js';
import { newPace, noteStart, type Pace, paceOf, resume } from './pace.js';
import { byPriority, PRIORITIES } from './priorities.js';
import { countAhead, type LaneName, type PriorityQueue, priorityQueue, push, remove } from './priority-queue.js';
import { type Ageing, scoreOf } from './score.js';

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

interface Pending {
  count: number;
  cost: number;
}

export interface Stations<W extends object> {
  readonly byMeter: Map<Meter, Map<string, Station<W>>>;
  /** At which somebody waits. */
  readonly busy: Set<Station<W>>;
  /** The others, in the order in which the last has left. */
  readonly idle: Set<Station<W>>;
}

/** Where somebody stands in a station's line. */
export interface Stand {
  readonly arrival: number;
  readonly cost: number;
}

const SPARE_STATIONS = 256;

export function noStations<W extends object>(): Stations<W> {
  return { byMeter: new Map(), busy: new Set(), idle: new Set() };
}

/** That of a meter and key, if there is one. */
export function stationOf<W extends object>({ byMeter }: Stations<W>, meter: Meter, key: Key): Station<W> | undefined {
  return byMeter.get(meter)?.get(JSON.stringify(key));
}

export function openStation<W extends object>(stations: Stations<W>, meter: Meter, key: Key): Station<W> {
  const known = stationOf(stations, meter, key);
  if (known !== undefined) return known;
  const station: Station<W> = {
    meter,
    key,
    queue: priorityQueue(),
    pending: byPriority(() => ({ count: 0, cost: 0 })),
    pace: newPace(),
    paces: byPriority(newPace),
    fairness: {},
    openAt: Number.POSITIVE_INFINITY,
    restMs: 1,
    seen: undefined,
    isServed: false,
    isPoked: false,
    place: 0,
  };
  const ofMeter = stations.byMeter.get(meter) ?? new Map();
  stations.byMeter.set(meter, ofMeter.set(JSON.stringify(key), station));
  return station;
}

/** Somebody waits here from now on. */
export function join<W extends object>(
  stations: Stations<W>,
  station: Station<W>,
  { lane, score, cost, waiter, now }: { lane: LaneName; score: number; cost: number; waiter: W; now: number },
): Stand {
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
  return { arrival: push(queue, lane, score, waiter), cost };
}

/** Waits here no longer. */
export function leave<W extends object>(
  stations: Stations<W>,
  station: Station<W>,
  lane: LaneName,
  score: number,
  { arrival, cost }: Stand,
): void {
  const { queue } = station;
  const pending = station.pending[lane.priority];
  remove(queue, lane, { score, arrival });
  pending.count--;
  // Sums of fractions drift; of none it is exactly nothing.
  pending.cost = pending.count === 0 ? 0 : pending.cost - cost;
  if (queue.size > 0) return;
  stations.busy.delete(station);
  stations.idle.add(station);
  // Of those who come to a line that is empty nobody is ahead.
  station.fairness = {};
  for (const oldest of stations.idle) {
    if (stations.idle.size <= SPARE_STATIONS) break;
    if (oldest.isServed) continue;
    stations.idle.delete(oldest);
    stations.byMeter.get(oldest.meter)?.delete(JSON.stringify(oldest.key));
  }
}

/** Something begins that costs so much here, while others wait or after it has waited itself. */
export function begins<W extends object>(station: Station<W>, priority: Priority, cost: number, now: number): void {
  noteStart(station.pace, cost, now);
  noteStart(station.paces[priority], cost, now);
}

/** What so many of those that wait cost, about: each as the mean of all. */
export function costOf<W extends object>({ queue, pending }: Station<W>, count: number): number {
  if (queue.size === 0) return 0;
  return (count / queue.size) * PRIORITIES.reduce((sum, priority) => sum + pending[priority].cost, 0);
}

/** How many wait that go before a score; before whoever comes now with it, unless an arrival is given. */
export function aheadOf<W extends object>({ queue }: Station<W>, score: number, arrival = Number.POSITIVE_INFINITY) {
  return queue.size === 0 ? 0 : countAhead(queue, { score, arrival });
}

/**
 * How long all that wait of this priority and those above it take to begin, and those below it that have waited for so
 * long that they go before one who comes now: in milliseconds; 0 where it isn't known.
 */
export function backlogMs<W extends object>(
  station: Station<W>,
  priority: Priority,
  ageing: Ageing,
  now: number,
): number {
  const { queue, pending, pace } = station;
  const rate = paceOf(pace, now);
  if (rate === 0) return 0;
  const below = PRIORITIES.indexOf(priority) + 1;
  const cost = PRIORITIES.slice(0, below).reduce((sum, one) => sum + pending[one].cost, 0);
  const comesNow = { score: scoreOf(ageing, priority, now), arrival: Number.POSITIVE_INFINITY };
  return (cost + costOf(station, countAhead(queue, comesNow, PRIORITIES.slice(below)))) / rate;
}
