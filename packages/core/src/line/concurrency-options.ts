/** How many may run at once, as it is configured. */
import { configError, type Problem } from '../errors.js';

/** Whole numbers, 1 ≤ `min` ≤ `initial` ≤ `max`. The best speed is learned at `initial`, which should be easily borne. */
export interface AdaptiveOptions {
  readonly min: number;
  readonly max: number;
  readonly initial: number;
}

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function checkConcurrency({ min, max, initial }: AdaptiveOptions, isFixed: boolean): void {
  const most = Number.MAX_SAFE_INTEGER;
  const from = min >= 1 ? min : 1;
  const fields = [
    { path: 'concurrency.min', value: min, from: 1, to: most },
    { path: 'concurrency.max', value: max, from, to: most },
    { path: 'concurrency.initial', value: initial, from, to: max >= from ? max : most },
  ];
  const problems: Problem[] = (isFixed ? [{ path: 'concurrency', value: min, from: 1, to: most }] : fields)
    .filter(({ value, from, to }) => !(Number.isSafeInteger(value) && value >= from && value <= to))
    .map(({ path, value, from, to }) => ({ path, value, expected: `a whole number from ${from} to ${to}` }));
  if (problems.length > 0) throw configError(problems);
}
