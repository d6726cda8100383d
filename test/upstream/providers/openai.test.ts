import { azure, compatible, groq, openai, type Reading } from '@tollgate/upstream';
import { answer, type FailureCase, keys, NOW } from './support.js';

const provider = openai({ keys });
const minute = { window: 'minute' } as const;

/** As OpenAI sends them. */
const HEADERS = {
  'x-ratelimit-limit-requests': '5000',
  'x-ratelimit-limit-tokens': '160000',
  'x-ratelimit-remaining-requests': '4999',
  'x-ratelimit-remaining-tokens': '159976',
  'x-ratelimit-reset-requests': '12ms',
  'x-ratelimit-reset-tokens': '9ms',
};

const REQUESTS: Reading = { ...minute, unit: 'requests', limit: 5000, remaining: 4999 };
const TOKENS: Reading = { ...minute, unit: 'tokens', limit: 160_000, remaining: 159_976 };

test("OpenAI's headers tell of requests and tokens a minute", () => {
  expect(provider.readings(answer(200, HEADERS), NOW)).toEqual([REQUESTS, TOKENS]);
});

test("where the key's project has a limit of its own, the tighter counts", () => {
  const project = { 'x-ratelimit-limit-project-tokens': '50000', 'x-ratelimit-remaining-project-tokens': '40' };
  const tighter = { ...TOKENS, limit: 50_000, remaining: 40 };
  expect(provider.readings(answer(200, { ...HEADERS, ...project }), NOW)).toEqual([REQUESTS, tighter]);
  const wider = { 'x-ratelimit-limit-project-tokens': '900000', 'x-ratelimit-remaining-project-tokens': '800000' };
  expect(provider.readings(answer(200, { ...HEADERS, ...wider }), NOW)).toEqual([REQUESTS, TOKENS]);
});

test('what is missing or no number is left out, and what is more than the limit is the limit', () => {
  const headers = {
    'x-ratelimit-limit-requests': '100',
    'x-ratelimit-remaining-requests': '250',
    'x-ratelimit-limit-tokens': 'NaN',
    'x-ratelimit-remaining-tokens': '-1',
  };
  expect(provider.readings(answer(200, headers), NOW)).toEqual([
    { ...minute, unit: 'requests', limit: 100, remaining: 100 },
  ]);
  expect(provider.readings(answer(200), NOW)).toEqual([]);
});

test('a limit of 0 says nothing, nothing left says a lot', () => {
  const of = (limit: string) => ({ 'x-ratelimit-limit-requests': limit, 'x-ratelimit-remaining-requests': '0' });
  expect(provider.readings(answer(200, of('0')), NOW)).toEqual([]);
  expect(provider.readings(answer(200, of('5')), NOW)).toEqual([
    { ...minute, unit: 'requests', limit: 5, remaining: 0 },
  ]);
});

function error(message: string, type: string, code: string | null = null) {
  return { error: { message, type, param: null, code } };
}

const LIMITED =
  'Rate limit reached for gpt-4o in organization org-x on requests per min (RPM): Limit 3, Used 3, Requested 1.';

const failures: FailureCase[] = [
  ['a success', answer(200, HEADERS), undefined],
  ['a mistake in the request', answer(400, {}, error('no', 'invalid_request_error')), undefined],
  ['no such model', answer(404, {}, error('no', 'invalid_request_error', 'model_not_found')), undefined],
  ['a body that cannot be processed', answer(422, {}, error('no', 'invalid_request_error')), undefined],
  [
    'a wrong key',
    answer(401, {}, error('Incorrect API key provided', 'x', 'invalid_api_key')),
    { kind: 'unauthorized' },
  ],
  [
    'a key that lacks a permission',
    answer(401, {}, error('You have insufficient permissions for this operation. Missing scopes: model.request', 'x')),
    { kind: 'forbidden' },
  ],
  ['a country that is not served', answer(403, {}, error('no', 'x', 'unsupported_country')), { kind: 'forbidden' }],
  [
    'a limit that is used up, with Retry-After',
    answer(429, { 'retry-after': '20' }, error(LIMITED, 'requests', 'rate_limit_exceeded')),
    { kind: 'throttled', retryAfterMs: 20_000 },
  ],
  [
    'one that only its message says the end of',
    answer(429, {}, error(`${LIMITED} Please try again in 6m0.5s. Visit …`, 'requests', 'rate_limit_exceeded')),
    { kind: 'throttled', retryAfterMs: 360_500 },
  ],
  [
    'one that only the reset of what is used up says the end of',
    answer(429, { ...HEADERS, 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '2m59.56s' }),
    { kind: 'throttled', retryAfterMs: 179_560 },
  ],
  ['one of which nothing says the end', answer(429, HEADERS), { kind: 'throttled' }],
  [
    'more than a limit at once',
    answer(429, {}, error('Request too large for gpt-4o: Limit 1, Requested 2', 'tokens')),
    { kind: 'forbidden' },
  ],
  [
    'a load that grew too fast',
    answer(429, {}, error('Slow down', 'rate_limit_error', 'slow_down')),
    { kind: 'throttled', tooSteep: true },
  ],
  [
    'likewise, by another status',
    answer(503, {}, error('Slow down', 'x', 'slow_down')),
    { kind: 'throttled', tooSteep: true },
  ],
  ['no quota', answer(429, {}, error('quota', 'insufficient_quota', 'insufficient_quota')), { kind: 'exhausted' }],
  [
    'no room',
    answer(503, { 'retry-after': '1' }, error('overloaded', 'service_unavailable_error', 'server_is_overloaded')),
    { kind: 'overloaded', retryAfterMs: 1000 },
  ],
  ['a fault of theirs', answer(500, {}, error('sorry', 'server_error')), { kind: 'broken' }],
  ['a page of a proxy', answer(502, {}, '<html>Bad gateway</html>'), { kind: 'broken' }],
  ['a fault within a stream', answer(200, {}, error('sorry', 'server_error', 'server_error')), { kind: 'broken' }],
];

