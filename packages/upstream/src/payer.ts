/** Who a call is for, and on whose account it is: the admission at hand, or a subject that it names. */
import {
  type Admission,
  type AdmitRequest,
  type Drawn,
  type Outcome,
  type Refusal,
  type Tollgate,
  TollgateError,
} from '@tollgate/core';
import { currentAdmission } from '@tollgate/core/context';
import { type Call, NO_TOKENS } from './formats/format.js';
import type { UpstreamRequest } from './request.js';

/** On whose behalf calls are made outside any admission. Fields as in `gate.admit`. */
export type Behalf = Omit<AdmitRequest, 'model' | 'estimate' | 'usd' | 'subject'> &
  Required<Pick<AdmitRequest, 'subject'>>;

export interface Payer {
  /** For whom, for what and how urgently. */
  readonly request: Readonly<AdmitRequest>;
  /** The model by which the admission is served, where it isn't the one that was asked for. */
  readonly rung: string | undefined;
  /** Aborts when the client has left. */
  readonly signal: AbortSignal;
  /** Charges what an attempt is estimated to cost, if that model serves it; `undefined` where the server has but one. */
  draw(model: string | undefined): Promise<Drawn>;
  /** Nothing more is drawn. A call that was never sent costs nothing: its outcome is `ignored`. */
  close(outcome: Outcome['outcome']): Promise<void>;
}

export type Opened = { readonly payer: Payer } | { readonly refusal: Refusal } | undefined;

/**
 * The admission at hand pays, whichever gate it is of: with two gates the nearest counts. Or who is named does;
 * `undefined` where there is neither.
 *
 * @param call `undefined` for what isn't counted
 */
export async function openPayer(
  gate: Tollgate,
  behalf: Behalf | undefined,
  call: Call | undefined,
  { json, signal }: UpstreamRequest,
): Promise<Opened> {
  if (behalf === undefined) {
    const admission = currentAdmission();
    return admission && { payer: payerOf(admission, json, async () => {}) };
  }
  const permits = behalf.tier === undefined ? 1 : undefined;
  const asked = call === undefined ? { estimate: NO_TOKENS } : { model: call.model || undefined };
  const decision = await gate.admit({ permits, ...behalf, ...asked }, { signal, body: json });
  if (!decision.admitted) return decision;
  const { admission } = decision;
  return { payer: payerOf(admission, json, (outcome) => admission.settle({ outcome })) };
}

/** @throws TollgateError `TOLLGATE_REQUEST_INVALID` */
export function readBehalf(behalf: Behalf): Behalf {
  const { subject }: { readonly subject?: unknown } = behalf ?? {};
  if (typeof subject === 'object' && subject !== null) return behalf;
  const message = "subject: expected on whose behalf the calls are, such as llm.as({ subject: { user: 'u1' } }).";
  throw new TollgateError('TOLLGATE_REQUEST_INVALID', message);
}

function payerOf(admission: Admission, body: unknown, close: Payer['close']): Payer {
  return {
    request: admission.request,
    rung: admission.degraded ? admission.model : undefined,
    signal: admission.signal,
    draw: (model) => admission.draw({ model }, { body: body ?? null }),
    close,
  };
}
