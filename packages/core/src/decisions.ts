/**
 * What a gate is asked, what it decides and how that ends: from what its store says to an admission or a refusal, and who is
 * told of it.
 */
import type { GateAdmission } from './admission/gate-admission.js';
import type { Outcome } from './admission/outcome.js';
import type { Decision } from './admission.js';
import type { Emitter, TollgateEvents } from './events.js';
import { type Refusal, refusalOf, storeDownRefusal } from './http/problem.js';
import { stateOf, statesOf } from './meters/layer-state.js';
import type { Usage } from './meters/meter.js';
import { estimateOf } from './money/body.js';
import type { AdmitRequest, Cost, Estimate } from './request.js';
import type { NotTaken, Taken } from './store/store.js';

export interface Decisions {
  /**
   * @param body what will be sent to the provider
   * @param more what more is expected of an open admission
   */
  asked(id: string, kind: Asked['kind'], request: AdmitRequest, body?: unknown, more?: Estimate): void;
  /**
   * @param result `undefined` where nothing had to be taken
   * @param from the model in whose place the admission's serves
   */
  admitted(
    admission: GateAdmission,
    result: Taken | undefined,
    extended?: boolean,
    from?: string | undefined,
  ): Decision;
  /** @param usages what the meters of each alternative said; `undefined` if the store failed */
  refused(id: string, request: AdmitRequest, usages: readonly (readonly Usage[])[] | undefined): Decision;
  refusedFor(request: AdmitRequest, refusal: Refusal): Decision;
  /** @param actual `undefined` where all was given back */
  settled(admission: GateAdmission, end: Outcome, actual: Cost | undefined, provisional: boolean): void;
}

type Asked = TollgateEvents['asked'];

export function createDecisions(
  gate: string,
  emitter: Emitter,
  countsTokens: () => boolean,
  budgetStatus: number | undefined,
): Decisions {
  function tellOf(admission: GateAdmission, { shadowRefused }: Taken, from: string | undefined): void {
    const { request, model, way } = admission;
    if (from !== undefined && model !== undefined && model !== from && way === undefined) {
      emitter.emit('degraded', { gate, id: admission.id, request, from, to: model });
    }
    for (const usage of shadowRefused) {
      emitter.emit('shadow.refused', { gate, id: admission.id, request, layer: stateOf(usage) });
    }
  }

  function refusedFor(request: AdmitRequest, refusal: Refusal): Decision {
    emitter.emit('refused', { gate, id: refusal.id, request, refusal });
    return { admitted: false, refusal };
  }

  return {
    asked(id, kind, request, body, more) {
      if (!emitter.hears.asked) return;
      const said = body !== undefined && countsTokens() ? estimateOf(body) : undefined;
      emitter.emit('asked', { gate, id, kind, request, body: said, more });
    },
    admitted(admission, result, extended = false, from = admission.request.model) {
      if (result !== undefined) tellOf(admission, result, from);
      if (emitter.hears.admitted) {
        const { id, request, model, way, offer, waitedMs } = admission;
        emitter.emit('admitted', { gate, id, request, model, way, cost: offer.quote.cost, extended, waitedMs });
      }
      const usages = result?.usages;
      return { admitted: true, admission, layers: usages && statesOf(usages) };
    },
    refused: (id, request, usages) =>
      refusedFor(request, usages ? refusalOf(id, usages, budgetStatus) : storeDownRefusal(id)),
    refusedFor,
    settled(admission, end, actual, provisional) {
      if (!emitter.hears.settled) return;
      const { id, request, offer } = admission;
      const { outcome = 'succeeded', usage, usd, overloaded, model = admission.model } = end;
      const told = { outcome, model, usage, usd, overloaded };
      emitter.emit('settled', { gate, id, request, cost: offer.quote.cost, ...told, actual, provisional });
    },
  };
}

/** @param result `undefined` where the store could not be asked, and a limit is closed then */
export function isRefusal(result: Taken | NotTaken | undefined): result is NotTaken | undefined {
  return result === undefined || 'refused' in result;
}
