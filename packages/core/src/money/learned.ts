/**
 * Learns what requests use, for each feature and model, in small fixed memory: two histograms a pair, with the buckets
 * of HdrHistogram (G. Tene): exact below {@link EXACT}, then eight to each doubling. Counts fade with observations, not
 * with time: every {@link HALF_LIFE} of a pair halve the weight of all before.
 *
 * A rise in usage is followed once it makes up a twentieth of the weight, within 25 observations; a fall when what was
 * before has faded to a twentieth, within 1200.
 */
import type { TokenCounts } from '../request.js';

/** Observations of a pair before anything is said of it. */
export const MIN_SEEN = 20;
/** Observations that halve the weight of those before them. */
export const HALF_LIFE = 200;
/** Pairs that are kept, at about a kilobyte each. */
export const MAX_PAIRS = 1000;
/** A pair with a longer name is not learned: clients may choose names. */
export const MAX_NAME_LENGTH = 256;
/** The greatest count that is learned as it is; a greater one is taken for this. */
export const MAX_LEARNED = 2 ** 30 - 1;

/** Counts below it have a bucket each; above it a bucket's bound is less than an eighth above what is in it. */
const EXACT = 16;
const BUCKETS = bucketOf(MAX_LEARNED) + 1;
/** An observation's weight. It fades to nothing in eight halvings, and all together stay below 2^16. */
const WEIGHT = 128;

/** What is known of a feature and model. */
export interface EstimateState {
  readonly feature: string | undefined;
  readonly model: string | undefined;
  /** Requests learned from, ever since the pair is kept. */
  readonly seen: number;
  /** The median and the 95th percentile of the answers' tokens, at most an eighth too high; `undefined` until one was seen. */
  readonly p50: number | undefined;
  readonly p95: number | undefined;
  /**
   * Tokens estimated for one token used, newer requests counting more: above 1 the estimates are too high. `undefined`
   * where nothing was estimated, or nothing used.
   */
  readonly inputRatio: number | undefined;
  readonly outputRatio: number | undefined;
}

/** The 95th percentiles of what was used; `undefined` for a kind that was seen less than {@link MIN_SEEN} times. */
export interface Likely {
  readonly inputTokens: number | undefined;
  readonly outputTokens: number | undefined;
}

export interface Learned {
  /**
   * Takes in what a request was estimated to use, if it was, and what it did use. Counts are from 0 to 2⁵³ − 1.
   *
   * @param choices how many answers those are of: what is learned is learned of one, lest who asks for many change what others'
   *   are taken for
   */
  learn(
    feature: string | undefined,
    model: string | undefined,
    estimated: TokenCounts | undefined,
    actual: TokenCounts,
    choices?: number,
  ): void;
  /** What a request will use at most, 95 times in 100; `undefined` until enough were seen. */
  likely(feature: string | undefined, model: string | undefined): Likely | undefined;
  /** Every pair that is kept. */
  states(): readonly EstimateState[];
}

/** One kind of tokens of a pair. */
interface Histogram {
  readonly buckets: Uint16Array;
  /** Of all buckets. */
  weight: number;
  /** No bucket above it has weight. */
  top: number;
  seen: number;
  /** Sums over the requests that were estimated, fading like the buckets. */
  estimated: number;
  used: number;
}

interface Pair {
  readonly feature: string | undefined;
  readonly model: string | undefined;
  readonly input: Histogram;
  readonly output: Histogram;
  seen: number;
  /** Its last learning, in the order of all. */
  learnedAt: number;
  /** Worked out when asked for, and kept until the next learning; `null` while there is none. */
  likely: Likely | undefined | null;
}

/**
 * At {@link MAX_PAIRS} a new pair takes the place of the one that was learned from least recently among those seen less
 * than {@link MIN_SEEN} times; only where there is none, of the least recent of all. So names that a client makes up
 * push out each other, and not what is known.
 */
