/** Receipts as text, for another process: with meters by what any process knows them by, and who by the key alone. */
import { type Charge, keyIn, type Meter, whoHas } from '../meters/meter.js';
import type { Entry, Receipt } from '../store/store.js';

interface WrittenEntry {
  readonly charge: Omit<Charge, 'meter'>;
  readonly meter: Omit<Meter, 'scope' | 'outside'>;
  readonly by: readonly string[];
  readonly key: readonly (string | null)[];
  /** By which the store finds it again: what is booked, where, and what else it has put there. */
  readonly numbers: Readonly<Record<string, number | undefined>>;
  readonly origin: object | undefined;
}

/** What can be infinite, which JSON has no word for: no other number of a charge is missing. */
const MAY_BE_INFINITE = new Set(['limit', 'whole', 'perMs']);

export function writeReceipt(receipt: Receipt): string {
  return JSON.stringify(receipt.map(written));
}

/** @param meters of the gate that reads it. Of others that were charged there is what stores have to know of them */
export function readReceipt(text: string, meters: Iterable<Meter>): Receipt {
  const byId = new Map([...meters].map((meter) => [meter.id, meter]));
  return (JSON.parse(text, revived) as readonly WrittenEntry[]).map((entry) => entryOf(entry, byId));
}

function written({ charge, who, origin, ...rest }: Entry): WrittenEntry {
  const { meter, ...terms } = charge;
  const { scope, outside: _, ...known } = meter;
  const key = keyIn(scope, who).map((value) => value ?? null);
  const numbers = Object.fromEntries(Object.entries(rest).filter(([, value]) => typeof value === 'number'));
  return { charge: terms, meter: known, by: scope.by, key, numbers, origin };
}

function entryOf({ charge, meter, by, key, numbers, origin }: WrittenEntry, meters: ReadonlyMap<string, Meter>): Entry {
  const scope = { by, at: by.map((_, i) => i) } as Meter['scope'];
  const known = meters.get(meter.id) ?? { ...meter, scope };
  const values = key.map((value) => value ?? undefined);
  return {
    used: undefined,
    ...numbers,
    origin,
    charge: { ...charge, meter: known },
    who: whoHas(values, known.scope),
  } as Entry;
}

function revived(name: string, value: unknown): unknown {
  return value === null && MAY_BE_INFINITE.has(name) ? Number.POSITIVE_INFINITY : value;
}
