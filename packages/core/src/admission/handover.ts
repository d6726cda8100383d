/**
 * Admissions that are handed over: kept by the store until whichever process resumes them. Before any process settles one,
 * the one that has made it included, it claims it, and one alone can.
 */
import { randomBytes } from 'node:crypto';
import type { HandOverOptions } from '../admission.js';
import type { Clock } from '../clock.js';
import { strayOptions, TollgateError, warn, wrongValue } from '../errors.js';
import { type Ledger, NOTHING_OF_THE_LOAD } from '../ledger/ledger.js';
import type { Claim } from '../ledger/unsettled.js';
import type { Bill, Scope } from '../meters/meter.js';
import type { AdmitRequest, Subject } from '../request.js';
import type { Entry, Receipt, Records, Store } from '../store/store.js';
import type { Quote } from '../terms/costs.js';
import type { Offer, Terms } from '../terms/terms.js';
import { parseDuration } from '../units.js';
import type { Books } from './books.js';
import type { DrawnTotal } from './draws.js';
import { GateAdmission } from './gate-admission.js';
import { claim, isClaimed, keep } from './kept-admissions.js';
import { readReceipt, writeReceipt } from './written-receipt.js';

const SHORTEST_MS = 1_000;
const LONGEST_MS = 30 * 86_400_000;

/** A claim outlasts the time of whoever may still ask by so much, since clocks differ and are set back. */
const DRIFT_MS = 86_400_000;

/** The gate that has made it, and which it is of that. */
const ID = /^([\w-]{8}-)([0-9a-z]{1,11})$/;

/** What of a request is told to those who resume it, besides its subject: no more, since apps may put anything there. */
const FACTS = ['feature', 'route', 'model', 'provider', 'tier', 'permits', 'priority'] as const;

/** What is kept of an admission, as JSON. */
interface Kept {
  readonly receipt: string;
  /** For how long it was handed over. */
  readonly ttlMs: number;
  readonly request: AdmitRequest;
  /** By dimension, as they are counted. */
  readonly who: Readonly<Record<string, string | undefined>>;
  readonly way: string | undefined;
  readonly model: string | undefined;
  readonly quote: Quote;
  readonly at: number;
  readonly waitedMs: number;
  readonly hasBeenExtended: boolean;
  /** What its draws have come to: what is open of them counts as estimated. */
  readonly drawn: DrawnTotal | undefined;
}

interface Site {
  readonly gate: string;
  readonly store: Store;
  readonly clock: Clock;
  readonly terms: () => Terms;
  readonly ledger: Ledger;
  readonly books: () => Books;
}