test.each(failures)('OpenAI: %s', (_, given, expected) => {
  expect(provider.failure(given, NOW)).toEqual(expected);
});

test.each([
  'credit_balance_exhausted',
  'organization_spend_limit_exceeded',
  'project_spend_limit_exceeded',
  'organization_usage_limit_exceeded',
])('%s takes the key out, as does no quota', (code) => {
  expect(provider.failure(answer(429, {}, error('', 'insufficient_quota', code)), NOW)).toEqual({ kind: 'exhausted' });
  expect(provider.failure(answer(429, {}, error('', 'requests', code)), NOW)).toEqual({ kind: 'exhausted' });
});

test.each([
  ['gpt-4o-2024-08-06', 'gpt-4o'],
  ['gpt-4o', 'gpt-4o'],
  ['gpt-4-0613', 'gpt-4'],
  ['chatgpt-4o-latest', 'chatgpt-4o'],
  ['ft:gpt-4o-mini-2024-07-18:acme::abc123', 'gpt-4o-mini'],
  ['o3-mini', 'o3-mini'],
])('OpenAI counts %s as %s', (model, family) => {
  expect(provider.family(model)).toBe(family);
});

test('Azure: -1 and 0 are unknown, what is left counts', () => {
  const provider = azure({ keys, baseUrl: 'https://acme.openai.azure.com/openai/v1' });
  const unknown = {
    'x-ratelimit-limit-tokens': '-1',
    'x-ratelimit-remaining-tokens': '-1',
    'x-ratelimit-remaining-requests': '0',
  };
  expect(provider.readings(answer(200, unknown), NOW)).toEqual([]);
  const known = { 'x-ratelimit-remaining-tokens': '117000', 'x-ratelimit-remaining-requests': '119' };
  expect(provider.readings(answer(200, known), NOW)).toEqual([
    { ...minute, unit: 'requests', remaining: 119 },
    { ...minute, unit: 'tokens', remaining: 117_000 },
  ]);
  const limited = { 'x-ratelimit-limit-tokens': '120000', 'x-ratelimit-remaining-tokens': '0' };
  expect(provider.readings(answer(200, limited), NOW)).toEqual([{ ...minute, unit: 'tokens', limit: 120_000 }]);
});

test.each([
  [{ 'retry-after-ms': '1250', 'retry-after': '2' }, 1250],
  [{ 'retry-after': '26' }, 26_000],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-rate-limit-reset-tokens': '26' }, 26_000],
  [{ 'x-ratelimit-remaining-tokens': '0', 'x-ratelimit-reset-tokens': '0' }, undefined],
])('Azure: when it is worth asking again, by %p', (headers, retryAfterMs) => {
  const provider = azure({ keys, baseUrl: 'https://acme.openai.azure.com/openai/v1' });
  const given = answer(429, headers as Record<string, string>, { error: { code: '429', message: 'Too many.' } });
  expect(provider.failure(given, NOW)).toEqual({ kind: 'throttled', retryAfterMs });
});

test('Groq tells of requests a day and tokens a minute, and of no room by a status of its own', () => {
  const provider = groq({ keys });
  const headers = { ...HEADERS, 'x-ratelimit-limit-requests': '14400', 'x-ratelimit-remaining-requests': '14370' };
  expect(provider.readings(answer(200, headers), NOW)).toEqual([
    { unit: 'requests', window: 'day', limit: 14_400, remaining: 14_370 },
    TOKENS,
  ]);
  expect(provider.failure(answer(429, { 'retry-after': '2' }), NOW)).toEqual({ kind: 'throttled', retryAfterMs: 2000 });
  expect(provider.failure(answer(498), NOW)).toEqual({ kind: 'overloaded' });
});

test('what is compatible is read likewise, as far as it says anything', () => {
  const provider = compatible({ keys, name: 'vllm', baseUrl: 'http://localhost:8000/v1/' });
  expect(provider).toMatchObject({ name: 'vllm', baseUrl: 'http://localhost:8000/v1' });
  expect(provider.readings(answer(200, HEADERS), NOW)).toEqual([REQUESTS, TOKENS]);
  const flat = { object: 'error', message: 'quota', type: 'insufficient_quota', code: 40001 };
  expect(provider.failure(answer(429, {}, flat), NOW)).toEqual({ kind: 'exhausted' });
  expect(provider.failure(answer(402, {}, { detail: 'Insufficient balance' }), NOW)).toEqual({ kind: 'exhausted' });
});
