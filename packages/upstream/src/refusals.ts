/** Our own answers to calls that no provider answers: in the shape of the provider's errors, for its SDK to show. */
import type { Refusal, TollgateError } from '@tollgate/core';
import type { Failed } from './attempt.js';
import type { WireFormat } from './formats/format.js';
import { COOLING, SLOTS } from './headroom/headroom-layers.js';
import type { Provider } from './providers/provider.js';
import { readRetryAfter } from './providers/values.js';
import type { Asked } from './request.js';

export interface OwnRefusal {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  /** Stands in the header `tollgate-refused`, by which an app tells our refusals from the provider's. */
  readonly reason: Refusal['reason'] | 'no-admission' | 'unknown-provider' | 'no-key' | 'unanswered' | 'fault';
  /** `undefined`: nobody knows. */
  readonly retryAfterMs?: number | undefined;
  /** An SDK may retry by itself. */
  readonly canRetry: boolean;
}

/** SDKs sleep for as long as they are told, and some can't be woken. */
const LONGEST_RETRY_MS = 60_000;
const WAITS = ['retry-after', 'retry-after-ms'];

/**
 * As a response rather than an error that is thrown, which SDKs take for a failed connection and try again.
 *
 * @param format of the provider that was asked; `undefined` where there is none
 */
export function refusalResponse(refusal: OwnRefusal, format?: WireFormat): Response {
  const { status, title, detail, reason, retryAfterMs = 0, canRetry } = refusal;
  const headers = new Headers({ 'content-type': 'application/json', 'tollgate-refused': reason });
  if (retryAfterMs > 0 && retryAfterMs <= LONGEST_RETRY_MS) {
    headers.set('retry-after', String(Math.ceil(retryAfterMs / 1000)));
  }
  if (!canRetry || retryAfterMs > LONGEST_RETRY_MS) headers.set('x-should-retry', 'false');
  const body = format?.refusal({ status, title, detail }) ?? { error: { type: title, message: detail } };
  return new Response(JSON.stringify(body), { status, headers });
}

/** What a gate refused. An SDK shouldn't retry a call that has waited as long as it may, or that waiting doesn't help. */
export function fromGate({ reason, status, title, detail, retryAfterMs }: Refusal): OwnRefusal {
  const canRetry = reason !== 'waited-too-long' && reason !== 'budget' && retryAfterMs !== undefined;
  return { reason, status, title, detail, retryAfterMs, canRetry };
}

/** No provider has room. The limits are the providers' own, not the caller's. */
export function fromHeadroom({ reason, status, layer, retryAfterMs }: Refusal, { name }: Provider): OwnRefusal {
  const canRetry = reason !== 'waited-too-long' && retryAfterMs !== undefined;
  const known = { status, reason, retryAfterMs, canRetry };
  if (reason === 'budget') {
    return { ...known, title: 'Daily budget exhausted', detail: `All keys of ${name} have spent their daily budgets.` };
  }
  if (reason === 'too-costly') {
    return { ...known, title: 'Too large', detail: `This call takes more than '${layer}' of ${name} ever allows.` };
  }
  const title = 'No headroom';
  if (layer === SLOTS || layer === COOLING) {
    const detail = `${name} bears no more calls at present: as many are under way as it can take, or it has failed and rests.`;
    return { ...known, status: 503, title, detail };
  }
  return { ...known, title, detail: `${name} has no room for this call now (${layer}).` };
}

/**
 * The answer when no way is left: the provider's last answer, if there was one. A call that was sent more than once isn't to
 * be retried by an SDK, which would multiply the attempts.
 *
 * @param refusal why no further way was tried
 */
export function inVain(
  { provider: { format } }: Asked,
  failures: readonly Failed[],
  refusal: OwnRefusal,
  now: number,
): Response {
  const last = failures.at(-1);
  if (last === undefined) return refusalResponse(refusal, format);
  const isFinal = failures.length > 1 || isTerminal(last);
  const said = failures.findLast(({ said }) => said !== undefined)?.said;
  if (said !== undefined) return isFinal || waitMsOf(said.headers, now) > LONGEST_RETRY_MS ? final(said, now) : said;
  return refusalResponse({ ...noAnswer(last), canRetry: !isFinal }, format);
}

/** The same answer, not to be retried: the call was sent more than once, or the wait is too long for an SDK to sleep. */
export function final({ status, statusText, headers, body }: Response, now: number): Response {
  const more = new Headers(headers);
  if (waitMsOf(more, now) > LONGEST_RETRY_MS) for (const name of WAITS) more.delete(name);
  more.set('x-should-retry', 'false');
  return new Response(body, { status, statusText, headers: more });
}

function waitMsOf(headers: Headers, now: number): number {
  return readRetryAfter(headers, now) ?? 0;
}

function isTerminal({ failure }: Failed): boolean {
  return failure !== 'throttled' && failure !== 'overloaded' && failure !== 'broken' && failure !== 'unanswered';
}

/** Names of keys, and what is wrong with them, are not for clients: `inspect()` and events tell. */
export const NO_KEY = 'No key is in service for this call.';

function noAnswer({ failure, timedOut }: Failed): Omit<OwnRefusal, 'canRetry'> {
  if (failure === 'no secret' || failure === 'unauthorized' || failure === 'exhausted') {
    return { status: 503, reason: 'no-key', title: 'No key in service', detail: NO_KEY };
  }
  if (failure === 'unsendable') {
    return { status: 400, reason: 'fault', title: 'Not sent', detail: "This request can't be sent as it is." };
  }
  const [status, title] = timedOut ? [504, 'Gateway Timeout'] : [502, 'Bad Gateway'];
  return { status, reason: 'unanswered', title, detail: 'The provider has not answered.' };
}

export function unknownProvider({ origin, pathname }: URL, providers: Iterable<Provider>): OwnRefusal {
  const known = [...providers].map(({ name, baseUrl }) => `${name} at ${baseUrl}`).join(', ');
  const detail = `TOLLGATE_UNKNOWN_PROVIDER: ${origin}${pathname} was not sent, for it belongs to no provider (${known}).`;
  return { status: 400, reason: 'unknown-provider', title: 'Unknown provider', detail, canRetry: false };
}

export function noAdmission(): OwnRefusal {
  const detail =
    'TOLLGATE_NO_ADMISSION: this call was not sent, for nobody pays for it. Make it below a handler that a gate has ' +
    'admitted, or say whose it is: llm.as({ subject }).fetch.';
  return { status: 403, reason: 'no-admission', title: 'No admission', detail, canRetry: false };
}

/** A fault of the app or its configuration, such as a model without a price. */
export function fromFault({ code, message }: TollgateError): OwnRefusal {
  const status = code === 'TOLLGATE_CLOSED' ? 503 : 400;
  return { status, reason: 'fault', title: 'Not sent', detail: `${code}: ${message}`, canRetry: false };
}
