/** Charges to try stores with. */
import type { Alternative, Bill, Charge, Entry, Key, Meter, Rule, Scope } from '@tollgate/core';
import fc from 'fast-check';
import type { Keyed } from '../../helpers/oracle-store.js';

export const START = 1_700_000_000_000;

/** Milliseconds from one step to the next: none, within a sub-bucket, a window, past most or all of them, or back. */
export const PAUSES = fc.oneof(
  fc.constant(0),
  fc.nat(150),
  fc.nat(2_000),
  fc.nat(70_000),
  fc.nat(2_400_000),
  fc.integer({ min: -9_999, max: 0 }),
);

export const WINDOW: Rule = { kind: 'window', ms: 1_000, parts: 10, partMs: 100 };
export const COARSE: Rule = { kind: 'window', ms: 60_000, parts: 4, partMs: 15_000 };
/** A power of two, so that refills are exact in doubles. */
export const BUCKET: Rule = { kind: 'bucket', perMs: 2 ** -10 };

export const SLOTS: Rule = { kind: 'slots', leaseMs: 1_000 };

/** The rule of a calendar's period at a time, where all periods are of this length. */
export const calendar =
  (ms: number) =>
  (at: number): Rule => {
    const period = Math.floor(at / ms);
    return { kind: 'calendar', period, startsAt: period * ms, resetsAt: (period + 1) * ms };
  };

/** The length of the periods of `daily`, one of which begins at `START`. */
export const PERIOD = 100_000_000;

export const daily = calendar(PERIOD);

/** Meters of two scopes; new ones each time, as each gate has its own. */
export function makeMeters() {
  const byUser: Scope = { by: ['user'], at: [1] };
  const byBoth: Scope = { by: ['user', 'feature'], at: [1, 0] };
  const meter = (name: string, position: number, scope: Scope): Meter => ({
    id: name,
    name,
    position,
    unit: 'permits',
    scope,
  });
  const budget = (name: string, position: number, scope: Scope): Meter => ({
    id: name,
    name,
    position,
    unit: 'usd',
    scope,
  });
  return {
    window: meter('window', 0, byUser),
    bucket: meter('bucket', 1, byUser),
    coarse: meter('coarse', 2, byBoth),
    other: meter('other', 3, byBoth),
    budget: budget('budget', 4, byUser),
    longer: budget('longer', 5, byBoth),
    slots: { id: 'slots', name: 'slots', position: 6, unit: 'slots', scope: byUser } as Meter,
    headroom: meter('headroom', 7, byUser),
  };
}

export function charge(meter: Meter, rule: Rule, key: Key, cost: number, limit = 10, shadow = false): Keyed {
  return { charge: { meter, rule, cost, limit, whole: limit, whenFull: 'refuse', shadow }, key };
}

/** What the owner of an entry does before settling it, where its period has ended. */
export function renew(entry: Entry, rule: Rule): void {
  entry.charge = { ...entry.charge, rule };
}

/** What an entry was charged, and for which key. */
export function keyedOf({ charge, who }: Entry): Keyed {
  return { charge, key: charge.meter.scope.at.map((i) => who[i]) };
}

/** All of it as one alternative, with one bill for each scope. Keys have to agree on who it is. */
export function alternativeOf(charges: readonly Keyed[], name = ''): Alternative {
  const who: (string | undefined)[] = [];
  const bills: (Bill & { charges: Charge[] })[] = [];
  for (const { charge, key } of charges) {
    const { scope } = charge.meter;
    for (const [i, place] of scope.at.entries()) {
      if (place in who && who[place] !== key[i]) throw new Error(`either ${who[place]} or ${key[i]}`);
      who[place] = key[i];
    }
    const bill = bills.find((bill) => bill.scope === scope);
    if (bill) bill.charges.push(charge);
    else bills.push({ scope, charges: [charge] });
  }
  return { name, who, bills };
}
