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
 *
 * @param isVoid what of a lot is given back at a time is void, so that it stays as it is
 */
export function correct(
  lots: readonly Lot[],
  actual: number,
  now: number,
  isVoid: (lot: Lot, now: number) => boolean,
): Lot | undefined {
  let left = actual;
  for (const lot of lots) {
    if (!isVoid(lot, now)) lot.amount = Math.min(lot.amount, Math.max(0, left));
    left -= lot.amount;
  }
  return left > 0 ? { time: now, amount: left } : undefined;
}

/** Of a window: a lot whose sub-bucket counts no longer. */
export function hasLeft(partMs: number, parts: number) {
  return ({ time }: Lot, now: number) => time < (Math.floor(now / partMs) - parts) * partMs;
}

/** Holds are kept by generations of this length, the current one and the one before. */
const GENERATION_MS = 15 * 60_000;

/** Of a bucket: a lot whose hold is over. */
export function isHeldNoLonger({ time }: Lot, now: number): boolean {
  return Math.floor(now / GENERATION_MS) - Math.floor(time / GENERATION_MS) > 1;
}

/** Checks a property with a fixed seed. `TEST_SEED` and `TEST_RUNS` (a factor) widen the search. */
export async function check<T>(property: fc.IAsyncProperty<T> | fc.IProperty<T>, numRuns: number): Promise<void> {
  const { TEST_SEED = '20260101', TEST_RUNS = '1' } = process.env;
  await fc.assert(property, {
    seed: Number(TEST_SEED),

    numRuns: Math.ceil(numRuns * Number(TEST_RUNS)),
  });
}
