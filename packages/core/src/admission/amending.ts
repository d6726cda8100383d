/**
 * Changes to open admissions: into what another toll asks for, or by more work under the same one. They never wait: who
 * has begun would hold what others wait for. What doesn't fit at once is refused, whatever its `whenFull`.
 */
import type { Decision, DrawOptions } from '../admission.js';
import type { Clock } from '../clock.js';
import { type Decisions, isRefusal } from '../decisions.js';
import { isFitting } from '../insight.js';
import { type Ledger, NOTHING_OF_THE_LOAD, tryPeekAll } from '../ledger/ledger.js';
import { moneyFrom } from '../money/nano-dollars.js';
import type { AdmitRequest, DrawEstimate, Estimate, May } from '../request.js';
import type { NotTaken, Receipt, Taken } from '../store/store.js';
import { callOf, type Priced, type Quote, quoteMore, sumOf } from '../terms/costs.js';
import { callBy, moreOf, type Offer, type Terms } from '../terms/terms.js';
import { type Amendment, amendCharges, amendment } from './amendment.js';
import { type Drawn, lackOf } from './draws.js';
import type { GateAdmission } from './gate-admission.js';

/** What of its gate changing an admission takes. */
export interface Desk {
  terms(): Terms;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Charges a request as if it came for the first time, at once or not at all. */
  charge(request: AdmitRequest, offers: readonly Offer[], now: number, signal: AbortSignal | undefined): May<Decision>;
  readonly decisions: Decisions;
}

export type Amendments = ReturnType<typeof createAmendments>;

/**
 * What changes an admission takes effect in one go, once all that it takes is charged: its receipt says what its offer
 * does, whoever settles it meanwhile. A change that comes too late for that gives back what it has charged.
 */
