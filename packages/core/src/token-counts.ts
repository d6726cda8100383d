/** Checks the token counts of estimates and usages, as apps give them. */
import { type ErrorCode, show, TollgateError } from './errors.js';
import { isRecord } from './schema.js';
import { A_COST, isCost } from './units.js';

/** @throws TollgateError with `code` for what is no object of such counts */
export function checkTokenCounts(code: ErrorCode, field: string, counts: unknown): void {
  if (counts === undefined) return;
  if (!isRecord(counts)) throw wrong(code, field, counts, 'an object such as { inputTokens: 12, outputTokens: 340 }');
  for (const [name, value] of Object.entries(counts)) {
    if (name !== 'inputTokens' && name !== 'outputTokens') {
      throw wrong(code, `${field}.${name}`, value, 'inputTokens and outputTokens alone');
    }
    if (value !== undefined && !isCost(value)) throw wrong(code, `${field}.${name}`, value, A_COST);
  }
}

function wrong(code: ErrorCode, field: string, value: unknown, expected: string): TollgateError {
  return new TollgateError(code, `${field}: got ${show(value)}; expected ${expected}.`);
}
