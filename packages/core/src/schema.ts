/** What configurations are checked with: fields that say what would be right, and all problems at once. */
import { z } from 'zod';
import { configError, NOT_SHOWN, type Problem } from './errors.js';

export const A_NAME = "a name of 1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit";

export const NAME = /^[A-Za-z0-9][\w.:-]{0,63}$/;

export function parseName(value: unknown): string | undefined {
  return typeof value === 'string' && NAME.test(value) ? value : undefined;
}

/** Reads a value; `undefined` where it is wrong. */
export type Parse<T> = (value: unknown) => T | undefined;

/** A field, given or left out, that `read` turns into what is meant, or adds issues to the context. */
export function reading<T>(read: (value: unknown, context: z.core.$RefinementCtx) => T) {
  return z.unknown().optional().transform(read);
}

/** A field that is right where `parse` gives a value, and wrong, with what was expected, where it gives `undefined`. */
export function field<T>(expected: string, parse: Parse<T>) {
  return reading((value, context): T => parsed(value, expected, parse, context));
}

/** Likewise, and it may be left out. */
export function optionalField<T>(expected: string, parse: Parse<T>) {
  return reading((value, context): T | undefined =>
    value === undefined ? undefined : parsed(value, expected, parse, context),
  );
}

function parsed<T>(value: unknown, expected: string, parse: Parse<T>, context: z.core.$RefinementCtx): T {
  const result = parse(value);
  if (result === undefined) context.addIssue({ code: 'custom', message: expected });
  return result ?? z.NEVER;
}

/** Reads a map, each value by itself. */
export function readMap<T>(
  value: object,
  expected: string,
  parse: Parse<T>,
  context: z.core.$RefinementCtx,
): Map<string, T> {
  const map = new Map<string, T>();
  for (const [key, one] of Object.entries(value)) {
    const parsed = parse(one);
    if (parsed === undefined) context.addIssue({ code: 'custom', message: expected, path: [key] });
    else map.set(key, parsed);
  }
  return map;
}

/** Reads a list, each element by itself; `parse` gets those too that were right before it. */
export function readList<T>(
  value: readonly unknown[],
  expected: string,
  parse: (one: unknown, before: readonly T[]) => T | undefined,
  context: z.core.$RefinementCtx,
): readonly T[] {
  const right: T[] = [];
  for (const [i, one] of value.entries()) {
    const parsed = parse(one, right);
    if (parsed === undefined) context.addIssue({ code: 'custom', message: expected, path: [i] });
    else right.push(parsed);
  }
  return right;
}

/** A field that has to be a list, where it is given. */
export function optionalList<T>(
  list: string,
  one: string,
  parse: (one: unknown, before: readonly T[]) => T | undefined,
) {
  return reading((value, context): readonly T[] | undefined => {
    if (value === undefined) return undefined;
    if (Array.isArray(value)) return readList(value, one, parse, context);
    context.addIssue({ code: 'custom', message: list });
    return z.NEVER;
  });
}

/** A field with one of a few words; the first unless given. */
export function oneOf<const T extends string>(words: readonly T[], remark = '') {
  return field(listed(words) + remark, (value = words[0]) => words.find((word) => word === value));
}

/** A field with one of a few words, which has to be given. */
export function givenOneOf<const T extends string>(words: readonly T[]) {
  return field(listed(words), (value) => words.find((word) => word === value));
}

function listed(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' or ');
}

/** A field that may be left out, and must be a function otherwise. */
export function optionalFunction<F>(signature: string) {
  return z.custom<F>((value) => typeof value === 'function', { error: `a function ${signature}` }).optional();
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function hasMethods(value: unknown, methods: readonly string[]): boolean {
  return (
    typeof value === 'object' && value !== null && methods.every((one) => typeof Reflect.get(value, one) === 'function')
  );
}

/**
 * The input as the schema reads it.
 *
 * @throws TollgateError with every problem, `others` included; `TOLLGATE_CONFIG_INVALID` unless `errorOf` makes another
 */
export function check<T>(
  schema: z.ZodType<T>,
  input: unknown,
  others: readonly Problem[] = [],
  errorOf: (problems: readonly Problem[]) => Error = configError,
): T {
  const result = schema.safeParse(input);
  const problems = result.success ? [] : result.error.issues.flatMap((issue) => problemsOf(input, issue));
  if (!result.success || others.length > 0) throw errorOf([...problems, ...others]);
  return result.data;
}

function problemsOf(input: unknown, issue: z.core.$ZodIssue): Problem[] {
  // A misspelt field, or one in the wrong place, may hold a secret.
  if (issue.code === 'unrecognized_keys') {
    const expected = 'no such field';
    return issue.keys.map((key) => ({ path: pathText([...issue.path, key]), value: NOT_SHOWN, expected }));
  }
  // A wrong `kind` is a problem of the limit, whose value says more.
  const isKind = issue.code === 'invalid_union' && issue.discriminator !== undefined;
  const path = isKind ? issue.path.slice(0, -1) : issue.path;
  const isSecret = issue.code === 'custom' && issue.params?.isSecret === true;
  const given = path.reduce((at, key) => (at as Record<PropertyKey, unknown> | undefined)?.[key], input);
  return [{ path: pathText(path), value: isSecret ? NOT_SHOWN : given, expected: issue.message }];
}

function pathText(path: readonly PropertyKey[]): string {
  const text = path.map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`)).join('');
  return text.replace(/^\./, '') || 'config';
}
