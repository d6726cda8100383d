/** From what an admission has been charged to what it is to be charged: the difference, so that nothing is charged twice. */
import type { Charge, Key, Usage } from './meters/meter.js';
import type { Entry } from './store/store.js';

export interface Amendment {
  /** What is lacking: to be charged all or none. */
  readonly missing: readonly Charge[];
  /** Entries that were charged too much, and what they come to. */
  readonly surplus: readonly Entry[];
  readonly surplusActual: readonly number[];
  /** Entries that go on, in whole or in part. */
  readonly kept: readonly Entry[];
  /** What a meter said to a missing part, as said to the whole charge: for a refusal that tells the truth. */
  asWhole(usage: Usage, index: number): Usage;
}

export function amendment(entries: readonly Entry[], charges: readonly Charge[]): Amendment {
  const booked = charges.map((charge) => bookedFor(charge, entries));
  const lacking = charges.map((_, i) => i).filter((i) => booked[i] === undefined || charges[i].cost > booked[i]);
  const surplus: Entry[] = [];
  const surplusActual: number[] = [];
  for (const entry of entries) {
    const wanted = charges.find((charge) => isSame(charge, entry.charge))?.cost ?? 0;
    const before = entries.slice(0, entries.indexOf(entry)).filter((other) => isSame(other.charge, entry.charge));
    const actual = Math.min(entry.cost, Math.max(0, wanted - sum(before)));
    if (actual === entry.cost) continue;
    surplus.push(entry);
    surplusActual.push(actual);
  }
  return {
    missing: lacking.map((i) => ({ ...charges[i], cost: charges[i].cost - (booked[i] ?? 0) })),
    surplus,
    surplusActual,
    kept: entries.filter((entry) => charges.some((charge) => isSame(charge, entry.charge))),
    asWhole(usage, index) {
      const i = lacking[index];
      const { cost, limit } = charges[i];
      const waitMs = cost > limit ? Number.POSITIVE_INFINITY : usage.waitMs;
      return { ...usage, charge: charges[i], used: Math.max(0, usage.used - (booked[i] ?? 0)), waitMs };
    },
  };
}

function bookedFor(charge: Charge, entries: readonly Entry[]): number | undefined {
  const same = entries.filter((entry) => isSame(entry.charge, charge));
  return same.length === 0 ? undefined : sum(same);
}

function sum(entries: readonly Entry[]): number {
  return entries.reduce((total, { cost }) => total + cost, 0);
}

function isSame(a: Charge, b: Charge): boolean {
  return a.meter === b.meter && isSameKey(a.key, b.key);
}

function isSameKey(a: Key, b: Key): boolean {
  return a.every((value, i) => value === b[i]);
}
