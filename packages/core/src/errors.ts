import { inspect } from 'node:util';

/** One thing wrong with a configuration. */
export interface Problem {
  /** Where, such as `limits[0].window`. */
  readonly path: string;
  /** What stands there; `'a value that is not shown'` in place of what may be secret. */
  readonly value: unknown;
  /** What would be right there. */
  readonly expected: string;
}

/** Every code that a {@link TollgateError} can bear. Codes are stable; messages may get better. */
export type ErrorCode =
  | 'TOLLGATE_CONFIG_INVALID'
  | 'TOLLGATE_REQUEST_INVALID'
  | 'TOLLGATE_UNKNOWN_TIER'
  | 'TOLLGATE_UNKNOWN_PLAN'
  | 'TOLLGATE_UNKNOWN_FEATURE'
  | 'TOLLGATE_UNKNOWN_MODEL'
  | 'TOLLGATE_UNKNOWN_BUDGET'
  | 'TOLLGATE_LIMIT_INVALID'
  | 'TOLLGATE_USAGE_INVALID'
  | 'TOLLGATE_OBSERVATION_INVALID'
  | 'TOLLGATE_KEY_INVALID'
  | 'TOLLGATE_UNKNOWN_KEY'
  | 'TOLLGATE_ADMISSION_SETTLED'
  | 'TOLLGATE_ADMISSION_UNKNOWN'
  | 'TOLLGATE_NOT_KEPT'
  | 'TOLLGATE_LEASE_OVER'
  | 'TOLLGATE_CLIENT_GONE'
  | 'TOLLGATE_NO_GATE'
  | 'TOLLGATE_NO_ADMISSION'
  | 'TOLLGATE_UNKNOWN_PROVIDER'
  | 'TOLLGATE_TOO_LATE'
  | 'TOLLGATE_STORE_FAILED'
  | 'TOLLGATE_STORE_TIMEOUT'
  | 'TOLLGATE_SECRET_UNAVAILABLE'
  | 'TOLLGATE_CLOSED';

/** In place of a value that may be secret. */
export const NOT_SHOWN = 'a value that is not shown';

/** A fault of the app or its configuration. A refusal is no error: it is a value, see `Decision`. */
export class TollgateError extends Error {
  override readonly name = 'TollgateError';
  readonly code: ErrorCode;
  /** Where its code is explained: a place in a file of this package. */
  readonly help: string;
  readonly #problems: readonly Problem[];

  constructor(code: ErrorCode, message: string, problems: readonly Problem[] = [], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.help = helpOf(code);
    this.#problems = problems;
  }

  /** Every problem of a configuration, or of a key that is to be made; the one of a wrong value; empty where none is wrong. */
  get problems(): readonly Problem[] {
    return this.#problems;
  }
}

/** Something was asked of a gate that has been closed, or waited as it was. */
export class ClosedError extends TollgateError {
  /** Of the request, as events tell it; `undefined` where it was none. */
  readonly id: string | undefined;

  constructor(gate: string, id?: string) {
    super('TOLLGATE_CLOSED', `Gate '${gate}' has been closed.`);
    this.id = id;
  }
}

/** Where what bears a code is explained. */
function helpOf(code: string): string {
  return `@tollgate/core/ERRORS.md#${code.toLowerCase()}`;
}

/** A configuration's problems as one error, all at once. */
export function configError(problems: readonly Problem[]): TollgateError {
  return problemsError('TOLLGATE_CONFIG_INVALID', "Tollgate's configuration", problems);
}

/** What is wrong with something that was given, as one error. */
export function problemsError(code: ErrorCode, what: string, problems: readonly Problem[]): TollgateError {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.map(({ path, value, expected }) => `  ${wrong(path, value, expected)}`);
  return new TollgateError(code, `${what} has ${count}:\n${lines.join('\n')}`, problems);
}

/** A wrong value as an error that names the field it stands in, and says what would be right there. */
export function wrongValue(
  code: ErrorCode,
  field: string,
  value: unknown,
  expected: string,
  options?: ErrorOptions,
): TollgateError {
  return new TollgateError(code, `${wrong(field, value, expected)}.`, [{ path: field, value, expected }], options);
}

function wrong(field: string, value: unknown, expected: string): string {
  return `${field}: got ${show(value)}; expected ${expected}`;
}

/** Options that there are none of, as problems. They are not shown: a misspelt one may hold a secret. */
export function strayOptions(what: string, others: object): Problem[] {
  return Object.keys(others).map((name) => ({ path: `${what}.${name}`, value: NOT_SHOWN, expected: 'no such field' }));
}

/** What would be right where one of some names has to stand. */
export function oneOfNames(names: Iterable<string>): string {
  return `one of ${[...names].map((name) => `'${name}'`).join(', ')}`;
}

/** A value as a message shows it: on one line, cut short, and without what is inside an object, which may be secret. */
export function show(value: unknown): string {
  if (value === NOT_SHOWN) return NOT_SHOWN;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return inspect(value, { maxStringLength: 80 });
}

/** What was thrown, as a message shows it: anything may be thrown, and reading it may throw again. */
export function showThrown(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : show(thrown);
  } catch {
    return "something that can't be shown";
  }
}

/** Tells the operator of something that works but will surprise; through Node's own warnings, so it can be silenced. */
export function warn(code: string, message: string): void {
  process.emitWarning(message, { type: 'TollgateWarning', code, detail: `See ${helpOf(code)}` });
}

/** Warns of what is the same the first time only. `warned` keeps what has been told. */
export function warnOnce(warned: Set<string>, what: string, code: string, message: string): void {
  if (warned.has(what)) return;
  warned.add(what);
  warn(code, message);
}

/** What was thrown, as an error: frameworks take a falsy one for none, and some strings for directions. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error('Something other than an error was thrown', { cause: thrown });
}
