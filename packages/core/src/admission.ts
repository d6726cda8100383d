/** What a gate decides: an admission to be settled, or a refusal. */
import { show, TollgateError } from './errors.js';
import type { Refusal } from './http/problem.js';
import { costIn } from './meters/charges.js';
import { isOwn, type LayerState } from './meters/layer-state.js';
import type { Bill, Meter } from './meters/meter.js';
import type { Money } from './money/nano-dollars.js';
import { type AdmitRequest, type Cost, isPromise, type May, type TokenCounts } from './request.js';
import { isRecord } from './schema.js';
import type { Alternative, Entry, Receipt } from './store/store.js';
import { checkTokenCounts } from './token-counts.js';

/** How the work of an admission ended, and what it used. */
export interface Outcome {
  /** `succeeded` and `failed` keep what was charged, or the usage given; `ignored` gives everything back. */
  outcome?: 'succeeded' | 'failed' | 'ignored' | undefined;
  /** The tokens used. What is left out stays as estimated. */
  usage?: TokenCounts | undefined;
  /** The model that did serve it, where that is not the admission's. */
  model?: string | undefined;
  /** What it did cost in dollars, where you know better than the price of its tokens. */
  usd?: Money | undefined;
}

/** Leave to go on, and the duty to settle: what is never settled stays charged as estimated. */
export interface Admission {
  readonly id: string;
  /** The model to use: the one asked for, or a cheaper one of its ladder. */
  readonly model: string | undefined;
  /** A cheaper model than the one asked for is to be used. */
  readonly degraded: boolean;
  /** Milliseconds that the request waited before it was charged; 0 while gates have no line. */
  readonly waitedMs: number;
  /** Aborts when whoever asked has gone: pass it to what the request sets off. */
  readonly signal: AbortSignal;
  /** The tokens, and their price in nano-dollars, that it was charged for, extensions included. */
  readonly estimate: Pick<Cost, 'inputTokens' | 'outputTokens' | 'usd'>;
  /** How the limits stand that it met: all, unless only those are asked for that count this caller alone. */
  layers(which?: 'all' | 'own'): May<readonly LayerState[]>;
  /**
   * Charges for more work under the same admission, such as an agent's next call: all of it or, when refused, nothing.
   * What was admitted before stays so.
   *
   * @throws TollgateError `TOLLGATE_ADMISSION_SETTLED` after settling, `TOLLGATE_REQUEST_INVALID` for a count that is none
   */
  extend(estimate: TokenCounts): Promise<Decision>;
  /** Aborts `signal`: whoever asked has gone. The admission is still to be settled. */
  abort(reason?: unknown): void;
  /** Leaves settling to you alone: work goes on after the response. */
  keepOpen(): void;
  /**
   * Puts actual usage in place of the estimate. The first call counts; after a provisional one, one more does.
   *
   * @throws TollgateError `TOLLGATE_USAGE_INVALID` for a usage that is none; the admission stays as it was
   */
  settle(outcome?: Outcome): Promise<void>;
  /**
   * Settles provisionally: one later `settle` still counts. For who knows only that the response has ended, such as an
   * adapter. Does nothing once settled or kept open, and makes no promise where the store makes none.
   */
  conclude(outcome?: Outcome): May<void>;
}

export type Decision =
  | { readonly admitted: true; readonly admission: Admission }
  | { readonly admitted: false; readonly refusal: Refusal };

/** What an admission needs of its gate. */
export interface Books {
  readonly idPrefix: string;
  extend(admission: GateAdmission, estimate: TokenCounts): Promise<Decision>;
  layers(bills: readonly Bill[]): May<readonly LayerState[]>;
  /** What an admission comes to. Throws a TollgateError where that has no price. */
  actual(admission: GateAdmission, outcome: Outcome): Cost;
  settle(receipt: Receipt, actual: readonly number[]): May<void>;
  settled(admission: GateAdmission, outcome: Outcome, actual: Cost | undefined, provisional: boolean): void;
}

/** One way to serve a request, and what it costs that way. */
export interface Offer extends Alternative {
  readonly model: string | undefined;
  readonly cost: Cost;
}

/** `provisional`: settled by the adapter as the response closed, and the handler may still know better. */
type State = 'open' | 'kept open' | 'provisional' | 'settled';

/** A class, since one is made for every request and its methods need not be. */
export class GateAdmission implements Admission {
  readonly sequence: number;
  request: AdmitRequest;
  /** How it is served. Its cost includes extensions; its bills are what it was charged before them. */
  offer: Offer;
  /** When it was admitted. */
  readonly at: number;
  /** All that is booked: a meter stands here once for the admission and once for each extension. */
  receipt: Receipt;
  readonly #books: Books;
  readonly #caller: AbortSignal | undefined;
  #state: State = 'open';
  #leaving: Leaving | undefined = undefined;

  constructor(
    books: Books,
    sequence: number,
    request: AdmitRequest,
    offer: Offer,
    at: number,
    receipt: Receipt,
    caller: AbortSignal | undefined,
  ) {
    this.#books = books;
    this.sequence = sequence;
    this.request = request;
    this.offer = offer;
    this.at = at;
    this.receipt = receipt;
    this.#caller = caller;
  }

  get id(): string {
    return this.#books.idPrefix + this.sequence.toString(36);
  }

  get waitedMs(): number {
    return 0;
  }

