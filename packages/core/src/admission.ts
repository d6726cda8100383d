/** What a gate decides: an admission to be settled, or a refusal. */
import { TollgateError } from './errors.js';
import type { Refusal } from './http/problem.js';
import type { LayerState } from './meters/layer-state.js';
import type { Bill, Who } from './meters/meter.js';
import type { Observation } from './observing.js';
import { actualCosts, actualOf, checkOutcome, type Outcome } from './outcome.js';
import { type AdmitRequest, type Cost, type Estimate, isPromise, type May } from './request.js';
import type { Receipt } from './store/store.js';
import type { Offer } from './terms.js';
import type { Duration } from './units.js';

/** Leave to go on, and the duty to settle: what is never settled stays charged as estimated. */
export interface Admission {
  readonly id: string;
  /** What was asked for, as it was changed last: on whose behalf, for which feature, and how urgently. */
  readonly request: Readonly<AdmitRequest>;
  /** The model to use: the one asked for, or a cheaper one of its ladder. */
  readonly model: string | undefined;
  /** The name of the way to use, of those that the request offered; `undefined` where it offered none. */
  readonly way: string | undefined;
  /** A cheaper model than the one asked for is to be used. */
  readonly degraded: boolean;
  /** Milliseconds that the request waited in the line before it was charged; 0 if it didn't. */
  readonly waitedMs: number;
  /** Aborts when whoever asked has gone, or the lease of a slot has ended: pass it to what the request sets off. */
  readonly signal: AbortSignal;
  /** The tokens, and their price in nano-dollars, that it is expected to use, extensions included. */
  readonly estimate: Pick<Cost, 'inputTokens' | 'outputTokens' | 'usd'>;
  /** How the limits stand that it met. */
  layers(): May<readonly LayerState[]>;
  /**
   * Charges for more work under the same admission, such as an agent's next call: all of it or, when refused, nothing.
   * What was admitted before stays so. Its price is that of the admission's model when it was admitted, unless `usd` is
   * given; tokens that are left out are none.
   *
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` after settling, `TOLLGATE_REQUEST_INVALID` for a count or an amount
   *   that is none, `TOLLGATE_UNKNOWN_MODEL` where its tokens have no price
   */
  extend(estimate: Estimate): Promise<Decision>;
  /**
   * Takes in what the answer to this admission said of what is left, such as a provider's headers: it corrects the limits
   * that are `headroom`, for all that count there. They are taken to have counted all that was charged up to this admission,
   * but not what was charged since. Whatever leaves less room holds at once, what leaves more step by step. Also once it is
   * settled. Where the store fails it is lost.
   *
   * @throws TollgateError `TOLLGATE_OBSERVATION_INVALID` for a reading that is none, and for a layer that is no headroom
   */
  observe(readings: readonly Observation[]): May<void>;
  /** Aborts `signal`: whoever asked has gone. The admission is still to be settled. */
  abort(reason?: unknown): void;
  /** Leaves settling to you alone: work goes on after the response. */
  keepOpen(): void;
  /**
   * Keeps it in the store, for any process to take up by its id (see `Tollgate.resume`), such as the worker of a job queue.
   * Whoever settles it first does, here or elsewhere. Nothing can be added to it here from then on, and the end of the
   * response doesn't settle it. Resolves to its id; rejects where the store fails, and it stays as it was, kept open.
   *
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` after settling, `TOLLGATE_REQUEST_INVALID` for a time that is none,
   *   `TOLLGATE_NOT_KEPT` where the store keeps none
   */
  handOver(options?: HandOverOptions): Promise<string>;
  /**
   * Puts actual usage in place of the estimate. The first call counts; after a provisional one, one more does. Where the
   * store fails, that is done once it answers again, and not waited for.
   *
   * @throws TollgateError `TOLLGATE_USAGE_INVALID` for an outcome or a usage that is none, or has an unknown field;
   *   `TOLLGATE_UNKNOWN_MODEL` where its tokens have no price. The admission stays as it was
   */
  settle(outcome?: Outcome): Promise<void>;
  /**
   * Settles provisionally: one later `settle` still counts. For who knows only that the response has ended, such as an
   * adapter. Does nothing once settled or kept open, and makes no promise where the store makes none.
   */
  conclude(outcome?: Outcome): May<void>;
}

export interface HandOverOptions {
  /** Until then it can be settled, and stays charged as estimated after that: from 1 s to 30 days, `'1d'` unless given. */
  within?: Duration | undefined;
}

/** Asked before an admission is settled that others may settle, too. */
export interface Claim {
  /** True where it is this one's to settle. Fails as the store does; asked again, it says the same. */
  ask(): Promise<boolean>;
  /** Known once it was asked. */
  readonly isLost: boolean;
}

export type Decision =
  | {
      readonly admitted: true;
      readonly admission: Admission;
      /** How the limits stand now, where that was asked for and is known at once. */
      readonly layers: readonly LayerState[] | undefined;
    }
  | { readonly admitted: false; readonly refusal: Refusal };

