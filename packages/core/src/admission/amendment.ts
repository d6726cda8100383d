/** From what an admission has been charged to what it is to be charged: the difference, so that nothing is charged twice. */
import type { Bill, Meter, Scope, Who } from '../meters/meter.js';
import type { Alternative, Entry, Receipt } from '../store/store.js';

export interface Amendment {
  /** What is lacking: to be charged all or none. */
  readonly missing: readonly Bill[];
  /** What each entry comes to: at most what is booked; `undefined` where nothing is charged there any more. */
  readonly wanted: readonly (number | undefined)[];
}

export function amendment(receipt: Receipt, { who, bills }: Alternative): Amendment {
  const wanted = receipt.map((entry, i) => {
    const cost = costFor(entry, who, bills);
    const before = bookedFor(entry.charge.meter, entry.who, receipt.slice(0, i)) ?? 0;
    return cost === undefined ? undefined : Math.min(entry.cost, Math.max(0, cost - before));
  });
  return { missing: bills.flatMap((bill) => lackingOf(who, bill, receipt)), wanted };
}

/** Lets the entries be of charges of what is wanted, whatever is booked. */
export function amendCharges(receipt: Receipt, wanted: Amendment['wanted']): void {
  for (const [i, entry] of receipt.entries()) {
    const cost = wanted[i] ?? 0;
    if (entry.charge.cost !== cost) entry.charge = { ...entry.charge, cost };
  }
}

/** What of a bill is not booked yet; no bill where all is. */
function lackingOf(who: Who, bill: Bill, receipt: Receipt): Bill[] {
  const charges = bill.charges.flatMap((charge) => {
    const booked = bookedFor(charge.meter, who, receipt);
    if (booked !== undefined && booked >= charge.cost) return [];
    return { ...charge, cost: charge.cost - (booked ?? 0) };
  });
  return charges.length === 0 ? [] : [{ ...bill, charges }];
}

/** What the bills want of an entry's meter and key; `undefined` where they don't name it. */
function costFor({ charge: { meter }, who: charged }: Entry, who: Who, bills: readonly Bill[]): number | undefined {
  const wanted = bills.find(({ scope }) => scope === meter.scope && isSameKey(scope, who, charged));
  return wanted?.charges.find((charge) => charge.meter === meter)?.cost;
}

/** What is booked on a meter and key; `undefined` where it has no entry. */
function bookedFor(meter: Meter, who: Who, receipt: Receipt): number | undefined {
  const same = receipt.filter((entry) => entry.charge.meter === meter && isSameKey(meter.scope, entry.who, who));
  return same.length === 0 ? undefined : same.reduce((total, { cost }) => total + cost, 0);
}

function isSameKey({ at }: Scope, a: Who, b: Who): boolean {
  return at.every((i) => a[i] === b[i]);
}
