import { anthropic } from '@tollgate/upstream';
import { answer, type FailureCase, keys, NOW } from './support.js';

const provider = anthropic({ keys });

/** As Anthropic sends them; a reset may lie in the past. */
const HEADERS = {
  'anthropic-ratelimit-requests-limit': '4000',
  'anthropic-ratelimit-requests-remaining': '3999',
  'anthropic-ratelimit-requests-reset': '2026-11-23T12:00:00Z',
  'anthropic-ratelimit-input-tokens-limit': '2000000',
  'anthropic-ratelimit-input-tokens-remaining': '1999000',
  'anthropic-ratelimit-input-tokens-reset': '2026-11-23T11:59:59Z',
  'anthropic-ratelimit-output-tokens-limit': '400000',
  'anthropic-ratelimit-output-tokens-remaining': '0',
  'anthropic-ratelimit-output-tokens-reset': '2026-11-23T12:00:41Z',
  'anthropic-ratelimit-tokens-limit': '2400000',
  'anthropic-ratelimit-tokens-remaining': '1999000',
  'anthropic-ratelimit-tokens-reset': '2026-11-23T11:59:59Z',
};

test("Anthropic's headers tell of requests and tokens, in all and each way", () => {
  const minute = { window: 'minute' } as const;
  expect(provider.readings(answer(200, HEADERS), NOW)).toEqual([
    { ...minute, unit: 'requests', limit: 4000, remaining: 3999 },
    { ...minute, unit: 'tokens', limit: 2_400_000, remaining: 1_999_000 },
    { ...minute, unit: 'inputTokens', limit: 2_000_000, remaining: 1_999_000 },
    { ...minute, unit: 'outputTokens', limit: 400_000, remaining: 0 },
  ]);
});

function error(type: string, message = '', details?: unknown) {
  return { type: 'error', error: { type, message, details }, request_id: 'req_1' };
}

const limitReached = error('rate_limit_error', 'This request would exceed your rate limit.');
const tooSteep = error(
  'rate_limit_error',
  "This request would exceed your organization's maximum usage increase rate for input tokens.",
);
const SPEND = 'You have reached your specified workspace API usage limits. You will regain access on 2026-12-01.';
const CREDIT = 'Your credit balance is too low to access the Anthropic API.';

const failures: FailureCase[] = [
  ['a success', answer(200, HEADERS), undefined],
  ['a mistake in the request', answer(400, {}, error('invalid_request_error', 'max_tokens: required')), undefined],
  ['a spend limit of one’s own', answer(400, {}, error('invalid_request_error', SPEND)), { kind: 'exhausted' }],
  ['no credit', answer(400, {}, error('invalid_request_error', CREDIT)), { kind: 'exhausted' }],
  ['billing', answer(402, {}, error('billing_error')), { kind: 'exhausted' }],
  [
    'the cap of the tier',
    answer(429, {}, error('rate_limit_error', '', { error_code: 'enforced_spend_limit_reached' })),
    { kind: 'exhausted' },
  ],
  ['a wrong key', answer(401, {}, error('authentication_error')), { kind: 'unauthorized' }],
  ['a key that lacks a permission', answer(403, {}, error('permission_error')), { kind: 'forbidden' }],
  ['no such model', answer(404, {}, error('not_found_error')), undefined],
  ['too large', answer(413, {}, error('request_too_large')), undefined],
  [
    'a limit that is used up',
    answer(429, { ...HEADERS, 'retry-after': '37' }, limitReached),
    { kind: 'throttled', retryAfterMs: 37_000 },
  ],
  ['one without Retry-After', answer(429, HEADERS, limitReached), { kind: 'throttled', retryAfterMs: 41_000 }],
  [
    'a load that grew too fast',
    answer(429, { 'retry-after': '1' }, tooSteep),
    { kind: 'throttled', retryAfterMs: 1000, tooSteep: true },
  ],
  ['a fault of theirs', answer(500, {}, error('api_error')), { kind: 'broken' }],
  ['no room', answer(529, {}, error('overloaded_error')), { kind: 'overloaded' }],
  ['no room, within a stream', answer(200, HEADERS, error('overloaded_error')), { kind: 'overloaded' }],
  ['a limit, within a stream', answer(200, {}, error('rate_limit_error')), { kind: 'throttled' }],
];

test.each(failures)('Anthropic: %s', (_, given, expected) => {
  expect(provider.failure(given, NOW)).toEqual(expected);
});

test.each([
  ['claude-opus-4-6', 'claude-opus-4'],
  ['claude-opus-4-5-20251101', 'claude-opus-4'],
  ['claude-opus-4-20250514', 'claude-opus-4'],
  ['claude-sonnet-4-6', 'claude-sonnet-4'],
  ['claude-opus-5', 'claude-opus-5'],
  ['claude-opus-5-5', 'claude-opus-5-5'],
  ['claude-3-5-haiku-latest', 'claude-3-5-haiku'],
  ['claude-3-5-haiku-20241022', 'claude-3-5-haiku'],
])('Anthropic counts %s as %s', (model, family) => {
  expect(provider.family(model)).toBe(family);
});
