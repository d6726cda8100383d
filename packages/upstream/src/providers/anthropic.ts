import { anthropicFormat } from '../formats/anthropic.js';
import { keyHeader } from './credentials.js';
import { defineProvider } from './define.js';
import { usualFailure } from './failures.js';
import { undated } from './families.js';
import type { LimitHeaders } from './limit-headers.js';
import type { HeadroomUnit } from './provider.js';

/** Classes of models whose versions share a limit. */
const SHARED = /^(claude-(?:opus|sonnet|haiku)-4|claude-fable-5)-\d{1,2}$/;

/** What comes as a mistake of the caller's, and is none. */
const OUT_OF_MONEY = /^You have reached your specified (?:workspace )?API usage limits|credit balance is too low/i;
const TOO_STEEP = /usage increase rate|acceleration limit/i;

/** Anthropic, at `https://api.anthropic.com` unless given. Models of one class and generation share limits where Anthropic says so. */
export const anthropic = defineProvider({
  name: 'anthropic',
  baseUrl: 'https://api.anthropic.com',
  format: anthropicFormat,
  authorize: keyHeader('x-api-key'),
  limitHeaders: [
    limitOf('requests', 'requests'),
    limitOf('tokens', 'tokens'),
    limitOf('inputTokens', 'input-tokens'),
    limitOf('outputTokens', 'output-tokens'),
  ],
  family: (model) => undated(model).replace(SHARED, '$1'),
  failure(error) {
    const { status, message, retryAfterMs } = error;
    if (status === 400 && OUT_OF_MONEY.test(message)) return { kind: 'exhausted', retryAfterMs };
    const failure = usualFailure(error);
    return failure?.kind === 'throttled' && TOO_STEEP.test(message) ? { ...failure, tooSteep: true } : failure;
  },
});

function limitOf(unit: HeadroomUnit, name: string): LimitHeaders {
  const header = (what: string) => `anthropic-ratelimit-${name}-${what}`;
  return { unit, window: 'minute', limit: header('limit'), remaining: header('remaining'), reset: header('reset') };
}
