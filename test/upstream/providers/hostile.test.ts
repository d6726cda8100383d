/** Whatever a provider, or who stands before it, sends: it is read without harm. */
import {
  anthropic,
  azure,
  bedrock,
  compatible,
  type Failure,
  gemini,
  groq,
  mistral,
  openai,
  openrouter,
  together,
} from '@tollgate/upstream';
import fc from 'fast-check';
import { keys } from './support.js';

const baseUrl = 'https://example.com';
const makers = [openai, azure, anthropic, gemini, groq, mistral, openrouter, together, compatible];
const providers = [...makers.map((make) => make({ keys, baseUrl })), bedrock({ baseUrl })];

const DAY = 86_400_000;
const NAMES = [
  ...['limit', 'remaining', 'reset'].flatMap((what) => [
    `x-ratelimit-${what}`,
    ...['requests', 'tokens', 'project-tokens', 'tokens-minute', 'req-minute'].map(
      (unit) => `x-ratelimit-${what}-${unit}`,
    ),
    ...['requests', 'tokens', 'input-tokens', 'output-tokens'].map((unit) => `anthropic-ratelimit-${unit}-${what}`),
    `x-tokenlimit-${what}`,
  ]),
  'x-rate-limit-reset-tokens',
  'retry-after',
  'retry-after-ms',
];

const value = fc.oneof(
  fc.stringMatching(/^[\x21-\x7e]{0,60}$/),
  fc.stringMatching(/^[\d.msh:TZ+-]{0,40}$/),
  fc.double().map(String),
  fc.integer().map(String),
  fc.constantFrom('-1', '0', 'NaN', 'Infinity', '1e308', '9'.repeat(5000), '2026-11-23T12:00:00Z'),
);
const headers = fc.dictionary(fc.constantFrom(...NAMES), value).map((all) => new Headers(all));

const text = fc.oneof(
  fc.string({ maxLength: 200 }),
  fc.constantFrom(
    'insufficient_quota',
    'slow_down',
    'Please try again in 9.9.9s',
    'overloaded_error',
    '503',
    '1e3',
    'x'.repeat(1e5),
  ),
);
const detail = fc.record(
  {
    reason: fc.anything(),
    retryDelay: fc.oneof(text, fc.anything()),
    violations: fc.oneof(fc.array(fc.record({ quotaId: text })), fc.anything()),
  },
  { requiredKeys: [] },
);
const error = fc.record(
  {
    code: fc.oneof(text, fc.double(), fc.anything()),
    type: fc.oneof(text, fc.anything()),
    message: fc.oneof(text, fc.anything()),
    details: fc.oneof(fc.array(detail), fc.anything()),
    metadata: fc.oneof(
      fc.record({ headers: fc.dictionary(fc.constant('X-RateLimit-Reset'), fc.anything()) }),
      fc.anything(),
    ),
  },
  { requiredKeys: [] },
);
const body = fc.oneof(
  fc.anything(),
  error,
  fc.record({ error }),
  fc.array(fc.record({ error }), { maxLength: 3 }),
  text,
);
const status = fc.oneof(
  fc.constantFrom(200, 400, 401, 402, 403, 429, 498, 500, 503, 529),
  fc.integer({ min: 100, max: 599 }),
);

const KINDS: readonly Failure['kind'][] = [
  'throttled',
  'exhausted',
  'unauthorized',
  'forbidden',
  'overloaded',
  'broken',
];

test.each(providers.map((provider) => [provider.name, provider] as const))('%s', (_, provider) => {
  fc.assert(
    fc.property(status, headers, body, fc.integer({ min: 0, max: 4e12 }), (status, headers, body, now) => {
      const answer = { status, headers, body };
      for (const { limit = 0, remaining = 0 } of provider.readings(answer, now)) {
        expect(Number.isFinite(limit) && limit >= 0).toBe(true);
        expect(Number.isFinite(remaining) && remaining >= 0).toBe(true);
      }
      const failure = provider.failure(answer, now);
      if (failure === undefined) return;
      expect(KINDS).toContain(failure.kind);
      const delay = 'retryAfterMs' in failure ? (failure.retryAfterMs ?? 0) : 0;
      expect(Number.isInteger(delay) && delay >= 0 && delay <= DAY).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test('what is very long takes no long time', () => {
  const long = `${'try again in 1.1.1'.repeat(20_000)}${'1m'.repeat(50_000)}`;
  const headers = new Headers({
    'retry-after': long,
    'x-ratelimit-reset-requests': long,
    'x-ratelimit-remaining-requests': long,
  });
  for (const provider of providers) {
    const answer = { status: 429, headers, body: { error: { message: long, code: long, type: long } } };
    expect(provider.readings(answer, 0)).toEqual([]);
    expect(provider.failure(answer, 0)).toMatchObject({ kind: 'throttled' });
    expect(provider.family(`${'-2024'.repeat(20_000)}:free:`)).toBeDefined();
  }
});
