/** How a limit stands for one caller, as the app is told. */
import type { Dimension } from '../request.js';
import type { Key, Rule, Scope, Unit, Usage } from './meter.js';

export interface LayerState {
  /** The name of the limit or budget. */
  readonly layer: string;
  /** What all figures here are in; of budgets whole nano-dollars. */
  readonly unit: Unit;
  readonly by: readonly Dimension[];
  /** Whom this counts: the value of each dimension of `by`, `undefined` for the one key of those without it. */
  readonly key: readonly (string | undefined)[];
  /** Counted for this caller alone, who may therefore see the figures. */
  readonly own: boolean;
  readonly mode: 'enforce' | 'shadow';
  /** What the request costs here; 0 where no request was asked about. */
  readonly cost: number;
  readonly used: number;
  /** Of adaptive slots how many there are now. */
  readonly limit: number;
  /** What of `limit` this request may use, where a budget keeps the rest for cheaper models; `undefined` where it is all. */
  readonly share: number | undefined;
  /** What of `limit` can be charged now; 0 or more. */
  readonly remaining: number;
  /** Milliseconds until `cost` fits: 0 now, `undefined` never. Of slots the longest that it takes. */
  readonly retryAfterMs: number | undefined;
  /** Milliseconds until there is more room than now; 0 while nothing is used, `Infinity` never. */
  readonly refillMs: number;
  /**
   * Milliseconds that the limit spans: the window's length, what an empty bucket takes to fill, a budget's period, or the
   * lease of slots.
   */
  readonly windowMs: number;
  /** When a budget's period ends, in milliseconds since 1970; `undefined` for limits. */
  readonly resetsAt: number | undefined;
}

/** True for what counts this caller alone: who that is, those dimensions say that name somebody. Of others nobody else's figures are told. */
export function isOwn({ by }: Scope, key: Key): boolean {
  for (let i = 0; i < by.length; i++) if (key[i] !== undefined && saysWho(by[i])) return true;
  return false;
}

function saysWho(dimension: Dimension): boolean {
  switch (dimension) {
    case 'user':
    case 'tenant':
    case 'key':
    case 'ip':
      return true;
    default:
      return false;
  }
}

export function stateOf({ charge, key, used, waitMs, refillMs }: Usage): LayerState {
  const { meter, rule } = charge;
  const { scope } = meter;
  const limit = rule.kind === 'slots' ? charge.limit : charge.whole;
  return {
    layer: meter.name,
    unit: meter.unit,
    by: scope.by,
    key,
    own: isOwn(scope, key),
    mode: charge.shadow ? 'shadow' : 'enforce',
    cost: charge.cost,
    used,
    limit,
    share: charge.limit < limit ? charge.limit : undefined,
    remaining: Math.max(0, limit - used),
    retryAfterMs: Number.isFinite(waitMs) ? waitMs : undefined,
    refillMs,
    windowMs: spanOf(rule, limit),
    resetsAt: rule.kind === 'calendar' ? rule.resetsAt : undefined,
  };
}

function spanOf(rule: Rule, limit: number): number {
  switch (rule.kind) {
    case 'window':
      return rule.ms;
    case 'bucket':
      return limit / rule.perMs;
    case 'calendar':
      return rule.resetsAt - rule.startsAt;
    case 'slots':
      return rule.leaseMs;
    case 'headroom':
      return rule.ms;
  }
}

export function statesOf(usages: readonly Usage[]): LayerState[] {
  return ordered(usages).map(stateOf);
}

/** In the order of the configuration; stores answer in theirs. */
export function ordered(usages: readonly Usage[]): readonly Usage[] {
  for (let i = 1; i < usages.length; i++) {
    if (positionOf(usages[i - 1]) > positionOf(usages[i])) {
      return usages.toSorted((a, b) => positionOf(a) - positionOf(b));
    }
  }
  return usages;
}

function positionOf({ charge }: Usage): number {
  return charge.meter.position;
}
