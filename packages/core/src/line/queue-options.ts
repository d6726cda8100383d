/** The line, as it is configured: who waits in it, for how long, and in what order. */
import { z } from 'zod';
import { type Problem, TollgateError } from '../errors.js';
import type { Dimension, Priority } from '../request.js';
import { field, isRecord, optionalField, reading, readMap } from '../schema.js';
import { type Duration, parseWait, parseWhole } from '../units.js';
import {
  type AdaptiveLimit,
  type AdaptiveOptions,
  isAdaptive,
  leaseField,
  readAdaptive,
} from './concurrency-options.js';
import { byPriority, PRIORITIES } from './priorities.js';
import { type Ageing, type AgeingInput, ageingField } from './score.js';
import { type SheddingOptions, sheddingOptions } from './shedding.js';

export interface QueueOptions {
  /**
   * How many run at once in all, with the others waiting; as many as the limits allow unless given. For one per key, by
   * plan, or with a mode of its own, put a `concurrency(…)` among the limits.
   */
  concurrency?: number | AdaptiveLimit;
  /** How long at least what is never settled keeps its slot; at most twice that. From 1 s to 1 day; `'10m'` unless given. */
  lease?: Duration;
  /**
   * After how long each priority has caught up with `interactive`. `'5m'` unless given. In an overload no more is accepted
   * of a priority than begins before it goes first: the sooner it would, the sooner it is shed.
   */
  ageing?: AgeingInput;
  /**
   * The most that wait; of those that are delayed for being shed as many again. 1000 unless given. Where so many wait, who
   * comes takes the place of the last in order, or is refused if that would be itself.
   */
  maxDepth?: number;
  /** The most that wait of one value of `fairBy`. `maxDepth` unless given. */
  maxDepthEach?: number;
  /**
   * How long a request waits at most, for all priorities or by priority; `'0s'` is not at all. 10 s for `interactive`,
   * 30 s for `standard`, 10 min for `batch` and 1 h for `background` unless given. A request may ask for less.
   */
  maxWait?: Duration | { readonly [P in Priority]?: Duration };
  /** Each value of it, such as each tenant, gets its share of what is admitted. Nobody has a share unless given. */
  fairBy?: Dimension;
  /** How many shares values of `fairBy` have: above 0. 1 unless given. */
  weights?: { readonly [value: string]: number };
  /** What is given up in an overload. `true` unless given: with the thresholds that {@link SheddingOptions} has. */
  shedding?: boolean | Partial<SheddingOptions>;
}

/** The line in numbers. */
export interface QueueTerms {
  readonly ageing: Ageing;
  readonly maxDepth: number;
  readonly maxDepthEach: number;
  readonly maxWaitMs: Readonly<Record<Priority, number>>;
  /** How long one may wait without those above it, whom it would go before by then, waiting for longer than they may. */
  readonly patienceMs: Readonly<Record<Priority, number>>;
  readonly fairBy: Dimension | undefined;
  readonly weights: ReadonlyMap<string, number>;
  readonly shedding: SheddingOptions | undefined;
}

/** What runs at once in all. */
export interface QueueSlots {
  readonly limit: number | AdaptiveOptions;
  readonly leaseMs: number;
}

const MAX_WAIT_MS: Readonly<Record<Priority, number>> = {
  interactive: 10_000,
  standard: 30_000,
  batch: 600_000,
  background: 3_600_000,
};

const A_WHOLE = 'a whole number from 1 to 2^53 - 1';
const A_WAIT = "a duration such as '10s' or '5m', or '0s' for no wait";
const A_WEIGHT = 'a finite number above 0';

const concurrencyField = reading((value, context): number | AdaptiveOptions | undefined => {
  if (value === undefined) return undefined;
  if (isAdaptive(value)) return readAdaptive(value, context);
  const limit = parseWhole(value);
  if (limit === undefined) context.addIssue({ code: 'custom', message: `${A_WHOLE}, or { min, max } with such` });
  return limit;
});

const maxWaitField = reading((value = {}, context): QueueTerms['maxWaitMs'] => {
  if (isRecord(value)) {
    for (const name of Object.keys(value).filter((name) => !Object.hasOwn(MAX_WAIT_MS, name))) {
      const priorities = Object.keys(MAX_WAIT_MS).join(', ');
      context.addIssue({ code: 'custom', message: `no such priority; there are ${priorities}`, path: [name] });
    }
    return { ...MAX_WAIT_MS, ...Object.fromEntries(readMap(given(value), A_WAIT, parseWait, context)) };
  }
  const ms = parseWait(value);
  if (ms === undefined) context.addIssue({ code: 'custom', message: `${A_WAIT}; or a map of such by priority` });
  return ms === undefined ? z.NEVER : { interactive: ms, standard: ms, batch: ms, background: ms };
});

