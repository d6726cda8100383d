/** Reads limits and budgets as they are configured: one at a time, all their problems at once. */
import { z } from 'zod';
import { type AdaptiveOptions, isAdaptive, leaseField, readAdaptive } from './line/concurrency-options.js';
import { createSlotsByKey } from './line/slots-by-key.js';
import type { HeadroomTerms, Layer } from './meters/charges.js';
import { type HeadroomRule, headroomRule } from './meters/headroom.js';
import type { Rule } from './meters/meter.js';
import type { Limiter } from './meters/outside.js';
import { byFunction, byPlan, type PerSubject, wrongLimit } from './meters/per-subject.js';
import { calendarRule, isTimeZone } from './meters/periods.js';
import { windowRule } from './meters/window.js';
import { parseMoney } from './money/nano-dollars.js';
import type { Dimension, Subject, Whom } from './request.js';
import {
  A_NAME,
  field,
  givenOneOf,
  isRecord,
  oneOf,
  optionalField,
  type Parse,
  parseName,
  reading,
  readMap,
} from './schema.js';
import { isCost, parseCount, parseDuration, parseRate, parseWhole } from './units.js';

const LONGEST_WINDOW = 366 * 86_400_000;

const A_COUNT = "a number from 0 to 2^53 - 1 such as 100 or '200k', or Infinity";
const A_NUMBER_OF_SLOTS = 'a whole number from 1, or Infinity';
const A_RATE = "a rate above 0 such as '100/h', '10/s' or '200k/m'";
const AN_AMOUNT =
  "an amount from '$0' to '$9007199' such as '$500' or '$0.25' (more can't be counted to the nano-dollar)";
const SHARES = 'a list of shares above 0 and up to 1, ascending';

/** A limit or budget as it is read by itself. */
export type ReadLayer = Omit<Layer, 'whenFull'> & { readonly whenFull: Layer['whenFull'] | undefined };

/** What may depend on the subject. Its errors need the limit's name. */
type Named<T> = (limit: string) => T | PerSubject<T>;

/** A field with one value, a map of values by plan, or a function of the subject. */
function perSubject<T>(expected: string, parse: Parse<T>) {
  return reading((value, context) => readPerSubject(value, expected, parse, context));
}

function readPerSubject<T>(
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

const WHEN_FULL = ['refuse', 'wait'] as const;

const layerFields = {
  name: field(A_NAME, parseName),
  by: field("a dimension such as 'user', or a list of different ones such as ['user', 'feature']", parseDimensions),
  mode: oneOf(['enforce', 'shadow']),
  whenFull: optionalField("'refuse' or 'wait'", (value) => WHEN_FULL.find((word) => word === value)),
};

const onStoreError = oneOf(['local', 'closed', 'open']);

const limitFields = {
  ...layerFields,
  onStoreError,
  unit: oneOf(['permits', 'requests', 'tokens', 'inputTokens', 'outputTokens']),
};

const windowField = field("a duration from 10ms to 366d such as '30s', '1m', '6h' or '1d'", parseWindow);

export const slidingWindow = z
  .strictObject({
    ...limitFields,
    kind: z.literal('slidingWindow'),
    limit: perSubject(A_COUNT, parseCount),
    window: windowField,
    parts: field('a whole number from 2 to 1000', parseParts),
  })
  .transform(({ name, by, unit, mode, onStoreError, whenFull, limit, window, parts }): ReadLayer => {
    const rule = windowRule(window, parts);
    const shape = `window ${rule.partMs} × ${rule.parts}`;
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, whenFull, limit: limit(name), rule, shape };
  });

export const tokenBucket = z
  .strictObject({
    ...limitFields,
    kind: z.literal('tokenBucket'),
    capacity: perSubject(A_COUNT, parseCount),
    refill: perSubject(A_RATE, parseRefill),
  })
  .transform(({ name, by, unit, mode, onStoreError, whenFull, capacity, refill }): ReadLayer => {
    return {
      name,
      by,
      unit,
      shadow: mode === 'shadow',
      onStoreError,
      whenFull,
      limit: capacity(name),
      rule: refill(name),
      shape: 'bucket',
    };
  });

