/**
 * Shedding: what is given up while there is more to do than can be done, from the bottom and always in the same order.
 *
 * | level | given up, besides what stands above |
 * |---|---|
 * | 0 | nothing |
 * | 1 | `background` |
 * | 2 | `batch` |
 * | 3 | the first alternative of `standard`: it starts on a cheaper rung |
 * | 4 | `standard` |
 *
 * `interactive` is never dropped and always begins with its best alternative. The last level leaves it the end of the
 * line, which `standard` would use up on any rung.
 *
 * The level is raised at once when the pressure reaches a level's `raiseAt`. It is lowered by one after the pressure has
 * been below its `lowerAt` for `holdMs` without a break, all of it at that level. A pressure counts from its reading until
 * the next. So `holdMs` at least pass between any change of the level and its next lowering; nothing is raised, lowered
 * and raised again in less; and a pressure that stays between the two thresholds changes nothing.
 *
 * What is dropped is what arrives. Those that wait already were accepted, and start in their turn: slots don't idle until the
 * level is lowered again.
 */
import { configError, type Problem } from '../errors.js';
import type { Priority } from '../request.js';
import { PRIORITIES } from './priorities.js';

const TOP_LEVEL = 4;

/** From which level a priority is dropped. */
const DROPPED_FROM: Readonly<Record<Priority, number>> = {
  interactive: Number.POSITIVE_INFINITY,
  standard: TOP_LEVEL,
  batch: 2,
  background: 1,
};

/** From which level all but `interactive` start on a cheaper rung. */
const CHEAPER_FROM = 3;

/** A number for each level from 1 to 4. */
export type PerLevel = readonly [number, number, number, number];

export interface SheddingOptions {
  /** The pressures from which each level is raised to: finite, above 0, none less than the one before it. */
  readonly raiseAt: PerLevel;
  /** The pressures below which each level is left: likewise, and each less than its `raiseAt`. */
  readonly lowerAt: PerLevel;
  /**
   * Milliseconds of such a pressure before the level is lowered by one: finite, 1 or more. Of a line that empties in less slots
   * may stay idle until then.
   */
  readonly holdMs: number;
}

/**
 * A cheaper rung helps once the requests begin that start on it, a whole wait after they came, and until then the wait grows
 * on. So the third threshold is far below the fourth: from 0.6 a load of up to 1.5 of what there is doesn't reach that before
 * it helps, from 0.9 hardly more than one of 1.05. (In simulations, where the cheaper model takes half as long, `standard` that
 * asks with all above it for 1.3 is served 94 times in 100 rather than 84, and one that asks for 2.2 76 times rather than 55.)
 * The levels before it need no lower ones: their pressures are never less. `lowerAt` is not far below, so
 * that a short line doesn't run empty within `holdMs`.
 */
const DEFAULTS: SheddingOptions = { raiseAt: [0.6, 0.6, 0.6, 0.95], lowerAt: [0.5, 0.5, 0.5, 0.8], holdMs: 5000 };

/**
 * Options that are complete and right: the defaults for what isn't given.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem
 */
export function sheddingOptions(given: Partial<SheddingOptions> = {}): SheddingOptions {
  const options = { ...DEFAULTS, ...given };
  const { raiseAt, lowerAt, holdMs } = options;
  const problems = [...listProblems('raiseAt', raiseAt), ...listProblems('lowerAt', lowerAt)];
  if (problems.length === 0) problems.push(...gapProblems(options));
  if (!(Number.isFinite(holdMs) && holdMs >= 1)) {
    problems.push({ path: 'shedding.holdMs', value: holdMs, expected: 'a finite number of milliseconds, 1 or more' });
  }
  if (problems.length > 0) throw configError(problems);
  return options;
}

function listProblems(name: string, values: readonly unknown[]): Problem[] {
  const path = `shedding.${name}`;
  if (!Array.isArray(values) || values.length !== TOP_LEVEL) {
    return [{ path, value: values, expected: `a list of ${TOP_LEVEL} pressures, one for each level` }];
  }
  const expected = 'a finite number above 0, and not less than the one before it';
  return values.flatMap((value, i) =>
    Number.isFinite(value) && value > 0 && !(value < values[i - 1]) ? [] : [{ path: `${path}[${i}]`, value, expected }],
  );
}

function gapProblems({ raiseAt, lowerAt }: SheddingOptions): Problem[] {
  return lowerAt.flatMap((value, i) => {
    const expected = `less than ${raiseAt[i]}, which raiseAt has for that level`;
    return value < raiseAt[i] ? [] : [{ path: `shedding.lowerAt[${i}]`, value, expected }];
  });
}

