/** Whom a meter counts: the values of its dimensions, read from what is asked. */
import { createHash } from 'node:crypto';
import { warnOnce, wrongValue } from '../errors.js';
import type { Dimension, Subject } from '../request.js';
import type { Asked } from './asked.js';
import type { Key } from './meter.js';

/** Reads a dimension's value, whatever the app has put there. */
export type Read = (asked: Asked) => unknown;

/** Read by name where the name is known: the engine is quick at that, and this is done for every request. */
const READ: Readonly<Record<string, Read>> = {
  user: ({ subject }) => subject.user,
  tenant: ({ subject }) => subject.tenant,
  key: ({ subject }) => subject.key,
  plan: ({ subject }) => subject.plan,
  ip: ({ subject }) => subject.ip,
  feature: ({ request }) => request.feature,
  route: ({ request }) => request.route,
  model: ({ rung }) => rung.model,
  provider: ({ request }) => request.provider,
};

/** A longer value is counted by its digest, so that no caller decides how much memory a key takes. */
const LONGEST_VALUE = 128;

const ALL: Key = [];

export function readerOf(dimension: Dimension): Read {
  return Object.hasOwn(READ, dimension) ? READ[dimension] : ({ subject }) => subject[dimension as keyof Subject];
}

/**
 * The key of what is asked, by dimensions and how to read each of them. Nearly all limits have two dimensions at most, and
 * an array that is born complete takes a fifth of one that grows.
 *
 * @param warned what has been warned of
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a value that is none
 */
export function keyOf(by: readonly Dimension[], read: readonly Read[], asked: Asked, warned: Set<string>): Key {
  if (read.length === 0) return ALL;
  const first = keyValue(by[0], read[0](asked), warned);
  if (read.length === 1) return [first];
  const second = keyValue(by[1], read[1](asked), warned);
  if (read.length === 2) return [first, second];
  return read.map((read, i) => keyValue(by[i], read(asked), warned));
}

function keyValue(dimension: Dimension, value: unknown, warned: Set<string>): string | undefined {
  const isPlain = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_VALUE;
  return isPlain ? value : otherValue(dimension, value, warned);
}

function otherValue(dimension: Dimension, value: unknown, warned: Set<string>): string | undefined {
  if (typeof value === 'string' && value !== '') return digest(value);
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (value !== undefined && value !== null && value !== '') {
    const expected = 'a string, a number, or undefined where it is not known';
    throw wrongValue('TOLLGATE_REQUEST_INVALID', dimension, value, expected);
  }
  warnOnce(
    warned,
    dimension,
    'TOLLGATE_DIMENSION_MISSING',
    `A request came without '${dimension}', which limits count by. All such requests are counted together, as one ` +
      `${dimension}. Say who or what this is (in identify, or on the route), or count by something else.`,
  );
  return undefined;
}

/** Longer than any value that is kept as it is, so it can't be mistaken for one. */
function digest(value: string): string {
  return `sha512:${createHash('sha512').update(value, 'utf8').digest('hex')}`;
}
