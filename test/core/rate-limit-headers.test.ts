import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { LayerState } from '@tollgate/core';
import fc from 'fast-check';
import { rateLimitHeaders } from '../../packages/core/src/http/rate-limit-headers.js';

const state = (more: Partial<LayerState> = {}): LayerState => ({
  layer: 'user',
  unit: 'requests',
  by: ['user'],
  key: ['u'],
  own: true,
  mode: 'enforce',
  cost: 1,
  used: 50,
  limit: 100,
  share: undefined,
  remaining: 50,
  retryAfterMs: 0,
  refillMs: 30_000,
  windowMs: 60_000,
  resetsAt: undefined,
  ...more,
});

const headersOf = (layers: readonly LayerState[], style: Parameters<typeof rateLimitHeaders>[1] = 'draft') =>
  Object.fromEntries(rateLimitHeaders(layers, style));

describe('as the draft has them', () => {
  test('an item for each layer that counts the caller', () => {
    const layers = [state(), state({ layer: 'burst', limit: 10, remaining: 3, windowMs: 1000, refillMs: 100 })];
    expect(headersOf(layers)).toEqual({
      'ratelimit-policy': '"user";q=100;w=60, "burst";q=10;w=1',
      ratelimit: '"user";r=50;t=30, "burst";r=3;t=1',
    });
  });

  test.each([
    ['requests', ''],
    ['permits', ';qu="tollgate-permits"'],
    ['tokens', ';qu="tollgate-tokens"'],
    ['inputTokens', ';qu="tollgate-input-tokens"'],
    ['outputTokens', ';qu="tollgate-output-tokens"'],
  ] as const)('the unit %s is %j', (unit, text) => {
    expect(headersOf([state({ unit })])['ratelimit-policy']).toBe(`"user";q=100${text};w=60`);
  });

  test.each([
    ['room now, more later', { retryAfterMs: 0, refillMs: 2001 }, 3],
    ['untouched', { retryAfterMs: 0, refillMs: 0, used: 0, remaining: 100 }, 0],
    ['none for this request', { retryAfterMs: 7001, refillMs: 10 }, 8],
    ['never for this request', { retryAfterMs: undefined, refillMs: 10 }, 1],
  ])('t, with %s', (_, more, t) => {
    expect(headersOf([state(more)]).ratelimit).toMatch(new RegExp(`;t=${t}$`));
  });

  test('no item for slots, which have no window', () => {
    const slots = state({ layer: 'runs', unit: 'slots', limit: 2, remaining: 0 });
    expect(headersOf([slots], 'both')).toEqual({});
    expect(headersOf([slots, state()], 'both')).toEqual(headersOf([state()], 'both'));
  });

  test('whole numbers: what is left is rounded down, the time up', () => {
    const layer = state({ limit: 10.9, remaining: 3.99, windowMs: 59_001, refillMs: 1 });
    expect(headersOf([layer])).toEqual({ 'ratelimit-policy': '"user";q=10;w=60', ratelimit: '"user";r=3;t=1' });
  });
});

describe('of a budget', () => {
  const budget = state({
    layer: 'daily',
    unit: 'usd',
    limit: 5_000_000_000,
    used: 1_250_000_001,
    remaining: 3_749_999_999,
    windowMs: 86_400_000,
    refillMs: 3_600_000,
  });

  test('are in microdollars, with what is left rounded down, and its period', () => {
    expect(headersOf([budget], 'both')).toEqual({
      'ratelimit-policy': '"daily";q=5000000;qu="tollgate-microdollars";w=86400',
      ratelimit: '"daily";r=3749999;t=3600',
      'x-ratelimit-limit': '5000000',
      'x-ratelimit-remaining': '3749999',
      'x-ratelimit-reset': '3600',
    });
  });

  test('are exact for the largest there is', () => {
    const largest = { ...budget, limit: 9_007_199e9, remaining: 9_007_198_999_999_999 };
    expect(headersOf([largest])).toMatchObject({
      'ratelimit-policy': expect.stringContaining('q=9007199000000;'),
      ratelimit: expect.stringContaining('r=9007198999999;'),
    });
  });

  test('stand beside those of limits, each in its unit', () => {
    expect(headersOf([state(), budget])['ratelimit-policy']).toBe(
      '"user";q=100;w=60, "daily";q=5000000;qu="tollgate-microdollars";w=86400',
    );
  });

  test('say when there is room for what is refused now, and nothing of what is overspent', () => {
    const overspent = { ...budget, used: 6e9, remaining: 0, retryAfterMs: 7_200_000 };
    expect(headersOf([overspent]).ratelimit).toBe('"daily";r=0;t=7200');
  });
});

