/**
 * How many may run at once, apart from whether this one may, by what a provider can bear:
 *
 * - AIMD, as TCP has it (RFC 5681): doubled per epoch until the first overload; then cut by a tenth on overload, once per
 *   epoch and only by requests begun after the last cut, or where more than a tenth of these was refused by that share,
 *   down to a half. It rises while it is really used: by 1 in the first epoch after a cut, and in each further one by 1
 *   more, up to a tenth, so that capacity that comes back is soon found (the idea of CUBIC, RFC 9438).
 * - A gradient on the time per output token, as Gradient2 of Netflix's concurrency-limits has it on latency: where answers
 *   come slower than {@link TOLERANCE} times the best known, the limit is cut by what they are slower. Latency itself would
 *   measure the length of answers.
 *
 * An epoch is the mean duration of the last answers: what a change of the limit does shows no earlier.
 */
import type { Ending } from '../meters/meter.js';
import { type Answer, type AnswerMeans, include, noAnswers, speedOf } from './answer-speed.js';
import type { AdaptiveOptions } from './concurrency-options.js';

/** A request that runs. Each has to be ended. */
export interface Begun {
  readonly sequence: number;
  readonly at: number;
  open: boolean;
}

/** Times are in milliseconds since 1970. Where a clock is set back, what lies ahead moves with it. */
export interface Concurrency {
  /**
   * How many may run now: a whole number of at most `max`. Below `min`, down to 0, only where slots rest after an overload:
   * all until the time that the provider gave, and each for about an epoch, since nothing else would keep a line from asking
   * over and over for what was just refused.
   */
  limit(now: number): number;
  began(now: number): Begun;
  /** Does nothing the second time. */
  ended(begun: Begun, ending: Ending, now: number): void;
  state(): ConcurrencyState;
}

export interface ConcurrencyState {
  /** From `min` to `max`, whatever rests. */
  readonly limit: number;
  readonly inFlight: number;
  /** When the time that the provider gave is over; `-Infinity` if it never gave one. */
  readonly shutUntil: number;
}

/** Slower than the best known speed by this factor is still no reason to cut. */
export const TOLERANCE = 1.25;
/** What a cut leaves, at most and at least. */
const CUT = 0.9;
const DEEPEST_CUT = 0.5;
/** The part of the limit that has to be in flight when an answer ends for it to rise. */
const USED = 0.8;
/** Where halving the limit leaves more than this of the time per token, it wasn't the load that made answers slow. */
const UNMOVED = 0.8;
/** Answers that are judged together, at least: while the limit doubles, and later. */
const FIRST_BLOCK = 20;
const BLOCK = 50;
/** Answers that the epoch is the mean of. */
const EPOCH_MEMORY = 20;
/** Milliseconds. */
const EPOCH = { initial: 1000, min: 100, max: 60_000 };
const MAX_ANSWER_MS = 3_600_000;
const MAX_TOKENS = 1e7;
/** What a `Date` can hold. */
const MAX_TIME = 8.64e15;

interface State {
  readonly bounds: AdaptiveOptions;
  limit: number;
  /** What this epoch adds to the limit; `Infinity` while it doubles. */
  step: number;
  inFlight: number;
  sequence: number;
  latest: number;
  shutUntil: number;
  /** Slots that rested at a time. Fewer do later: after an epoch an e-th part. */
  resting: { slots: number; at: number };
  /** The last cut: when, after which request, and how those begun since then ended. */
  cut: { at: number; sequence: number; succeeded: number; overloaded: number };
  /** How many durations `meanMs` was learned from. */
  timed: number;
  meanMs: number;
  /** To be judged together; all begun after the last cut. */
  block: Answer[];
  readonly means: AnswerMeans;
  /** The best known milliseconds per token. */
  best: number | undefined;
  /** The limit when answers became slow, and the slowest since. */
  slow: { readonly limit: number; readonly perToken: number } | undefined;
}

export function createConcurrency(bounds: AdaptiveOptions): Concurrency {
  const state = initialState(bounds);
  return {
    limit: (now) => limitAt(state, now),

    began(now) {
      advance(state, now);
      state.inFlight++;
      return { sequence: ++state.sequence, at: state.latest, open: true };
    },

    ended(begun, ending, now) {
      if (!begun.open) return;
      begun.open = false;
      advance(state, now);
      if (ending.outcome === 'overloaded') overloaded(state, begun, ending);
      if (ending.outcome === 'succeeded') succeeded(state, begun, ending);
      state.inFlight--;
    },

    state: () => ({ limit: Math.floor(state.limit), inFlight: state.inFlight, shutUntil: state.shutUntil }),
  };
}

