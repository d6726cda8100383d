/** The gate. Its stages, in order: what does the request cost, whom is it charged to, does it fit or has it to wait, what came of it. */
import { randomBytes } from 'node:crypto';
import { createAmendments } from './admission/amending.js';
import { createDeferrals } from './admission/deferrals.js';
import { GateAdmission } from './admission/gate-admission.js';
import { createBooks } from './admission/gate-books.js';
import { createHandovers } from './admission/handover.js';
import type { Admission, Decision } from './admission.js';
import { createAlerts } from './alerts.js';
import { createChanges } from './changes/changes.js';
import { validate } from './config/validate.js';
import type { DefaultTier, TollgateChange, TollgateConfig } from './config.js';
import { createDecisions, isRefusal } from './decisions.js';
import { ClosedError, wrongValue } from './errors.js';
import { createEmitter } from './events.js';
import type { AdmitOptions, KnownModel, Tollgate } from './gate.js';
import { lineRefusal } from './http/line-problem.js';
import { closedRefusal } from './http/problem.js';
import { explain, inspect } from './insight.js';
import { createLedger } from './ledger/ledger.js';
import { createLine, type Line } from './line/line.js';
import { createLearned } from './money/learned.js';
import { type AdmitRequest, andThen, isPromise, type May } from './request.js';
import { withOutside } from './store/outside.js';
import type { NotTaken, Receipt, Taken } from './store/store.js';
import { checkNamed, moneyOf } from './terms/pricing.js';
import { type Offer, offersOf } from './terms/terms.js';
import { LineRequest, lineDeskOf } from './waiting.js';

/**
 * Makes a gate.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the configuration
 */
export function createTollgate<
  const Tier extends string = DefaultTier,
  const LimitName extends string = string,
  const Feature extends string = string,
  const Model extends string = never,
  const Priced extends string = never,