const concurrencyLimit = reading((value, context): AdaptiveOptions | Named<number> => {
  if (isAdaptive(value)) return readAdaptive(value, context);
  return readPerSubject(value, A_NUMBER_OF_SLOTS, parseSlots, context, '; or { min, max } to adapt between');
});

const A_LIMITER =
  'a limiter of rate-limiter-flexible, such as new RateLimiterRedis({ … }); those of a RateLimiterUnion each as a limit of its own';

const NO_BLOCK =
  '0, as a gate gives back what a limiter has counted for a request that is refused, and would end a block by that or prolong it';

export const flexible = z
  .strictObject({
    name: layerFields.name,
    by: layerFields.by,
    mode: layerFields.mode,
    unit: limitFields.unit,
    onStoreError: oneOf(['closed', 'open']),
    kind: z.literal('flexible'),
    limiter: reading(readLimiter),
  })
  .transform(({ name, by, unit, mode, onStoreError, limiter }): ReadLayer => {
    const { points: limit = Number.POSITIVE_INFINITY, duration = 0 } = innermost(limiter);
    const rule = windowRule(duration > 0 ? duration * 1000 : LONGEST_WINDOW, 1);
    const outside = { limiter, isEndless: duration === 0, failsOpen: onStoreError === 'open' };
    const shape = 'outside';
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, whenFull: 'refuse', limit, rule, shape, outside };
  });

export const concurrency = z
  .strictObject({
    ...layerFields,
    onStoreError,
    kind: z.literal('concurrency'),
    limit: concurrencyLimit,
    lease: leaseField,
  })
  .transform(({ name, by, mode, onStoreError, whenFull, limit, lease }): ReadLayer => {
    const slots = slotsOf(typeof limit === 'function' ? limit(name) : limit, lease);
    return { name, by, shadow: mode === 'shadow', onStoreError, whenFull, ...slots };
  });

/** What makes a layer one of slots. */
export function slotsOf(
  limit: number | PerSubject<number> | AdaptiveOptions,
  leaseMs: number,
): Pick<Layer, 'unit' | 'limit' | 'rule' | 'shape' | 'adaptive'> {
  const rule = { kind: 'slots', leaseMs } as const;
  const shape = `slots ${leaseMs}`;
  if (typeof limit !== 'object') return { unit: 'slots', limit, rule, shape };
  return { unit: 'slots', limit: limit.max, rule, shape, adaptive: createSlotsByKey(limit, leaseMs) };
}

const headroomLimit = reading((value, context): number | ((whom: Whom) => unknown) => {
  if (typeof value === 'function') return value as (whom: Whom) => unknown;
  const limit = parseCount(value);
  if (limit === undefined) context.addIssue({ code: 'custom', message: `${A_COUNT}; or a function of the subject` });
  return limit ?? z.NEVER;
});

export const headroom = z
  .strictObject({
    ...layerFields,
    onStoreError,
    unit: oneOf(['requests', 'tokens', 'inputTokens', 'outputTokens']),
    kind: z.literal('headroom'),
    limit: headroomLimit,
    window: windowField,
  })
  .transform(({ name, by, unit, mode, onStoreError, whenFull, limit, window }): ReadLayer => {
    const headroom = headroomTerms(name, window, limit);
    const none = Number.POSITIVE_INFINITY;
    const rule = headroom.rule(none);
    const shape = `headroom ${window}`;
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, whenFull, limit: none, rule, shape, headroom };
  });

/** Limits that are learned change now and then: rules of more than these are made anew. */
const MOST_RULES = 1000;

