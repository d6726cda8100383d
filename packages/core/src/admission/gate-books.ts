/** What a gate does for the admissions that it has made, whatever becomes of them. */
import type { Observation } from '../admission.js';
import type { Clock } from '../clock.js';
import type { Decisions } from '../decisions.js';
import { layersIn } from '../insight.js';
import type { Ledger } from '../ledger/ledger.js';
import type { Line } from '../line/line.js';
import type { Learned } from '../money/learned.js';
import { andThen, type Cost, type May } from '../request.js';
import type { Offer, Terms } from '../terms/terms.js';
import { type Amendments, inTurn } from './amending.js';
import type { Books } from './books.js';
import type { Deferrals } from './deferrals.js';
import type { GateAdmission } from './gate-admission.js';
import { atLeaseEnd } from './lease.js';
import { seenOf } from './observing.js';
import { endingOf, type Outcome } from './outcome.js';

interface Site {
  readonly idPrefix: string;
  readonly clock: Clock;
  readonly terms: () => Terms;
  readonly ledger: Ledger;
  readonly learned: Learned;
  readonly line: Line<Offer> | undefined;
  readonly decisions: Decisions;
  readonly amendments: Amendments;
  readonly deferrals: Deferrals;
  readonly handOver: Books['handOver'];
}

export function createBooks(site: Site): Books {
  const { idPrefix, clock, terms, ledger, learned, line, decisions, amendments, deferrals, handOver } = site;

  function settled(admission: GateAdmission, end: Outcome, actual: Cost | undefined, provisional: boolean): void {
    const { offer, receipt, hasBeenExtended, hasDrawn } = admission;
    const { usage, model = admission.model } = end;
    if (line !== undefined || terms().plan.hasAdaptive) ledger.ended(receipt, endingOf(end));
    // Extensions come on top of what is learned, and draws are learned from by themselves.
    if (usage && actual && model !== undefined && !provisional && !hasBeenExtended && !hasDrawn) {
      learned.learn(offer.request.feature, model, offer.quote.tokens, usage, offer.quote.choices);
    }
    decisions.settled(admission, end, actual, provisional);
  }

  function observe(admission: GateAdmission, readings: readonly Observation[]): May<void> {
    const seen = seenOf(terms().plan, admission.offer, admission.receipt, readings);
    return andThen(ledger.observe(seen), (hasRoom) => {
      if (hasRoom) line?.found(seen);
    });
  }

  return {
    idPrefix,
    extend: amendments.extend,
    draw: amendments.draw,
    learn: ({ feature }, { quote }, model, usage) => learned.learn(feature, model, quote.tokens, usage, quote.choices),
    defer: deferrals.defer,
    layers: layersIn(ledger),
    atLeaseEnd: (...watched) => atLeaseEnd(clock, ...watched),
    observe,
    handOver: (admission, options) => inTurn(admission, () => handOver(admission, options)),
    settle: (receipt, actual, contest) => ledger.settle(receipt, actual, false, contest),
    settled,
  };
}