/** What an admission needs of its gate. */
export interface Books {
  readonly idPrefix: string;
  extend(admission: GateAdmission, estimate: Estimate): Promise<Decision>;
  layers(who: Who, bills: readonly Bill[]): May<readonly LayerState[]>;
  /** Calls `task` when the first lease in the receipt has ended. Returns what cancels that. */
  atLeaseEnd(receipt: () => Receipt, task: () => void): () => void;
  observe(admission: GateAdmission, readings: readonly Observation[]): May<void>;
  handOver(admission: GateAdmission, options: HandOverOptions | undefined): Promise<string>;
  settle(receipt: Receipt, actual: readonly number[], claim: Claim | undefined): May<void>;
  settled(admission: GateAdmission, outcome: Outcome, actual: Cost | undefined, provisional: boolean): void;
}

/** `provisional`: settled by the adapter as the response closed, and the handler may still know better. */
type State = 'open' | 'kept open' | 'handed over' | 'provisional' | 'settled';

/** A class, since one is made for every request and its methods need not be; its fields are set all at once, which is quicker. */
export class GateAdmission implements Admission {
  readonly sequence: number;
  readonly waitedMs: number;
  request: AdmitRequest;
  /** How it is served. Its quote includes extensions; its bills are what it was charged before them. */
  offer: Offer;
  /** All that is booked: a meter stands here once for the admission and once for each extension. */
  receipt: Receipt;
  hasBeenExtended: boolean;
  /** The last change that was asked for, settled or not. */
  changing: Promise<Decision> | undefined;
  /** Of what others may settle too. */
  claim: Claim | undefined;
  private readonly books: Books;
  private readonly caller: AbortSignal | undefined;
  private state: State;
  private leaving: Leaving | undefined;
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
    this.request = request;
    this.offer = offer;
    this.receipt = receipt;
    this.hasBeenExtended = false;
    this.changing = undefined;
    this.claim = undefined;
    this.caller = caller;
    this.state = 'open';
    this.leaving = undefined;
    this.unwatch = undefined;
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
    this.leaving ??= leaving(this.caller);
    if (this.isOpen)
      this.unwatch ??= this.books.atLeaseEnd(
        () => this.receipt,
        () => this.abort(leaseOver(this.id)),
      );
    return this.leaving.signal;
  }

  layers(): May<readonly LayerState[]> {
    return this.books.layers(this.offer.who, this.offer.bills);
  }

  abort(reason?: unknown): void {
    this.leaving ??= leaving(this.caller);
    this.leaving.abort(reason);
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

  /** It could not be handed over. */
  stay(): void {
    if (this.state === 'handed over') this.state = 'kept open';
  }

  extend(estimate: Estimate): Promise<Decision> {
    return this.books.extend(this, estimate);
  }

  observe(readings: readonly Observation[]): May<void> {
    return this.books.observe(this, readings);
  }

  get isOpen(): boolean {
    return this.state === 'open' || this.state === 'kept open';
  }

  assertOpen(): void {
    if (!this.isOpen) throw this.tooLate();
  }

  tooLate(): TollgateError {
    const message =
      this.state === 'handed over'
        ? `Admission ${this.id} has been handed over: whoever resumes it may extend it.`
        : `Admission ${this.id} has been settled and can't be extended. For work after the response, call keepOpen() first.`;
    return new TollgateError('TOLLGATE_ADMISSION_SETTLED', message);
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
    const { offer, receipt } = this;
    const actual = outcome.outcome === 'ignored' ? undefined : actualOf(offer, outcome);
    this.state = provisional ? 'provisional' : 'settled';
    const settling = this.books.settle(receipt, actualCosts(receipt, offer.quote.cost, actual), this.claim);
    if (isPromise(settling)) return settling.then(() => this.ended(outcome, actual, provisional));
    this.ended(outcome, actual, provisional);
  }

  private ended(outcome: Outcome, actual: Cost | undefined, provisional: boolean): void {
    this.unwatch?.();
    if (this.claim?.isLost) return;
    this.books.settled(this, outcome, actual, provisional);
  }
}

const NO_OUTCOME: Outcome = {};

/** What the signal of an admission aborts with that has run for longer than the lease of its slot. */
function leaseOver(id: string): TollgateError {
  const message = `Admission ${id} has run for longer than the lease of its slot, which others may have now. Give the concurrency limit a longer lease, or work a time limit.`;
  return new TollgateError('TOLLGATE_LEASE_OVER', message);
}

const DONE = Promise.resolve();

/** The signal of an admission, and what aborts it. */
interface Leaving {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

function leaving(caller: AbortSignal | undefined): Leaving {
  const controller = new AbortController();
  const signal = caller ? AbortSignal.any([caller, controller.signal]) : controller.signal;
  return { signal, abort: (reason) => controller.abort(reason) };
}
