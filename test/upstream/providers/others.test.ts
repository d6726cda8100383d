/** Mistral, OpenRouter and Together. */
import { mistral, openrouter, together } from '@tollgate/upstream';
import { answer, type FailureCase, keys, NOW } from './support.js';

test('Mistral tells of both by the minute, and a limit of 0 is one', () => {
  const provider = mistral({ keys });
  const headers = {
    'x-ratelimit-limit-tokens-minute': '5000000',
    'x-ratelimit-remaining-tokens-minute': '4999911',
    'x-ratelimit-tokens-query-cost': '52',
    'x-ratelimit-limit-req-minute': '0',
    'x-ratelimit-remaining-req-minute': '0',
  };
  expect(provider.readings(answer(200, headers), NOW)).toEqual([
    { unit: 'requests', window: 'minute', limit: 0, remaining: 0 },
    { unit: 'tokens', window: 'minute', limit: 5_000_000, remaining: 4_999_911 },
  ]);
  expect(provider.family('mistral-large-2411')).toBe('mistral-large');
  expect(provider.family('mistral-large-latest')).toBe('mistral-large');
});

const mistralLimited = { object: 'error', message: 'Requests rate limit exceeded', type: 'rate_limited', code: '1300' };

test.each<FailureCase>([
  ['a limit that is used up', answer(429, {}, mistralLimited), { kind: 'throttled' }],
  ['a wrong key', answer(401, {}, { detail: 'Unauthorized' }), { kind: 'unauthorized' }],
  ['a mistake in the request', answer(422, {}, { detail: [{ msg: 'Field required' }] }), undefined],
])('Mistral: %s', (_, given, expected) => {
  expect(mistral({ keys }).failure(given, NOW)).toEqual(expected);
});

function routed(code: number, metadata: unknown, message = '') {
  return { error: { code, message, metadata } };
}

const RESET = String(NOW + 30_000);
const inFlight = routed(402, { reason: 'in_flight_budget_exhausted', limit_source: 'openrouter_in_flight_budget' });

test.each<FailureCase>([
  ['no credit', answer(402, {}, routed(402, { limit_source: 'openrouter_credits' })), { kind: 'exhausted' }],
  [
    'credit that is in use',
    answer(402, { 'retry-after': '3' }, inFlight),
    { kind: 'throttled', retryAfterMs: 3000, ofKey: true },
  ],
  [
    'a request that is too dear',
    answer(402, {}, routed(402, { reason: 'weight_exceeds_budget' })),
    { kind: 'forbidden' },
  ],
  ['a prompt that is refused', answer(403, {}, routed(403, { reasons: ['violence'] })), undefined],
  [
    'a limit of theirs',
    answer(429, { 'x-ratelimit-limit': '20', 'x-ratelimit-reset': RESET }),
    { kind: 'throttled', retryAfterMs: 30_000 },
  ],
  [
    'one that the body tells of',
    answer(429, {}, routed(429, { headers: { 'X-RateLimit-Reset': RESET } })),
    { kind: 'throttled', retryAfterMs: 30_000 },
  ],
  ['a limit of a provider behind them', answer(429, {}, routed(429, { provider_code: 'x' })), { kind: 'throttled' }],
  [
    'a limit within a stream',
    answer(200, {}, { id: 'x', ...routed(429, null, 'Rate limit exceeded') }),
    { kind: 'throttled' },
  ],
  ['a model that is down', answer(502, {}, routed(502, null)), { kind: 'broken' }],
])('OpenRouter: %s', (_, given, expected) => {
  expect(openrouter({ keys }).failure(given, NOW)).toEqual(expected);
});

test('OpenRouter counts free models as one, and variants as their model', () => {
  const { family } = openrouter({ keys });
  expect(family('deepseek/deepseek-r1:free')).toBe(family('qwen/qwen3:free'));
  expect(family('openai/gpt-4o:nitro')).toBe('openai/gpt-4o');
});

test.each<FailureCase>([
  ['a limit that is used up', answer(429, { 'x-ratelimit-reset': '2' }), { kind: 'throttled', retryAfterMs: 2000 }],
  ['a prompt that is too long', answer(403, {}, { error: { message: 'too long' } }), undefined],
  ['a spend limit', answer(402), { kind: 'exhausted' }],
  ['no room', answer(503), { kind: 'overloaded' }],
])('Together: %s', (_, given, expected) => {
  expect(together({ keys }).failure(given, NOW)).toEqual(expected);
});

test('Together tells of limits by the second', () => {
  const headers = {
    'x-ratelimit-limit': '10',
    'x-ratelimit-remaining': '0',
    'x-tokenlimit-limit': '3000',
    'x-tokenlimit-remaining': '2950',
  };
  expect(together({ keys }).readings(answer(429, headers), NOW)).toEqual([
    { unit: 'requests', window: 'second', limit: 10, remaining: 0 },
    { unit: 'tokens', window: 'second', limit: 3000, remaining: 2950 },
  ]);
});
