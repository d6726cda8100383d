/** From limits and a request to bills: whom each limit counts, what this costs them, and how much they may. */
import { showThrown, warnOnce } from '../errors.js';
import type { Cost, Dimension } from '../request.js';
import type { Asked, Rung } from './asked.js';
import { type Credits, withCredit } from './credits.js';
import { keyOf, type Read, readerOf } from './keys.js';
import { type Bill, type Charge, type Ending, type Key, type Meter, NOT_FOUND, type Rule, type Scope, type Unit } from './meter.js';
import type { PerSubject } from './per-subject.js';

/** A limit or budget as it is configured, in numbers. */
export interface Layer {
  readonly name: string;
  readonly by: readonly Dimension[];
  readonly unit: Unit;
  readonly shadow: boolean;
  readonly onStoreError: 'open' | 'closed';
  /** What becomes of a request that does not fit now; what is on trial never makes it wait. */
  readonly whenFull: 'refuse' | 'wait';
  readonly limit: number | PerSubject<number>;
  readonly rule: Rule | PerSubject<Rule>;
  /** Of budgets alone. */
  readonly budget?: BudgetTerms;
  /** Of slots alone, in place of `limit`. */
  readonly adaptive?: AdaptiveSlots | undefined;
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
interface Group {
  readonly scope: Scope;
  /** Of each dimension of the scope, how to read it. */
  readonly read: readonly Read[];
  readonly layers: readonly MeteredLayer[];
  /** Its limits are the same for all, so what a request costs says all of what it is charged. */
  readonly isFixed: boolean;
  /** By rung. */
  readonly last: (LastCharges | undefined)[];
}

/** What a request was charged last: the next one is mostly charged alike, and shares it. */
interface LastCharges {
  readonly cost: Cost;
  /** By layer; `undefined` for what is on trial and could not be counted. */
  readonly byLayer: (Charge | undefined)[];
  /** The same without gaps. */
  readonly charges: readonly Charge[];
}

/** All limits and budgets of a gate. */
export interface Plan {
  readonly groups: readonly Group[];
  /** Every limit that enforces says so: while the store can't be asked, requests pass. */
  readonly failsOpen: boolean;
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
export function makePlan(layers: readonly Layer[], previous?: Plan): Plan {
  const known = new Map(previous?.groups.flatMap((group) => group.layers.map((layer) => [layer.name, layer])));
  const scopes = new Map(previous?.groups.map(({ scope }) => [JSON.stringify(scope.by), scope]));
  const groups = new Map<string, Group & { layers: MeteredLayer[] }>();
  for (const [position, layer] of layers.entries()) {
    const { name, unit, by } = layer;
    const id = JSON.stringify(by);
    const group = groups.get(id) ?? {
      scope: scopes.get(id) ?? { by },
      read: by.map(readerOf),
      layers: [],
      isFixed: layers.filter((other) => JSON.stringify(other.by) === id).every(isFixed),
      last: [],
    };
    const {
      meter = { name, position, unit, scope: group.scope },
      credits = new Map(),
      adaptive = layer.adaptive,
    } = known.get(name) ?? {};
    group.layers.push({ ...layer, meter, credits, adaptive });
    groups.set(id, group);
  }
  const failsOpen = layers.every(({ shadow, onStoreError }) => shadow || onStoreError === 'open');
  const hasBudgets = layers.some(({ budget }) => budget !== undefined);
  const hasAdaptive = layers.some(({ adaptive }) => adaptive !== undefined);
  const metered = [...groups.values()].flatMap(({ layers }) => layers);
  const layerOf = new Map(metered.map((layer) => [layer.meter, layer]));
  const alertAt = new Map(
    metered.flatMap(({ meter, budget }) => (budget?.alertAt.length ? [[meter, budget.alertAt]] : [])),
  );
  const warned = previous?.warned ?? new Set();
  return { groups: [...groups.values()], failsOpen, hasBudgets, hasAdaptive, layerOf, alertAt, warned };
}

/** What it allows depends on nobody, on no time and on nothing that has happened. */
function isFixed({ limit, rule, budget, adaptive }: Layer): boolean {
  return typeof limit === 'number' && typeof rule === 'object' && budget === undefined && adaptive === undefined;
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

/** What a request would be charged. */
export function billsOf({ groups, warned }: Plan, asked: Asked): Bill[] {
  const bills: Bill[] = new Array(groups.length);
  for (let i = 0; i < groups.length; i++) {
    const group = groups[i];
    const key = keyOf(group.scope.by, group.read, asked, warned);
    bills[i] = { scope: group.scope, key, charges: chargesOf(group, key, asked, warned), found: NOT_FOUND };
  }
  return bills;
}

/** What a request would be charged by one layer alone. */
export function billOf(layer: MeteredLayer, asked: Asked, warned: Set<string>): Bill {
  const { by, meter } = layer;
  const key = keyOf(by, by.map(readerOf), asked, warned);
  return { scope: meter.scope, key, charges: [chargeOf(layer, undefined, key, asked)], found: NOT_FOUND };
}

/** The bill without what it charges nothing for; none where that is all of it. */
export function withoutZeros({ charges, ...bill }: Bill): Bill[] {
  const some = charges.filter(({ cost }) => cost > 0);
  return some.length === 0 ? [] : [{ ...bill, charges: some }];
}

function chargesOf(group: Group, key: Key, asked: Asked, warned: Set<string>): readonly Charge[] {
  const { layers } = group;
  const { index } = asked.rung;
  const last = group.last[index];
  if (group.isFixed && last?.cost === asked.cost) return last.charges;
  let byLayer = last?.byLayer ?? [];
  for (let i = 0; i < layers.length; i++) {
    const layer = layers[i];
    const charge = layer.shadow
      ? shadowCharge(layer, byLayer[i], key, asked, warned)
      : chargeOf(layer, byLayer[i], key, asked);
    if (i < byLayer.length && charge === byLayer[i]) continue;
    if (byLayer === last?.byLayer) byLayer = [...byLayer];
    byLayer[i] = charge;
  }
  if (last !== undefined && byLayer === last.byLayer) return last.charges;
  const charges = byLayer.filter((charge) => charge !== undefined);
  group.last[index] = { cost: asked.cost, byLayer, charges };
  return charges;
}

/** @param last given back where its rule is the same object and its numbers are the same */
function chargeOf(layer: MeteredLayer, last: Charge | undefined, key: Key, asked: Asked): Charge {
  const { meter, unit, shadow, whenFull, budget, adaptive } = layer;
  const { subject, rung, now } = asked;
  const rule = typeof layer.rule === 'function' ? layer.rule(subject, now) : layer.rule;
  const given = adaptive?.max ?? (typeof layer.limit === 'function' ? layer.limit(subject, now) : layer.limit);
  const cost = budget?.reserve === 'worst' ? asked.cost.worstUsd : costIn(unit, asked.cost);
  const whole = layer.credits.size === 0 ? given : withCredit(given, layer.credits, key, rule);
  const limit = adaptive?.limit(key, now) ?? (budget === undefined ? whole : shareFor(layer, budget, rung, whole));
  if (last?.cost === cost && last.limit === limit && last.whole === whole && last.rule === rule) return last;
  return { meter, rule, cost, limit, whole, whenFull, shadow };
}

/** What of a budget a rung may use. What is on trial sends no request to a cheaper model, so it is not kept from any. */
function shareFor({ shadow }: Layer, { degradeAt }: BudgetTerms, { index, last }: Rung, whole: number): number {
  return last || shadow ? whole : shareOf(whole, degradeAt[index] ?? 1);
}

/** The most that is no more than a share. By a quotient, since 41 of 100 is exactly what 0.41 is, and 0.41 × 100 is less. */
function shareOf(whole: number, share: number): number {
  const most = Math.floor(whole * share);
  return (most + 1) / whole <= share ? most + 1 : most;
}

/** A limit on trial alters no answer, not even where it has no value for a plan: then it counts nothing. */
function shadowCharge(
  layer: MeteredLayer,
  last: Charge | undefined,
  key: Key,
  asked: Asked,
  warned: Set<string>,
): Charge | undefined {
  try {
    return chargeOf(layer, last, key, asked);
  } catch (error) {
    const message = `Limit '${layer.name}', in shadow mode, did not count a request: ${showThrown(error)}`;
    warnOnce(warned, `limit ${layer.name}`, 'TOLLGATE_SHADOW_FAILED', message);
    return undefined;
  }
}
