/** Annotations: what a route says that a request to it costs. */
import { z } from 'zod';
import type { DefaultTier } from '../config.js';
import { configError } from '../errors.js';
import type { Tollgate } from '../gate.js';
import { type Money, parseMoney } from '../money/nano-dollars.js';
import type { AdmitRequest, May, Priority, TokenCounts } from '../request.js';
import { check, field, isRecord } from '../schema.js';
import { isComplete, problemOf } from '../terms/token-counts.js';
import { A_COST, type Duration, isCost, parseWait } from '../units.js';
import { assertCalled } from './uncalled.js';

/**
 * Filled in by the app, so that wrong names on its routes are compile errors:
 * `declare module '@tollgate/core' { interface Register { gate: typeof gate } }`.
 */
// biome-ignore lint/suspicious/noEmptyInterface: an app adds its gate by declaration merging
export interface Register {}

type Registered = Register extends { gate: Tollgate<infer Tier, string, infer Feature, infer Model> }
  ? { tier: Tier; feature: Feature; model: Model }
  : { tier: DefaultTier; feature: string; model: string };

/** The tiers of the registered gate; the default ones where none is. */
export type TierName = Registered['tier'];

/** The features of the registered gate; any where none is. */
export type FeatureName = Registered['feature'];

/** The models of the registered gate; any where none is, or where its prices are a table of its own. */
export type ModelName = Registered['model'];

/** A value, or a function of the request that gives it. What that gives or throws is the app's own; clients choose models alone. */
export type Fact<R, T> = T | ((request: R) => May<T>);

export interface TollOptions<R> {
  feature?: Fact<R, FeatureName | undefined>;
  /** What limits by `route` count this as: its method and pattern unless given. */
  route?: Fact<R, string | undefined>;
  /** How urgent it is, where the gate has a line. */
  priority?: Fact<R, Priority | undefined>;
  /** How long it waits in the line at most, where that is less than its priority may. */
  maxWait?: Fact<R, Duration | undefined>;
  /** Where its priority is shed: refused, or delayed until it is served again. */
  whenShed?: Fact<R, 'refuse' | 'delay' | undefined>;
  /**
   * The model to be served by; `admission.model` says what became of it. What a function gives is taken for the client's choice,
   * which may be any string: one that is wrong is an error that bears the status 400.
   */
  model?: ModelName | ((request: R) => May<string | undefined>);
  /** The cheapest model of its ladder that will do; of a function's as of `model`. */
  floor?: ModelName | ((request: R) => May<string | undefined>);
  /** `false`: the model asked for or none. */
  degrade?: Fact<R, boolean | undefined>;
  /** The tokens that the request is expected to use. What is left out is estimated from its body. */
  estimate?: Fact<R, TokenCounts | undefined>;
  /** The dollars that it is expected to cost, in place of the price of its tokens. */
  usd?: Fact<R, Money | undefined>;
  /** In place of the permits that the tier costs. */
  permits?: Fact<R, number | undefined>;
}

/** What an annotation comes to for a request. */
export type TollFacts = Required<
  Pick<
    AdmitRequest,
    | 'tier'
    | 'permits'
    | 'feature'
    | 'route'
    | 'priority'
    | 'maxWait'
    | 'whenShed'
    | 'model'
    | 'floor'
    | 'degrade'
    | 'estimate'
    | 'usd'
  >
>;

/** A route's annotation. */
export interface Toll<R> {
  /** Exempt: nothing is charged, and what was charged on the way here is given back. */
  readonly free: boolean;
  /** The facts that are functions of the request. */
  readonly open: readonly (keyof TollFacts)[];
  /** How many tokens it takes is left, in whole or in part, to what the body says. */
  readonly leavesTokens: boolean;
  facts(request: R): May<TollFacts>;
}

export const FREE: Toll<unknown> = { free: true, open: [], leavesTokens: false, facts: () => factsOf({}) };

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
  maxWait: optional("a duration such as '10s', or '0s' for no wait", (value) => parseWait(value) !== undefined),
  whenShed: optional("'refuse' or 'delay'", (value) => value === 'refuse' || value === 'delay'),
  model: optional('a name', isText),
  floor: optional('a name', isText),
  degrade: optional('true or false', (value) => typeof value === 'boolean'),
  usd: optional("an amount such as '$0.02'", (value) => parseMoney(value) !== undefined),
  estimate: optional('{ inputTokens?, outputTokens? }', isRecord),
  permits: optional(A_COST, isCost),
});

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem */
export function makeToll<R>(tier: Fact<R, TierName>, options: TollOptions<R> = {}): Toll<R> {
  assertCalled(tier, 'toll', 'tier', "toll('small')");
  if (!isRecord(options)) {
    const expected = "an object such as { feature: 'chat' }; the handler stands after the toll";
    throw configError([{ path: 'options', value: options, expected }]);
  }
  const given: Record<string, unknown> = { ...options, tier };
  const wrongEstimate = isRecord(given.estimate) ? problemOf('estimate', given.estimate) : undefined;
  check(schema, given, wrongEstimate ? [wrongEstimate] : []);
  const open = Object.keys(given).filter((name): name is keyof TollFacts => typeof given[name] === 'function');
  const fixed = factsOf(given);
  const leavesTokens = !isComplete(fixed.estimate);
  if (open.length === 0) return { free: false, open, leavesTokens, facts: () => fixed };
  return {
    free: false,
    open,
    leavesTokens,
    async facts(request) {
      const found = await Promise.all(open.map((name) => (given[name] as (request: R) => unknown)(request)));
      return factsOf({ ...given, ...Object.fromEntries(open.map((name, i) => [name, found[i]])) });
    },
  };
}

/** Always the same fields in the same order, which is what the engine is quick with. */
function factsOf(given: Record<string, unknown>): TollFacts {
  const { tier, permits, feature, route, priority, maxWait, whenShed, model, floor, degrade, estimate, usd } =
    given as unknown as TollFacts;
  return { tier, permits, feature, route, priority, maxWait, whenShed, model, floor, degrade, estimate, usd };
}