  get model(): string | undefined {
    return this.offer.model;
  }

  get degraded(): boolean {
    return this.offer.model !== this.request.model;
  }

  get estimate(): Pick<Cost, 'inputTokens' | 'outputTokens' | 'usd'> {
    const { inputTokens, outputTokens, usd } = this.offer.cost;
    return { inputTokens, outputTokens, usd };
  }

  /** Made when it is first asked for: most handlers never do, and it costs more than the decision. */
  get signal(): AbortSignal {
    this.#leaving ??= leaving(this.#caller);
    return this.#leaving.signal;
  }

  layers(which: 'all' | 'own' = 'all'): May<readonly LayerState[]> {
    const { bills } = this.offer;
    return this.#books.layers(which === 'all' ? bills : bills.filter(isOwn));
  }

  abort(reason?: unknown): void {
    this.#leaving ??= leaving(this.#caller);
    this.#leaving.abort(reason);
  }

  keepOpen(): void {
    if (this.#state === 'open') this.#state = 'kept open';
  }

  async extend(estimate: TokenCounts): Promise<Decision> {
    this.assertOpen();
    return this.#books.extend(this, estimate);
  }

  get isOpen(): boolean {
    return this.#state === 'open' || this.#state === 'kept open';
  }

  assertOpen(): void {
    if (this.isOpen) return;
    throw new TollgateError(
      'TOLLGATE_ADMISSION_SETTLED',
      `Admission ${this.id} has been settled and can't be extended. For work after the response, call keepOpen() first.`,
    );
  }

  async settle(outcome: Outcome = NO_OUTCOME): Promise<void> {
    return this.#end(outcome, false);
  }

  conclude(outcome: Outcome = NO_OUTCOME): May<void> {
    return this.#end(outcome, true);
  }

  #end(outcome: Outcome, provisional: boolean): May<void> {
    if (this.#state === 'settled' || (provisional && this.#state !== 'open')) return;
    checkOutcome(outcome);
    const actual = outcome.outcome === 'ignored' ? undefined : this.#books.actual(this, outcome);
    const before = this.#state;
    const after = provisional ? 'provisional' : 'settled';
    this.#state = after;
    const restore = (error: unknown) => this.#restore(before, after, error);
    let settling: May<void>;
    try {
      settling = this.#books.settle(this.receipt, actualCosts(this.receipt, this.offer.cost, actual, outcome));
    } catch (error) {
      return restore(error);
    }
    if (isPromise(settling))
      return settling.then(() => this.#books.settled(this, outcome, actual, provisional), restore);
    this.#books.settled(this, outcome, actual, provisional);
  }

  /** Where the store fails, the admission can be settled again, unless that has been done meanwhile. */
  #restore(before: State, after: State, error: unknown): never {
    if (this.#state === after) this.#state = before;
    throw error;
  }
}

const NO_OUTCOME: Outcome = {};

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

/** The outcome tells what was used; else what was charged stands. */
function isKnown({ usage, model, usd }: Outcome): boolean {
  return usage !== undefined || model !== undefined || usd !== undefined;
}

/**
 * What each entry comes to, from what it was charged at first: an earlier, provisional end doesn't count. Of several entries
 * of one meter the earlier are filled first; the last takes the rest. While nobody knows how long the answer was, what a
 * budget has reserved for it stays.
 *
 * @param total `undefined` where all is given back
 */
function actualCosts(receipt: Receipt, estimated: Cost, total: Cost | undefined, outcome: Outcome): number[] {
  if (total === undefined) return receipt.map(() => 0);
  if (!isKnown(outcome)) return receipt.map(({ charge }) => charge.cost);
  const isAnswerKnown = outcome.usd !== undefined || outcome.usage?.outputTokens !== undefined;
  const totalOf = (meter: Meter) =>
    meter.unit === 'usd' && !isAnswerKnown
      ? Math.max(total.usd, sumOf(meter, receipt) + total.usd - estimated.usd)
      : costIn(meter.unit, total);
  return receipt.map(({ charge: { meter, cost } }, i) => {
    if (meter.unit === 'requests' || meter.unit === 'permits') return cost;
    const left = Math.max(0, totalOf(meter) - sumOf(meter, receipt.slice(0, i)));
    return receipt.slice(i + 1).some(({ charge }) => charge.meter === meter) ? Math.min(left, cost) : left;
  });
}

/** What a meter was charged at first. */
function sumOf(meter: Meter, entries: readonly Entry[]): number {
  return entries.reduce((sum, { charge }) => (charge.meter === meter ? sum + charge.cost : sum), 0);
}

function checkOutcome(given: Outcome): void {
  if (!isRecord(given)) throw wrongOutcome('outcome', given, "an object such as { outcome: 'succeeded', usage }");
  const { outcome = 'succeeded', usage } = given;
  if (outcome !== 'succeeded' && outcome !== 'failed' && outcome !== 'ignored') {
    throw wrongOutcome('outcome.outcome', outcome, "'succeeded', 'failed' or 'ignored'");
  }
  checkTokenCounts('TOLLGATE_USAGE_INVALID', 'outcome.usage', usage);
}

function wrongOutcome(field: string, value: unknown, expected: string): TollgateError {
  return new TollgateError('TOLLGATE_USAGE_INVALID', `${field}: got ${show(value)}; expected ${expected}.`);
}
