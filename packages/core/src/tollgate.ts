/** The gate. Its stages, in order: what does the request cost, whom is it charged to, does it fit, what came of it. */
import { randomBytes } from 'node:crypto';
import { type Books, type Decision, GateAdmission, type Offer } from './admission.js';
import { amendment, asCharged } from './amendment.js';
import { giveRoom, watchBudgets } from './budgets.js';
import type { DefaultTier, TollgateConfig } from './config.js';
import { moneyOf, sumOf } from './costs.js';
import { TollgateError } from './errors.js';
import { createEmitter } from './events.js';
import type { AdmitOptions, KnownModel, Tollgate } from './gate.js';
import { refusalOf, storeDownRefusal } from './http/problem.js';
import { billsFor, explanation, inspection, isFitting } from './insight.js';
import { createLedger } from './ledger.js';
import { type BudgetState, type LayerState, stateOf, statesOf } from './meters/layer-state.js';
import type { Bill, Usage } from './meters/meter.js';
import { createLearned } from './money/learned.js';
import type { Outcome } from './outcome.js';
import { type AdmitRequest, type Cost, isPromise, type May, type TokenCounts, then, type Whom } from './request.js';
import type { NotTaken, Receipt, Taken } from './store/store.js';
import { moreOf, offersOf, termsOf } from './terms.js';
import { changed } from './update.js';
import { validate } from './validate.js';

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
  const { name, store, clock, ladders, alerts = {}, budgetStatus } = checked;
  let source: TollgateConfig = { ...(input as TollgateConfig), store, clock };
  const learned = createLearned();
  let terms = termsOf(checked, learned);
  let closed = false;
  let count = 0;
  const emitter = createEmitter();
  const watch = watchBudgets(name, emitter, clock, alerts);
  const ledger = createLedger(name, store, clock, emitter, watch);
  const idPrefix = `${randomBytes(6).toString('base64url')}-`;
  const books: Books = { idPrefix, extend, layers, settle, settled };

  function decide(request: AdmitRequest, { signal, extending, body }: AdmitOptions): May<Decision> {
    assertOpen();
    signal?.throwIfAborted();
    const now = clock.now();
    const offers = offersOf(terms, request, body, now);
    if (extending) return amend(extending as GateAdmission, request, offers, signal);
    const sequence = count++;
    const result = ledger.take(sequence, offers, terms.plan, now);
    return isPromise(result)
      ? result.then((result) => conclude(result, sequence, request, offers, signal))
      : conclude(result, sequence, request, offers, signal);
  }

  function assertOpen(): void {
    if (closed) throw new TollgateError('TOLLGATE_CLOSED', `Gate '${name}' has been closed.`);
  }

  function conclude(
    result: Taken | NotTaken | undefined,
    sequence: number,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
  ): Decision {
    if (isRefusal(result)) return refused(idPrefix + sequence.toString(36), request, result?.refused);
    const offer = offers[result?.taken ?? 0];
    const receipt = result?.receipt ?? NO_RECEIPT;
    return admitted(new GateAdmission(books, sequence, request, offer, receipt, signal), result);
  }

  /** Turns an open admission into one for `request`. */
  async function amend(
    admission: GateAdmission,
    request: AdmitRequest,
    offers: readonly Offer[],
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    admission.assertOpen();
    const booked = admission.receipt;
    const ways = offers.map(({ bills }) => amendment(booked, bills));
    const lacking = ways.map(({ missing }, i) => ({ name: offers[i].name, bills: missing }));
    const result =
      lacking[0].bills.length > 0 ? await ledger.take(count++, lacking, terms.plan, clock.now()) : NOTHING_TAKEN;
    if (isRefusal(result)) {
      await ledger.attempt(() => admission.settle({ outcome: 'ignored' }));
      const usages = result && (await ledger.attempt(() => peekAll(offers)));
      // Room may have come back meanwhile: then the request is judged afresh.
      if (usages?.some(isFitting)) return decide(request, { signal });
      return refused(admission.id, request, usages);
    }
    const { surplus, surplusActual, kept } = ways[result?.taken ?? 0];
    const receipt = result?.receipt ?? NO_RECEIPT;
    // Nothing may come between: who settles now has to see the receipt.
    if (!admission.isOpen) await giveBack(admission, receipt);
    // From here on, whoever settles the admission settles this too.
    admission.receipt = [...admission.receipt, ...receipt];
    if (surplus.length > 0) await ledger.attempt(() => settle(surplus, surplusActual, true));
    admission.assertOpen();
    admission.request = request;
    admission.offer = offers[result?.taken ?? 0];
    // What it was extended by meanwhile stays.
    admission.receipt = [...kept.map(asCharged), ...admission.receipt.slice(booked.length)];
    return admitted(admission, result, true);
  }

  async function extend(admission: GateAdmission, estimate: TokenCounts): Promise<Decision> {
    const now = clock.now();
    const more = moreOf(terms, admission, estimate, now);
    const result = await ledger.take(count++, [more], terms.plan, now);
    if (isRefusal(result)) return refused(admission.id, admission.request, result?.refused);
    const receipt = result?.receipt ?? NO_RECEIPT;
    // Nothing may come between: who settles now has to see the receipt.
    if (!admission.isOpen) await giveBack(admission, receipt);
    admission.offer = { ...admission.offer, cost: sumOf(admission.offer.cost, more.cost) };
    admission.receipt = [...admission.receipt, ...receipt];
    return admitted(admission, result, true, admission.model);
  }

  /** Gives back what was charged for an admission that has been settled meanwhile, and throws. */
  async function giveBack(admission: GateAdmission, receipt: Receipt): Promise<void> {
    const nothing = receipt.map(() => 0);
    await settle(receipt, nothing);
    admission.assertOpen();
  }

  /** Where the store fails, the limits say what holds. */
  function isRefusal(result: Taken | NotTaken | undefined): result is NotTaken | undefined {
    return result === undefined ? !terms.plan.failsOpen : 'refused' in result;
  }

  /** @param from the model in whose place the admission's serves */
  function admitted(
    admission: GateAdmission,
    result: Taken | undefined,
    extended = false,
    from = admission.request.model,
  ): Decision {
    if (result !== undefined) tellOf(admission, result, from);
    if (emitter.hears('admitted')) {
      const { id, request, offer } = admission;
      emitter.emit('admitted', { gate: name, id, request, model: offer.model, cost: offer.cost, extended });
    }
    return { admitted: true, admission };
  }

  function tellOf(admission: GateAdmission, { shadowRefused }: Taken, from: string | undefined): void {
    const { request, model } = admission;
    for (const usage of shadowRefused) {
      emitter.emit('shadow.refused', { gate: name, id: admission.id, request, layer: stateOf(usage) });
    }
    if (from !== undefined && model !== undefined && model !== from) {
      emitter.emit('degraded', { gate: name, id: admission.id, request, from, to: model });
    }
  }

  /** @param usages what the meters of each alternative said; `undefined` if the store failed */
  function refused(id: string, request: AdmitRequest, usages: readonly (readonly Usage[])[] | undefined): Decision {
    const refusal = usages ? refusalOf(id, usages, budgetStatus) : storeDownRefusal(id);
    emitter.emit('refused', { gate: name, id, request, refusal });
    return { admitted: false, refusal };
  }

  function settle(receipt: Receipt, actual: readonly number[], goesOn = false): May<void> {
    return ledger.settle(receipt, actual, terms.plan, goesOn);
  }

  function settled(
    admission: GateAdmission,
    { outcome = 'succeeded', usage, model = admission.model }: Outcome,
    actual: Cost | undefined,
    provisional: boolean,
  ): void {
    const { request, offer } = admission;
    const { cost } = offer;
    if (usage && actual && model !== undefined && !provisional) learned.learn(request.feature, model, cost, usage);
    if (!emitter.hears('settled')) return;
    const { id } = admission;
    emitter.emit('settled', { gate: name, id, request, outcome, model, cost, usage, actual, provisional });
  }

  /** How the limits stand; nothing if the store fails. */
  function layers(bills: readonly Bill[]): May<readonly LayerState[]> {
    return then(ledger.peek(bills), (usages = []) => statesOf(usages));
  }

  async function peekAll(offers: readonly Offer[]): Promise<(readonly Usage[])[]> {
    const now = clock.now();
    return Promise.all(offers.map(({ bills }) => store.peek(bills, now)));
  }

  async function giveBudgetRoom(
    by: 'topUp' | 'resetBudget',
    budget: string,
    whom: Whom,
    room: number | 'all used',
  ): Promise<BudgetState> {
    assertOpen();
    const state = await giveRoom(terms.plan, store, budget, whom, room, clock.now());
    emitter.emit('budget.credited', { gate: name, by, budget: state });
    return state;
  }

  return {
    name,
    dimensions: new Set(checked.layers.flatMap(({ by }) => by)),
    get tiers() {
      return new Set(terms.costing.tiers.keys()) as ReadonlySet<string> as ReadonlySet<Tier>;
    },
    ladderModels: new Set(ladders.keys()),
    countsTokens: terms.countsTokens,
    on: emitter.on,
    decide: (request, options = NO_OPTIONS) => decide(request, options),
    admit(request, options = NO_OPTIONS) {
      try {
        return Promise.resolve(decide(request, options));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async inspect(subject, facts = {}) {
      assertOpen();
      const now = clock.now();
      const usages = (await ledger.peek(billsFor(terms, subject, facts, now))) ?? [];
      return inspection(usages, learned.states(), now);
    },
    async explain(request, { body } = NO_OPTIONS) {
      assertOpen();
      const offers = offersOf(terms, request, body, clock.now());
      return explanation(offers, await peekAll(offers), budgetStatus);
    },
    topUp: async (budget, whom, amount) =>
      giveBudgetRoom('topUp', budget, whom, moneyOf('TOLLGATE_REQUEST_INVALID', 'amount', amount)),
    resetBudget: async (budget, whom) => giveBudgetRoom('resetBudget', budget, whom, 'all used'),
    update(change) {
      const next = changed(source, change);
      source = next.source;
      terms = termsOf(next.checked, learned, terms);
      emitter.emit('updated', { gate: name, change });
    },
    async close() {
      closed = true;
      watch.close();
      await store.close();
    },
  };
}

const NO_OPTIONS: AdmitOptions = {};

const NO_RECEIPT: Receipt = [];

const NOTHING_TAKEN: Taken = { taken: 0, receipt: NO_RECEIPT, shadowRefused: [] };