const weightsField = reading((value = {}, context): ReadonlyMap<string, number> => {
  if (isRecord(value)) return readMap(given(value), A_WEIGHT, parseWeight, context);
  context.addIssue({ code: 'custom', message: `a map from values of fairBy to their weights, each ${A_WEIGHT}` });
  return z.NEVER;
});

const SHEDDING_FIELDS = ['raiseAt', 'lowerAt', 'holdMs'];

const sheddingField = reading((value = true, context): SheddingOptions | undefined => {
  if (typeof value === 'boolean') return value ? sheddingOptions() : undefined;
  if (!isRecord(value)) {
    context.addIssue({ code: 'custom', message: 'true, false, or an object with raiseAt, lowerAt and holdMs' });
    return z.NEVER;
  }
  for (const name of Object.keys(value).filter((name) => !SHEDDING_FIELDS.includes(name))) {
    const message = `no such field; there are ${SHEDDING_FIELDS.join(', ')}`;
    context.addIssue({ code: 'custom', message, path: [name] });
  }
  try {
    return sheddingOptions(given(value) as Partial<SheddingOptions>);
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    for (const { path, expected } of error.problems) {
      context.addIssue({ code: 'custom', message: expected, path: withinShedding(path) });
    }
    return z.NEVER;
  }
});

/** The field `queue`. */
export const queueField = z
  .strictObject(
    {
      concurrency: concurrencyField,
      lease: leaseField,
      ageing: ageingField,
      maxDepth: field(A_WHOLE, (value = 1000) => parseWhole(value)),
      maxDepthEach: optionalField(A_WHOLE, parseWhole),
      maxWait: maxWaitField,
      fairBy: optionalField("a dimension such as 'tenant'", parseDimension),
      weights: weightsField,
      shedding: sheddingField,
    },
    { error: 'an object such as { concurrency: 64 }' },
  )
  .transform(
    ({ concurrency: limit, lease, maxWait, ...read }): { terms: QueueTerms; slots: QueueSlots | undefined } => {
      const { maxDepth, maxDepthEach = maxDepth } = read;
      const slots = limit === undefined ? undefined : { limit, leaseMs: lease };
      return {
        terms: { ...read, maxDepthEach, maxWaitMs: maxWait, patienceMs: patienceOf(maxWait, read.ageing) },
        slots,
      };
    },
  )
  .optional();

/** What says nothing without another field. */
const NEEDS = { lease: 'concurrency', maxDepthEach: 'fairBy', weights: 'fairBy' } as const;

/** Fields that lack the one that they are about. */
export function incompleteFields(queue: unknown): Problem[] {
  if (!isRecord(queue)) return [];
  return Object.entries(NEEDS).flatMap(([name, needed]) => {
    const value = queue[name];
    if (value === undefined || queue[needed] !== undefined) return [];
    return [{ path: `queue.${name}`, value, expected: `nothing without ${needed}: that is what it is about` }];
  });
}

/** What is given as `undefined` is left out. */
function given(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined));
}

function parseWeight(value: unknown): number | undefined {
  return typeof value === 'number' && value > 0 && Number.isFinite(value) ? value : undefined;
}

function parseDimension(value: unknown): Dimension | undefined {
  return typeof value === 'string' && value !== '' ? (value as Dimension) : undefined;
}

/** `shedding.raiseAt[1]` as keys, from what `shedding` holds. */
function withinShedding(path: string): (string | number)[] {
  const keys = path.match(/\w+/g) ?? [];
  return keys.slice(1).map((key) => (/^\d/.test(key) ? Number(key) : key));
}

function patienceOf(maxWaitMs: QueueTerms['maxWaitMs'], ageing: Ageing): QueueTerms['patienceMs'] {
  const patience = byPriority(() => 0);
  for (const [i, priority] of PRIORITIES.entries()) {
    const above = PRIORITIES.slice(0, i + 1);
    patience[priority] = Math.min(...above.map((one) => maxWaitMs[one] + ageing[priority] - ageing[one]));
  }
  return patience;
}
