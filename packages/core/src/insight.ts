/** How a gate stands, and what would become of a request: everything that is asked without charging. */
import { budgetStateOf } from './budget-state.js';
import type { Explanation, Inspection } from './gate.js';
import { refusalOf } from './http/problem.js';
import { someBillsOf } from './meters/bills.js';
import { ordered, statesOf } from './meters/layer-state.js';
import type { Usage } from './meters/meter.js';
import type { EstimateState } from './money/learned.js';
import { type Dimension, isGiven, NOTHING, type RequestFacts, type Subject } from './request.js';
import type { Alternative } from './store/store.js';
import { checkSubject } from './subject.js';
import { NO_SUBJECT, type Offer, type Terms } from './terms.js';

/**
 * Who is meant, and the bills of all meters whose dimensions are all given.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a subject that is none
 */
export function billsFor(
  { plan }: Terms,
  subject: Subject,
  facts: RequestFacts,
  now: number,
): Pick<Alternative, 'who' | 'bills'> {
  checkSubject(subject);
  const given: Partial<Record<Dimension, unknown>> = { ...subject, ...facts };
  const groups = plan.groups.filter(({ scope }) => scope.by.every((dimension) => isGiven(given[dimension])));
  const rung = { model: facts.model, index: 0, last: true };
  return someBillsOf(plan, groups, { request: facts, subject: subject ?? NO_SUBJECT, rung, cost: NOTHING, now });
}

export function inspection(usages: readonly Usage[], estimates: readonly EstimateState[], now: number): Inspection {
  const isBudget = ({ charge }: Usage) => charge.meter.unit === 'usd';
  return {
    limits: statesOf(usages.filter((usage) => !isBudget(usage))),
    budgets: ordered(usages.filter(isBudget)).map((usage) => budgetStateOf(usage, now)),
    estimates,
  };
}

/** @param usages what the meters said to each offer */
export function explanation(
  offers: readonly Offer[],
  usages: readonly (readonly Usage[])[],
  budgetStatus: number | undefined,
): Explanation {
  const first = usages.findIndex(isFitting);
  if (first < 0) {
    const refusal = refusalOf('explain', usages, budgetStatus);
    return { admitted: false, model: undefined, layers: refusal.layers, refusal };
  }
  return { admitted: true, model: offers[first].model, layers: statesOf(usages[first]), refusal: undefined };
}

/** True where no meter is a reason to refuse. */
export function isFitting(usages: readonly Usage[]): boolean {
  return usages.every(({ charge, waitMs }) => charge.shadow || waitMs === 0);
}
