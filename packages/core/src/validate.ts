/** Checks a configuration, all of it at once, and turns its shorthands into numbers and functions. */
import { z } from 'zod';
import { type Clock, systemClock } from './clock.js';
import { DEFAULT_TIERS, type TollgateConfig } from './config.js';
import type { Problem } from './errors.js';
import type { Layer } from './meters/charges.js';
import type { Rule, Unit } from './meters/meter.js';
import { byFunction, byPlan, type PerSubject } from './meters/per-subject.js';
import { windowRule } from './meters/window.js';
import type { Dimension, Subject, TokenCounts } from './request.js';
import { check, field, isRecord, oneOf, type Parse, reading } from './schema.js';
import { memoryStore } from './store/memory/memory.js';
import type { Store } from './store/store.js';
import { A_COST, isCost, parseCount, parseDuration, parseRate } from './units.js';

/** What a tier costs, and what it is expected to use. */
export interface Tier extends TokenCounts {
  readonly permits: number;
}

export interface CheckedConfig {
  readonly name: string;
  readonly tiers: ReadonlyMap<string, Tier>;
  readonly limits: readonly Layer[];
  readonly features: ReadonlySet<string> | undefined;
  readonly store: Store;
  readonly clock: Clock;
}

const NAME = /^[A-Za-z0-9][\w.:-]{0,63}$/;
const LONGEST_WINDOW = 366 * 86_400_000;

const A_NAME = "a name of 1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit";
const A_COUNT = "a number from 0 to 2^53 - 1 such as 100 or '200k', or Infinity";
const A_RATE = "a rate above 0 such as '100/h', '10/s' or '200k/m'";
const A_TIER = `the permits it costs, ${A_COST}, or { permits, inputTokens?, outputTokens? } with such numbers`;

/** Reads a map, each value by itself. */
function readMap<T>(value: object, expected: string, parse: Parse<T>, context: z.core.$RefinementCtx): Map<string, T> {
  const map = new Map<string, T>();
  for (const [key, one] of Object.entries(value)) {
    const parsed = parse(one);
    if (parsed === undefined) context.addIssue({ code: 'custom', message: expected, path: [key] });
    else map.set(key, parsed);
  }
  return map;
}

/** A field with one value, a map of values by plan, or a function of the subject. Its errors need the limit's name. */
function perSubject<T>(expected: string, parse: Parse<T>) {
  return reading((value, context): ((limit: string) => T | PerSubject<T>) => {
    const one = parse(value);
    if (one !== undefined) return () => one;
    if (typeof value === 'function') {
      return (limit) => byFunction(limit, value as (subject: Subject) => unknown, expected, parse);
    }
    if (isRecord(value) && Object.keys(value).length > 0) {
      const plans = readMap(value, expected, parse, context);
      return (limit) => byPlan(limit, plans);
    }
    context.addIssue({ code: 'custom', message: `${expected}; a map of such by plan; or a function of the subject` });
    return z.NEVER;
  });
}

const limitFields = {
  name: field(A_NAME, parseName),
  by: field("a dimension such as 'user', or a list of different ones such as ['user', 'feature']", parseDimensions),
  unit: oneOf<Unit>(['permits', 'requests', 'tokens', 'inputTokens', 'outputTokens']),
  mode: oneOf(['enforce', 'shadow']),
  onStoreError: oneOf(['closed', 'open'], " ('local' needs a store that instances share; there is none yet)"),
  whenFull: oneOf(['refuse'], " ('wait' needs the line; there is none yet)"),
};

const slidingWindow = z
  .strictObject({
    ...limitFields,
    kind: z.literal('slidingWindow'),
    limit: perSubject(A_COUNT, parseCount),
    window: field("a duration from 10ms to 366d such as '30s', '1m', '6h' or '1d'", parseWindow),
    parts: field('a whole number from 2 to 1000', parseParts),
  })
  .transform(({ name, by, unit, mode, onStoreError, limit, window, parts }): Layer => {
    const rule = windowRule(window, parts);
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, limit: limit(name), rule };
  });

const tokenBucket = z
  .strictObject({
    ...limitFields,
    kind: z.literal('tokenBucket'),
    capacity: perSubject(A_COUNT, parseCount),
    refill: perSubject(A_RATE, parseRefill),
  })
  .transform(({ name, by, unit, mode, onStoreError, capacity, refill }): Layer => {
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, limit: capacity(name), rule: refill(name) };
  });

const tiers = reading((value = DEFAULT_TIERS, context) => {
  if (isRecord(value) && Object.keys(value).length > 0) return readMap(value, A_TIER, parseTier, context);
  context.addIssue({ code: 'custom', message: 'a map from the names of tiers to what they cost' });
  return z.NEVER;
});

const config = z.strictObject(
  {
    name: field(A_NAME, (value = 'default') => parseName(value)),
    tiers,
    limits: z.array(
      z.discriminatedUnion('kind', [slidingWindow, tokenBucket], {
        error: 'what slidingWindow({ … }) or tokenBucket({ … }) returns',
      }),
      { error: 'a list of limits' },
    ),
    features: z.array(field(A_NAME, parseName), { error: 'a list of names' }).optional(),
    store: field('a store, such as memoryStore()', (value = memoryStore()) => parseStore(value)),
    clock: field('a clock, such as systemClock', (value = systemClock) => parseClock(value)),
  },
  { error: 'an object with limits' },
);

/**
 * The configuration, complete and in numbers.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem
 */
export function validate(input: TollgateConfig): CheckedConfig {
  const { features, ...rest } = check(config, input, repeatedNames(input));
  return { ...rest, features: features && new Set(features) };
}

function repeatedNames(input: TollgateConfig): Problem[] {
  const names = Array.isArray(input?.limits) ? input.limits.map((limit) => limit?.name) : [];
  return names.flatMap((value, i) => {
    const first = names.indexOf(value);
    if (first === i || typeof value !== 'string') return [];
    return [{ path: `limits[${i}].name`, value, expected: `a name of its own: limits[${first}] has this one` }];
  });
}

function parseName(value: unknown): string | undefined {
  return typeof value === 'string' && NAME.test(value) ? value : undefined;
}

function parseDimensions(value: unknown = []): readonly Dimension[] | undefined {
  const list: readonly unknown[] = Array.isArray(value) ? value : [value];
  const valid = list.every((one) => typeof one === 'string' && one !== '') && new Set(list).size === list.length;
  return valid ? (list as readonly Dimension[]) : undefined;
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

function parseTier(value: unknown): Tier | undefined {
  const { permits, inputTokens, outputTokens, ...others } = (
    isRecord(value) ? value : { permits: value }
  ) as Partial<Tier>;
  const counts = [permits, inputTokens ?? 0, outputTokens ?? 0];
  if (!counts.every(isCost) || Object.keys(others).length > 0) return undefined;
  return { permits: permits as number, inputTokens, outputTokens };
}

function parseStore(value: unknown): Store | undefined {
  return hasMethods(value, ['take', 'settle', 'peek', 'close']) ? (value as unknown as Store) : undefined;
}

function parseClock(value: unknown): Clock | undefined {
  return hasMethods(value, ['now', 'after']) ? (value as unknown as Clock) : undefined;
}

function hasMethods(value: unknown, methods: readonly string[]): boolean {
  return (
    typeof value === 'object' && value !== null && methods.every((one) => typeof Reflect.get(value, one) === 'function')
  );
}
