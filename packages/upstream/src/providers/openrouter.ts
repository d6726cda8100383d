import { isRecord } from '@tollgate/core/options';
import { openaiFormat } from '../formats/openai.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { type ErrorAnswer, usualFailure } from './failures.js';
import { readReset } from './values.js';

/** A 402 by which a single request is too dear, whatever the others do. */
const TOO_DEAR = 'weight_exceeds_budget';
const RESET = 'X-RateLimit-Reset';

/**
 * OpenRouter, at `https://openrouter.ai/api/v1` unless given. It tells of limits only once they are used up. Free models share
 * one; a model's other variants share its own.
 */
export const openrouter = defineProvider({
  name: 'openrouter',
  baseUrl: 'https://openrouter.ai/api/v1',
  format: openaiFormat,
  authorize: bearer,
  tellsCost: true,
  family: (model) => (model.endsWith(':free') ? ':free' : model.replace(/:[a-z]+$/, '')),
  failure(error, now) {
    // What was asked was refused by moderation, not who asked.
    if (error.status === 403) return undefined;
    const metadata = isRecord(error.fields.metadata) ? error.fields.metadata : {};
    const { retryAfterMs = resetOf(error, metadata, now) } = error;
    if (error.status !== 402) return usualFailure({ ...error, retryAfterMs });
    if (metadata.reason === TOO_DEAR) return { kind: 'forbidden' };
    // What is under way has used up the credit for now, where there is something to wait for.
    return retryAfterMs === undefined ? { kind: 'exhausted' } : { kind: 'throttled', retryAfterMs, ofKey: true };
  },
});

/** The body may bear the headers, where another provider sent them. */
function resetOf({ headers }: ErrorAnswer, metadata: Record<string, unknown>, now: number): number | undefined {
  const inBody = isRecord(metadata.headers) ? metadata.headers[RESET] : undefined;
  return readReset(headers.get(RESET) ?? inBody, now);
}
