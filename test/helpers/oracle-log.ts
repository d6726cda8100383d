/** Kept cost as an exact log: the plainest account there is, to judge the arithmetic of meters by. */
import fc from 'fast-check';

export interface Lot {
  readonly time: number;
  /** What is kept of it, or still open. */
  amount: number;
}

/** What a log holds from `from` to `to`, both included. */
export function sumBetween(lots: readonly Lot[], from: number, to: number): number {
  return lots.reduce((sum, { time, amount }) => (time >= from && time <= to ? sum + amount : sum), 0);
}

/**
 * Makes an admission's lots come to `actual`: the earlier are filled first. What is above them all is known only `now`;
 * it comes back as a new lot.
 */
export function correct(lots: readonly Lot[], actual: number, now: number): Lot | undefined {
  let left = actual;
  for (const lot of lots) {
    lot.amount = Math.min(lot.amount, left);
    left -= lot.amount;
  }
  return left > 0 ? { time: now, amount: left } : undefined;
}

/** Checks a property with a fixed seed. `TEST_SEED` and `TEST_RUNS` (a factor) widen the search. */
export async function check<T>(property: fc.IAsyncProperty<T> | fc.IProperty<T>, numRuns: number): Promise<void> {
  const { TEST_SEED = '20260101', TEST_RUNS = '1' } = process.env;
  await fc.assert(property, { seed: Number(TEST_SEED), numRuns: Math.ceil(numRuns * Number(TEST_RUNS)) });
}