test('nothing of a caller is kept, not even by a policy that is', async () => {
  setFlagsFromString('--expose-gc');
  const collect: () => void = runInNewContext('gc');
  const told = (limit: number) => {
    const one = state({ layer: 'kept', limit });
    headersOf([one]);
    return new WeakRef(one);
  };
  const [ref] = [told(7), told(7)];
  await new Promise(setImmediate);
  collect();
  expect(ref.deref()).toBeUndefined();
});

test('a policy that has changed is told of as it is', () => {
  const changes = [{ limit: 9 }, { windowMs: 5000 }, { unit: 'tokens' as const }, {}];
  expect(changes.map((more) => headersOf([state({ layer: 'changing', ...more })])['ratelimit-policy'])).toEqual([
    '"changing";q=9;w=60',
    '"changing";q=100;w=5',
    '"changing";q=100;qu="tollgate-tokens";w=60',
    '"changing";q=100;w=60',
  ]);
});

describe('left out', () => {
  test.each([
    ['limits that are shared', { own: false }],
    ['shadows', { mode: 'shadow' as const }],
    ['limits without end', { limit: Number.POSITIVE_INFINITY, remaining: Number.POSITIVE_INFINITY }],
  ])('are %s', (_, more) => {
    expect(headersOf([state(more)], 'both')).toEqual({});
    const { ratelimit, ...others } = headersOf([state({ ...more, layer: 'hidden' }), state()], 'both');
    expect(ratelimit).toBe('"user";r=50;t=30');
    expect(JSON.stringify(others)).not.toContain('hidden');
  });

  test('is everything if the style is false, or there is no layer', () => {
    expect(headersOf([state()], false)).toEqual({});
    expect(headersOf([], 'both')).toEqual({});
  });
});

describe('of the older kind', () => {
  const layers = [
    state({ limit: 1000, remaining: 500, refillMs: 60_000 }),
    state({ layer: 'nearest', limit: 10, remaining: 1, refillMs: 5000 }),
    state({ layer: 'other', limit: 2, remaining: 1 }),
  ];

  test('tell of the limit that is nearest to its end', () => {
    expect(headersOf(layers, 'legacy')).toEqual({
      'x-ratelimit-limit': '10',
      'x-ratelimit-remaining': '1',
      'x-ratelimit-reset': '5',
    });
  });

  test('a limit of 0 is at its end', () => {
    const none = state({ layer: 'none', limit: 0, remaining: 0, refillMs: 0 });
    expect(headersOf([...layers, none], 'legacy')['x-ratelimit-limit']).toBe('0');
  });

  test('both are the two together', () => {
    expect(headersOf(layers, 'both')).toEqual({ ...headersOf(layers, 'draft'), ...headersOf(layers, 'legacy') });
  });
});

test('are structured fields whatever the figures: quoted names, integers of at most 15 digits', () => {
  const size = fc.oneof(fc.nat(1000), fc.double({ min: 0, max: 2 ** 53 - 1, noNaN: true }));
  const time = fc.oneof(fc.nat(100_000), fc.double({ min: 0, max: 1e30, noNaN: true }));
  const layer = fc.record({
    layer: fc.stringMatching(/^[A-Za-z0-9][\w.:-]{0,63}$/),
    unit: fc.constantFrom('requests', 'permits', 'tokens', 'inputTokens', 'outputTokens', 'usd'),
    limit: size,
    remaining: size,
    retryAfterMs: fc.option(time, { nil: undefined }),
    refillMs: time,
    windowMs: time,
  } as const);
  const policy = /^"[\w.:-]+";q=\d{1,15}(;qu="tollgate-[a-z-]+")?;w=\d{1,15}$/;
  const limit = /^"[\w.:-]+";r=\d{1,15};t=\d{1,15}$/;
  fc.assert(
    fc.property(fc.array(layer, { minLength: 1, maxLength: 4 }), (layers) => {
      const headers = headersOf(layers.map(state), 'both');
      for (const item of headers['ratelimit-policy'].split(', ')) expect(item).toMatch(policy);
      for (const item of headers.ratelimit.split(', ')) expect(item).toMatch(limit);
      for (const name of ['limit', 'remaining', 'reset']) expect(headers[`x-ratelimit-${name}`]).toMatch(/^\d{1,15}$/);
    }),
  );
});
