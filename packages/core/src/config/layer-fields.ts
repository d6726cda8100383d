/** The fields that limits and budgets have in common, as they are configured. */
import { z } from 'zod';
import type { Layer } from '../meters/charges.js';
import { byFunction, byPlan, type PerSubject } from '../meters/per-subject.js';
import type { Dimension, Subject } from '../request.js';
import {
  A_NAME,
  field,
  isRecord,
  oneOf,
  optionalField,
  type Parse,
  parseName,
  reading,
  readList,
  readMap,
} from '../schema.js';
import { parseDuration } from '../units.js';

export const LONGEST_WINDOW = 366 * 86_400_000;

export const A_COUNT = "a number from 0 to 2^53 - 1 such as 100 or '200k', or Infinity";
/** A limit or budget as it is read by itself. */
export type ReadLayer = Omit<Layer, 'whenFull'> & { readonly whenFull: Layer['whenFull'] | undefined };

/** What may depend on the subject. Its errors need the limit's name. */
export type Named<T> = (limit: string) => T | PerSubject<T>;

/** A field with one value, a map of values by plan, or a function of the subject. */
export function perSubject<T>(expected: string, parse: Parse<T>) {
  return reading((value, context) => readPerSubject(value, expected, parse, context));
}

export function readPerSubject<T>(
  value: unknown,
  expected: string,
  parse: Parse<T>,
  context: z.core.$RefinementCtx,
  remark = '',
): Named<T> {
  const one = parse(value);
  if (one !== undefined) return () => one;
  if (typeof value === 'function') {
    return (limit) => byFunction(limit, value as (subject: Subject) => unknown, expected, parse);
  }
  if (isRecord(value) && Object.keys(value).length > 0) {
    const plans = readMap(value, expected, parse, context);
    return (limit) => byPlan(limit, plans);
  }
  const message = `${expected}; a map of such by plan; or a function of the subject${remark}`;
  context.addIssue({ code: 'custom', message });
  return z.NEVER;
}

const BY = "a dimension such as 'user', or a list of different ones such as ['user', 'feature']";

const WHEN_FULL = ['refuse', 'wait'] as const;

export const layerFields = {
  name: field(A_NAME, parseName),
  by: reading((value = [], context): readonly Dimension[] => {
    if (Array.isArray(value)) return readList(value, "a dimension such as 'user', each once", parseDimension, context);
    const dimension = parseDimension(value, []);
    if (dimension !== undefined) return [dimension];
    context.addIssue({ code: 'custom', message: BY });
    return z.NEVER;
  }),
  mode: oneOf(['enforce', 'shadow']),
  whenFull: optionalField("'refuse' or 'wait'", (value) => WHEN_FULL.find((word) => word === value)),
};

export const onStoreError = oneOf(['local', 'closed', 'open']);

export const limitFields = {
  ...layerFields,
  onStoreError,
  unit: oneOf(['permits', 'requests', 'tokens', 'inputTokens', 'outputTokens']),
};

export const windowField = field("a duration from 10ms to 366d such as '30s', '1m', '6h' or '1d'", parseWindow);

function parseDimension(value: unknown, before: readonly Dimension[]): Dimension | undefined {
  const isOne = typeof value === 'string' && value !== '' && !before.includes(value as Dimension);
  return isOne ? (value as Dimension) : undefined;
}

function parseWindow(value: unknown): number | undefined {
  const ms = parseDuration(value);
  return ms !== undefined && ms >= 10 && ms <= LONGEST_WINDOW ? ms : undefined;
}