/** What overload is told by. A figure that is no number counts nothing. */
export interface OverloadSignals {
  /** Of one who comes now: how many that wait go first. */
  readonly ahead: Readonly<Record<Priority, number>>;
  /** How many the line takes; above 0. */
  readonly maxDepth: number;
  /** Milliseconds that one who comes now would wait. */
  readonly expectedWaitMs: Readonly<Record<Priority, number>>;
  /** Milliseconds that it may wait, at the longest, at no cost to those above it; 0 for one that doesn't wait at all. */
  readonly patienceMs: Readonly<Record<Priority, number>>;
  /** Slots in use, and the limit on them, above 0. */
  readonly slots?: { readonly inUse: number; readonly limit: number } | undefined;
}

/**
 * How hard pressed the service is, for each level: 0 at rest, about 1 where something is used up, and above where more is
 * asked than there is. The greatest signal counts. A level's pressure is that on the priorities which the level below it
 * still serves, so that a flood of batch work costs batch work, and not the models of `standard`. It never increases from
 * one level to the next.
 *
 * Slots count by how far they are in use beyond their limit while somebody waits. That all are in use is no overload: it
 * is what the line is for.
 */
export function pressures(signals: OverloadSignals): PerLevel {
  return [pressure(signals, 1), pressure(signals, 2), pressure(signals, 3), pressure(signals, 4)];
}

function pressure(signals: OverloadSignals, level: number): number {
  const { ahead, maxDepth, expectedWaitMs, patienceMs, slots } = signals;
  let depth = 0;
  let greatest = 0;
  for (const priority of PRIORITIES) {
    if (DROPPED_FROM[priority] < level) continue;
    depth = Math.max(depth, positive(ahead[priority]));
    if (patienceMs[priority] > 0) {
      greatest = Math.max(greatest, positive(expectedWaitMs[priority] / patienceMs[priority]));
    }
  }
  if (slots !== undefined && depth > 0) greatest = Math.max(greatest, positive(slots.inUse / slots.limit - 1));
  return Math.max(greatest, positive(depth / maxDepth));
}

function positive(value: number): number {
  return Number.isNaN(value) ? 0 : Math.max(0, value);
}

/** Between two readings of the pressure. */
export interface SheddingState {
  /** From 0 to 4. */
  readonly level: number;
  /** The level that the last pressure lets it be lowered to; any at or above `level` doesn't let it. */
  readonly floor: number;
  /** From when `holdMs` count, in milliseconds since 1970; it says nothing while `floor` isn't below `level`. */
  readonly since: number;
}

/** The initial state. */
export const NOT_SHEDDING: SheddingState = Object.freeze({ level: 0, floor: 0, since: 0 });

/**
 * The state after a reading. Pressures that are negative or no number are taken for 0. Where the clock was set back,
 * `holdMs` begin anew.
 *
 * @param pressure as {@link pressures} tells it
 * @param now milliseconds since 1970
 */
export function step(
  state: SheddingState,
  pressure: PerLevel,
  now: number,
  { raiseAt, lowerAt, holdMs }: SheddingOptions,
): SheddingState {
  const held = now >= state.since ? Math.floor((now - state.since) / holdMs) : 0;
  const lowered = Math.min(held, Math.max(0, state.level - state.floor));
  const left = state.level - lowered;
  const level = Math.max(left, levelAt(pressure, raiseAt));
  const goesOn = state.floor < left && state.since <= now;
  return { level, floor: levelAt(pressure, lowerAt), since: goesOn ? state.since + lowered * holdMs : now };
}

/** The highest level whose threshold the pressure has reached. */
export function levelAt(pressure: PerLevel, thresholds: PerLevel): number {
  let level = TOP_LEVEL;
  while (level > 0 && !(pressure[level - 1] >= thresholds[level - 1])) level--;
  return level;
}

/** True where requests of this priority are shed. Where one is, so are all below it. */
export function isDropped(level: number, priority: Priority): boolean {
  return level >= DROPPED_FROM[priority];
}

/** What a caller prefers where its request is shed. */
export type WhenShed = 'refuse' | 'delay';

/** Milliseconds until a priority is served, if the pressure stays as it is: 0 where it is, `Infinity` if it won't be. */
export function wait(state: SheddingState, priority: Priority, now: number, { holdMs }: SheddingOptions): number {
  if (!isDropped(state.level, priority)) return 0;
  const target = DROPPED_FROM[priority] - 1;
  if (state.floor > target) return Number.POSITIVE_INFINITY;
  return Math.max(0, Math.min(state.since, now) + (state.level - target) * holdMs - now);
}

/** How many of a request's alternatives are passed over, from the first: never all of them. */
export function skipsFirstRungs(level: number, priority: Priority, alternatives: number): number {
  return level >= CHEAPER_FROM && priority !== 'interactive' && alternatives > 1 ? 1 : 0;
}
