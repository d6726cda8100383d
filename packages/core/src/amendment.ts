/** From what an admission has been charged to what it is to be charged: the difference, so that nothing is charged twice. */
import type { Bill, Key, Meter } from './meters/meter.js';
import type { Entry, Receipt } from './store/store.js';

export interface Amendment {
  /** What is lacking: to be charged all or none. */
  readonly missing: readonly Bill[];
  /** Entries that were charged too much, and what they come to. */
  readonly surplus: Receipt;
  readonly surplusActual: readonly number[];
  /** Entries that go on, in whole or in part. */
  readonly kept: Receipt;
}

export function amendment(receipt: Receipt, bills: readonly Bill[]): Amendment {
  const surplus: Entry[] = [];
  const surplusActual: number[] = [];
  const kept: Entry[] = [];
  for (const [i, entry] of receipt.entries()) {
    const wanted = costFor(entry, bills);
    const before = bookedFor(entry.charge.meter, entry.key, receipt.slice(0, i)) ?? 0;
    const actual = Math.min(entry.cost, Math.max(0, (wanted ?? 0) - before));
    if (wanted !== undefined) kept.push(entry);
    if (actual === entry.cost) continue;
    surplus.push(entry);
    surplusActual.push(actual);
  }
  return { missing: bills.flatMap((bill) => lackingOf(bill, receipt)), surplus, surplusActual, kept };
}

/** An entry as if what is booked now had been charged from the start. */
export function asCharged(entry: Entry): Entry {
  return entry.cost === entry.charge.cost ? entry : { ...entry, charge: { ...entry.charge, cost: entry.cost } };
}

/** What of a bill is not booked yet; no bill where all is. */
function lackingOf(bill: Bill, receipt: Receipt): Bill[] {
  const charges = bill.charges.flatMap((charge) => {
    const booked = bookedFor(charge.meter, bill.key, receipt);
    if (booked !== undefined && booked >= charge.cost) return [];
    return { ...charge, cost: charge.cost - (booked ?? 0) };
  });
  return charges.length === 0 ? [] : [{ ...bill, charges }];
}

/** What the bills want of an entry's meter and key; `undefined` where they don't name it. */
function costFor({ charge: { meter }, key }: Entry, bills: readonly Bill[]): number | undefined {
  const bill = bills.find((bill) => bill.scope === meter.scope && isSameKey(bill.key, key));
  return bill?.charges.find((charge) => charge.meter === meter)?.cost;
}

/** What is booked on a meter and key; `undefined` where it has no entry. */
function bookedFor(meter: Meter, key: Key, receipt: Receipt): number | undefined {
  const same = receipt.filter((entry) => entry.charge.meter === meter && isSameKey(entry.key, key));
  return same.length === 0 ? undefined : same.reduce((total, { cost }) => total + cost, 0);
}

function isSameKey(a: Key, b: Key): boolean {
  return a.every((value, i) => value === b[i]);
}
