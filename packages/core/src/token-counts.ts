/** Checks the token counts of estimates and usages, as apps give them. */
import { type ErrorCode, show, TollgateError } from './errors.js';
import type { TokenCounts } from './request.js';
import { isRecord } from './schema.js';
import { A_COST, isCost } from './units.js';

/** The kinds of tokens, each with what it is a part of. */
const WHOLES: Readonly<Record<string, 'inputTokens' | 'outputTokens' | undefined>> = {
  __proto__: null as never,
  inputTokens: undefined,
  cachedInputTokens: 'inputTokens',
  cacheWriteTokens: 'inputTokens',
  outputTokens: undefined,
  reasoningTokens: 'outputTokens',
};

/** @throws TollgateError with `code` for what is no object of such counts */
export function checkTokenCounts(
  code: ErrorCode,
  field: string,
  counts: unknown,
): asserts counts is TokenCounts | undefined {
  if (counts === undefined) return;
  if (!isRecord(counts)) throw wrong(code, field, counts, 'an object such as { inputTokens: 12, outputTokens: 340 }');
  let hasParts = false;
  for (const name in counts) {
    const value = counts[name];
    if (!(name in WHOLES)) throw wrong(code, `${field}.${name}`, value, `${Object.keys(WHOLES).join(', ')} alone`);
    if (value === undefined) continue;
    if (!isCost(value)) throw wrong(code, `${field}.${name}`, value, A_COST);
    hasParts ||= WHOLES[name] !== undefined;
  }
  if (!hasParts) return;
  checkParts(code, field, counts, 'inputTokens', ['cachedInputTokens', 'cacheWriteTokens']);
  checkParts(code, field, counts, 'outputTokens', ['reasoningTokens']);
}

/** A provider that counts parts beside the whole would otherwise be billed wrongly, in silence. */
function checkParts(
  code: ErrorCode,
  field: string,
  counts: TokenCounts,
  whole: keyof TokenCounts,
  parts: readonly (keyof TokenCounts)[],
): void {
  const total = counts[whole];
  const sum = parts.reduce((sum, part) => sum + (counts[part] ?? 0), 0);
  if (sum <= (total ?? 0)) return;
  throw wrong(code, `${field}.${whole}`, total, `at least ${sum}, since it includes ${parts.join(' and ')}`);
}

function wrong(code: ErrorCode, field: string, value: unknown, expected: string): TollgateError {
  return new TollgateError(code, `${field}: got ${show(value)}; expected ${expected}.`);
}
