/** Annotations: what a route says that a request to it costs. */
import { z } from 'zod';
import type { DefaultTier } from '../config.js';
import type { Tollgate } from '../gate.js';
import type { AdmitRequest, May, Priority, TokenCounts } from '../request.js';
import { check, field } from '../schema.js';
import { isCost } from '../units.js';

/**
 * Filled in by the app, so that wrong names on its routes are compile errors:
 * `declare module '@tollgate/core' { interface Register { gate: typeof gate } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app adds its gate by declaration merging
export interface Register {}

type Registered = Register extends { gate: Tollgate<infer Tier, string, infer Feature> }
  ? { tier: Tier; feature: Feature }
  : { tier: DefaultTier; feature: string };

/** The tiers of the registered gate; the default ones where none is. */
export type TierName = Registered['tier'];

/** The features of the registered gate; any where none is. */
export type FeatureName = Registered['feature'];

/** A value, or a function of the request that gives it. */
export type Fact<R, T> = T | ((request: R) => May<T>);

export interface TollOptions<R> {
  feature?: Fact<R, FeatureName | undefined>;
  /** What limits by `route` count this as: its method and pattern unless given. */
  route?: Fact<R, string | undefined>;
  priority?: Fact<R, Priority | undefined>;
  model?: Fact<R, string | undefined>;
  /** The tokens that the request is expected to use. */
  estimate?: Fact<R, TokenCounts | undefined>;
  /** In place of the permits that the tier costs. */
  permits?: Fact<R, number | undefined>;
}

/** What an annotation comes to for a request. */
export type TollFacts = Required<
  Pick<AdmitRequest, 'tier' | 'permits' | 'feature' | 'route' | 'priority' | 'model' | 'estimate'>
>;

/** A route's annotation. */
export interface Toll<R> {
  /** Exempt: nothing is charged, and what was charged on the way here is given back. */
  readonly free: boolean;
  facts(request: R): May<TollFacts>;
}

export const FREE: Toll<unknown> = { free: true, facts: () => factsOf({}) };

const optional = (expected: string, accepts: (value: unknown) => boolean) =>
  field(
    `${expected}, or a function of the request`,
    (value) => value === undefined || typeof value === 'function' || accepts(value) || undefined,
  );

const isText = (value: unknown) => typeof value === 'string' && value !== '';

const schema = z.strictObject({
  tier: field(
    "a tier's name, or a function of the request",
    (value) => isText(value) || typeof value === 'function' || undefined,
  ),
  feature: optional('a name', isText),
  route: optional('a name', isText),
  priority: optional("'interactive', 'standard', 'batch' or 'background'", (value) =>
    ['interactive', 'standard', 'batch', 'background'].includes(value as string),
  ),
  model: optional('a name', isText),
  estimate: optional('{ inputTokens?, outputTokens? }', (value) => typeof value === 'object' && value !== null),
  permits: optional('a finite number from 0 to 2^53 - 1', isCost),
});

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function makeToll<R>(tier: Fact<R, TierName>, options: TollOptions<R> = {}): Toll<R> {
  check(schema, { ...options, tier });
  const given: Record<string, unknown> = { ...options, tier };
  const open = Object.keys(given).filter((name) => typeof given[name] === 'function');
  const fixed = factsOf(given);
  if (open.length === 0) return { free: false, facts: () => fixed };
  return {
    free: false,
    async facts(request) {
      const found = await Promise.all(open.map((name) => (given[name] as (request: R) => unknown)(request)));
      return factsOf({ ...given, ...Object.fromEntries(open.map((name, i) => [name, found[i]])) });
    },
  };
}

/** Always the same fields in the same order, which is what the engine is quick with. */
function factsOf(given: Record<string, unknown>): TollFacts {
  const { tier, permits, feature, route, priority, model, estimate } = given as unknown as TollFacts;
  return { tier, permits, feature, route, priority, model, estimate };
}
