/** The gate. Its stages, in order: what does the request cost, whom is it charged to, does it fit, what came of it. */
import { randomBytes } from 'node:crypto';
import { type Admission, type Books, type Decision, GateAdmission, type Outcome } from './admission.js';
import { amendment } from './amendment.js';
import type { DefaultTier, TollgateChange, TollgateConfig } from './config.js';
import { type ErrorCode, show, TollgateError, warn } from './errors.js';
import { createEmitter, type Emitter } from './events.js';
import { type Refusal, refusalOf, storeDownRefusal } from './http/problem.js';
import { chargesOf, makePlan } from './meters/charges.js';
import { type LayerState, stateOf } from './meters/layer-state.js';
import type { Charge, Usage } from './meters/meter.js';
import {
  type AdmitRequest,
  type Cost,
  type Dimension,
  type May,
  type RequestFacts,
  type Subject,
  type TokenCounts,
  then,
} from './request.js';
import type { Entry, NotTaken, Taken } from './store/store.js';
import { isCost } from './units.js';
import { changed } from './update.js';
import { validate } from './validate.js';

export interface AdmitOptions {
  /** Aborts the admission's own signal too. Where it has aborted already, `admit` rejects with its reason. */
  signal?: AbortSignal | undefined;
  /**
   * An open admission to be changed to this request's facts and cost, rather than charging a second one: what it lacks
   * is charged, what it has too much is given back. When refused, all of it is given back.
   */
  extending?: Admission | undefined;
}

/** What would become of a request. */
export interface Explanation {
  readonly admitted: boolean;
  /** Every limit that the request would meet. */
  readonly layers: readonly LayerState[];
  /** `undefined` where it would be admitted. */
  readonly refusal: Refusal | undefined;
}

export interface Tollgate<
  Tier extends string = string,
  LimitName extends string = string,
  Feature extends string = string,
