/** What the body of an error says, in whatever shape: providers nest it, wrap it in a list, or send text. */
import { isRecord } from '@tollgate/core/options';
import { readDuration } from './values.js';

export interface ErrorBody {
  /** All that names the error, in lower case: code, type, status. */
  readonly codes: readonly string[];
  readonly message: string;
  /** A status in place of that of an answer that had begun well. */
  readonly status: number | undefined;
  /** Milliseconds until it is worth asking again; `undefined`: it doesn't say. */
  readonly retryDelayMs: number | undefined;
  /** The error itself: what is left to look for. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** A provider's words are looked at this far. */
const LONGEST_MESSAGE = 2000;

/** "Please try again in 6m0s.", "Please retry after 37 seconds." */
const ADVICE = /\b(?:try again in|retry (?:in|after)) (\d[\d.]{0,20}) ?((?:ms|s|m(?!illi)|h)[\d.msh]{0,20})/i;

/** What names stand for, in errors that come without a status. */
const STATUSES: readonly (readonly [RegExp, number])[] = [
  [/^(rate_limit_error|rate_limit_exceeded|insufficient_quota|resource_exhausted|throttlingexception)$/, 429],
  [/^(overloaded_error|slow_down|serviceunavailableexception|unavailable)$/, 529],
  [/^(authentication_error|unauthenticated|invalid_api_key)$/, 401],
  [/^billing_error$/, 402],
  [/^(permission_error|permission_denied)$/, 403],
  [/^(api_error|server_error|internal|internal_server_error|internalserverexception)$/, 500],
];

export function readErrorBody(body: unknown): ErrorBody {
  const whole: unknown = Array.isArray(body) ? body[0] : body;
  if (!isRecord(whole)) return { ...readMessage(textOf(whole)), codes: [], status: undefined, fields: {} };
  const fields = isRecord(whole.error) ? whole.error : whole;
  const details = isRecord(fields.details) ? fields.details : {};
  const named = [fields.code, fields.type, fields.status, details.error_code, whole.__type];
  const codes = named.flatMap((name) => (typeof name === 'string' ? [name.slice(0, 100).toLowerCase()] : []));
  const { message, retryDelayMs } = readMessage(textOf(fields.message ?? whole.error ?? whole.detail));
  const stated = recordsIn(fields.details).map(({ retryDelay }) => readDuration(retryDelay));
  const delay = stated.find((ms) => ms !== undefined) ?? retryDelayMs;
  return { codes, message, status: statusOf(fields.code, codes), retryDelayMs: delay, fields };
}

/** The records of a list, such as an error's `details`. */
export function recordsIn(list: unknown): readonly Readonly<Record<string, unknown>>[] {
  return Array.isArray(list) ? list.slice(0, 100).filter(isRecord) : [];
}

function statusOf(code: unknown, codes: readonly string[]): number | undefined {
  const number = typeof code === 'string' ? Number(code) : code;
  if (typeof number === 'number' && number >= 400 && number < 600) return number;
  return STATUSES.find(([pattern]) => codes.some((name) => pattern.test(name)))?.[1];
}

/** A message, and what it advises: some providers say when to come back in words alone. */
function readMessage(message: string): Pick<ErrorBody, 'message' | 'retryDelayMs'> {
  const [, amount, unit] = ADVICE.exec(message) ?? [];
  const delay = amount === undefined ? undefined : readDuration(`${amount}${unit.replace(/\.+$/, '')}`);
  return { message, retryDelayMs: delay };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value.slice(0, LONGEST_MESSAGE) : '';
}
