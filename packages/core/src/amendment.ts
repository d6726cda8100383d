/** From what an admission has been charged to what it is to be charged: the difference, so that nothing is charged twice. */
import type { Charge, Key } from './meters/meter.js';
import type { Entry } from './store/store.js';

export interface Amendment {
  /** What is lacking: to be charged all or none. */
  readonly missing: readonly Charge[];
  /** Entries that were charged too much, and what they come to. */
  readonly surplus: readonly Entry[];
  readonly surplusActual: readonly number[];
  /** Entries that go on, in whole or in part. */
  readonly kept: readonly Entry[];
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
  };
}

/** An entry as if what is booked now had been charged from the start. */
export function asCharged(entry: Entry): Entry {
  return entry.cost === entry.charge.cost ? entry : { ...entry, charge: { ...entry.charge, cost: entry.cost } };
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
