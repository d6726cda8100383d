/** How a gate stands, and what would become of a request: everything that is asked without charging. */
import { budgetStateOf } from './budget-state.js';
import type { Clock } from './clock.js';
import type { Explanation, Inspection } from './gate.js';
import { refusalOf } from './http/problem.js';
import { type Ledger, peekAll } from './ledger/ledger.js';
import type { Line, LineState } from './line/line.js';
import { someBillsOf } from './meters/bills.js';
import { type LayerState, ordered, statesOf } from './meters/layer-state.js';
import type { Usage } from './meters/meter.js';
import type { EstimateState, Learned } from './money/learned.js';
import {
  type AdmitRequest,
  type Dimension,
  isGiven,
  isPromise,
  type May,
  NOTHING,
  type RequestFacts,
  type Subject,
} from './request.js';
import type { Alternative, Receipt } from './store/store.js';
import { checkSubject } from './subject.js';
import { NO_SUBJECT, type Offer, offersOf, type Terms } from './terms/terms.js';
import { LineRequest } from './waiting.js';

/** What it takes of a gate to look at it. */
export interface Site {
  readonly clock: Clock;
  readonly ledger: Ledger;
  readonly learned: Learned;
  readonly line: Line<Offer> | undefined;
  readonly budgetStatus: number | undefined;
  /** The present ones. */
  terms(): Terms;
}

/** As `Tollgate.inspect` says. */
export async function inspect(
  { clock, ledger, learned, line, terms }: Site,
  subject: Subject,
  facts: RequestFacts,
): Promise<Inspection> {
  const now = clock.now();
  const { who, bills } = billsFor(terms(), subject, facts, now);
  const usages = await ledger.peek(who, bills);
  return inspection(usages, learned.states(), line?.state(), now);
}

/** As `Tollgate.explain` says. */
export async function explain(
  { clock, ledger, line, budgetStatus, terms }: Site,
  request: AdmitRequest,
  body: unknown,
): Promise<Explanation> {
  const offers = offersOf(terms(), request, body, clock.now());
  const usages = await peekAll(ledger.peek, offers);
  const outlook = await line?.outlook(new LineRequest(terms, request, offers), usages);
  return explanation(offers, usages, budgetStatus, outlook);
}

/**
 * Who is meant, and the bills of all meters whose dimensions are all given.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a subject that is none
 */
function billsFor(
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

/** How the limits stand that bills are for; nothing if the store fails. */
export function layersIn(ledger: Ledger): (way: Alternative, receipt: Receipt) => May<readonly LayerState[]> {
  return ({ who, bills }, receipt) => {
    const usages = ledger.tryPeek(who, bills, receipt);
    return isPromise(usages) ? usages.then((usages = []) => statesOf(usages)) : statesOf(usages ?? []);
  };
}

function inspection(
  usages: readonly Usage[],
  estimates: readonly EstimateState[],
  line: LineState | undefined,
  now: number,
): Inspection {
  const isBudget = ({ charge }: Usage) => charge.meter.unit === 'usd';
  return {
    limits: statesOf(usages.filter((usage) => !isBudget(usage))),
    budgets: ordered(usages.filter(isBudget)).map((usage) => budgetStateOf(usage, now)),
    estimates,
    line,
  };
}

/**
 * @param usages what the meters said to each offer
 * @param outlook where it would wait, if it would
 */
function explanation(
  offers: readonly Offer[],
  usages: readonly (readonly Usage[])[],
  budgetStatus: number | undefined,
  outlook: { readonly position: number; readonly expectedMs: number | undefined } | undefined,
): Explanation {
  const first = usages.findIndex(isFitting);
  const refusal = first < 0 ? refusalOf('explain', usages, budgetStatus) : undefined;
  const layers = refusal?.layers ?? statesOf(usages[first]);
  if (outlook !== undefined) {
    const waits = { position: outlook.position, expectedWaitMs: outlook.expectedMs };
    return { admitted: false, model: undefined, way: undefined, layers, refusal: undefined, waits };
  }
  const { model, way } = refusal === undefined ? offers[first] : NO_OFFER;
  return { admitted: refusal === undefined, model, way, layers, refusal, waits: undefined };
}

const NO_OFFER = { model: undefined, way: undefined };

/** True where no meter is a reason to refuse. */
export function isFitting(usages: readonly Usage[]): boolean {
  return usages.every(({ charge, waitMs }) => charge.shadow || waitMs === 0);
}
