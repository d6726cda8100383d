/** What is answered over HTTP: what an operation tells, or why it was not done. */
import { type ErrorCode, type Problem, show, showThrown, TollgateError, warn } from '../errors.js';

export interface AdminAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** Answers are for who asks and for now; and never anything but what they say they are. */
const HEADERS = { 'cache-control': 'no-store', 'x-content-type-options': 'nosniff' };

const TITLES = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
};

type ProblemStatus = keyof typeof TITLES;

/** Of errors that say what was wrong with what was asked. Whatever else is thrown is for the log alone. */
const STATUSES: { readonly [Code in ErrorCode]?: ProblemStatus } = {
  TOLLGATE_UNKNOWN_KEY: 404,
  TOLLGATE_UNKNOWN_BUDGET: 404,
  TOLLGATE_CONFIG_INVALID: 422,
  TOLLGATE_KEY_INVALID: 422,
  TOLLGATE_REQUEST_INVALID: 422,
  TOLLGATE_UNKNOWN_PLAN: 422,
};

export function jsonAnswer(status: number, value: unknown): AdminAnswer {
  return { status, headers: { ...HEADERS, 'content-type': 'application/json' }, body: JSON.stringify(value) };
}

export function emptyAnswer(headers: Readonly<Record<string, string>>): AdminAnswer {
  return { status: 204, headers: { ...HEADERS, ...headers }, body: undefined };
}

export function problemAnswer(
  status: ProblemStatus,
  detail?: string,
  headers: Readonly<Record<string, string>> = {},
  errors?: readonly { readonly field: string; readonly detail: string }[],
): AdminAnswer {
  const body = { type: 'about:blank', title: TITLES[status], status, detail, errors };
  return {
    status,
    headers: { ...HEADERS, ...headers, 'content-type': 'application/problem+json' },
    body: JSON.stringify(body),
  };
}

/** All that is wrong with what was asked, at once. */
function wrongAnswer(problems: readonly Problem[]): AdminAnswer {
  const errors = problems.map(({ path, value, expected }) => ({
    field: path,
    detail: `got ${show(value)}; expected ${expected}`,
  }));
  return problemAnswer(422, 'See `errors` for what is wrong, by field.', {}, errors);
}

/** What was thrown, as far as it may be told. */
export function errorAnswer(thrown: unknown): AdminAnswer {
  const status = thrown instanceof TollgateError ? STATUSES[thrown.code] : undefined;
  if (status === undefined) return failureAnswer(thrown);
  const { problems, message } = thrown as TollgateError;
  return status === 422 && problems.length > 0 ? wrongAnswer(problems) : problemAnswer(status, message);
}

/** Of what failed only the log is told. */
export function failureAnswer(thrown: unknown): AdminAnswer {
  warn('TOLLGATE_ADMIN_FAILED', `A request to the admin surface failed: ${showThrown(thrown)}`);
  return problemAnswer(500);
}