>(
  input: TollgateConfig<Tier, LimitName, Feature, Model, Priced>,
): Tollgate<Tier, LimitName, Feature, KnownModel<Model | Priced>> {
  const checked = validate(input as TollgateConfig);
  const { name, clock, ladders, budgetStatus } = checked;
  const hasOutside = checked.layers.some(({ outside }) => outside);
  const own = (checked.queue && checked.store.join?.()) ?? checked.store;
  const store = hasOutside ? withOutside(own, () => ledger) : own;
  const learned = createLearned();
  let closed = false;
  let count = 0;
  const emitter = createEmitter();
  const alerts = createAlerts(name, emitter, clock, checked.alerts ?? {}, store.shared);
  const config: TollgateConfig = { ...(input as TollgateConfig), store: checked.store, clock };
  const { shared } = store;
  const site = { gate: name, clock, emitter, shared, ledger: () => ledger, updated, given: () => line?.stir() };
  const changes = createChanges(config, checked, learned, site);
  const present = changes.terms;
  store.check?.([...present().plan.layerOf.keys()]);
  const lineDesk = { gate: name, clock, emitter, store, ledger: () => ledger, terms: present };
  const line = checked.queue && createLine(lineDeskOf(lineDesk));
  const ledger = createLedger(name, store, clock, emitter, alerts, () => present().plan, line?.gaveBack);
  const deferrals = createDeferrals(clock, LONGEST_CALL_MS);
  const idPrefix = `${randomBytes(6).toString('base64url')}-`;
  const decisions = createDecisions(name, emitter, () => present().countsTokens, budgetStatus);
  const { asked, admitted, refused, refusedFor } = decisions;
  const amendments = createAmendments({
    terms: present,
    ledger,
    clock,
    decisions,
    charge: (...asked) => charge(count++, ...asked),
  });
  const books = createBooks({
    idPrefix,
    clock,
    terms: present,
    ledger,
    learned,
    line,
    decisions,
    amendments,
    deferrals,
    handOver: (...how) => handovers.handOver(...how),
  });
  const handovers = createHandovers({ gate: name, store, clock, terms: present, ledger, books: () => books });

  function decide(request: AdmitRequest, { signal, extending, body, needsModel, layers }: AdmitOptions): May<Decision> {
    if (closed) throw lateError(request, extending?.id ?? idOf(count++));
    signal?.throwIfAborted();
    const now = clock.now();
    const offers = offersOf(present(), request, body, now);
    if (needsModel) checkNamed(present().costing, request, now);
    if (extending) return amendments.amend(ownAdmission(extending), request, offers, signal, body);
    const sequence = count++;
    if (emitter.hears.asked) asked(idOf(sequence), 'request', request, body);
    return line === undefined
      ? charge(sequence, request, offers, now, signal, layers)
      : enter(line, sequence, request, offers, signal, layers);
  }

  /** Another gate's is booked in another store. */
  function ownAdmission(admission: Admission): GateAdmission {
    if (admission instanceof GateAdmission && admission.isIn(books)) return admission;
    throw wrongValue('TOLLGATE_REQUEST_INVALID', 'extending', admission, `an admission of gate '${name}'`);
  }

  function idOf(sequence: number): string {
    return idPrefix + sequence.toString(36);
  }

  function assertOpen(): void {
    if (closed) throw new ClosedError(name);
  }

  function lateError(request: AdmitRequest, id: string): ClosedError {
    refusedFor(request, closedRefusal(id));
    return new ClosedError(name, id);
  }

  /** Charges a request when its turn has come. */
  function enter(
    line: Line<Offer>,
    sequence: number,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
    tells: boolean | undefined,
  ): May<Decision> {
    const id = idOf(sequence);
    const entrant = new LineRequest(present, request, offers, signal, { emitter, gate: name, id }, tells);
    return andThen(line.enter(entrant), (passed) =>
      'why' in passed
        ? refusedFor(request, lineRefusal(id, passed, present().queue?.fairBy))
        : charged(passed.result, sequence, request, passed.alternatives, signal, passed.waitedMs),
    );
  }

  function charge(
    sequence: number,
    request: AdmitRequest,
    offers: readonly Offer[],
    now: number,
    signal: AbortSignal | undefined,
    tells?: boolean,
  ): May<Decision> {
    const result = ledger.take(offers, now, tells);
    return isPromise(result)
      ? chargedLater(result, sequence, request, offers, signal)
      : charged(result, sequence, request, offers, signal);
  }

  async function chargedLater(
    result: Promise<Taken | NotTaken | undefined>,
    sequence: number,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    return charged(await result, sequence, request, offers, signal);
  }

  function charged(
    result: Taken | NotTaken | undefined,
    sequence: number,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
    waitedMs = 0,
  ): Decision {
    if (isRefusal(result)) return refused(idOf(sequence), request, result?.refused);
    const offer = offers[result?.taken ?? 0];
    const receipt = result?.receipt ?? NO_RECEIPT;
    return admitted(new GateAdmission(books, sequence, request, offer, receipt, signal, waitedMs), result);
  }

  function updated(change: TollgateChange, isNews: boolean): void {
    if (change.queue?.weights !== undefined || change.queue?.maxWait !== undefined) line?.renewed();
    line?.stir();
    if (isNews) emitter.emit('updated', { gate: name, change });
  }

  const insightSite = { clock, ledger, learned, line, budgetStatus, terms: present };
  changes.follow();
  return {
    name,
    store: checked.store,
    clock,
    dimensions: new Set(checked.layers.flatMap(({ by }) => by)),
    get tiers() {
      return new Set(present().costing.tiers.keys()) as ReadonlySet<string> as ReadonlySet<Tier>;
    },
    get limits() {
      return changes.config().limits ?? [];
    },
    get budgets() {
      return changes.config().budgets ?? [];
    },
    ladderModels: new Set(ladders.keys()),
    countsTokens: present().countsTokens,
    hasLine: line !== undefined,
    on: emitter.on,
    keyRefused: (refused) => emitter.emit('key.refused', { gate: name, ...refused }),
    decide: (request, options = NO_OPTIONS) => decide(request, options),
    admit(request, options = NO_OPTIONS) {
      try {
        return Promise.resolve(decide(request, options));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async resume(id) {
      assertOpen();
      return handovers.resume(id);
    },
    async inspect(subject, facts = {}) {
      assertOpen();
      return inspect(insightSite, subject, facts);
    },
    async explain(request, { body } = NO_OPTIONS) {
      assertOpen();
      return explain(insightSite, request, body);
    },
    async topUp(budget, whom, amount) {
      assertOpen();
      return changes.giveBudgetRoom('topUp', budget, whom, moneyOf('TOLLGATE_REQUEST_INVALID', 'amount', amount));
    },
    async resetBudget(budget, whom) {
      assertOpen();
      return changes.giveBudgetRoom('resetBudget', budget, whom, 'all used');
    },
    update: changes.update,
    async close() {
      closed = true;
      changes.close();
      await line?.close();
      alerts.close();
      deferrals.close();
      await ledger.close();
      await store.close();
    },
  };
}

/** Admissions that end before their calls wait for them as long as the SDKs of providers do. */
const LONGEST_CALL_MS = 10 * 60_000;

const NO_OPTIONS: AdmitOptions = {};

const NO_RECEIPT: Receipt = [];
