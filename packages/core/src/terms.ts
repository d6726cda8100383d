/** On what terms requests are admitted, as the configuration has it now: what serves them, and what that is charged. */
import type { GateAdmission, Offer } from './admission.js';
import { type Costing, type CostOf, costsBy } from './costs.js';
import { type Ladders, rungsOf } from './ladders.js';
import type { Rung } from './meters/asked.js';
import { billsOf, makePlan, type Plan, withoutZeros } from './meters/charges.js';
import { type BodyEstimate, estimateOf } from './money/body.js';
import type { Learned } from './money/learned.js';
import type { AdmitRequest, Subject, TokenCounts } from './request.js';
import { checkTokenCounts } from './token-counts.js';
import type { CheckedConfig } from './validate.js';

export interface Terms {
  readonly plan: Plan;
  readonly ladders: Ladders;
  readonly costing: Costing;
  readonly costOf: CostOf;
  /** Something counts tokens or dollars, so what a request's body says of them matters. */
  readonly countsTokens: boolean;
}

export const NO_SUBJECT: Subject = Object.freeze({});

/** @param previous whose meters go on, with their usage */
export function termsOf(checked: CheckedConfig, learned: Learned, previous?: Terms): Terms {
  const { layers, tiers, features, prices, ladders } = checked;
  const countsUsd = layers.some(({ unit }) => unit === 'usd');
  const countsTokens = layers.some(({ unit }) => unit !== 'requests' && unit !== 'permits');
  const onTrial = layers.every(({ unit, shadow }) => unit !== 'usd' || shadow);
  const plan = makePlan(layers, previous?.plan);
  const costing = { tiers, features, prices, countsUsd, onTrial, warned: plan.warned };
  const costOf = costsBy(costing, learned);
  return { plan, ladders, costing, costOf, countsTokens };
}

/** The ways to serve a request, best first. */
export function offersOf(terms: Terms, request: AdmitRequest, body: unknown, now: number): readonly Offer[] {
  const said = body !== undefined && terms.countsTokens ? estimateOf(body) : undefined;
  const rungs = rungsOf(terms.ladders, request);
  if (rungs.length === 1) return [offerOf(terms, request, rungs[0], said, now)];
  return rungs.map((rung) => offerOf(terms, request, rung, said, now));
}

function offerOf(
  { plan, costing, costOf }: Terms,
  request: AdmitRequest,
  rung: Rung,
  said: BodyEstimate | undefined,
  now: number,
): Offer {
  const { model } = rung;
  const cost = costOf(request, model, said, now);
  const bills = billsOf(plan, { request, subject: request.subject ?? NO_SUBJECT, rung, cost, now });
  return { name: model ?? 'only', model, cost, costing, at: now, bills };
}

/** More of what an admission has: by the same model, which may use budgets as a whole. */
export function moreOf(terms: Terms, { request, offer }: GateAdmission, estimate: TokenCounts, now: number): Offer {
  const { model, name } = offer;
  const { feature, subject = NO_SUBJECT } = request;
  checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', estimate);
  const { inputTokens = 0, outputTokens = 0 } = estimate;
  const asked = { permits: 0, feature, estimate: { ...estimate, inputTokens, outputTokens } };
  const cost = { ...terms.costOf(asked, model, undefined, now), requests: 0 };
  const bills = billsOf(terms.plan, { request, subject, rung: { model, index: 0, last: true }, cost, now });
  return { name, model, cost, costing: terms.costing, at: now, bills: bills.flatMap(withoutZeros) };
}
