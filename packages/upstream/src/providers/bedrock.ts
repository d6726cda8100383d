import { bedrockFormat } from '../formats/bedrock.js';
import { SIGNED_BY_CALLER } from '../keys/key.js';
import { defineProvider } from './define.js';
import { type ErrorAnswer, usualFailure } from './failures.js';
import type { Answer, Failure, Provider } from './provider.js';
import type { ProviderOptions } from './provider-options.js';
import { readCount } from './values.js';

export type BedrockOptions = Omit<ProviderOptions, 'keys'> & { readonly baseUrl: string };

/** A day's tokens of a model are used up. */
const DAILY = /tokens per day/i;

const make = defineProvider({
  name: 'bedrock',
  format: bedrockFormat,
  authorize: () => {},
  failure: failureOf,
  usage: usageOf,
});

/**
 * Bedrock, by its headroom and usage alone: requests are signed with the caller's own credentials, so there are no keys to take
 * turns. `baseUrl` has to be given: `https://bedrock-runtime.REGION.amazonaws.com`.
 */
export function bedrock(options: BedrockOptions): Provider {
  return make({ ...options, keys: [SIGNED_BY_CALLER] });
}

/** Errors go by names, in a header or in the body; statuses are shared by some that mean different things. */
function failureOf(error: ErrorAnswer): Failure | undefined {
  const { status, headers, codes, message, retryAfterMs } = error;
  const type = headers.get('x-amzn-errortype')?.toLowerCase().split(':')[0] ?? codes[0];
  switch (type) {
    case 'throttlingexception':
      if (DAILY.test(message)) return { kind: 'exhausted', retryAfterMs, ofFamily: true };
      return { kind: 'throttled', retryAfterMs };
    case 'servicequotaexceededexception':
      return { kind: 'throttled', retryAfterMs };
    case 'modelnotreadyexception':
      return { kind: 'overloaded', retryAfterMs };
    case 'modeltimeoutexception':
    case 'modelerrorexception':
      return { kind: 'broken', retryAfterMs };
    default:
      // Credentials are the caller's own affair.
      return status === 401 || status === 403 ? undefined : usualFailure(error);
  }
}

/** What is read from the cache or written to it comes on top of the tokens of the input. */
function usageOf({ headers }: Answer) {
  const read = (name: string) => readCount(headers.get(`x-amzn-bedrock-${name}-token-count`));
  const input = read('input');
  if (input === undefined) return undefined;
  const cachedInputTokens = read('cache-read-input') ?? 0;
  const cacheWriteTokens = read('cache-write-input') ?? 0;
  const inputTokens = input + cachedInputTokens + cacheWriteTokens;
  return { inputTokens, cachedInputTokens, cacheWriteTokens, outputTokens: read('output') };
}
