/** On what terms requests are admitted, as the configuration has it now: what serves them, and what that is charged. */
import type { CheckedConfig } from '../config/validate.js';
import type { QueueTerms } from '../line/queue-options.js';
import type { Rung } from '../meters/asked.js';
import { billsOf, fixedBillsOf, whoOf, withoutZeros } from '../meters/bills.js';
import { makePlan, type Plan } from '../meters/charges.js';
import type { Bill, Who } from '../meters/meter.js';
import { type BodyEstimate, estimateOf } from '../money/body.js';
import type { Learned } from '../money/learned.js';
import type { AdmitRequest, Cost, DrawEstimate, Subject } from '../request.js';
import type { Alternative } from '../store/store.js';
import {
  type Costing,
  checkedEstimate,
  checkModelName,
  type Priced,
  type Quote,
  type QuoteFor,
  quotesBy,
} from './costs.js';
import { type Ladders, rungsOf } from './ladders.js';
import { isComplete } from './token-counts.js';
import { servedBy } from './ways.js';

/** One way to serve a request, and what it costs that way. */
export interface Offer extends Alternative, Priced {
  /** What is asked for: with what its way says, where it is one of several. */
  readonly request: AdmitRequest;
  readonly way: string | undefined;
  readonly rung: Rung;
}

export interface Terms {
  readonly plan: Plan;
  /** `undefined`: nothing waits. */
  readonly queue: QueueTerms | undefined;
  readonly ladders: Ladders;
  readonly costing: Costing;
  readonly quoteFor: QuoteFor;
  /** Something counts tokens or dollars, so what a request's body says of them matters. */
  readonly countsTokens: boolean;
  /** Something counts tokens of the prompt, or of the answer, apart. */
  readonly countsKinds: boolean;
}

export const NO_SUBJECT: Subject = Object.freeze({});

/** @param previous whose meters go on, with their usage */
export function termsOf(checked: CheckedConfig, learned: Learned, previous?: Terms): Terms {
  const { name, layers, queue, tiers, features, prices, ladders } = checked;
  const countsUsd = layers.some(({ unit }) => unit === 'usd');
  const countsPermits = layers.some(({ unit }) => unit === 'permits');
  const countsTokens = layers.some(({ unit }) => unit !== 'requests' && unit !== 'permits' && unit !== 'slots');
  const countsKinds = layers.some(({ unit }) => unit === 'inputTokens' || unit === 'outputTokens');
  const onTrial = layers.every(({ unit, shadow }) => unit !== 'usd' || shadow);
  const plan = makePlan(name, layers, previous?.plan);
  const costing = { tiers, features, prices, countsPermits, countsUsd, onTrial, warned: plan.warned };
  return { plan, queue, ladders, costing, quoteFor: quotesBy(costing, learned), countsTokens, countsKinds };
}

/** The ways to serve a request, best first. */
export function offersOf(terms: Terms, request: AdmitRequest, body: unknown, now: number): readonly Offer[] {
  const served = request?.ways === undefined ? undefined : servedBy(terms.ladders, request, request.ways);
  const rungs = served === undefined ? rungsOf(terms.ladders, request) : NO_RUNGS;
  const said = terms.countsTokens && !isComplete(request.estimate) && body !== undefined ? estimateOf(body) : undefined;
  if (rungs.length === 1) return [offerOf(terms, request, rungs[0], said, now)];
  if (served === undefined) return rungs.map((rung) => offerOf(terms, request, rung, said, now));
  return served.map(({ way, request }, index) => {
    return offerOf(terms, request, { model: request.model, index, last: true }, said, now, way);
  });
}

const NO_RUNGS: readonly Rung[] = [];

function offerOf(
  { plan, costing, quoteFor }: Terms,
  request: AdmitRequest,
  rung: Rung,
  said: BodyEstimate | undefined,
  now: number,
  way?: string,
): Offer {
  const { model } = rung;
  const quote = quoteFor(request, model, said, now);
  const { cost } = quote;
  const who = whoOf(plan, request.subject ?? NO_SUBJECT, request, model);
  return {
    name: way ?? model ?? 'only',
    request,
    way,
    model,
    rung,
    quote,
    costing,
    at: now,
    who,
    bills: billsBy(plan, who, request, rung, cost, now),
  };
}

function billsBy(plan: Plan, who: Who, request: AdmitRequest, rung: Rung, cost: Cost, now: number): readonly Bill[] {
  const subject = request.subject ?? NO_SUBJECT;
  return fixedBillsOf(plan, rung, cost) ?? billsOf(plan, who, { request, subject, rung, cost, now });
}

/** The same ways at the same quotes, with what they are charged by the limits as they are now. */
export function renewed({ plan }: Terms, offers: readonly Offer[], now: number): readonly Offer[] {
  return offers.map((offer) => {
    const { request, who, rung, quote } = offer;
    const bills = billsBy(plan, who, request, rung, quote.cost, now);
    return bills === offer.bills ? offer : { ...offer, bills };
  });
}

/** More of what an admission has: by the same model, which may use budgets as a whole. */
export function moreOf({ plan }: Terms, offer: Offer, quote: Quote, now: number): Offer {
  const { request, model } = offer;
  const rung = { model, index: 0, last: true };
  const subject = request.subject ?? NO_SUBJECT;
  const bills = billsOf(plan, offer.who, { request, subject, rung, cost: quote.cost, now });
  return { ...offer, quote, bills: bills.flatMap(withoutZeros) };
}

/** A call under an admission, by what is sent and what was learned of such calls, at the prices that hold now. */
export function callBy(terms: Terms, offer: Offer, estimate: DrawEstimate, body: unknown): Priced {
  const { model = offer.model, usd, ...counts } = checkedEstimate(estimate);
  checkModelName(model);
  const { feature, tier: own } = offer.request;
  // A gate that resumes what another has admitted may lack its tier.
  const tier = own !== undefined && terms.costing.tiers.has(own) ? own : undefined;
  const given = Object.values(counts).some((count) => count !== undefined) ? counts : undefined;
  const said = terms.countsTokens && !isComplete(given) ? estimateOf(body) : undefined;
  const { at } = offer;
  const quote = terms.quoteFor({ tier, feature, estimate: given, usd, permits: 0 }, model, said, at);
  return { model, costing: terms.costing, at, quote: { ...quote, cost: { ...quote.cost, requests: 0 } } };
}
