/** How changes are written for other processes. */
import type { TollgateChange } from '../config.js';
import { isRecord } from '../schema.js';

/** JSON has no word for it, and no value of a change is this text. */
const INFINITY = '∞';

/** A change as a text. Nothing in it may be {@link untellable}. */
export function changeText(change: TollgateChange): string {
  return JSON.stringify(change, (_, value) => (value === Number.POSITIVE_INFINITY ? INFINITY : value));
}

export function readChange(text: string): TollgateChange {
  return JSON.parse(text, (_, value) => (value === INFINITY ? Number.POSITIVE_INFINITY : value));
}

/** Where in a value there is something that can't be told, such as `change.prices.costOf`; `undefined` if nothing is. */
export function untellable(value: unknown, path = 'change'): string | undefined {
  if (Array.isArray(value) || isPlain(value)) {
    for (const [name, inner] of Object.entries(value)) {
      const found = untellable(inner, `${path}.${name}`);
      if (found !== undefined) return found;
    }
    return undefined;
  }
  const isTold = value === undefined || value === null || ['string', 'number', 'boolean'].includes(typeof value);
  return isTold ? undefined : path;
}

/** False for instances of classes: what they do would be lost. */
function isPlain(value: unknown): value is Record<string, unknown> {
  if (!isRecord(value)) return false;
  const prototype = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
