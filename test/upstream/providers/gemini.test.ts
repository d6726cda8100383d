import { gemini } from '@tollgate/upstream';
import { answer, type FailureCase, keys, NOW } from './support.js';

const provider = gemini({ keys });

function error(code: number, status: string, message: string, details: readonly unknown[] = []) {
  return { error: { code, message, status, details } };
}

function quota(...quotaIds: string[]) {
  const violations = quotaIds.map((quotaId) => ({ quotaId, quotaDimensions: { model: 'gemini-2.5-flash' } }));
  return { '@type': 'type.googleapis.com/google.rpc.QuotaFailure', violations };
}

const MINUTE_OF_MODEL = 'GenerateContentInputTokensPerModelPerMinute-FreeTier';
const DAY_OF_MODEL = 'GenerateRequestsPerDayPerProjectPerModel-FreeTier';
const DAY_OF_PROJECT = 'GenerateRequestsPerDayPerProject';
const RETRY = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: '34.07s' };
const REASON = { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: 'API_KEY_INVALID' };

function exhausted(message: string, ...details: unknown[]) {
  return error(429, 'RESOURCE_EXHAUSTED', message, details);
}

/** Noon by UTC is four in the morning in California, where the day of quotas ends at midnight. */
const UNTIL_MIDNIGHT = 20 * 3_600_000;

const failures: FailureCase[] = [
  ['a success', answer(200), undefined],
  ['a mistake in the request', answer(400, {}, error(400, 'INVALID_ARGUMENT', 'contents is not specified')), undefined],
  [
    'a wrong key, by a 400',
    answer(400, {}, error(400, 'INVALID_ARGUMENT', 'API key not valid.', [REASON])),
    { kind: 'unauthorized' },
  ],
  [
    'a key that was leaked',
    answer(403, {}, error(403, 'PERMISSION_DENIED', 'Your API key was reported as leaked.')),
    { kind: 'unauthorized' },
  ],
  ['a model that is not allowed', answer(403, {}, error(403, 'PERMISSION_DENIED', 'no')), { kind: 'forbidden' }],
  ['no such model', answer(404, {}, error(404, 'NOT_FOUND', 'no')), undefined],
  [
    'a quota of a model',
    answer(429, {}, exhausted('Please retry in 34.07s.', quota(MINUTE_OF_MODEL), RETRY)),
    { kind: 'throttled', retryAfterMs: 34_070, ofKey: false },
  ],
  [
    'the same in a list, as streams send it',
    answer(429, {}, [exhausted('', quota(MINUTE_OF_MODEL), RETRY)]),
    { kind: 'throttled', retryAfterMs: 34_070, ofKey: false },
  ],
  [
    'a quota of the project',
    answer(429, {}, exhausted('', quota('GenerateRequestsPerMinutePerProject'), RETRY)),
    { kind: 'throttled', retryAfterMs: 34_070, ofKey: true },
  ],
  [
    'a quota of which nothing is said',
    answer(429, {}, exhausted('Please try again later.')),
    { kind: 'throttled', ofKey: false },
  ],
  [
    'Retry-After before the body',
    answer(429, { 'retry-after': '5' }, exhausted('', RETRY)),
    { kind: 'throttled', retryAfterMs: 5000, ofKey: false },
  ],
  [
    'a daily quota of a model',
    answer(429, {}, exhausted('', quota(DAY_OF_MODEL, MINUTE_OF_MODEL), RETRY)),
    { kind: 'exhausted', retryAfterMs: UNTIL_MIDNIGHT, ofFamily: true },
  ],
  [
    'a daily quota of the project',
    answer(429, {}, exhausted('', quota(DAY_OF_PROJECT, DAY_OF_MODEL), RETRY)),
    { kind: 'exhausted', retryAfterMs: UNTIL_MIDNIGHT, ofFamily: false },
  ],
  ['no credit', answer(429, {}, exhausted('Your prepayment credits are depleted.')), { kind: 'exhausted' }],
  ['no room', answer(503, {}, error(503, 'UNAVAILABLE', 'The model is overloaded.')), { kind: 'overloaded' }],
  ['a fault of theirs', answer(500, {}, error(500, 'INTERNAL', 'sorry')), { kind: 'broken' }],
  [
    'a fault within a stream',
    answer(200, {}, [error(503, 'UNAVAILABLE', 'The model is overloaded.')]),
    { kind: 'overloaded' },
  ],
];

test.each(failures)('Gemini: %s', (_, given, expected) => {
  expect(provider.failure(given, NOW)).toEqual(expected);
});

test('Gemini says nothing of limits in headers', () => {
  expect(provider.readings(answer(200, { 'x-ratelimit-limit-requests': '5' }), NOW)).toEqual([]);
});

test.each([
  ['models/gemini-2.0-flash-001', 'gemini-2.0-flash'],
  ['gemini-2.5-pro', 'gemini-2.5-pro'],
  ['gemini-flash-latest', 'gemini-flash'],
])('Gemini counts %s as %s', (model, family) => {
  expect(provider.family(model)).toBe(family);
});
