import { openaiFormat } from '../formats/openai.js';
import { bearer } from './credentials.js';
import { defineProvider } from './define.js';
import { usualFailure } from './failures.js';
import { OPENAI_REQUESTS, OPENAI_TOKENS } from './openai.js';

/** What Groq says where its flexible tier has no room. */
const NO_ROOM = 498;

/** Groq, at `https://api.groq.com/openai/v1` unless given. It tells of requests a day, and tokens a minute. */
export const groq = defineProvider({
  name: 'groq',
  baseUrl: 'https://api.groq.com/openai/v1',
  format: openaiFormat,
  authorize: bearer,
  limitHeaders: [{ ...OPENAI_REQUESTS, window: 'day' }, OPENAI_TOKENS],
  failure: (error) =>
    error.status === NO_ROOM ? { kind: 'overloaded', retryAfterMs: error.retryAfterMs } : usualFailure(error),
});