export function createLearned(): Learned {
  const pairs = new Map<string | undefined, Map<string | undefined, Pair>>();
  let kept = 0;
  let learnings = 0;

  function pairOf(feature: string | undefined, model: string | undefined): Pair {
    const known = pairs.get(feature)?.get(model);
    if (known) return known;
    if (kept === MAX_PAIRS) drop();
    kept++;
    const pair = {
      feature,
      model,
      input: emptyHistogram(),
      output: emptyHistogram(),
      seen: 0,
      learnedAt: 0,
      likely: null,
    };
    const models = pairs.get(feature) ?? new Map<string | undefined, Pair>();
    pairs.set(feature, models.set(model, pair));
    return pair;
  }

  function drop(): void {
    const pair = all().reduce((first, other) => (isDroppedBefore(other, first) ? other : first));
    const models = pairs.get(pair.feature);
    models?.delete(pair.model);
    if (models?.size === 0) pairs.delete(pair.feature);
    kept--;
  }

  function all(): Pair[] {
    return [...pairs.values()].flatMap((models) => [...models.values()]);
  }

  return {
    learn(feature, model, estimated, actual, choices = 1) {
      if (isLong(feature) || isLong(model)) return;
      if (actual.inputTokens === undefined && actual.outputTokens === undefined) return;
      const pair = pairOf(feature, model);
      pair.seen++;
      pair.learnedAt = ++learnings;
      pair.likely = null;
      observe(pair.input, estimated?.inputTokens, actual.inputTokens);
      observe(pair.output, ofEach(estimated?.outputTokens, choices), ofEach(actual.outputTokens, choices));
    },

    likely(feature, model) {
      const pair = pairs.get(feature)?.get(model);
      if (pair?.likely === null) pair.likely = likelyOf(pair);
      return pair?.likely ?? undefined;
    },

    states: () => all().map(stateOf),
  };
}

function ofEach(tokens: number | undefined, choices: number): number | undefined {
  return tokens === undefined ? undefined : tokens / choices;
}

function isDroppedBefore(a: Pair, b: Pair): boolean {
  const isFresh = a.seen < MIN_SEEN;
  return isFresh === b.seen < MIN_SEEN ? a.learnedAt < b.learnedAt : isFresh;
}

function isLong(name: string | undefined): boolean {
  return name !== undefined && name.length > MAX_NAME_LENGTH;
}

function emptyHistogram(): Histogram {
  return { buckets: new Uint16Array(BUCKETS), weight: 0, top: -1, seen: 0, estimated: 0, used: 0 };
}

function observe(usage: Histogram, estimated: number | undefined, used: number | undefined): void {
  if (used === undefined) return;
  if (usage.seen > 0 && usage.seen % HALF_LIFE === 0) fade(usage);
  usage.seen++;
  const bucket = bucketOf(Math.min(Math.ceil(used), MAX_LEARNED));
  usage.buckets[bucket] += WEIGHT;
  usage.weight += WEIGHT;
  usage.top = Math.max(usage.top, bucket);
  if (estimated === undefined) return;
  usage.estimated += estimated;
  usage.used += used;
}

function fade(usage: Histogram): void {
  usage.weight = 0;
  for (let i = 0; i < BUCKETS; i++) {
    usage.buckets[i] >>= 1;
    usage.weight += usage.buckets[i] as number;
  }
  usage.estimated /= 2;
  usage.used /= 2;
}

function likelyOf({ input, output }: Pair): Likely | undefined {
  const inputTokens = input.seen < MIN_SEEN ? undefined : percentile(input, 95);
  const outputTokens = output.seen < MIN_SEEN ? undefined : percentile(output, 95);
  return inputTokens === undefined && outputTokens === undefined ? undefined : { inputTokens, outputTokens };
}

function stateOf({ feature, model, seen, input, output }: Pair): EstimateState {
  return {
    feature,
    model,
    seen,
    p50: percentile(output, 50),
    p95: percentile(output, 95),
    inputRatio: ratio(input),
    outputRatio: ratio(output),
  };
}

function ratio({ estimated, used }: Histogram): number | undefined {
  return used > 0 ? estimated / used : undefined;
}

/** By nearest rank: the bound of the lowest bucket that has no more than the rest of the weight above it. */
function percentile(usage: Histogram, percent: number): number | undefined {
  const rest = (usage.weight * (100 - percent)) / 100;
  let above = 0;
  for (let i = usage.top; i >= 0; i--) {
    above += usage.buckets[i] as number;
    if (above > rest) return boundOf(i);
  }
  return undefined;
}

/** @param count a whole number from 0 to {@link MAX_LEARNED} */
function bucketOf(count: number): number {
  if (count < EXACT) return count;
  const doubling = 31 - Math.clz32(count);
  return EXACT + (doubling - 4) * 8 + ((count >> (doubling - 3)) & 7);
}

/** The greatest count of a bucket. */
function boundOf(bucket: number): number {
  if (bucket < EXACT) return bucket;
  const doubling = 4 + ((bucket - EXACT) >> 3);
  return ((9 + ((bucket - EXACT) & 7)) << (doubling - 3)) - 1;
}
