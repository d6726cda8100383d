/** What a provider is configured with is checked all at once, as soon as it is made. */
import { type Money, TollgateError } from '@tollgate/core';
import { anthropic, azure, env, openai, type Provider, type ProviderOptions } from '@tollgate/upstream';
import { keys } from './support.js';

/** The lines of the error, each a problem. */
function problemsOf(make: (options: ProviderOptions) => Provider, options: unknown): readonly string[] {
  try {
    make(options as ProviderOptions);
    return [];
  } catch (error) {
    expect(error).toBeInstanceOf(TollgateError);
    const { code, message, problems } = error as TollgateError;
    const [head, ...lines] = message.split('\n');
    expect(code).toBe('TOLLGATE_CONFIG_INVALID');
    expect(head).toMatch(/^Tollgate's configuration has (a problem|\d+ problems):$/);
    expect(problems).toHaveLength(lines.length);
    return lines.map((line) => line.trim());
  }
}

test('a daily budget is no more than can be counted, which is told at once', () => {
  const keysOf = (dailyBudget: Money) => [{ name: 'a', secret: () => 's', dailyBudget }];
  expect(() => openai({ keys: keysOf('$9500000') })).toThrow(
    "got '$9500000'; expected dollars from '$0' to '$9007199'",
  );
  expect(openai({ keys: keysOf('$9007199') }).keys).toHaveLength(1);
});

test.each([Number.POSITIVE_INFINITY, -1, '1e3', '10'])('a limit is a count: %p', (requests) => {
  const make = () =>
    openai({ keys: [{ name: 'a', secret: () => 's' }], limits: { default: { minute: { requests } } } as never });
  if (requests === '10') expect(make().limits?.default).toEqual({ minute: { requests: 10 } });
  else expect(make).toThrow('openai.limits.default.minute.requests');
});

test('what is right is taken as it is, limits in numbers and by family', () => {
  const provider = openai({
    keys: [
      {
        name: 'prod-1',
        secret: env('KEY'),
        weight: 2,
        dailyBudget: '$50',
        createdAt: '2026-11-01',
        environment: 'production',
      },
    ],
    limits: {
      'gpt-4o-2024-08-06': { minute: { requests: 500, tokens: '200k' }, day: { requests: '1.5M' } },
      default: { second: { inputTokens: 10, outputTokens: 0 } },
    },
  });
  expect(provider).toMatchObject({ name: 'openai', baseUrl: 'https://api.openai.com/v1' });
  expect({ ...provider.limits }).toEqual({
    'gpt-4o': { minute: { requests: 500, tokens: 200_000 }, day: { requests: 1_500_000 } },
    default: { second: { inputTokens: 10, outputTokens: 0 } },
  });
  expect(provider.limits?.constructor).toBeUndefined();
});

test('name, URL and family may be others', () => {
  const family = () => 'all';
  const provider = anthropic({ keys, name: 'eu', baseUrl: 'https://eu.example.com/anthropic//', family });
  expect(provider).toMatchObject({ name: 'eu', baseUrl: 'https://eu.example.com/anthropic' });
  expect(provider.family('claude-opus-4-6')).toBe('all');
});

test('all problems are told at once, by the field, what stands there and what would be right', () => {
  const options = {
    keys: [
      { name: 'a', secret: () => 's', weight: 0, dailyBudget: 50, createdAt: 'yesterday', environment: '', age: 3 },
      { name: 'a' },
      7,
    ],
    limits: { default: { minute: { requests: '2x', calls: 5 }, hour: {} }, 'gpt-4o': 5 },
    baseUrl: 'ftp://example.com',
    family: 'gpt',
    timeout: 5,
  };
  expect(problemsOf(openai, options)).toEqual([
    "openai.family: got 'gpt'; expected a function (model) => string",
    expect.stringMatching(/^openai\.baseUrl: got a value that is not shown; expected an http: or https: URL/),
    'openai.keys[0].weight: got 0; expected a number above 0, at most 1000',
    "openai.keys[0].dailyBudget: got 50; expected dollars from '$0' to '$9007199', such as '$50'",
    expect.stringMatching(/^openai\.keys\[0\]\.createdAt: got 'yesterday'; expected a date/),
    expect.stringMatching(/^openai\.keys\[0\]\.environment: got ''; expected a name of/),
    'openai.keys[0].age: got a value that is not shown; expected no such field',
    expect.stringMatching(
      /^openai\.keys\[1\]\.name: got a value that is not shown; .*no other key of the provider has$/,
    ),
    expect.stringMatching(/^openai\.keys\[1\]\.secret: got a value that is not shown; expected where it comes from/),
    'openai.keys[2]: got a value that is not shown; expected an object such as { name, secret }',
    expect.stringMatching(/^openai\.limits\.default\.hour: .* expected no such field$/),
    expect.stringMatching(/^openai\.limits\.default\.minute\.calls: .* expected no such field$/),
    expect.stringMatching(/^openai\.limits\.default\.minute\.requests: got '2x'; expected a number from 0 to/),
    expect.stringMatching(/^openai\.limits\.gpt-4o: got 5; expected limits by window/),
    'openai.timeout: got a value that is not shown; expected no such field',
  ]);
});

test.each([[undefined], [null], ['sk-secret'], [[]], [{}], [{ keys: [] }], [{ keys: 'sk-secret' }]])(
  'without keys there is no provider: %p',
  (options) => {
    const problems = problemsOf(openai, options);
    expect(problems).toEqual([expect.stringMatching(/^openai\.keys: .* expected a list of at least one key/)]);
    expect(problems.join()).not.toContain('sk-secret');
  },
);

test('two models of one family have one limit', () => {
  const limits = { 'gpt-4o': { minute: { requests: 1 } }, 'gpt-4o-2024-08-06': { minute: { requests: 2 } } };
  expect(problemsOf(openai, { keys, limits })).toEqual([
    "openai.limits.gpt-4o-2024-08-06: got an object; expected nothing: 'gpt-4o' has limits already",
  ]);
});

test('a provider that has no URL of its own needs one', () => {
  expect(problemsOf(azure, { keys })).toEqual([expect.stringMatching(/^azure\.baseUrl: /)]);
  const secret = { keys, baseUrl: 'https://user:sk-secret@example.com' };
  expect(problemsOf(azure, secret).join()).not.toContain('sk-secret');
});

test.each([
  'https://example.com?key=1',
  'https://example.com#v1',
  'https://me@example.com',
  'file:///v1',
  '/v1',
  '',
  7,
])('what requests can’t be sent to is no URL: %p', (baseUrl) => {
  expect(problemsOf(openai, { keys, baseUrl })).toEqual([
    expect.stringMatching(/^openai\.baseUrl: got .* expected an http/),
  ]);
});

test('a secret where its source should be is shown nowhere', () => {
  const planted = 'sk-planted-secret';
  const wrong = [
    { keys: [{ name: planted.repeat(9), secret: planted }] },
    { keys: [planted] },
    { keys, apiKey: planted },
  ];
  for (const options of wrong) {
    const problems = problemsOf(openai, options);
    expect(problems).not.toEqual([]);
    expect(problems.join()).not.toContain(planted);
  }
});
