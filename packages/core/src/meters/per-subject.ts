/** Values that may depend on who asks, or when: one for all, one by plan, or one by a function of the subject. */
import { show, TollgateError } from '../errors.js';
import type { Subject } from '../request.js';

/** Gives the value that holds for a subject at a time. Throws a `TollgateError` where there is none. */
export type PerSubject<T> = (subject: Subject, now: number) => T;

export function byPlan<T>(limit: string, plans: ReadonlyMap<string, T>): PerSubject<T> {
  return ({ plan }) => {
    const value = (plan === undefined ? undefined : plans.get(plan)) ?? plans.get('default');
    if (value !== undefined) return value;
    const known = [...plans.keys()].map((name) => `'${name}'`).join(', ');
    throw new TollgateError(
      'TOLLGATE_UNKNOWN_PLAN',
      `'${limit}' has no value for the plan ${show(plan)}; it knows ${known}. Add the plan to it, or a 'default'.`,
    );
  };
}

/** @param parse gives `undefined` for a value that is none of what was `expected` */
export function byFunction<T>(
  limit: string,
  of: (subject: Subject) => unknown,
  expected: string,
  parse: (value: unknown) => T | undefined,
): PerSubject<T> {
  return (subject) => {
    const value = of(subject);
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    throw wrongLimit(limit, value, expected);
  };
}

/** What a function has returned that a limit goes by. */
export function wrongLimit(limit: string, value: unknown, expected: string): TollgateError {
  return new TollgateError(
    'TOLLGATE_LIMIT_INVALID',
    `The function that '${limit}' is limited by returned ${show(value)}; expected ${expected}.`,
  );
}
