/**
 * Between the gate and its line: what of a request matters to the line (how urgent it is, how long it may wait, whose share it
 * counts for), what the line asks of the gate, and what is told of those who wait.
 */
import type { Clock } from './clock.js';
import { ClosedError, wrongValue } from './errors.js';
import type { Emitter } from './events.js';
import { type Ledger, tryPeekAll } from './ledger/ledger.js';
import type { FairKey } from './line/fairness.js';
import type { LineDesk } from './line/hall.js';
import type { Outlook } from './line/outlook.js';
import { PRIORITIES } from './line/priorities.js';
import type { QueueTerms } from './line/queue-options.js';
import type { WhenShed } from './line/shedding.js';
import type { Entrant } from './line/waiter.js';
import { readerOf, whoAsks } from './meters/keys.js';
import type { AdmitRequest, Dimension, Priority } from './request.js';
import type { Store } from './store/store.js';
import { NO_SUBJECT, type Offer, renewed, type Terms } from './terms/terms.js';
import { parseWait } from './units.js';

/** Who hears that a request waits, or has left without a decision. */
interface Told {
  readonly emitter: Emitter;
  readonly gate: string;
  readonly id: string;
}

/**
 * A request that comes to the line. A class, for there are many and they share their methods.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for a priority, a wait or a preference that is none
 */
export class LineRequest implements Entrant<Offer> {
  readonly id: string | undefined;
  readonly priority: Priority;
  readonly key: FairKey;
  readonly whenShed: WhenShed;
  readonly maxWaitMs: number | undefined;
  readonly tells: boolean;
  readonly signal: AbortSignal | undefined;
  readonly alternatives: readonly Offer[];
  readonly #terms: () => Terms;
  readonly #request: AdmitRequest;
  readonly #told: Told | undefined;

  /**
   * @param terms the gate's present ones
   * @param told nobody unless given
   * @param tells what the meters say once it is charged is wanted too
   */
  constructor(
    terms: () => Terms,
    request: AdmitRequest,
    alternatives: readonly Offer[],
    signal?: AbortSignal | undefined,
    told?: Told,
    tells = false,
  ) {
    const { priority = 'standard', maxWait, whenShed = 'refuse' } = request;
    if (!(PRIORITIES as readonly unknown[]).includes(priority)) {
      throw wrong('priority', priority, "'interactive', 'standard', 'batch' or 'background'");
    }
    if (whenShed !== 'refuse' && whenShed !== 'delay') throw wrong('whenShed', whenShed, "'refuse' or 'delay'");
    const maxWaitMs = maxWait === undefined ? undefined : parseWait(maxWait);
    if (maxWait !== undefined && maxWaitMs === undefined) {
      throw wrong('maxWait', maxWait, "a duration such as '10s', or '0s' for no wait");
    }
    this.id = told?.id;
    this.priority = priority;
    this.key = fairKeyOf(terms(), request, alternatives[0]);
    this.whenShed = whenShed;
    this.maxWaitMs = maxWaitMs;
    this.tells = tells;
    this.signal = signal;
    this.alternatives = alternatives;
    this.#terms = terms;
    this.#request = request;
    this.#told = told;
  }

  renewed(now: number): readonly Offer[] {
    return renewed(this.#terms(), this.alternatives, now);
  }

  queued(outlook: Outlook | undefined): void {
    if (!this.#told?.emitter.hears.queued) return;
    const { emitter, gate, id } = this.#told;
    const { usage, position, expectedMs: expectedWaitMs } = outlook ?? {};
    const layer = usage?.charge.meter.name;
    emitter.emit('queued', { gate, id, request: this.#request, layer, position, expectedWaitMs });
  }

  withdrawn(waitedMs: number): void {
    if (!this.#told?.emitter.hears.withdrawn) return;
    const { emitter, gate, id } = this.#told;
    emitter.emit('withdrawn', { gate, id, request: this.#request, waitedMs });
  }
}

function fairKeyOf({ queue, plan }: Terms, request: AdmitRequest, { model }: Offer): FairKey {
  const dimension: Dimension | undefined = queue?.fairBy;
  if (dimension === undefined) return undefined;
  return whoAsks([dimension], [readerOf(dimension)], request.subject ?? NO_SUBJECT, request, model, plan.warned)[0];
}

function wrong(field: string, value: unknown, expected: string) {
  return wrongValue('TOLLGATE_REQUEST_INVALID', field, value, expected);
}

interface Gate {
  readonly gate: string;
  readonly clock: Clock;
  readonly emitter: Emitter;
  readonly store: Store;
  /** It is made after the line. */
  ledger(): Ledger;
  /** The present ones. A gate that has a line has a queue configured, for good. */
  terms(): Terms;
}

export function lineDeskOf({ gate, clock, emitter, store, ledger, terms }: Gate): LineDesk<Offer> {
  return {
    clock,
    elsewhere: store.line,
    isShared: (store.line ?? store.shared) !== undefined,
    terms: () => terms().queue as QueueTerms,
    take: (...asked) => ledger().take(...asked),
    peek: (who, bills) => ledger().tryPeek(who, bills),
    peekAll: (offers) => tryPeekAll(ledger(), offers),
    giveBack: (receipt) => void ledger().giveBack(receipt),
    levelChanged: (from, to) => emitter.emit('shed.level', { gate, from, to }),
    closed: (id) => new ClosedError(gate, id),
  };
}
