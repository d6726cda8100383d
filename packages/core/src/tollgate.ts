/** The gate. Its stages, in order: what does the request cost, whom is it charged to, does it fit, what came of it. */
import { randomBytes } from 'node:crypto';
import { type Books, type Decision, GateAdmission, type Outcome } from './admission.js';
import { amendment, asCharged } from './amendment.js';
import type { DefaultTier, TollgateConfig } from './config.js';
import { costsBy } from './costs.js';
import { showThrown, TollgateError, warn } from './errors.js';
import { createEmitter } from './events.js';
import type { AdmitOptions, Tollgate } from './gate.js';
import { refusalOf, storeDownRefusal } from './http/problem.js';
import { billsOf, makePlan, withoutZeros } from './meters/charges.js';
import { type LayerState, stateOf, statesOf } from './meters/layer-state.js';
import type { Bill, Usage } from './meters/meter.js';
import { type AdmitRequest, type Cost, type Dimension, isPromise, type May, type TokenCounts } from './request.js';
import type { NotTaken, Receipt, Taken } from './store/store.js';
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
>(input: TollgateConfig<Tier, LimitName, Feature>): Tollgate<Tier, LimitName, Feature> {
  const { name, store, clock, features, ...checked } = validate(input);
  let source: TollgateConfig = { ...input, store, clock };
  let costOf = costsBy(checked.tiers, features);
  let plan = makePlan(checked.limits);
  let closed = false;
  let count = 0;
  const emitter = createEmitter();
  const idPrefix = `${randomBytes(6).toString('base64url')}-`;
  const books: Books = { idPrefix, extend, layers, settle, settled };

  function decide(request: AdmitRequest, { signal, extending }: AdmitOptions): May<Decision> {
    assertOpen();
    signal?.throwIfAborted();
    const cost = costOf(request);
    const bills = billsOf(plan, request, cost);
    if (extending) return amend(extending as GateAdmission, request, cost, bills, signal);
    const sequence = count++;
    const result = take(sequence, bills);
    return isPromise(result)
      ? result.then((result) => conclude(result, sequence, request, cost, bills, signal))
      : conclude(result, sequence, request, cost, bills, signal);
  }

  function assertOpen(): void {
    if (closed) throw new TollgateError('TOLLGATE_CLOSED', `Gate '${name}' has been closed.`);
  }

  function conclude(
    result: Taken | NotTaken | undefined,
    sequence: number,
    request: AdmitRequest,
    cost: Cost,
    bills: readonly Bill[],
    signal: AbortSignal | undefined,
  ): Decision {
    if (isRefusal(result)) return refused(idPrefix + sequence.toString(36), request, result?.refused[0]);
    const receipt = result?.receipt ?? NO_RECEIPT;
    return admitted(new GateAdmission(books, sequence, request, cost, bills, receipt, signal), result);
  }

  /** Turns an open admission into one for `request`. */
  async function amend(
    admission: GateAdmission,
    request: AdmitRequest,
    cost: Cost,
    bills: readonly Bill[],
    signal: AbortSignal | undefined,
  ): Promise<Decision> {
    admission.assertOpen();
    const { missing, surplus, surplusActual, kept } = amendment(admission.receipt, bills);
    const result = missing.length > 0 ? await take(count++, missing) : NOTHING_TAKEN;
    if (isRefusal(result)) {
      await attempt(() => admission.settle({ outcome: 'ignored' }));
      const usages = result && (await attempt(() => store.peek(bills, clock.now())));
      // Room may have come back meanwhile: then the request is judged afresh.
      return usages?.every(isFitting) ? decide(request, { signal }) : refused(admission.id, request, usages);
    }
    const receipt = result?.receipt ?? NO_RECEIPT;
    await assertStillOpen(admission, receipt);
    // From here on, whoever settles the admission settles this too.
    admission.receipt = [...admission.receipt, ...receipt];
    if (surplus.length > 0) await attempt(() => store.settle(surplus, surplusActual, clock.now(), true));
    admission.assertOpen();
    admission.request = request;
    admission.cost = cost;
    admission.bills = bills;
    admission.receipt = [...kept.map(asCharged), ...receipt];
    return admitted(admission, result, true);
  }

  async function extend(admission: GateAdmission, estimate: TokenCounts): Promise<Decision> {
    const more: Cost = { ...costOf({ permits: 0, estimate }), requests: 0 };
    const result = await take(count++, billsOf(plan, admission.request, more).flatMap(withoutZeros));
    if (isRefusal(result)) return refused(admission.id, admission.request, result?.refused[0]);
    const receipt = result?.receipt ?? NO_RECEIPT;
    await assertStillOpen(admission, receipt);
    const { cost } = admission;
    admission.cost = {
      ...cost,
      inputTokens: cost.inputTokens + more.inputTokens,
      outputTokens: cost.outputTokens + more.outputTokens,
    };
    admission.receipt = [...admission.receipt, ...receipt];
    return admitted(admission, result, true);
  }

  /** Gives back what was charged for an admission that has been settled meanwhile, and throws. */
  async function assertStillOpen(admission: GateAdmission, receipt: Receipt): Promise<void> {
    if (admission.isOpen) return;
    const nothing = receipt.map(() => 0);
    await settle(receipt, nothing);
    admission.assertOpen();
  }

  /** Asks the store for all of it. `undefined` if the store failed. As `attempt` does, without a closure for each request. */
  function take(sequence: number, bills: readonly Bill[]): May<Taken | NotTaken | undefined> {
    try {
      const answer = store.take({ sequence, alternatives: [{ name: 'only', bills }] }, clock.now());
      return isPromise(answer) ? answer.then(undefined, storeFailed) : answer;
    } catch (error) {
      return storeFailed(error);
    }
  }

  /** Where the store fails, the limits say what holds. */
  function isRefusal(result: Taken | NotTaken | undefined): result is NotTaken | undefined {
    return result === undefined ? !plan.failsOpen : 'refused' in result;
  }

  function admitted(admission: GateAdmission, result: Taken | undefined, extended = false): Decision {
    if (result !== undefined && result.shadowRefused.length > 0) tellOfShadows(admission, result.shadowRefused);
    if (emitter.hears('admitted')) {
      const { id, request, cost } = admission;
      emitter.emit('admitted', { gate: name, id, request, cost, extended });
    }
    return { admitted: true, admission };
  }

  function tellOfShadows({ id, request }: GateAdmission, usages: readonly Usage[]): void {
    for (const usage of usages) emitter.emit('shadow.refused', { gate: name, id, request, layer: stateOf(usage) });
  }

  /** @param usages what the meters said; `undefined` if the store failed */
  function refused(id: string, request: AdmitRequest, usages: readonly Usage[] | undefined): Decision {
    const refusal = usages ? refusalOf(id, [usages]) : storeDownRefusal(id);
    emitter.emit('refused', { gate: name, id, request, refusal });
    return { admitted: false, refusal };
  }

  function settle(receipt: Receipt, actual: readonly number[]): May<void> {
    return store.settle(receipt, actual, clock.now());
  }

  function settled(admission: GateAdmission, { outcome = 'succeeded', usage }: Outcome, provisional: boolean): void {
    if (!emitter.hears('settled')) return;
    const { id, request, cost } = admission;
    emitter.emit('settled', { gate: name, id, request, outcome, cost, usage, provisional });
  }

  /** How the limits stand, or nothing if the store fails: then only figures are lost. */
  function layers(bills: readonly Bill[]): May<readonly LayerState[]> {
    const usages = attempt(() => store.peek(bills, clock.now()));
    return isPromise(usages) ? usages.then((usages = []) => statesOf(usages)) : statesOf(usages ?? []);
  }

  /** What the store answers, or `undefined` if it fails, which is told to those who listen. */
  function attempt<T>(ask: () => May<T>): May<T | undefined> {
    try {
      const answer = ask();
      return isPromise(answer) ? answer.then(undefined, storeFailed) : answer;
    } catch (error) {
      return storeFailed(error);
    }
  }

  function storeFailed(error: unknown): undefined {
    if (!emitter.hears('store.failed'))
      warn('TOLLGATE_STORE_FAILED', `The store of gate '${name}' failed: ${showThrown(error)}`);
    emitter.emit('store.failed', { gate: name, error });
  }

  return {
    name,
    dimensions: new Set(checked.limits.flatMap(({ by }) => by)),
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
      const given: Partial<Record<Dimension, unknown>> = { ...subject, ...facts };
      const groups = plan.groups.filter(({ scope }) => scope.by.every((dimension) => isGiven(given[dimension])));
      return layers(billsOf({ ...plan, groups }, { ...facts, subject }, NOTHING));
    },
    async explain(request) {
      assertOpen();
      const usages = await store.peek(billsOf(plan, request, costOf(request)), clock.now());
      const fits = usages.every(isFitting);
      return {
        admitted: fits,
        layers: statesOf(usages),
        refusal: fits ? undefined : refusalOf('explain', [usages]),
      };
    },
    update(change) {
      const next = changed(source, change);
      source = next.source;
      costOf = costsBy(next.checked.tiers, features);
      plan = makePlan(next.checked.limits, plan);
      emitter.emit('updated', { gate: name, change });
    },
    async close() {
      closed = true;
      await store.close();
    },
  };
}

/** True where a meter is no reason to refuse. */
function isFitting({ charge, waitMs }: Usage): boolean {
  return charge.shadow || waitMs === 0;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '';
}

const NO_OPTIONS: AdmitOptions = {};

const NO_RECEIPT: Receipt = [];

const NOTHING_TAKEN: Taken = { taken: 0, receipt: NO_RECEIPT, shadowRefused: [] };

const NOTHING: Cost = { requests: 0, permits: 0, inputTokens: 0, outputTokens: 0 };
