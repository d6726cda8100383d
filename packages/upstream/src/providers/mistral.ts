import { openaiFormat } from '../formats/openai.js';
import { unasked } from '../formats/unasked.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { undated } from './families.js';
import { type LimitHeaders, readLimit } from './limit-headers.js';

const LIMIT_HEADERS: readonly LimitHeaders[] = [
  {
    unit: 'requests',
    window: 'minute',
    limit: 'x-ratelimit-limit-req-minute',
    remaining: 'x-ratelimit-remaining-req-minute',
  },
  {
    unit: 'tokens',
    window: 'minute',
    limit: 'x-ratelimit-limit-tokens-minute',
    remaining: 'x-ratelimit-remaining-tokens-minute',
  },
];

/** Mistral, at `https://api.mistral.ai/v1` unless given. A limit of 0 is one: the model isn't to be had with this key. */
export const mistral = defineProvider({
  name: 'mistral',
  baseUrl: 'https://api.mistral.ai/v1',
  format: unasked(openaiFormat),
  authorize: bearer,
  limitHeaders: LIMIT_HEADERS,
  readings: ({ headers }) => LIMIT_HEADERS.flatMap((one) => readLimit(one, headers) ?? []),
  family: undated,
});
