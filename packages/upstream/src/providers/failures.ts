/** What an answer that is none tells of key and provider. Most providers mean the same; what one means otherwise is its own. */
import { type ErrorBody, readErrorBody } from './error-body.js';
import { type LimitHeaders, readExhaustedReset } from './limit-headers.js';
import type { Answer, Failure } from './provider.js';
import { readRetryAfter } from './values.js';

/** An answer that is none, as it was read. */
export interface ErrorAnswer extends ErrorBody {
  readonly status: number;
  readonly headers: Headers;
  /** Milliseconds until it is worth asking again, from 0 to a day; `undefined`: nothing says. */
  readonly retryAfterMs: number | undefined;
}

/** Codes by which money or a quota has run out: waiting doesn't help, and neither does a retry. */
const TERMINAL =
  /^(insufficient_quota|credit_balance_exhausted|[a-z]+_spend_limit_exceeded|organization_usage_limit_exceeded|enforced_spend_limit_reached|billing_hard_limit_reached|billing_not_active)$/;

/** What no waiting helps either: it asks for more at once than the limit is. Another key's may be higher. */
const TOO_LARGE = /^request too large/i;

/** @returns `undefined` for a success */
export function readError(answer: Answer, limits: readonly LimitHeaders[], now: number): ErrorAnswer | undefined {
  const body = readErrorBody(answer.body);
  const status = answer.status >= 400 ? answer.status : body.status;
  if (status === undefined) return undefined;
  const { headers } = answer;
  const said = readRetryAfter(headers, now) ?? body.retryDelayMs;
  // The reset of a limit says nothing of other failures.
  const retryAfterMs = status === 429 ? (said ?? readExhaustedReset(limits, headers, now)) : said;
  return { ...body, status, headers, retryAfterMs };
}

/** What most providers mean. The caller's own mistakes are no failure. */
export function usualFailure({ status, codes, message, retryAfterMs }: ErrorAnswer): Failure | undefined {
  if (codes.some((code) => TERMINAL.test(code))) return { kind: 'exhausted', retryAfterMs };
  if (codes.includes('slow_down')) return { kind: 'throttled', retryAfterMs, tooSteep: true };
  if (status === 401) return { kind: 'unauthorized' };
  if (status === 402) return { kind: 'exhausted', retryAfterMs };
  if (status === 403) return { kind: 'forbidden' };
  if (status === 429 && TOO_LARGE.test(message)) return { kind: 'forbidden' };
  if (status === 429) return { kind: 'throttled', retryAfterMs };
  if (status === 503 || status === 529) return { kind: 'overloaded', retryAfterMs };
  return status >= 500 ? { kind: 'broken', retryAfterMs } : undefined;
}
