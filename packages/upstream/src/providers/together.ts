import { openaiFormat } from '../formats/openai.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { usualFailure } from './failures.js';
import type { LimitHeaders } from './limit-headers.js';
import { readReset } from './values.js';

const RESET = 'x-ratelimit-reset';

const LIMIT_HEADERS: readonly LimitHeaders[] = [
  { unit: 'requests', window: 'second', limit: 'x-ratelimit-limit', remaining: 'x-ratelimit-remaining' },
  { unit: 'tokens', window: 'second', limit: 'x-tokenlimit-limit', remaining: 'x-tokenlimit-remaining' },
];

/** Together, at `https://api.together.xyz/v1` unless given. It tells of limits, by the second, only with a 429. */
export const together = defineProvider({
  name: 'together',
  baseUrl: 'https://api.together.xyz/v1',
  format: openaiFormat,
  authorize: bearer,
  limitHeaders: LIMIT_HEADERS,
  failure(error, now) {
    // The prompt is too long for the model.
    if (error.status === 403) return undefined;
    const { retryAfterMs = readReset(error.headers.get(RESET), now) } = error;
    return usualFailure({ ...error, retryAfterMs });
  },
});