function initialState(bounds: AdaptiveOptions): State {
  const never = Number.NEGATIVE_INFINITY;
  return {
    bounds,
    limit: bounds.initial,
    step: Number.POSITIVE_INFINITY,
    inFlight: 0,
    sequence: 0,
    latest: 0,
    shutUntil: never,
    resting: { slots: 0, at: 0 },
    cut: { at: never, sequence: 0, succeeded: 0, overloaded: 0 },
    timed: 0,
    meanMs: EPOCH.initial,
    block: [],
    means: noAnswers(),
    best: undefined,
    slow: undefined,
  };
}

function advance(state: State, now: number): void {
  if (!(Math.abs(now) <= MAX_TIME)) return;
  const back = Math.max(0, state.latest - now);
  state.shutUntil -= back;
  state.resting.at -= back;
  state.cut.at -= back;
  state.latest = now;
}

function limitAt(state: State, now: number): number {
  advance(state, now);
  return state.latest < state.shutUntil ? 0 : Math.max(0, Math.floor(state.limit) - Math.round(restingOf(state)));
}

function restingOf({ resting, latest, meanMs }: State): number {
  return resting.slots === 0 ? 0 : resting.slots * Math.exp((resting.at - latest) / epochOf(meanMs));
}

function epochOf(meanMs: number): number {
  return Math.min(EPOCH.max, Math.max(EPOCH.min, meanMs));
}

function overloaded(state: State, begun: Begun, { retryAfterMs = -1 }: Ending): void {
  const { cut, latest } = state;
  state.resting = { slots: Math.min(state.limit, restingOf(state) + 1), at: latest };
  if (retryAfterMs >= 0 && retryAfterMs < Number.POSITIVE_INFINITY) {
    state.shutUntil = Math.max(state.shutUntil, latest + retryAfterMs);
  }
  if (begun.sequence <= cut.sequence) return;
  cut.overloaded++;
  if (latest - cut.at >= epochOf(state.meanMs)) lower(state, cut.succeeded / (cut.succeeded + cut.overloaded));
}

function succeeded(state: State, begun: Begun, { outputTokens = 0 }: Ending): void {
  const ms = state.latest - begun.at;
  const isTimed = ms > 0 && ms <= MAX_ANSWER_MS;
  if (isTimed) state.meanMs += (ms - state.meanMs) / Math.min(++state.timed, EPOCH_MEMORY);
  if (begun.sequence <= state.cut.sequence) return;
  state.cut.succeeded++;
  if (state.inFlight >= USED * state.limit) raise(state);
  if (isTimed && outputTokens >= 1 && outputTokens <= MAX_TOKENS) observe(state, { ms, tokens: outputTokens });
}

/** By one answer's part of what an epoch adds, in which as many end as run. */
function raise(state: State): void {
  const { limit, bounds } = state;
  const steepest = state.step === Number.POSITIVE_INFINITY ? limit : Math.max(1, (1 - CUT) * limit);
  state.limit = Math.min(bounds.max, limit + Math.min(state.step, steepest) / limit);
  state.step += 1 / limit;
}

/** @param share what should be left; a cut leaves no more than {@link CUT}, and no less than {@link DEEPEST_CUT} */
function lower(state: State, share: number): void {
  state.limit = Math.max(state.bounds.min, state.limit * Math.max(DEEPEST_CUT, Math.min(CUT, share)));
  state.step = 1;
  state.cut = { at: state.latest, sequence: state.sequence, succeeded: 0, overloaded: 0 };
  state.block = [];
}

function observe(state: State, answer: Answer): void {
  const { block, means, limit, bounds } = state;
  include(means, answer);
  block.push(answer);
  const isDoubling = state.step === Number.POSITIVE_INFINITY && limit < bounds.max;
  if (block.length < (isDoubling ? FIRST_BLOCK : Math.max(BLOCK, limit))) return;
  state.block = [];
  judge(state, block);
}

/** The best known speed, and whether one is slower, get the benefit of the doubt; and one lucky block doesn't set the best. */
function judge(state: State, block: readonly Answer[]): void {
  const { perToken, error } = speedOf(state.means, block);
  const { best = perToken + error, bounds, limit } = state;
  state.best = best - Math.max(0, best - perToken - error) / 4;
  const gradient = (TOLERANCE * state.best) / Math.max(0, perToken - error);
  if (gradient >= 1) {
    state.slow = undefined;
    return;
  }
  const since = state.slow ?? { limit, perToken };
  state.slow = { limit: since.limit, perToken: Math.max(since.perToken, perToken) };
  if (limit > Math.max(bounds.min, since.limit / 2) || perToken <= UNMOVED * state.slow.perToken) {
    lower(state, gradient);
    return;
  }
  state.best = perToken + error;
  state.slow = undefined;
}
