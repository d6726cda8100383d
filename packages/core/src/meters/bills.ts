/** From a plan and a request to bills: what each limit is charged for it, and how much is allowed. */
import { showThrown, warnOnce } from '../errors.js';
import type { AdmitRequest, Cost, Subject, Whom } from '../request.js';
import type { Asked, Rung } from './asked.js';
import {
  type BudgetTerms,
  costIn,
  type Group,
  type HeadroomTerms,
  type Layer,
  type MeteredLayer,
  type Plan,
} from './charges.js';
import { withCredit } from './credits.js';
import { whoAsks } from './keys.js';
import { type Bill, type Charge, keyIn, type Who } from './meter.js';

/** Who is to be charged for a request where a model serves it. */
export function whoOf(
  { dimensions, read, warned }: Plan,
  subject: Subject,
  request: AdmitRequest,
  model: string | undefined,
): Who {
  return whoAsks(dimensions, read, subject, request, model, warned);
}

/** What everybody is charged for what costs this much, where that is known. */
export function fixedBillsOf({ isFixed, last }: Plan, { index }: Rung, cost: Cost): readonly Bill[] | undefined {
  return isFixed && last[index]?.cost === cost ? last[index].bills : undefined;
}

/** What a request would be charged. */
export function billsOf(plan: Plan, who: Who, asked: Asked): readonly Bill[] {
  const { groups, warned } = plan;
  const { index } = asked.rung;
  const last = plan.last[index];
  let bills = last?.bills ?? [];
  for (let i = 0; i < groups.length; i++) {
    const charges = chargesOf(groups[i], who, asked, warned);
    if (i < bills.length && charges === bills[i].charges) continue;
    if (bills === last?.bills) bills = [...bills];
    bills[i] = { scope: groups[i].scope, charges };
  }
  if (bills !== last?.bills) plan.last[index] = { cost: asked.cost, bills };
  return bills;
}

/** Who is meant, and what a request would be charged by the layers of some groups alone. */
export function someBillsOf(plan: Plan, groups: readonly Group[], asked: Asked): { who: Who; bills: readonly Bill[] } {
  const who = whoAsks(plan.dimensions, plan.read, asked.subject, asked.request, asked.rung.model);
  return { who, bills: billsOf({ ...plan, groups, last: [] }, who, asked) };
}

/** Who is meant, and what a request would be charged by one layer alone. */
export function billOf({ dimensions, read }: Plan, layer: MeteredLayer, asked: Asked): { who: Who; bill: Bill } {
  const who = whoAsks(dimensions, read, asked.subject, asked.request, asked.rung.model);
  return { who, bill: { scope: layer.meter.scope, charges: [chargeOf(layer, undefined, who, asked)] } };
}

/** The bill without what it charges nothing for; none where that is all of it. */
export function withoutZeros({ charges, ...bill }: Bill): Bill[] {
  const some = charges.filter(({ cost }) => cost > 0);
  return some.length === 0 ? [] : [{ ...bill, charges: some }];
}

function chargesOf(group: Group, who: Who, asked: Asked, warned: Set<string>): readonly Charge[] {
  const { layers } = group;
  const { index } = asked.rung;
  const last = group.last[index];
  let byLayer = last?.byLayer ?? [];
  for (let i = 0; i < layers.length; i++) {
    const layer = layers[i];
    const charge = layer.shadow
      ? shadowCharge(layer, byLayer[i], who, asked, warned)
      : layerCharge(layer, byLayer[i], who, asked);
    if (i < byLayer.length && charge === byLayer[i]) continue;
    if (byLayer === last?.byLayer) byLayer = [...byLayer];
    byLayer[i] = charge;
  }
  if (last !== undefined && byLayer === last.byLayer) return last.charges;
  const charges = byLayer.filter((charge) => charge !== undefined);
  group.last[index] = { byLayer, charges };
  return charges;
}

function layerCharge(layer: MeteredLayer, last: Charge | undefined, who: Who, asked: Asked): Charge | undefined {
  return layer.headroom === undefined
    ? chargeOf(layer, last, who, asked)
    : headroomCharge(layer, layer.headroom, last, asked);
}

/** `undefined` where it doesn't apply. */
function headroomCharge(
  { meter, unit, shadow, whenFull }: MeteredLayer,
  headroom: HeadroomTerms,
  last: Charge | undefined,
  asked: Asked,
): Charge | undefined {
  const limit = headroom.limit(() => whomOf(asked.subject, asked.request, asked.rung.model));
  if (limit === undefined) return undefined;
  const rule = headroom.rule(limit);
  const cost = costIn(unit, asked.cost);
  if (last?.cost === cost && last.limit === limit && last.rule === rule) return last;
  return { meter, rule, cost, limit, whole: limit, whenFull, shadow };
}

/** As a limit that goes by whom it is for is told. */
export function whomOf(
  subject: Subject | undefined,
  { feature, route, provider }: AdmitRequest,
  model: string | undefined,
): Whom {
  return { ...subject, feature, route, provider, model };
}

/** @param last given back where its rule is the same object and its numbers are the same */
function chargeOf(layer: MeteredLayer, last: Charge | undefined, who: Who, asked: Asked): Charge {
  const { meter, unit, shadow, whenFull, budget, adaptive } = layer;
  const { subject, rung, now } = asked;
  const rule = typeof layer.rule === 'function' ? layer.rule(subject, now) : layer.rule;
  const given = adaptive?.max ?? (typeof layer.limit === 'function' ? layer.limit(subject, now) : layer.limit);
  const cost = budget?.reserve === 'worst' ? asked.cost.worstUsd : costIn(unit, asked.cost);
  const whole = layer.credits.size === 0 ? given : withCredit(given, layer.credits, keyIn(meter.scope, who), rule);
  const limit =
    adaptive?.limit(keyIn(meter.scope, who), now) ??
    (budget === undefined ? whole : shareFor(layer, budget, rung, whole));
  if (last?.cost === cost && last.limit === limit && last.whole === whole && last.rule === rule) return last;
  const credit = whole === given ? 0 : whole - given;
  return { meter, rule, cost, limit, whole, credit, whenFull, shadow };
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
  who: Who,
  asked: Asked,
  warned: Set<string>,
): Charge | undefined {
  try {
    return layerCharge(layer, last, who, asked);
  } catch (error) {
    const message = `Limit '${layer.name}', in shadow mode, did not count a request: ${showThrown(error)}`;
    warnOnce(warned, `limit ${layer.name}`, 'TOLLGATE_SHADOW_FAILED', message);
    return undefined;
  }
}
