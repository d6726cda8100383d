/** Limits and budgets as they are configured, in numbers, and all of a gate's as one plan. */
import type { Cost, Dimension, Whom } from '../request.js';
import type { Credits } from './credits.js';
import type { HeadroomRule } from './headroom.js';
import { type Read, readerOf } from './keys.js';
import type { Bill, Charge, Ending, Key, Meter, Rule, Scope, Unit } from './meter.js';
import type { Outside } from './outside.js';
import type { PerSubject } from './per-subject.js';

/** What holds while the store can't be asked: nothing is counted, all is refused, or this process counts for itself. */
export type OnStoreError = 'open' | 'closed' | 'local';

/** A limit or budget as it is configured, in numbers. */
export interface Layer {
  readonly name: string;
  readonly by: readonly Dimension[];
  readonly unit: Unit;
  readonly shadow: boolean;
  readonly onStoreError: OnStoreError;
  /** What becomes of a request that does not fit now; what is on trial never makes it wait. */
  readonly whenFull: 'refuse' | 'wait';
  readonly limit: number | PerSubject<number>;
  readonly rule: Rule | PerSubject<Rule>;
  /** How a row is to be read: what else was counted can't be taken for it. What may change while a gate runs is no part of it. */
  readonly shape: string;
  /** Of budgets alone. */
  readonly budget?: BudgetTerms | undefined;
  /** Of slots alone, in place of `limit`. */
  readonly adaptive?: AdaptiveSlots | undefined;
  /** Of headroom alone, in place of `limit` and `rule`. */
  readonly headroom?: HeadroomTerms | undefined;
  /** What counts it in place of the store. */
  readonly outside?: Outside | undefined;
}

/** What somebody else allows, as far as it is known. */
export interface HeadroomTerms {
  /** `undefined`: this way to serve a request isn't counted. Throws a `TollgateError` for what is no limit. */
  limit(whom: () => Whom): number | undefined;
  /** The same object for the same limit. */
  rule(limit: number): HeadroomRule;
}

/** Where how many slots there are follows what is borne. Times are in milliseconds since 1970. */
export interface AdaptiveSlots {
  /** The most there can be. */
  readonly max: number;
  /** How many there are for a key now; may be below the least while slots rest after an overload. */
  limit(key: Key, now: number): number;
  /** An admission takes a slot of the key. Each has to be ended. */
  began(key: Key, now: number): Running;
  /** It gives the slot back. Does nothing the second time. */
  ended(running: Running, ending: Ending, now: number): void;
}

/** What runs in a slot; the rest of it is known to the {@link AdaptiveSlots} alone. */
export interface Running {
  readonly key: Key;
}

/** What budgets say beyond what limits say. */
export interface BudgetTerms {
  /** Charged with what a request will likely cost, or with what it costs at most. */
  readonly reserve: 'likely' | 'worst';
  /** Of each rung of a ladder but the last, the share of the budget that it may use. */
  readonly degradeAt: readonly number[];
  /** Shares of the budget at which somebody is told, ascending. */
  readonly alertAt: readonly number[];
}

export interface MeteredLayer extends Layer {
  readonly meter: Meter;
  /** What a budget was given beyond its limit, by key as JSON. */
  readonly credits: Credits;
}

/** The limits that share their dimensions. */
export interface Group {
  readonly scope: Scope;
  readonly layers: readonly MeteredLayer[];
  /** By rung. */
  readonly last: (LastCharges | undefined)[];
}

/** What requests were charged last: the next one is mostly charged alike, and shares it. */
interface LastBills {
  readonly cost: Cost;
  readonly bills: Bill[];
}

interface LastCharges {
  /** By layer; `undefined` for what isn't counted: headroom that doesn't apply, and what is on trial and could not be. */
  readonly byLayer: (Charge | undefined)[];
  /** The same without gaps. */
  readonly charges: readonly Charge[];
}

