/** Sheds as the line's load says: reads the pressure as requests come and go, and tells of changed levels. */
import type { Priority } from '../request.js';
import type { Depth } from './depth.js';
import type { FairKey } from './fairness.js';
import { loadOf, ownLoadOf } from './load.js';
import type { QueueTerms } from './queue-options.js';
import { isDropped, levelAt, NOT_SHEDDING, pressures, step, wait } from './shedding.js';
import type { Stations } from './station.js';

/** Times are in milliseconds since 1970. */
export interface Shedder {
  /** Reads the pressure, unless it has been read just now and as many wait, about. */
  read(now: number): void;
  level(): number;
  /** Whether one comes in that was delayed: the level leaves it to, and the pressure isn't about to raise it again. */
  releases(priority: Priority, key: FairKey, now: number): boolean;
  /** What a key asks beyond its share is shed in the same order, and costs nobody else. */
  ownOf(key: FairKey, now: number): OwnShedding;
  /** Milliseconds until a priority is served again, about. */
  waitMs(priority: Priority, now: number): number;
  /** When the pressure has to be read though nobody comes or goes; `Infinity` for never. */
  nextAt(): number;
}

/** What of a key's requests is given up, besides what is given up of all. */
export interface OwnShedding {
  readonly level: number;
  /** Milliseconds until what it has asked for has begun. */
  readonly waitMs: number;
}

const NOTHING_OWN: OwnShedding = { level: 0, waitMs: 0 };

/** What is read while nothing is to be shed, ever. */
const NEVER: Shedder = {
  read() {},
  level: () => 0,
  releases: () => true,
  ownOf: () => NOTHING_OWN,
  waitMs: () => 0,
  nextAt: () => Number.POSITIVE_INFINITY,
};

/** A reading looks at all lanes, and so is made no more often than in so many milliseconds... */
const READ_EVERY = 20;
/** ...or when so large a part of the depth has come or gone. */
const READ_PART = 1 / 128;

/** @param changed told after the level has changed */
export function createShedder<W extends object>(
  terms: () => QueueTerms,
  depth: Depth,
  stations: Stations<W>,
  changed: (from: number, to: number) => void,
): Shedder {
  const options = terms().shedding;
  if (options === undefined) return NEVER;
  const { holdMs } = options;
  const every = Math.min(READ_EVERY, holdMs);
  let state = NOT_SHEDDING;
  let read = { at: Number.NEGATIVE_INFINITY, waiting: 0, isDated: false };
  const nextAt = () => {
    const lowersAt = state.floor < state.level ? state.since + holdMs : Number.POSITIVE_INFINITY;
    return read.isDated ? Math.min(read.at + every, lowersAt) : lowersAt;
  };
  const ownLoad = (key: FairKey, now: number) =>
    terms().fairBy === undefined || depth.all.waiting === 0 ? undefined : ownLoadOf(terms(), stations, key, now);
  return {
    read(now) {
      const before = state.level;
      const { waiting } = depth.all;
      if (before === 0 && state.floor === 0 && waiting === 0) {
        // At rest nothing changes.
        read.isDated = false;
        return;
      }
      const isLately = now >= read.at && now - read.at < every && now < nextAt();
      if (isLately && Math.abs(waiting - read.waiting) < terms().maxDepth * READ_PART) {
        read.isDated = true;
        return;
      }
      read = { at: now, waiting, isDated: false };
      state = step(state, pressures(loadOf(terms(), stations, now)), now, options);
      if (state.level !== before) changed(before, state.level);
    },
    level: () => state.level,
    releases(priority, key, now) {
      if (isDropped(Math.max(state.level, state.floor), priority)) return false;
      const own = ownLoad(key, now);
      return own === undefined || !isDropped(levelAt(pressures(own), options.lowerAt), priority);
    },
    ownOf(key, now) {
      const own = ownLoad(key, now);
      if (own === undefined) return NOTHING_OWN;
      return {
        level: levelAt(pressures(own), options.raiseAt),
        waitMs: Math.max(...Object.values(own.expectedWaitMs)),
      };
    },
    waitMs(priority, now) {
      const ms = wait(state, priority, now, options);
      return Number.isFinite(ms) ? ms : Math.max(holdMs, loadOf(terms(), stations, now).expectedWaitMs[priority]);
    },
    nextAt,
  };
}