export function createAmendments({ terms, ledger, clock, charge, decisions }: Desk) {
  const { asked, admitted, refused } = decisions;

  /** Turns an open admission, with what it was extended by, into one for `request`. */
  async function amend(
    admission: GateAdmission,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
    body: unknown,
  ): Promise<Decision> {
    admission.assertOpen();
    asked(admission.id, 'change', request, body);
    const { receipt: booked, model: before } = admission;
    const ways = offers.map((offer) => amendment(booked, offer));
    const lacking = ways.map(({ missing }, i) => ({ name: offers[i].name, who: offers[i].who, bills: missing }));
    const result = lacking[0].bills.length > 0 ? await ledger.take(lacking, clock.now()) : NOTHING_TAKEN;
    const receipt = receiptOf(result);
    if (!admission.isOpen) return giveBack(admission, receipt);
    if (isRefusal(result)) {
      await admission.settle({ outcome: admission.hasDrawn ? 'failed' : 'ignored' });
      const usages = result && (await tryPeekAll(ledger, offers));
      // Room may have come back meanwhile: then the request is judged afresh.
      if (usages?.some(isFitting)) return charge(request, offers, clock.now(), signal);
      return refused(admission.id, request, usages);
    }
    const taken = result?.taken ?? 0;
    const { wanted } = ways[taken];
    amendCharges(booked, wanted);
    admission.request = request;
    admission.offer = offers[taken];
    admission.receipt = [...booked, ...receipt];
    const decision = admitted(admission, result, true, before === admission.model ? before : request.model);
    await giveBackSurplus(admission, booked, wanted);
    return decision;
  }

  /** Before whatever settles the admission, as that is asked for later. */
  async function giveBackSurplus(admission: GateAdmission, booked: Receipt, wanted: Amendment['wanted']) {
    const surplus = booked.filter(({ cost }, i) => cost > (wanted[i] ?? 0));
    if (surplus.length > 0) {
      const actual = surplus.map(({ charge }) => charge.cost);
      await ledger.settle(surplus, actual, true);
      ledger.ended(surplus, NOTHING_OF_THE_LOAD);
    }
    // What the store has not given back is to be given back when the admission is settled.
    const gone = booked.filter(({ cost }, i) => cost === 0 && wanted[i] === undefined);
    admission.receipt = admission.receipt.filter((entry) => !gone.includes(entry));
  }

  async function extend(admission: GateAdmission, estimate: Estimate): Promise<Decision> {
    admission.assertOpen();
    return extendBy(admission, moreFor(admission, quoteMore(admission.offer, estimate)), estimate);
  }

  function moreFor(admission: GateAdmission, quote: Quote): Offer {
    return moreOf(terms(), admission.offer, quote, clock.now());
  }

  async function extendBy(admission: GateAdmission, more: Offer, estimate: Estimate): Promise<Decision> {
    asked(admission.id, 'more', admission.request, undefined, estimate);
    const result = await ledger.take([more], clock.now());
    const receipt = receiptOf(result);
    if (!admission.isOpen) return giveBack(admission, receipt);
    if (isRefusal(result)) return refused(admission.id, admission.request, result?.refused);
    admission.offer = { ...admission.offer, quote: sumOf(admission.offer.quote, more.quote) };
    admission.receipt = [...admission.receipt, ...receipt];
    admission.hasBeenExtended = true;
    return admitted(admission, result, true, admission.model);
  }

  async function draw(admission: GateAdmission, estimate: DrawEstimate, { body }: DrawOptions = {}): Promise<Drawn> {
    admission.assertOpen();
    const call =
      body === undefined ? callOf(admission.offer, estimate) : callBy(terms(), admission.offer, estimate, body);
    return lackingFor(admission, call) === undefined
      ? { admitted: true, draw: admission.beginDraw(call).draw }
      : inTurn(admission, () => drawMore(admission, call));
  }

  async function drawMore(admission: GateAdmission, call: Priced): Promise<Drawn> {
    admission.assertOpen();
    const lacking = lackingFor(admission, call);
    // Begun before the store is asked, so that no other draws on the same rest.
    const { draw, undo } = admission.beginDraw(call);
    let extended: Decision | undefined;
    try {
      extended = lacking && (await extendBy(admission, lacking, estimateOf(lacking)));
    } catch (error) {
      undo();
      throw error;
    }
    if (extended === undefined || extended.admitted) return { admitted: true, draw };
    undo();
    return extended;
  }

  /** What the admission has to be extended by for a call; `undefined` where nothing that is counted is lacking. */
  function lackingFor(admission: GateAdmission, { quote }: Priced): Offer | undefined {
    const lack = lackOf(admission.offer.quote.cost, admission.drawn, quote, terms().countsKinds);
    const more = lack && moreFor(admission, lack);
    return more && more.bills.length > 0 ? more : undefined;
  }

  /** Gives back what was charged for an admission that has been settled meanwhile; that may fail, and it be open again. */
  async function giveBack(admission: GateAdmission, receipt: Receipt): Promise<never> {
    if (receipt.length > 0) await ledger.giveBack(receipt);
    throw admission.tooLate();
  }

  return {
    amend: (...how: Parameters<typeof amend>) => inTurn(how[0], () => amend(...how)),
    extend: (...how: Parameters<typeof extend>) => inTurn(how[0], () => extend(...how)),
    draw,
  };
}

/** What is asked for, as one would ask for it: in dollars too, where they are counted, since calls have prices of their own. */
function estimateOf({ quote, costing }: Offer): Estimate {
  return costing.countsUsd ? { ...quote.tokens, usd: moneyFrom(quote.cost.usd) } : quote.tokens;
}

/** One change at a time: each begins with what the one before has left, whatever came of that. */
export function inTurn<T>(admission: GateAdmission, change: () => Promise<T>): Promise<T> {
  const changing = admission.changing === undefined ? change() : admission.changing.then(change, change);
  admission.changing = changing;
  return changing;
}

function receiptOf(result: Taken | NotTaken | undefined): Receipt {
  return result !== undefined && 'receipt' in result ? result.receipt : NO_RECEIPT;
}

const NO_RECEIPT: Receipt = [];

const NOTHING_TAKEN: Taken = { taken: 0, receipt: NO_RECEIPT, shadowRefused: [] };
