/** An admission, as its gate has it: what is booked for it, and whether that still stands. */
import type { Admission, Decision, DrawOptions, HandOverOptions, Observation } from '../admission.js';
import type { TollgateError } from '../errors.js';
import type { Claim } from '../ledger/unsettled.js';
import type { LayerState } from '../meters/layer-state.js';
import {
  type AdmitRequest,
  type Cost,
  type DrawEstimate,
  type Estimate,
  isPromise,
  type May,
  NOTHING,
} from '../request.js';
import type { Receipt } from '../store/store.js';
import type { Priced } from '../terms/costs.js';
import type { Offer } from '../terms/terms.js';
import { type Abortable, abortable } from './abortable.js';
import type { Books } from './books.js';
import { type Deferral, once } from './deferrals.js';
import { createDraws, type Drawn, type DrawnTotal, type Draws, isByDraws, totalOf, withDraws } from './draws.js';
import { leaseOver, tooLate } from './faults.js';
import { actualCosts, checkOutcome, type Outcome } from './outcome.js';

/** `provisional`: settled by the adapter as the response closed, and the handler may still know better. */
type State = 'open' | 'kept open' | 'handed over' | 'provisional' | 'settled';

/** A class, since one is made for every request and its methods need not be; its fields are set all at once, which is quicker. */
export class GateAdmission implements Admission {
  readonly sequence: number;
  readonly waitedMs: number;
  /** When it was charged, in milliseconds since 1970, by its gate's clock. */
  private readonly begunAt: number;
  request: AdmitRequest;
  /** How it is served. Its quote includes extensions; its bills are what it was charged before them. */
  offer: Offer;
  /** All that is booked: a meter stands here once for the admission and once for each extension. */
  receipt: Receipt;
  hasBeenExtended: boolean;
  /** The last change that was asked for, settled or not. */
  changing: Promise<unknown> | undefined;
  /** Of what others may settle too. */
  claim: Claim | undefined;
  private readonly books: Books;
  private readonly caller: AbortSignal | undefined;
  private state: State;
  private draws: Draws | undefined;
  /** The end that waits for open draws. */
  private ending: Deferral | undefined;
  private abortable: Abortable | undefined;
  /** Ends the watch over leases. */
  private unwatch: (() => void) | undefined;

  constructor(
    books: Books,
    sequence: number,
    request: AdmitRequest,
    offer: Offer,
    receipt: Receipt,
    caller: AbortSignal | undefined,
    waitedMs: number,
  ) {
    this.books = books;
    this.sequence = sequence;
    this.waitedMs = waitedMs;
    this.begunAt = offer.at + waitedMs;
    this.request = request;
    this.offer = offer;
    this.receipt = receipt;
    this.hasBeenExtended = false;
    this.changing = undefined;
    this.claim = undefined;
    this.caller = caller;
    this.state = 'open';
    this.draws = undefined;
    this.ending = undefined;
    this.abortable = undefined;
    this.unwatch = undefined;
  }

  /** One that was resumed has books of its own, of the same gate. */
  isIn({ extend }: Books): boolean {
    return this.books.extend === extend;
  }

  get id(): string {
    return this.books.idPrefix + this.sequence.toString(36);
  }

  get model(): string | undefined {
    return this.offer.model;
  }

  get way(): string | undefined {
    return this.offer.way;
  }

  get degraded(): boolean {
    return this.offer.model !== this.offer.request.model;
  }

  get estimate(): Pick<Cost, 'inputTokens' | 'outputTokens' | 'usd'> {
    const { inputTokens, outputTokens, usd } = this.offer.quote.cost;
    return { inputTokens, outputTokens, usd };
  }

  /** Made when it is first asked for: most handlers never do, and it costs more than the decision. */
  get signal(): AbortSignal {
    this.abortable ??= abortable(this.caller);
    if (this.isOpen)
      this.unwatch ??= this.books.atLeaseEnd(
        this.begunAt,
        () => this.receipt,
        () => this.abort(leaseOver(this.id)),
      );
    return this.abortable.signal;
  }

  layers(): May<readonly LayerState[]> {
    return this.books.layers(this.offer, this.receipt);
  }

  abort(reason?: unknown): void {
    this.abortable ??= abortable(this.caller);
    this.abortable.abort(reason);
  }

  keepOpen(): void {
    if (this.state === 'open') this.state = 'kept open';
  }

  handOver(options?: HandOverOptions): Promise<string> {
    return this.books.handOver(this, options);
  }

