/** From what an admission has been charged to what it is to be charged: the difference, so that nothing is charged twice. */
import type { Bill, Key, Meter } from './meters/meter.js';
import type { Entry, Receipt } from './store/store.js';

export interface Amendment {
  /** What is lacking: to be charged all or none. */
  readonly missing: readonly Bill[];
  /** What each entry comes to: at most what is booked; `undefined` where nothing is charged there any more. */
  readonly wanted: readonly (number | undefined)[];
}

export function amendment(receipt: Receipt, bills: readonly Bill[]): Amendment {
  const wanted = receipt.map((entry, i) => {
    const cost = costFor(entry, bills);
    const before = bookedFor(entry.charge.meter, entry.bill.key, receipt.slice(0, i)) ?? 0;
    return cost === undefined ? undefined : Math.min(entry.cost, Math.max(0, cost - before));
  });
  return { missing: bills.flatMap((bill) => lackingOf(bill, receipt)), wanted };
}

/** The entries as if they had been charged what is wanted; what could not be given back is to be, when they are settled. */
export function amended(receipt: Receipt, wanted: readonly (number | undefined)[]): Receipt {
  return receipt.flatMap((entry, i): Entry[] => {
    const cost = wanted[i] ?? 0;
    if (wanted[i] === undefined && entry.cost === 0) return [];
    return [entry.charge.cost === cost ? entry : { ...entry, charge: { ...entry.charge, cost } }];
  });
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
function costFor({ charge: { meter }, bill: { key } }: Entry, bills: readonly Bill[]): number | undefined {
  const wanted = bills.find((bill) => bill.scope === meter.scope && isSameKey(bill.key, key));
  return wanted?.charges.find((charge) => charge.meter === meter)?.cost;
}

/** What is booked on a meter and key; `undefined` where it has no entry. */
function bookedFor(meter: Meter, key: Key, receipt: Receipt): number | undefined {
  const same = receipt.filter((entry) => entry.charge.meter === meter && isSameKey(entry.bill.key, key));
  return same.length === 0 ? undefined : same.reduce((total, { cost }) => total + cost, 0);
}

function isSameKey(a: Key, b: Key): boolean {
  return a.every((value, i) => value === b[i]);
}
