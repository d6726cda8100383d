/** Whom a meter counts: the values of its dimensions, read from what is asked. */
import { createHash } from 'node:crypto';
import { warnOnce, wrongValue } from '../errors.js';
import type { AdmitRequest, Dimension, Subject } from '../request.js';
import type { Who } from './meter.js';

/** Reads a dimension's value, whatever the app has put there. */
export type Read = (subject: Subject, request: AdmitRequest, model: string | undefined) => unknown;

/** Read by name where the name is known: the engine is quick at that, and this is done for every request. */
const READ: Readonly<Record<string, Read>> = {
  user: (subject) => subject.user,
  tenant: (subject) => subject.tenant,
  key: (subject) => subject.key,
  plan: (subject) => subject.plan,
  ip: (subject) => subject.ip,
  feature: (_, request) => request.feature,
  route: (_, request) => request.route,
  model: (_, __, model) => model,
  provider: (_, request) => request.provider,
};

/** A longer value is counted by its digest, so that no caller decides how much memory a key takes. */
const LONGEST_VALUE = 128;

const NOBODY: Who = [];

export function readerOf(dimension: Dimension): Read {
  return Object.hasOwn(READ, dimension) ? READ[dimension] : (subject) => subject[dimension as keyof Subject];
}

/**
 * Who asks, by dimensions and how to read each of them. Most gates have a few at most, and an array that is born complete
 * takes a fifth of one that grows.
 *
 * @param model that may serve the request
 * @param warned what has been warned of; a dimension without a value is not, where this is left out
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a value that is none
 */
export function whoAsks(
  by: readonly Dimension[],
  read: readonly Read[],
  subject: Subject,
  request: AdmitRequest,
  model: string | undefined,
  warned?: Set<string>,
): Who {
  if (read.length === 0) return NOBODY;
  const first = valueFor(by[0], read[0](subject, request, model), warned);
  if (read.length === 1) return [first];
  const second = valueFor(by[1], read[1](subject, request, model), warned);
  if (read.length === 2) return [first, second];
  const third = valueFor(by[2], read[2](subject, request, model), warned);
  if (read.length === 3) return [first, second, third];
  const others = read.slice(3).map((read, i) => valueFor(by[i + 3], read(subject, request, model), warned));
  return [first, second, third, ...others];
}

function valueFor(dimension: Dimension, value: unknown, warned: Set<string> | undefined): string | undefined {
  const isPlain = typeof value === 'string' && value.length > 0 && value.length <= LONGEST_VALUE;
  return isPlain ? value : otherValue(dimension, value, warned);
}

function otherValue(dimension: Dimension, value: unknown, warned: Set<string> | undefined): string | undefined {
  if (typeof value === 'string' && value !== '') return digest(value);
  if (Number.isFinite(value) || typeof value === 'bigint') return String(value);
  if (value !== undefined && value !== null && value !== '') {
    const expected = 'a string, a finite number, or undefined where it is not known';
    throw wrongValue('TOLLGATE_REQUEST_INVALID', dimension, value, expected);
  }
  if (warned !== undefined) warnOfMissing(dimension, warned);
  return undefined;
}

function warnOfMissing(dimension: Dimension, warned: Set<string>): void {
  warnOnce(
    warned,
    dimension,
    'TOLLGATE_DIMENSION_MISSING',
    `A request came without '${dimension}', which limits count by. All such requests are counted together, as one ` +
      `${dimension}. Say who or what this is (in identify, or on the route), or count by something else.`,
  );
}

/** Longer than any value that is kept as it is, so it can't be mistaken for one. */
function digest(value: string): string {
  return `sha512:${createHash('sha512').update(value, 'utf8').digest('hex')}`;
}
