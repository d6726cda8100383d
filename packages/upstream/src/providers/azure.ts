import { openaiFormat } from '../formats/openai.js';
import { keyHeader } from './credentials.js';
import { defineProvider } from './define.js';
import { type LimitHeaders, readLimits } from './limit-headers.js';
import { OPENAI_REQUESTS, OPENAI_TOKENS } from './openai.js';
import type { Reading } from './provider.js';

/** The reset has another name in some answers. */
const TOKENS: LimitHeaders = { ...OPENAI_TOKENS, reset: 'x-rate-limit-reset-tokens' };
const LIMIT_HEADERS = [OPENAI_REQUESTS, OPENAI_TOKENS, TOKENS];

/**
 * Azure OpenAI. `baseUrl` has to be given: `https://NAME.openai.azure.com/openai/v1`, or without `/v1` for paths that name a
 * deployment. Models are deployments, each of which has limits of its own.
 */
export const azure = defineProvider({
  name: 'azure',
  format: openaiFormat,
  authorize: keyHeader('api-key'),
  limitHeaders: LIMIT_HEADERS,
  readings: ({ headers }) => readLimits(LIMIT_HEADERS, headers).flatMap(withoutZero),
});

/** Nothing left is what Azure says where it doesn't know. */
function withoutZero({ remaining, ...reading }: Reading): Reading[] {
  if (remaining) return [{ ...reading, remaining }];
  return reading.limit === undefined ? [] : [reading];
}
