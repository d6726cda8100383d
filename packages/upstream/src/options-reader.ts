/** Options are read field by field. What is wrong with one is noted, so that all of it is told at once. */
import { configError, isRecord, NOT_SHOWN, type Parse, type Problem } from '@tollgate/core/options';

export const A_DURATION = "milliseconds above 0, or such as '30s', '5m' or '1h'";

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
      if (problems.length > 0) throw configError(problems);
    },
  };
}

export function parseRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return isRecord(value) ? value : undefined;
}
