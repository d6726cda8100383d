/** By what names records are kept. */
import { createHash } from 'node:crypto';
import type { Meter, Scope, Who } from '../../meters/meter.js';

export function scopeName({ by }: Scope): string {
  return by.map(encodeURIComponent).join();
}

/**
 * The name of the record that somebody has in a scope. Each value comes with its length, so that whatever a caller puts
 * there, no two keys have the same name.
 *
 * @param start what the names of all records of the scope begin with
 */
export function recordName(start: string, { at }: Scope, who: Who): string {
  let name = start;
  for (let i = 0; i < at.length; i++) name += valueName(who[at[i]]);
  return name;
}

/** A value with its length, so that what follows is no part of it. */
export function valueName(value: string | undefined): string {
  if (value === undefined) return ':-';
  // What isn't Unicode would be sent as the same replacement character.
  if (value.isWellFormed()) return `:${value.length}:${value}`;
  return `:~${value.length}:${Buffer.from(value, 'utf16le').toString('hex')}`;
}

/** The names of the sets of those who wait for meters. */
export function createWaitersNames(head: string): (meter: Meter, who: Who) => string {
  const starts = new WeakMap<Meter, string>();
  return (meter, who) => {
    const { scope } = meter;
    const start = starts.get(meter) ?? `${head}/waiters/${meterNumber(meter)}/${scopeName(scope)}`;
    starts.set(meter, start);
    return recordName(start, scope, who);
  };
}

/** Of all of them: when each instance is dead. */
export function waitingName(head: string): string {
  return `${head}/waiting`;
}

/** The 35 bits by which a section says whose it is, as a number. */
export function meterNumber({ id }: Meter): number {
  return createHash('sha256').update(id).digest().readUIntBE(0, 5) % 2 ** 35;
}