export function createHandovers({ gate, store, clock, terms, ledger, books }: Site) {
  function recordsOf(): Records {
    if (store.records !== undefined) return store.records;
    throw new TollgateError(
      'TOLLGATE_NOT_KEPT',
      `The store of gate '${gate}' keeps no admissions for others to settle.`,
    );
  }

  function placeOf(id: string) {
    return { collection: `handed over by ${gate}`, name: id };
  }

  /**
   * @param ttlMs for how long it was handed over
   * @param until the one that has made it may settle until then what nobody else has, kept or not
   */
  function claimOf(id: string, ttlMs: number, until = 0): Claim {
    const by = randomBytes(9).toString('base64url');
    return async () => {
      const now = clock.now();
      const answer = await claim(recordsOf(), placeOf(id), by, ttlMs + DRIFT_MS, now < until, now);
      if (answer === 'unknown') {
        const message = `Admission ${id} was settled after the time that it was handed over for: it stays charged as estimated.`;
        warn('TOLLGATE_ADMISSION_UNKNOWN', message);
      }
      return answer === 'claimed';
    };
  }

  async function handOver(admission: GateAdmission, options: HandOverOptions = {}): Promise<string> {
    const { within = '1d', ...others } = options;
    for (const { path, value, expected } of strayOptions('handOver', others)) {
      throw wrongValue('TOLLGATE_REQUEST_INVALID', path, value, expected);
    }
    const ttlMs = parseDuration(within);
    if (ttlMs === undefined || ttlMs < SHORTEST_MS || ttlMs > LONGEST_MS) {
      const expected = "a duration from 1s to 30d such as '1h' or '7d'";
      throw wrongValue('TOLLGATE_REQUEST_INVALID', 'handOver.within', within, expected);
    }
    const records = recordsOf();
    const { id, receipt, offer, waitedMs, hasBeenExtended, drawnTotal } = admission;
    if (ledger.isLocal(receipt)) {
      const message = `Admission ${id} was charged in this process, while the store could not be asked, and can be settled here alone.`;
      throw new TollgateError('TOLLGATE_STORE_FAILED', message);
    }
    const { way, model, quote, at } = offer;
    const who = Object.fromEntries(terms().plan.dimensions.map((dimension, i) => [dimension, offer.who[i]]));
    const kept: Kept = {
      request: factsOf(offer.request, who),
      who,
      way,
      model,
      quote,
      at,
      waitedMs,
      hasBeenExtended,
      receipt: writeReceipt(receipt),
      ttlMs,
      drawn: drawnTotal && { taken: drawnTotal.taken, told: drawnTotal.told },
    };
    admission.leave(claimOf(id, ttlMs, clock.now() + ttlMs));
    try {
      await keep(records, placeOf(id), JSON.stringify(kept), ttlMs, clock.now());
    } catch (error) {
      // Maybe it is kept all the same, and who resumes it settles it; else it is this one's, whenever that is.
      admission.stay(claimOf(id, LONGEST_MS, Number.POSITIVE_INFINITY));
      throw error;
    }
    ledger.ended(receipt, NOTHING_OF_THE_LOAD);
    return id;
  }

  async function resume(id: string): Promise<GateAdmission> {
    const [, idPrefix, sequence] = ID.exec(id) ?? [];
    if (sequence === undefined) {
      throw wrongValue('TOLLGATE_REQUEST_INVALID', 'id', id, 'the id of an admission that was handed over');
    }
    const { collection, name } = placeOf(id);
    const text = await recordsOf().get(collection, name, clock.now());
    if (text !== undefined && isClaimed(text))
      throw new TollgateError('TOLLGATE_ADMISSION_SETTLED', `Admission ${id} has been settled.`);
    if (text === undefined) {
      const message = `Gate '${gate}' knows of no admission ${id} that was handed over: its time is over, or it is of a gate of another name or store.`;
      throw new TollgateError('TOLLGATE_ADMISSION_UNKNOWN', message);
    }
    const kept = JSON.parse(text) as Kept;
    const receipt = readReceipt(kept.receipt, terms().plan.layerOf.keys());
    const { request, waitedMs } = kept;
    const offer = offerOf(terms(), kept, receipt);
    const theirs = { ...books(), idPrefix };
    const number = Number.parseInt(sequence, 36);
    const admission = new GateAdmission(theirs, number, request, offer, receipt, undefined, waitedMs);
    admission.hasBeenExtended = kept.hasBeenExtended;
    if (kept.drawn !== undefined) admission.drewBefore(kept.drawn);
    admission.keepOpen();
    admission.claim = claimOf(id, kept.ttlMs);
    return admission;
  }

  return { handOver, resume };
}

/** Of the subject what it is counted by, and its plan. */
function factsOf(request: AdmitRequest, who: Kept['who']): AdmitRequest {
  const facts = Object.fromEntries(FACTS.map((name) => [name, request[name]]));
  const own = Object.entries(who).filter(([dimension]) => !(dimension in facts));
  const subject: Subject = { plan: request.subject?.plan, ...Object.fromEntries(own) };
  return { ...facts, subject };
}

function offerOf(
  { plan, costing }: Terms,
  { request, who: known, way, model, quote, at }: Kept,
  receipt: Receipt,
): Offer {
  const who = plan.dimensions.map((dimension) => known[dimension]);
  const rung = { model, index: 0, last: true };
  return { name: way ?? model ?? 'only', request, way, model, rung, quote, costing, at, who, bills: billsOf(receipt) };
}

function billsOf(receipt: Receipt): readonly Bill[] {
  const scopes = new Map<Scope, Entry[]>();
  for (const entry of receipt) {
    const { scope } = entry.charge.meter;
    scopes.set(scope, [...(scopes.get(scope) ?? []), entry]);
  }
  return [...scopes].map(([scope, entries]) => ({ scope, charges: entries.map(({ charge }) => charge) }));
}
