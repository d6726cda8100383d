/** Sheds as the line's load says: reads the pressure whenever somebody comes or goes, and tells of changed levels. */
import type { Priority } from '../request.js';
import type { Crowd } from './crowd.js';
import { byPriority, PRIORITIES } from './priorities.js';
import type { QueueTerms } from './queue-options.js';
import {
  answer,
  isDropped,
  NOT_SHEDDING,
  type OverloadSignals,
  pressures,
  skipsFirstRungs,
  step,
  type WhenShed,
  wait,
} from './shedding.js';
import { backlogMs, type Station, type Stations } from './station.js';

/** Times are in milliseconds since 1970. */
export interface Shedder {
  /** Reads the pressure. */
  read(now: number): void;
  level(): number;
  answer(priority: Priority, whenShed: WhenShed): 'served' | 'refused' | 'delayed';
  isDropped(priority: Priority): boolean;
  /** How many of a request's alternatives are passed over, from the first. */
  skips(priority: Priority, alternatives: number): number;
  /** Milliseconds until a priority is served again, about. */
  waitMs(priority: Priority, now: number): number;
  /** When the pressure has to be read though nobody comes or goes; `Infinity` for never. */
  nextAt(): number;
}

/** What is read while nothing is to be shed, ever. */
const NEVER: Shedder = {
  read() {},
  level: () => 0,
  answer: () => 'served',
  isDropped: () => false,
  skips: () => 0,
  waitMs: () => 0,
  nextAt: () => Number.POSITIVE_INFINITY,
};

/** @param changed told after the level has changed */
export function createShedder<W extends object>(
  terms: () => QueueTerms,
  crowd: Crowd,
  stations: Stations<W>,
  changed: (from: number, to: number) => void,
): Shedder {
  const options = terms().shedding;
  if (options === undefined) return NEVER;
  let state = NOT_SHEDDING;
  return {
    read(now) {
      const before = state.level;
      // At rest nothing changes.
      if (before === 0 && crowd.all.waiting === 0) return;
      state = step(state, pressures(signalsOf(terms(), crowd, stations, now)), now, options);
      if (state.level !== before) changed(before, state.level);
    },
    level: () => state.level,
    answer: (priority, whenShed) => answer(state, priority, whenShed),
    isDropped: (priority) => isDropped(state, priority),
    skips: (priority, alternatives) => skipsFirstRungs(state, priority, alternatives),
    waitMs(priority, now) {
      const ms = wait(state, priority, now, options);
      return Number.isFinite(ms) ? ms : Math.max(options.holdMs, backlogOf(terms(), stations, priority, now));
    },
    nextAt: () => (state.floor < state.level ? state.since + options.holdMs : Number.POSITIVE_INFINITY),
  };
}

function signalsOf<W extends object>(
  terms: QueueTerms,
  { waiting }: Crowd,
  stations: Stations<W>,
  now: number,
): OverloadSignals {
  const { maxDepth, maxWaitMs } = terms;
  const predictedWaitMs = byPriority(() => 0);
  for (const priority of PRIORITIES) predictedWaitMs[priority] = backlogOf(terms, stations, priority, now);
  return { waiting, maxDepth, predictedWaitMs, maxWaitMs, slots: mostOverrun(stations) };
}

/** The longest of the lines that all requests share; those of one tenant or model say nothing of the others'. */
function backlogOf<W extends object>(
  { ageing }: QueueTerms,
  stations: Stations<W>,
  priority: Priority,
  now: number,
): number {
  return shared(stations).reduce((longest, station) => Math.max(longest, backlogMs(station, priority, ageing, now)), 0);
}

/** Slots that have become fewer than are in use. Where all rest there is no telling how many there will be. */
function mostOverrun<W extends object>(stations: Stations<W>): OverloadSignals['slots'] {
  for (const { seen } of shared(stations)) {
    if (seen?.charge.rule.kind !== 'slots' || seen.charge.limit < 1) continue;
    return { inUse: seen.used, limit: seen.charge.limit };
  }
  return undefined;
}

function shared<W extends object>({ busy }: Stations<W>): Station<W>[] {
  return [...busy].filter(({ meter }) => meter.scope.by.length === 0);
}
