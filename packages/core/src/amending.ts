/**
 * Changes to open admissions: into what another toll asks for, or by more work under the same one. They never wait: who
 * has begun would hold what others wait for. What doesn't fit at once is refused, whatever its `whenFull`.
 */
import type { Decision, GateAdmission } from './admission.js';
import { amended, amendment } from './amendment.js';
import type { Clock } from './clock.js';
import { sumOf } from './costs.js';
import { isFitting } from './insight.js';
import { type Ledger, NOTHING_OF_THE_LOAD, peekAll } from './ledger.js';
import type { Usage } from './meters/meter.js';
import type { AdmitRequest, Estimate, May } from './request.js';
import type { NotTaken, Receipt, Taken } from './store/store.js';
import { moreOf, type Offer, type Terms } from './terms.js';

/** What of its gate changing an admission takes. */
export interface Desk {
  terms(): Terms;
  readonly ledger: Ledger;
  readonly clock: Clock;
  /** Charges a request as if it came for the first time, at once or not at all. */
  charge(request: AdmitRequest, offers: readonly Offer[], now: number, signal: AbortSignal | undefined): May<Decision>;
  isRefusal(result: Taken | NotTaken | undefined): result is NotTaken | undefined;
  admitted(admission: GateAdmission, result: Taken | undefined, extended: boolean, from: string | undefined): Decision;
  refused(id: string, request: AdmitRequest, usages: readonly (readonly Usage[])[] | undefined): Decision;
}

export function createAmendments({ terms, ledger, clock, charge, isRefusal, admitted, refused }: Desk) {
  /** Turns an open admission, with what it was extended by, into one for `request`. */
  async function amend(
    admission: GateAdmission,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    admission.assertOpen();
    const { receipt: booked, model: before } = admission;
    const ways = offers.map((offer) => amendment(booked, offer));
    const lacking = ways.map(({ missing }, i) => ({ name: offers[i].name, who: offers[i].who, bills: missing }));
    const result = lacking[0].bills.length > 0 ? await ledger.take(lacking, clock.now()) : NOTHING_TAKEN;
    if (isRefusal(result)) {
      await ledger.attempt(() => admission.settle({ outcome: 'ignored' }));
      const usages = result && (await ledger.attempt(() => peekAll(ledger, offers)));
      // Room may have come back meanwhile: then the request is judged afresh.
      if (usages?.some(isFitting)) return charge(request, offers, clock.now(), signal);
      return refused(admission.id, request, usages);
    }
    const { wanted } = ways[result?.taken ?? 0];
    const receipt = result?.receipt ?? NO_RECEIPT;
    // Nothing may come between: who settles now has to see the receipt.
    if (!admission.isOpen) await giveBack(admission, receipt);
    // From here on, whoever settles the admission settles this too.
    admission.receipt = [...admission.receipt, ...receipt];
    const surplus = booked.flatMap((entry, i) =>
      (wanted[i] ?? 0) < entry.cost ? { entry, actual: wanted[i] ?? 0 } : [],
    );
    if (surplus.length > 0) {
      const entries = surplus.map(({ entry }) => entry);
      const actual = surplus.map(({ actual }) => actual);
      await ledger.attempt(() => ledger.settle(entries, actual, true));
      ledger.ended(entries, NOTHING_OF_THE_LOAD);
    }
    admission.assertOpen();
    admission.request = request;
    admission.offer = offers[result?.taken ?? 0];
    // What it was extended by meanwhile stays.
    admission.receipt = [...amended(booked, wanted), ...admission.receipt.slice(booked.length)];
    return admitted(admission, result, true, before === admission.model ? before : request.model);
  }

  async function extend(admission: GateAdmission, estimate: Estimate): Promise<Decision> {
    const now = clock.now();
    const more = moreOf(terms(), admission, estimate, now);
    const result = await ledger.take([more], now);
    if (isRefusal(result)) return refused(admission.id, admission.request, result?.refused);
    const receipt = result?.receipt ?? NO_RECEIPT;
    // Nothing may come between: who settles now has to see the receipt.
    if (!admission.isOpen) await giveBack(admission, receipt);
    admission.offer = { ...admission.offer, quote: sumOf(admission.offer.quote, more.quote) };
    admission.receipt = [...admission.receipt, ...receipt];
    admission.hasBeenExtended = true;
    return admitted(admission, result, true, admission.model);
  }

  /** Gives back what was charged for an admission that has been settled meanwhile, and throws. */
  async function giveBack(admission: GateAdmission, receipt: Receipt): Promise<void> {
    await ledger.giveBack(receipt);
    admission.assertOpen();
  }

  return { amend, extend };
}

const NO_RECEIPT: Receipt = [];

const NOTHING_TAKEN: Taken = { taken: 0, receipt: NO_RECEIPT, shadowRefused: [] };
