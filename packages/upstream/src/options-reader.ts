/** Options are read field by field. What is wrong with one is noted, so that all of it is told at once. */
import { inspect } from 'node:util';
import { type Problem, TollgateError } from '@tollgate/core';

/** In place of a value that may be secret. */
export const NOT_SHOWN = 'a value that is not shown';

export const A_NAME = "a name of 1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit";
export const A_COUNT = "a number from 0 to 2^53 - 1, or such as '200k' or '1.5M'";
export const A_DURATION = "milliseconds above 0, or such as '30s', '5m' or '1h'";

const NAME = /^[A-Za-z0-9][\w.:-]{0,63}$/;
const COUNT = /^(\d{1,15}(?:\.\d{1,15})?)(k|M)?$/;
const EXPONENTS = { '': 'e0', k: 'e3', M: 'e6' };
const DURATION = /^(\d{1,15}(?:\.\d{1,15})?)(ms|s|m|h|d|w)$/;
const MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** Reads a value; `undefined` where it is wrong. */
export type Parse<T> = (value: unknown) => T | undefined;

export interface OptionsReader {
  /** What `parse` makes of a value. Where that is nothing a problem is noted, and what is returned is never used. */
  read<T>(path: string, value: unknown, expected: string, parse: Parse<T>): T;
  /** Likewise, of a value that may be secret: it isn't shown. */
  readSecret<T>(path: string, value: unknown, expected: string, parse: Parse<T>): T;
  /** Notes all fields but these. What stands in them may be secret. */
  noOtherFields(path: string, value: unknown, fields: readonly string[]): void;
  /** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem that was noted */
  throwProblems(): void;
}

export function createReader(): OptionsReader {
  const problems: Problem[] = [];
  const read = <T>(path: string, value: unknown, expected: string, parse: Parse<T>, shown = value): T => {
    const parsed = parse(value);
    if (parsed === undefined) problems.push({ path, value: shown, expected });
    return parsed as T;
  };
  return {
    read: (path, value, expected, parse) => read(path, value, expected, parse),
    readSecret: (path, value, expected, parse) => read(path, value, expected, parse, NOT_SHOWN),
    noOtherFields(path, value, fields) {
      const others = isRecord(value) ? Object.keys(value).filter((field) => !fields.includes(field)) : [];
      problems.push(
        ...others.map((field) => ({ path: `${path}.${field}`, value: NOT_SHOWN, expected: 'no such field' })),
      );
    },
    throwProblems() {
      if (problems.length === 0) return;
      const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
      const lines = problems.map(({ path, value, expected }) => `  ${path}: got ${show(value)}; expected ${expected}`);
      const message = `Tollgate's configuration has ${count}:\n${lines.join('\n')}`;
      throw new TollgateError('TOLLGATE_CONFIG_INVALID', message, problems);
    },
  };
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function parseRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return isRecord(value) ? value : undefined;
}

export function parseName(value: unknown): string | undefined {
  return typeof value === 'string' && NAME.test(value) ? value : undefined;
}

/** An amount as core reads it: a number, or one with `k` or `M`. */
export function parseCount(value: unknown): number | undefined {
  const match = typeof value === 'string' ? COUNT.exec(value) : null;
  const count = match ? Number(match[1] + EXPONENTS[(match[2] ?? '') as keyof typeof EXPONENTS]) : value;
  return typeof count === 'number' && count >= 0 && count <= Number.MAX_SAFE_INTEGER ? count : undefined;
}

/** A length of time as core reads it, in whole milliseconds above 0: a number, or one with its unit. */
export function parseDuration(value: unknown): number | undefined {
  const match = typeof value === 'string' ? DURATION.exec(value) : null;
  const ms = match ? Math.round(Number(match[1]) * MS[match[2] as keyof typeof MS]) : value;
  return typeof ms === 'number' && Number.isSafeInteger(ms) && ms > 0 ? ms : undefined;
}

/** A value as a message shows it: cut short, and without what is inside an object. */
function show(value: unknown): string {
  if (value === NOT_SHOWN) return NOT_SHOWN;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return 'a list';
  return isRecord(value) ? 'an object' : inspect(value, { maxStringLength: 80 });
}