  /** It is others' as well from now on, for all that is known. */
  leave(claim: Claim): void {
    this.assertOpen();
    this.claim = claim;
    this.state = 'handed over';
  }

  /** It could not be handed over, for all that is known. */
  stay(claim: Claim): void {
    this.claim = claim;
    if (this.state === 'handed over') this.state = 'kept open';
  }

  extend(estimate: Estimate): Promise<Decision> {
    return this.books.extend(this, estimate);
  }

  observe(readings: readonly Observation[]): May<void> {
    return this.books.observe(this, readings);
  }

  draw(estimate: DrawEstimate, options?: DrawOptions): Promise<Drawn> {
    return this.books.draw(this, estimate, options);
  }

  beginDraw(call: Priced): ReturnType<Draws['begin']> {
    this.draws ??= this.newDraws();
    return this.draws.begin(call);
  }

  private newDraws(before?: DrawnTotal): Draws {
    return createDraws(
      (...learned) => this.books.learn(this.offer.request, ...learned),
      () => this.ending?.run(),
      before,
    );
  }

  /** Goes on where another process has drawn. */
  drewBefore(total: DrawnTotal): void {
    this.draws = this.newDraws(total);
  }

  get drawnTotal(): DrawnTotal | undefined {
    return this.hasDrawn ? this.draws : undefined;
  }

  get hasDrawn(): boolean {
    return this.draws?.areAny ?? false;
  }

  /** What its draws take. */
  get drawn(): Cost {
    return this.draws?.taken ?? NOTHING;
  }

  get isOpen(): boolean {
    return this.state === 'open' || this.state === 'kept open';
  }

  assertOpen(): void {
    if (!this.isOpen) throw this.tooLate();
  }

  tooLate(): TollgateError {
    return tooLate(this.id, this.state === 'handed over');
  }

  settle(outcome: Outcome = NO_OUTCOME): Promise<void> {
    try {
      return this.end(outcome, false) ?? DONE;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  conclude(outcome: Outcome = NO_OUTCOME): May<void> {
    return this.end(outcome, true);
  }

  private end(outcome: Outcome, provisional: boolean): May<void> {
    if (this.state === 'settled' || (provisional && this.state !== 'open')) return;
    checkOutcome(outcome);
    const total = totalOf(this.draws, outcome, this.offer);
    this.state = provisional ? 'provisional' : 'settled';
    this.ending?.cancel();
    if (this.draws?.areOpen && isByDraws(this.draws, outcome, this.model)) this.endAfterDraws(outcome, provisional);
    else return this.book(outcome, total, provisional);
  }

  private endAfterDraws(outcome: Outcome, provisional: boolean): void {
    this.ending = this.books.defer(() => this.endByDraws(outcome, provisional));
  }

  /** Where some are open still, though it can't wait for them any longer, it is booked once more as they end. */
  private endByDraws(outcome: Outcome, provisional: boolean): void {
    const areOpen = this.draws?.areOpen ?? false;
    if (areOpen) this.ending = once(() => this.endByDraws(outcome, provisional));
    void this.book(outcome, totalOf(this.draws, outcome, this.offer), provisional || areOpen);
  }

  private book(outcome: Outcome, total: Cost | undefined, provisional: boolean): May<void> {
    this.unwatch?.();
    const { offer, receipt, claim } = this;
    const actual = actualCosts(receipt, offer.quote.cost, total);
    if (claim !== undefined) return this.bookOnce(claim, actual, outcome, total, provisional);
    const settling = this.books.settle(receipt, actual);
    if (isPromise(settling)) return this.endedAfter(settling, outcome, total, provisional);
    this.ended(outcome, total, provisional);
  }

  /** Where others may settle it too. */
  private bookOnce(
    claim: Claim,
    actual: readonly number[],
    outcome: Outcome,
    total: Cost | undefined,
    provisional: boolean,
  ): May<void> {
    return this.books.settle(this.receipt, actual, { claim, won: () => this.ended(outcome, total, provisional) });
  }

  private async endedAfter(
    settling: Promise<void>,
    outcome: Outcome,
    total: Cost | undefined,
    provisional: boolean,
  ): Promise<void> {
    await settling;
    this.ended(outcome, total, provisional);
  }

  private ended(outcome: Outcome, total: Cost | undefined, provisional: boolean): void {
    this.books.settled(this, withDraws(this.draws, outcome, this.offer), total, provisional);
  }
}

const NO_OUTCOME: Outcome = {};

const DONE = Promise.resolve();