> {
  readonly name: string;
  /** What its limits count by. */
  readonly dimensions: ReadonlySet<Dimension>;
  /**
   * Decides on a request: all its charges are made, or none and the decision says why.
   *
   * @throws TollgateError for a request that can't be judged: an unknown tier, plan or feature, a cost that is none
   */
  admit(request: AdmitRequest<Tier, Feature>, options?: AdmitOptions): Promise<Decision>;
  /** How the limits stand that count this subject: those whose dimensions are all given. */
  inspect(subject: Subject, facts?: RequestFacts): Promise<readonly LayerState[]>;
  /** Which limits a request would meet, how much room they have, and why it would be refused. Charges nothing. */
  explain(request: AdmitRequest<Tier, Feature>): Promise<Explanation>;
  /**
   * Changes limits and tiers from now on. Usage is kept; open admissions keep what they were charged.
   *
   * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, also for what can't change; nothing is changed then
   */
  update(change: TollgateChange<Tier, LimitName>): void;
  /** Calls `listener` at each such event. Returns what ends that, safe to call twice. */
  on: Emitter['on'];
  /** Admits nothing from now on and closes the store. */
  close(): Promise<void>;
}

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
  let tiers = checked.tiers;
  let plan = makePlan(checked.limits);
  let closed = false;
  let count = 0;
  const emitter = createEmitter();
  const idPrefix = `${randomBytes(6).toString('base64url')}-`;
  const books: Books = { idPrefix, extend, layers, settle, settled };

  function decide(request: AdmitRequest, { signal, extending }: AdmitOptions): May<Decision> {
    if (closed) throw new TollgateError('TOLLGATE_CLOSED', `Gate '${name}' has been closed and admits nothing.`);
    signal?.throwIfAborted();
    const cost = costOf(request);
    const charges = chargesOf(plan, request, cost);
    if (extending) return amend(extending as GateAdmission, request, cost, charges);
    const sequence = count++;
    const result = take(sequence, charges);
    return result instanceof Promise
      ? result.then((result) => conclude(result, sequence, request, cost, charges, signal))
      : conclude(result, sequence, request, cost, charges, signal);
  }

  function conclude(
    result: Taken | NotTaken | undefined,
    sequence: number,
    request: AdmitRequest,
    cost: Cost,
    charges: readonly Charge[],
    signal: AbortSignal | undefined,
  ): Decision {
    if (isRefusal(result)) return refused(idPrefix + sequence.toString(36), request, result?.refused[0]);
    const entries = result?.receipt.entries ?? [];
    return admitted(new GateAdmission(books, sequence, request, cost, charges, entries, signal), result);
  }

  /** Turns an open admission into one for `request`. */
  function amend(admission: GateAdmission, request: AdmitRequest, cost: Cost, charges: Charge[]): May<Decision> {
    admission.assertOpen();
    const { missing, surplus, surplusActual, kept, asWhole } = amendment(admission.entries, charges);
    return then(take(admission.sequence, missing), async (result) => {
      if (isRefusal(result)) {
        await admission.settle({ outcome: 'ignored' });
        return refused(admission.id, request, result?.refused[0].map(asWhole));
      }
      if (surplus.length > 0) await settle(surplus, surplusActual);
      admission.request = request;
      admission.cost = cost;
      admission.charges = charges;
      admission.entries = [...kept, ...(result?.receipt.entries ?? [])];
      return admitted(admission, result, true);
    });
  }

  async function extend(admission: GateAdmission, estimate: TokenCounts): Promise<Decision> {
    const more: Cost = { ...costOf({ permits: 0, estimate }), requests: 0 };
    const charges = chargesOf(plan, admission.request, more).filter(({ cost }) => cost > 0);
    const result = await take(count++, charges);
    if (isRefusal(result)) return refused(admission.id, admission.request, result?.refused[0]);
    const { cost } = admission;
    admission.cost = {
      ...cost,
      inputTokens: cost.inputTokens + more.inputTokens,
      outputTokens: cost.outputTokens + more.outputTokens,
    };
    admission.entries = [...admission.entries, ...(result?.receipt.entries ?? [])];
    return admitted(admission, result, true);
  }

  /** Asks the store for all of it. `undefined` if the store failed. */
  function take(sequence: number, charges: readonly Charge[]): May<Taken | NotTaken | undefined> {
    try {
      const answer = store.take({ sequence, alternatives: [{ name: 'only', charges }] }, clock.now());
      return answer instanceof Promise ? answer.catch(storeFailed) : answer;
    } catch (error) {
      return storeFailed(error);
    }
  }

  /** Where the store fails, the limits say what holds. */
  function isRefusal(result: Taken | NotTaken | undefined): result is NotTaken | undefined {
    return result === undefined ? !plan.failsOpen : 'refused' in result;
  }

  function admitted(admission: GateAdmission, result: Taken | undefined, extended = false): Decision {
    for (const usage of result?.shadowRefused ?? []) {
      const { id, request } = admission;
      emitter.emit('shadow.refused', { gate: name, id, request, layer: stateOf(usage) });
    }
    if (emitter.hears('admitted')) {
      const { id, request, cost } = admission;
      emitter.emit('admitted', { gate: name, id, request, cost, extended });
    }
    return { admitted: true, admission };
  }

  /** @param usages what the meters said; `undefined` if the store failed */
  function refused(id: string, request: AdmitRequest, usages: readonly Usage[] | undefined): Decision {
    const refusal = usages ? refusalOf(id, [usages]) : storeDownRefusal(id);
    emitter.emit('refused', { gate: name, id, request, refusal });
    return { admitted: false, refusal };
  }

  function settle(entries: readonly Entry[], actual: readonly number[]): May<void> {
    return store.settle(entries, actual, clock.now());
  }

  function settled(admission: GateAdmission, { outcome = 'succeeded', usage }: Outcome, provisional: boolean): void {
    if (!emitter.hears('settled')) return;
    const { id, request, cost } = admission;
    emitter.emit('settled', { gate: name, id, request, outcome, cost, usage, provisional });
  }

  /** How the limits stand, or nothing if the store fails: then only figures are lost. */
  function layers({ charges }: { readonly charges: readonly Charge[] }): May<readonly LayerState[]> {
    try {
      const answer = store.peek(charges, clock.now());
      return answer instanceof Promise
        ? answer.then((usages) => usages.map(stateOf)).catch((error) => storeFailed(error) ?? [])
        : answer.map(stateOf);
    } catch (error) {
      return storeFailed(error) ?? [];
    }
  }

  function storeFailed(error: unknown): undefined {
    if (!emitter.hears('store.failed'))
      warn('TOLLGATE_STORE_FAILED', `The store of gate '${name}' failed: ${show(error)}`);
    emitter.emit('store.failed', { gate: name, error });
  }

  function costOf({ tier, permits, estimate, feature }: AdmitRequest): Cost {
    const named = tier === undefined ? undefined : tiers.get(tier);
    if (tier !== undefined && !named) throw unknown('TOLLGATE_UNKNOWN_TIER', 'tier', tier, tiers.keys());
    if (feature !== undefined && features && !features.has(feature)) {
      throw unknown('TOLLGATE_UNKNOWN_FEATURE', 'feature', feature, features);
    }
    return {
      requests: 1,
      permits: checkCost('permits', permits ?? named?.permits, ' (or name a tier)'),
      inputTokens: checkCost('estimate.inputTokens', estimate?.inputTokens ?? named?.inputTokens ?? 0),
      outputTokens: checkCost('estimate.outputTokens', estimate?.outputTokens ?? named?.outputTokens ?? 0),
    };
  }

  return {
    name,
    dimensions: new Set(checked.limits.flatMap(({ by }) => by)),
    on: emitter.on,
    admit(request, options = {}) {
      try {
        return Promise.resolve(decide(request, options));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    async inspect(subject, facts = {}) {
      const given: Partial<Record<Dimension, unknown>> = { ...subject, ...facts };
      const groups = plan.groups.filter(({ scope }) => scope.by.every((dimension) => given[dimension] !== undefined));
      return layers({ charges: chargesOf({ ...plan, groups }, { ...facts, subject }, NOTHING) });
    },
    async explain(request) {
      const usages = await store.peek(chargesOf(plan, request, costOf(request)), clock.now());
      const fits = usages.every(({ charge, waitMs }) => charge.shadow || waitMs === 0);
      return {
        admitted: fits,
        layers: usages.map(stateOf),
        refusal: fits ? undefined : refusalOf('explain', [usages]),
      };
    },
    update(change) {
      const next = changed(source, change);
      const { tiers: nextTiers, limits } = validate(next);
      source = next;
      tiers = nextTiers;
      plan = makePlan(limits, plan);
      emitter.emit('updated', { gate: name, change });
    },
    async close() {
      closed = true;
      await store.close();
    },
  };
}

const NOTHING: Cost = { requests: 0, permits: 0, inputTokens: 0, outputTokens: 0 };

function checkCost(field: string, value: unknown, remark = ''): number {
  if (isCost(value)) return value;
  const expected = `a finite number from 0 to 2^53 - 1${remark}`;
  throw new TollgateError('TOLLGATE_REQUEST_INVALID', `${field}: got ${show(value)}; expected ${expected}.`);
}

function unknown(code: ErrorCode, field: string, value: unknown, known: Iterable<string>): TollgateError {
  const names = [...known].map((name) => `'${name}'`).join(', ');
  return new TollgateError(code, `${field}: got ${show(value)}; expected one of ${names}.`);
}