/** All limits and budgets of a gate. */
export interface Plan {
  /** All that is counted by, in the order of a {@link Who}. */
  readonly dimensions: readonly Dimension[];
  /** Of each, how to read it. */
  readonly read: readonly Read[];
  readonly groups: readonly Group[];
  /** The limits are the same for all, so what a request costs says all of what it is charged. */
  readonly isFixed: boolean;
  /** By rung. */
  readonly last: (LastBills | undefined)[];
  readonly hasBudgets: boolean;
  /** Of some slots, how many there are follows how admissions end. */
  readonly hasAdaptive: boolean;
  readonly layerOf: ReadonlyMap<Meter, MeteredLayer>;
  /** Of budgets that somebody is told of, the shares. */
  readonly alertAt: ReadonlyMap<Meter, readonly number[]>;
  /** What has been warned of. */
  readonly warned: Set<string>;
}

/** Gives each layer a meter. Layers that `previous` knows by name keep theirs, and with it their usage. */
export function makePlan(gate: string, layers: readonly Layer[], previous?: Plan): Plan {
  const dimensions = [...new Set([...(previous?.dimensions ?? []), ...layers.flatMap(({ by }) => by)])];
  const known = new Map(previous?.groups.flatMap((group) => group.layers.map((layer) => [layer.name, layer])));
  const scopes = new Map(previous?.groups.map(({ scope }) => [JSON.stringify(scope.by), scope]));
  const groups = new Map<string, Group & { layers: MeteredLayer[] }>();
  for (const [position, layer] of layers.entries()) {
    const { name, unit, by } = layer;
    const id = JSON.stringify(by);
    const scope = scopes.get(id) ?? { by, at: by.map((dimension) => dimensions.indexOf(dimension)) };
    const group = groups.get(id) ?? { scope, layers: [], last: [] };
    const {
      meter = {
        id: JSON.stringify([gate, name, unit, layer.shape]),
        name,
        position,
        unit,
        scope: group.scope,
        outside: layer.outside,
      },
      credits = new Map(),
      adaptive = layer.adaptive,
    } = known.get(name) ?? {};
    group.layers.push(meteredLayer(layer, meter, credits, adaptive));
    groups.set(id, group);
  }
  const metered = [...groups.values()].flatMap(({ layers }) => layers);
  return {
    dimensions,
    read: dimensions.map(readerOf),
    groups: [...groups.values()],
    isFixed: layers.every(isFixed),
    last: [],
    hasBudgets: layers.some(({ budget }) => budget !== undefined),
    hasAdaptive: layers.some(({ adaptive }) => adaptive !== undefined),
    layerOf: new Map(metered.map((layer) => [layer.meter, layer])),
    alertAt: new Map(metered.flatMap(({ meter, budget }) => (budget?.alertAt.length ? [[meter, budget.alertAt]] : []))),
    warned: previous?.warned ?? new Set(),
  };
}

/** What it allows depends on nobody, on no time and on nothing that has happened. */
function isFixed({ limit, rule, budget, adaptive, headroom }: Layer): boolean {
  const isSpecial = budget !== undefined || adaptive !== undefined || headroom !== undefined;
  return typeof limit === 'number' && typeof rule === 'object' && !isSpecial;
}

/** Field by field, so that all layers have one shape: every request reads them. */
function meteredLayer(layer: Layer, meter: Meter, credits: Credits, adaptive: AdaptiveSlots | undefined): MeteredLayer {
  const { name, by, unit, shadow, onStoreError, whenFull, limit, rule, shape, budget, headroom } = layer;
  return {
    name,
    by,
    unit,
    shadow,
    onStoreError,
    whenFull,
    limit,
    rule,
    shape,
    budget,
    adaptive,
    headroom,
    meter,
    credits,
  };
}

export function costIn(unit: Unit, cost: Cost): number {
  switch (unit) {
    case 'requests':
    // An admission takes a slot, and no further one for what it is extended by.
    case 'slots':
      return cost.requests;
    case 'permits':
      return cost.permits;
    case 'tokens':
      return cost.inputTokens + cost.outputTokens;
    case 'inputTokens':
      return cost.inputTokens;
    case 'outputTokens':
      return cost.outputTokens;
    case 'usd':
      return cost.usd;
  }
}
