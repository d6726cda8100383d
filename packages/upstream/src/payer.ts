/** Who a call is for, and on whose account it is: the admission at hand, or a subject that it names. */
import type { Admission, AdmitRequest, Outcome, Refusal, Tollgate } from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import type { UpstreamRequest } from './request.js';

/** On whose behalf calls go out that no admission stands behind. Fields as `gate.admit` has them. */
export type Behalf = Omit<AdmitRequest, 'model' | 'estimate' | 'usd' | 'subject'> &
  Required<Pick<AdmitRequest, 'subject'>>;

/** What a call has been charged. */
export interface Draw {
  /** Puts actual usage in place of the estimate, once. */
  settle(outcome: Outcome): Promise<void>;
}

export type Drawn =
  | { readonly admitted: true; readonly draw: Draw }
  | { readonly admitted: false; readonly refusal: Refusal };

export interface Payer {
  /** For whom, for what and how urgently. */
  readonly request: Readonly<AdmitRequest>;
  /** The model by which the admission is served, where it isn't the one that was asked for. */
  readonly rung: string | undefined;
  /** Aborts when whoever asked has gone. */
  readonly signal: AbortSignal;
  /** Charges what the call is estimated to cost: again where an attempt may be billed though nothing came of it. */
  draw(): Promise<Drawn>;
  /** No more is drawn. */
  close(): Promise<void>;
}

export type Opened = { readonly payer: Payer } | { readonly refusal: Refusal } | undefined;

/** The admission at hand pays, or who is named; `undefined` where there is neither. */
export async function openPayer(
  gate: Tollgate,
  behalf: Behalf | undefined,
  model: string | undefined,
  { json, signal }: UpstreamRequest,
): Promise<Opened> {
  if (behalf === undefined) {
    const admission = currentAdmission();
    return admission && { payer: payerOf(admission, async () => {}) };
  }
  const decision = await gate.admit(
    { permits: 1, ...behalf, ...(model !== undefined && { model }) },
    { signal, body: json },
  );
  if (!decision.admitted) return { refusal: decision.refusal };
  const { admission } = decision;
  return { payer: payerOf(admission, async () => admission.conclude()) };
}

function payerOf(admission: Admission, close: () => Promise<void>): Payer {
  return {
    request: admission.request,
    rung: admission.degraded ? admission.model : undefined,
    signal: admission.signal,
    draw: async () => ({ admitted: true, draw: { settle: async (outcome) => admission.conclude(outcome) } }),
    close,
  };
}
