/** Reads limits and budgets as they are configured: one at a time, all their problems at once. */
import { z } from 'zod';
import { type AdaptiveOptions, isAdaptive, leaseField, readAdaptive } from '../line/concurrency-options.js';
import { createSlotsByKey } from '../line/slots-by-key.js';
import type { Layer } from '../meters/charges.js';
import type { Rule } from '../meters/meter.js';
import type { PerSubject } from '../meters/per-subject.js';
import { calendarRule, isTimeZone } from '../meters/periods.js';
import { windowRule } from '../meters/window.js';
import { parseMoney } from '../money/nano-dollars.js';
import { field, givenOneOf, oneOf, optionalList, reading } from '../schema.js';
import { parseCount, parseRate, parseWhole } from '../units.js';
import {
  A_COUNT,
  layerFields,
  limitFields,
  type Named,
  onStoreError,
  perSubject,
  type ReadLayer,
  readPerSubject,
  windowField,
} from './layer-fields.js';

const A_NUMBER_OF_SLOTS = 'a whole number from 1, or Infinity';
const A_RATE = "a rate above 0 such as '100/h', '10/s' or '200k/m'";
const AN_AMOUNT =
  "an amount from '$0' to '$9007199' such as '$500' or '$0.25' (more can't be counted to the nano-dollar)";
const SHARES = 'a list of shares above 0 and up to 1, ascending';
const A_SHARE = 'a share above 0 and up to 1, above those before it';

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
    degradeAt: optionalList(`${SHARES}, such as [0.8, 0.95]`, A_SHARE, parseShare),
    alertAt: optionalList(`${SHARES}, such as [0.5, 0.8, 1]`, A_SHARE, parseShare),
  })
  .transform(
    ({
      name,
      by,
      mode,
      onStoreError,
      whenFull,
      limit,
      per,
      timeZone,
      reserve,
      degradeAt = [],
      alertAt = [],
    }): ReadLayer => {
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

function parseSlots(value: unknown): number | undefined {
  return value === Number.POSITIVE_INFINITY ? value : parseWhole(value);
}

function parseParts(value: unknown = 10): number | undefined {
  return Number.isInteger(value) && (value as number) >= 2 && (value as number) <= 1000 ? (value as number) : undefined;
}

function parseRefill(value: unknown): Rule | undefined {
  const perMs = parseRate(value);
  return perMs === undefined ? undefined : { kind: 'bucket', perMs };
}

function parseShare(value: unknown, before: readonly number[]): number | undefined {
  return typeof value === 'number' && value > (before.at(-1) ?? 0) && value <= 1 ? value : undefined;
}
