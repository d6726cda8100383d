/** Token counts, of estimates and usages: checked as apps give them, and added up. */
import { type ErrorCode, type Problem, wrongValue } from '../errors.js';
import type { TokenCounts } from '../request.js';
import { isRecord } from '../schema.js';
import { A_COST, isCost } from '../units.js';

const WHOLES = ['inputTokens', 'outputTokens'] as const;
const PARTS = ['cachedInputTokens', 'cacheWriteTokens', 'reasoningTokens'] as const;

/** Nothing is left to be estimated from elsewhere. */
export function isComplete(counts: TokenCounts | undefined): boolean {
  return counts?.inputTokens !== undefined && counts.outputTokens !== undefined;
}

/** @throws TollgateError with `code` for what is no object of such counts */
export function checkTokenCounts(
  code: ErrorCode,
  field: string,
  counts: unknown,
): asserts counts is TokenCounts | undefined {
  const problem = problemOf(field, counts);
  if (problem) throw wrongValue(code, problem.path, problem.value, problem.expected);
}

/** What is wrong with what should be such counts; `undefined` where nothing is. */
export function problemOf(path: string, counts: unknown): Problem | undefined {
  if (counts === undefined) return undefined;
  if (!isRecord(counts)) {
    return { path, value: counts, expected: 'an object such as { inputTokens: 12, outputTokens: 340 }' };
  }
  let hasParts = false;
  for (const name in counts) {
    const value = counts[name];
    const isWhole = name === WHOLES[0] || name === WHOLES[1];
    if (!isWhole && !isPart(name)) {
      return { path: `${path}.${name}`, value, expected: ownName(name) };
    }
    if (value === undefined) continue;
    if (!isCost(value)) return { path: `${path}.${name}`, value, expected: A_COST };
    hasParts ||= !isWhole;
  }
  const { inputTokens = 0, outputTokens = 0 } = counts as TokenCounts;
  const tokens = inputTokens + outputTokens;
  if (!isCost(tokens)) return { path, value: tokens, expected: `${A_COST} for input and output together` };
  if (!hasParts) return undefined;
  return (
    partsProblem(path, counts, 'inputTokens', ['cachedInputTokens', 'cacheWriteTokens']) ??
    partsProblem(path, counts, 'outputTokens', ['reasoningTokens'])
  );
}

/** As providers name them in their answers. */
const NAMES_ELSEWHERE: Readonly<Record<string, (typeof WHOLES)[number]>> = {
  prompt_tokens: 'inputTokens',
  input_tokens: 'inputTokens',
  promptTokens: 'inputTokens',
  promptTokenCount: 'inputTokens',
  completion_tokens: 'outputTokens',
  output_tokens: 'outputTokens',
  completionTokens: 'outputTokens',
  candidatesTokenCount: 'outputTokens',
};

/** What stands in place of a field that there is not. */
function ownName(name: string): string {
  const all = `${[...WHOLES, ...PARTS].join(', ')} alone`;
  return Object.hasOwn(NAMES_ELSEWHERE, name) ? `${NAMES_ELSEWHERE[name]} in its place: there are ${all}` : all;
}

function isPart(name: string): boolean {
  return name === PARTS[0] || name === PARTS[1] || name === PARTS[2];
}

/** A provider that counts parts beside the whole would otherwise be billed wrongly, in silence. */
function partsProblem(
  path: string,
  counts: TokenCounts,
  whole: keyof TokenCounts,
  parts: readonly (keyof TokenCounts)[],
): Problem | undefined {
  const total = counts[whole];
  const sum = parts.reduce((sum, part) => sum + (counts[part] ?? 0), 0);
  if (sum <= (total ?? 0)) return undefined;
  const expected = `at least ${sum}, since it includes ${parts.join(' and ')}`;
  return { path: `${path}.${whole}`, value: total, expected };
}

/** Wholes with the parts that are told: a copy, since apps may go on with what they gave. Field by field, which is quick. */
export function countsOf(
  inputTokens: number,
  outputTokens: number,
  input: TokenCounts | undefined,
  output: TokenCounts | undefined,
): TokenCounts {
  return {
    inputTokens,
    cachedInputTokens: input?.cachedInputTokens,
    cacheWriteTokens: input?.cacheWriteTokens,
    outputTokens,
    reasoningTokens: output?.reasoningTokens,
  };
}

export function sumOfCounts(a: TokenCounts, b: TokenCounts): TokenCounts {
  return {
    inputTokens: (a.inputTokens ?? 0) + (b.inputTokens ?? 0),
    cachedInputTokens: (a.cachedInputTokens ?? 0) + (b.cachedInputTokens ?? 0),
    cacheWriteTokens: (a.cacheWriteTokens ?? 0) + (b.cacheWriteTokens ?? 0),
    outputTokens: (a.outputTokens ?? 0) + (b.outputTokens ?? 0),
    reasoningTokens: (a.reasoningTokens ?? 0) + (b.reasoningTokens ?? 0),
  };
}
