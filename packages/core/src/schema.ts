/** What configurations are checked with: fields that say what would be right, and all problems at once. */
import { z } from 'zod';
import { configError, type Problem } from './errors.js';

/** Reads a value; `undefined` where it is wrong. */
export type Parse<T> = (value: unknown) => T | undefined;

/** A field, given or left out, that `read` turns into what is meant, or adds issues to the context. */
export function reading<T>(read: (value: unknown, context: z.core.$RefinementCtx) => T) {
  return z.unknown().optional().transform(read);
}

/** A field that is right where `parse` gives a value, and wrong, with what was expected, where it gives `undefined`. */
export function field<T>(expected: string, parse: Parse<T>) {
  return reading((value, context): T => {
    const parsed = parse(value);
    if (parsed !== undefined) return parsed;
    context.addIssue({ code: 'custom', message: expected });
    return z.NEVER;
  });
}

/** A field with one of a few words; the first unless given. */
export function oneOf<const T extends string>(words: readonly T[], remark = '') {
  const expected = words.map((word) => `'${word}'`).join(' or ') + remark;
  return field(expected, (value = words[0]) => words.find((word) => word === value));
}

/** A field that may be left out, and must be a function otherwise. */
export function optionalFunction<F>(signature: string) {
  return z.custom<F>((value) => typeof value === 'function', { error: `a function ${signature}` }).optional();
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The input as the schema reads it.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, `others` included
 */
export function check<T>(schema: z.ZodType<T>, input: unknown, others: readonly Problem[] = []): T {
  const result = schema.safeParse(input);
  const problems = result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(input, issue));
  if (!result.success || others.length > 0) throw configError([...problems, ...others]);
  return result.data;
}

function problemsOf(input: unknown, issue: z.core.$ZodIssue): Problem[] {
  // A wrong `kind` is a problem of the limit, whose value says more.
  const path = issue.code === 'invalid_union' ? issue.path.slice(0, -1) : issue.path;
  const value = path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], input);
  if (issue.code !== 'unrecognized_keys') return [{ path: pathText(path), value, expected: issue.message }];
  return issue.keys.map((key) => ({
    path: pathText([...path, key]),
    value: (value as Record<string, unknown>)[key],
    expected: 'no such field',
  }));
}

function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'config';
}