function headroomTerms(name: string, ms: number, given: number | ((whom: Whom) => unknown)): HeadroomTerms {
  const rules = new Map<number, HeadroomRule>();
  return {
    limit(whom) {
      if (typeof given === 'number') return given;
      const limit = given(whom());
      if (limit === undefined || limit === Number.POSITIVE_INFINITY || isCost(limit)) return limit;
      throw wrongLimit(name, limit, 'a number from 0 to 2^53 - 1, Infinity, or undefined for what is not counted');
    },
    rule(limit) {
      const known = rules.get(limit);
      if (known !== undefined) return known;
      if (rules.size >= MOST_RULES) rules.clear();
      const rule = headroomRule(ms, limit);
      rules.set(limit, rule);
      return rule;
    },
  };
}

export const budget = z
  .strictObject({
    ...layerFields,
    kind: z.literal('budget', { error: 'what budget({ … }) returns' }),
    onStoreError: oneOf(['closed', 'open'], ' (a share of a budget can be spent anew by every process that starts)'),
    limit: perSubject(AN_AMOUNT, parseMoney),
    per: givenOneOf(['hour', 'day', 'week', 'month']),
    timeZone: field("a time zone such as 'UTC' or 'Europe/Berlin'", (value = 'UTC') =>
      isTimeZone(value) ? value : undefined,
    ),
    reserve: oneOf(['likely', 'worst']),
    degradeAt: field(`${SHARES}, such as [0.8, 0.95]`, parseShares),
    alertAt: field(`${SHARES}, such as [0.5, 0.8, 1]`, parseShares),
  })
  .transform(
    ({ name, by, mode, onStoreError, whenFull, limit, per, timeZone, reserve, degradeAt, alertAt }): ReadLayer => {
      const rule = calendarRule(per, timeZone);
      return {
        name,
        by,
        unit: 'usd',
        shadow: mode === 'shadow',
        onStoreError,
        whenFull,
        limit: limit(name),
        rule: (_, now) => rule(now),
        shape: `${per} ${timeZone}`,
        budget: { reserve, degradeAt, alertAt },
      };
    },
  );

function parseDimensions(value: unknown = []): readonly Dimension[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const valid = list.every((one) => typeof one === 'string' && one !== '') && new Set(list).size === list.length;
  return valid ? (list as readonly Dimension[]) : undefined;
}

function readLimiter(value: unknown, context: z.core.$RefinementCtx): Limiter {
  const limiter = (value ?? {}) as Limiter;
  if (typeof limiter.consume !== 'function' || typeof limiter.get !== 'function') {
    context.addIssue({ code: 'custom', message: A_LIMITER });
    return z.NEVER;
  }
  for (const option of ['blockDuration', 'inMemoryBlockOnConsumed'] as const) {
    if (!((innermost(limiter)[option] ?? 0) > 0)) continue;
    context.addIssue({ code: 'custom', path: [option], message: NO_BLOCK });
  }
  return limiter;
}

/** What counts: wrappers, such as RLWrapperTimeouts, say nothing of it. */
function innermost(limiter: Limiter): Limiter {
  return limiter.limiter === undefined ? limiter : innermost(limiter.limiter);
}

function parseSlots(value: unknown): number | undefined {
  return value === Number.POSITIVE_INFINITY ? value : parseWhole(value);
}

function parseWindow(value: unknown): number | undefined {
  const ms = parseDuration(value);
  return ms !== undefined && ms >= 10 && ms <= LONGEST_WINDOW ? ms : undefined;
}

function parseParts(value: unknown = 10): number | undefined {
  return Number.isInteger(value) && (value as number) >= 2 && (value as number) <= 1000 ? (value as number) : undefined;
}

function parseRefill(value: unknown): Rule | undefined {
  const perMs = parseRate(value);
  return perMs === undefined ? undefined : { kind: 'bucket', perMs };
}

function parseShares(value: unknown = []): readonly number[] | undefined {
  if (!Array.isArray(value)) return undefined;
  const shares: readonly unknown[] = [...value];
  const isRight = shares.every((one, i) => typeof one === 'number' && one > Number(shares[i - 1] ?? 0) && one <= 1);
  return isRight ? (shares as readonly number[]) : undefined;
}
