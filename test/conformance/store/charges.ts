/** Charges to try stores with. */
import type { Charge, Key, Meter, Rule, Scope } from '@tollgate/core';

export const START = 1_700_000_000_000;
export const WINDOW: Rule = { kind: 'window', ms: 1_000, parts: 10, partMs: 100 };
export const COARSE: Rule = { kind: 'window', ms: 60_000, parts: 4, partMs: 15_000 };
/** A power of two, so that refills are exact in doubles. */
export const BUCKET: Rule = { kind: 'bucket', perMs: 2 ** -10 };

/** Meters of two scopes; new ones each time, as each gate has its own. */
export function makeMeters() {
  const byUser: Scope = { by: ['user'] };
  const byBoth: Scope = { by: ['user', 'feature'] };
  const meter = (name: string, position: number, scope: Scope): Meter => ({ name, position, unit: 'permits', scope });
  return {
    window: meter('window', 0, byUser),
    bucket: meter('bucket', 1, byUser),
    coarse: meter('coarse', 2, byBoth),
    other: meter('other', 3, byBoth),
  };
}

export function charge(meter: Meter, rule: Rule, key: Key, cost: number, limit = 10, shadow = false): Charge {
  return { meter, rule, key, cost, limit, shadow };
}
