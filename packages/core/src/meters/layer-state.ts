/** How a limit stands for one caller, as the app is told. */
import type { Dimension } from '../request.js';
import type { Bill, Unit, Usage } from './meter.js';

export interface LayerState {
  /** The limit's name. */
  readonly layer: string;
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
  readonly limit: number;
  /** What can be charged now; 0 or more. */
  readonly remaining: number;
  /** Milliseconds until `cost` fits: 0 now, `undefined` never. */
  readonly retryAfterMs: number | undefined;
  /** Milliseconds until there is more room than now; 0 while nothing is used. */
  readonly refillMs: number;
  /** Milliseconds that the limit spans: the window's length, or what an empty bucket takes to fill. */
  readonly windowMs: number;
}

/** Dimensions that don't say who the caller is. */
const SHARED_DIMENSIONS = new Set<Dimension>(['plan', 'feature', 'route', 'model', 'provider']);

/** True for what counts this caller alone. */
export function isOwn({ scope, key }: Pick<Bill, 'scope' | 'key'>): boolean {
  return scope.by.some((dimension, i) => !SHARED_DIMENSIONS.has(dimension) && key[i] !== undefined);
}

export function stateOf({ charge, key, used, waitMs, refillMs }: Usage): LayerState {
  const { meter, rule } = charge;
  const { scope } = meter;
  return {
    layer: meter.name,
    unit: meter.unit,
    by: scope.by,
    key,
    own: isOwn({ scope, key }),
    mode: charge.shadow ? 'shadow' : 'enforce',
    cost: charge.cost,
    used,
    limit: charge.limit,
    remaining: Math.max(0, charge.limit - used),
    retryAfterMs: Number.isFinite(waitMs) ? waitMs : undefined,
    refillMs,
    windowMs: rule.kind === 'window' ? rule.ms : charge.limit / rule.perMs,
  };
}

/** In the order of the configuration; stores answer in theirs. */
export function statesOf(usages: readonly Usage[]): LayerState[] {
  const isOrdered = usages.every((usage, i) => i === 0 || positionOf(usages[i - 1]) < positionOf(usage));
  const ordered = isOrdered ? usages : usages.toSorted((a, b) => positionOf(a) - positionOf(b));
  return ordered.map(stateOf);
}

function positionOf({ charge }: Usage): number {
  return charge.meter.position;
}
