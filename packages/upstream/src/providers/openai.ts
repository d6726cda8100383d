import { openaiFormat } from '../formats/openai.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { usualFailure } from './failures.js';
import { undated } from './families.js';
import type { LimitHeaders } from './limit-headers.js';

/** As many others tell of theirs too. */
export const OPENAI_REQUESTS = {
  unit: 'requests',
  window: 'minute',
  limit: 'x-ratelimit-limit-requests',
  remaining: 'x-ratelimit-remaining-requests',
  reset: 'x-ratelimit-reset-requests',
} as const satisfies LimitHeaders;

export const OPENAI_TOKENS = {
  unit: 'tokens',
  window: 'minute',
  limit: 'x-ratelimit-limit-tokens',
  remaining: 'x-ratelimit-remaining-tokens',
  reset: 'x-ratelimit-reset-tokens',
} as const satisfies LimitHeaders;

/** Tokens of the key's project, where that has a limit of its own. */
const PROJECT_TOKENS: LimitHeaders = {
  unit: 'tokens',
  window: 'minute',
  limit: 'x-ratelimit-limit-project-tokens',
  remaining: 'x-ratelimit-remaining-project-tokens',
  reset: 'x-ratelimit-reset-project-tokens',
};

/** A 401 that isn't about who one is. */
const LACKS_PERMISSION = /insufficient permissions|missing scopes/i;

/** OpenAI, at `https://api.openai.com/v1` unless given. A fine-tuned model shares the limits of what it was made of. */
export const openai = defineProvider({
  name: 'openai',
  baseUrl: 'https://api.openai.com/v1',
  format: openaiFormat,
  authorize: bearer,
  limitHeaders: [OPENAI_REQUESTS, OPENAI_TOKENS, PROJECT_TOKENS],
  family: (model) => undated(model.replace(/^ft:([^:]+):.*$/, '$1')),
  failure: (error) =>
    error.status === 401 && LACKS_PERMISSION.test(error.message) ? { kind: 'forbidden' } : usualFailure(error),
});
