/** How many may run at once, as it is configured. */
import type { z } from 'zod';
import type { Problem } from '../errors.js';
import { field, isRecord } from '../schema.js';
import { type Duration, parseDuration } from '../units.js';

/**
 * How many run at once follows what a provider bears: fewer where it says that it is overloaded or its answers get slow,
 * more while it keeps up. Whole numbers, 1 ≤ `min` ≤ `initial` ≤ `max`.
 */
export interface AdaptiveLimit {
  min: number;
  max: number;
  /** Where it begins, which should be easily borne: the best speed is learned there. `min` unless given. */
  initial?: number;
}

/** Likewise, and complete. */
export type AdaptiveOptions = Readonly<Required<AdaptiveLimit>>;

const FIELDS = ['min', 'max', 'initial'];
const MOST = Number.MAX_SAFE_INTEGER;
const DEFAULT_LEASE: Duration = '10m';
const LEASE = { min: 1000, max: 86_400_000 };

/** True for bounds, right or wrong: what has both ends is no map by plan. */
export function isAdaptive(value: unknown): value is AdaptiveLimit {
  return isRecord(value) && value.min !== undefined && value.max !== undefined;
}

/** Bounds as they are meant. What is wrong with them goes to the context. */
export function readAdaptive(value: AdaptiveLimit, context: z.core.$RefinementCtx): AdaptiveOptions {
  const { min, max, initial = min } = value;
  const options = { min, max, initial };
  for (const name of Object.keys(value).filter((name) => !FIELDS.includes(name))) {
    context.addIssue({ code: 'custom', message: 'no such field; there are min, max and initial', path: [name] });
  }
  for (const { path, expected } of problemsOf(options)) {
    if (path === 'initial' && value.initial === undefined) continue;
    context.addIssue({ code: 'custom', message: expected, path: [path] });
  }
  return options;
}

/** The field `lease`: how long at least a slot is kept by what is never settled. */
export const leaseField = field("a duration from 1s to 1d such as '10m'", (value = DEFAULT_LEASE) => {
  const ms = parseDuration(value);
  return ms !== undefined && ms >= LEASE.min && ms <= LEASE.max ? ms : undefined;
});

/** By field. */
function problemsOf({ min, max, initial }: AdaptiveOptions): Problem[] {
  const from = min >= 1 ? min : 1;
  const fields = [
    { path: 'min', value: min, from: 1, to: MOST },
    { path: 'max', value: max, from, to: MOST },
    { path: 'initial', value: initial, from, to: max >= from ? max : MOST },
  ];
  return fields
    .filter(({ value, from, to }) => !(Number.isSafeInteger(value) && value >= from && value <= to))
    .map(({ path, value, from, to }) => ({ path, value, expected: `a whole number from ${from} to ${to}` }));
}
