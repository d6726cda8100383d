import { inspect } from 'node:util';
import {
  createTollgate,
  DEFAULT_TIERS,
  memoryStore,
  slidingWindow,
  type TollgateConfig,
  tokenBucket,
} from '@tollgate/core';
import { gateOf, thrownBy } from './support.js';

/** Wrong on purpose: what a caller without types might pass. */
const make = (config: unknown) => createTollgate(config as TollgateConfig);
const problemsOf = (config: unknown) => thrownBy(() => make(config)).problems;

const WINDOW = { kind: 'slidingWindow', name: 'w', limit: 10, window: '1m' };
const BUCKET = { kind: 'tokenBucket', name: 'b', capacity: 10, refill: '1/s' };

const withWindow = (fields: object) => ({ limits: [{ ...WINDOW, ...fields }] });
const withBucket = (fields: object) => ({ limits: [{ ...BUCKET, ...fields }] });

test('eleven mistakes are told of at once, each with its path, the value and what would be right', () => {
  const error = thrownBy(() =>
    make({
      name: 'my api',
      tiers: { small: 1, large: -5 },
      limits: [
        slidingWindow({ name: 'global', limit: 'lots' as '1k', window: '1m' }),
        slidingWindow({ name: 'user', by: ['user', 'user'], limit: 100, window: '1 minute' as '1m' }),
        tokenBucket({ name: 'user', by: 'user', capacity: { free: 5, pro: '5x' as '5k' }, refill: '5/s' }),
        { ...tokenBucket({ name: 'line', capacity: 5, refill: '5/s' }), whenFull: 'wait' },
        { name: 'kindless', limit: 5, window: '1s' },
      ],
      features: 'chat',
      budget: { limit: '$5' },
    }),
  );
  expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
  expect(error.problems).toHaveLength(11);
  expect(error.message).toMatchInlineSnapshot(`
"Tollgate's configuration has 11 problems:
  name: got 'my api'; expected a name of 1 to 64 letters, digits, '-', '_', '.' or ':', beginning with a letter or digit
  tiers.large: got -5; expected the permits it costs, a finite number from 0 to 2^53 - 1, or { permits, inputTokens?, outputTokens? } with such numbers
  limits[0].limit: got 'lots'; expected a number from 0 to 2^53 - 1 such as 100 or '200k', or Infinity; a map of such by plan; or a function of the subject
  limits[1].by[1]: got 'user'; expected a dimension such as 'user', each once
  limits[1].window: got '1 minute'; expected a duration from 10ms to 366d such as '30s', '1m', '6h' or '1d'
  limits[2].capacity.pro: got '5x'; expected a number from 0 to 2^53 - 1 such as 100 or '200k', or Infinity
  limits[4]: got an object; expected what slidingWindow({ … }), tokenBucket({ … }), concurrency({ … }), headroom({ … }) or flexible(…) returns
  features: got 'chat'; expected a list of names
  budget: got a value that is not shown; expected no such field
  limits[2].name: got 'user'; expected a name of its own: limits[1] has this one
  limits[3].whenFull: got 'wait'; expected 'refuse', or a queue in the configuration, for requests to wait in"
`);
});

test('a single problem reads as one', () => {
  expect(thrownBy(() => make({ limits: 5 })).message).toMatchInlineSnapshot(`
"Tollgate's configuration has a problem:
  limits: got 5; expected a list of limits"
`);
});

describe('the value', () => {
  const HOSTILE: readonly unknown[] = [
    null,
    true,
    -1,
    Number.NaN,
    '',
    'wrong!',
    [],
    ['x', 'x'],
    {},
    { nested: { deep: {} } },
    () => {
      throw new Error('called');
    },
    Symbol('s'),
    9n,
  ];
  /** Fields, and the hostile values that happen to be right for them. */
  const FIELDS: readonly [field: string, config: (value: unknown) => object, right: readonly unknown[]][] = [
    ['name', (name) => ({ name, limits: [] }), []],
    ['tiers', (tiers) => ({ tiers, limits: [] }), []],
    ['tiers.small', (small) => ({ tiers: { small, other: 1 }, limits: [] }), []],
    ['limits', (limits) => ({ limits }), [HOSTILE[6]]],
    ['limits[0]', (limit) => ({ limits: [limit] }), []],
    ['features', (features) => ({ features, limits: [] }), [HOSTILE[6], HOSTILE[7]]],
    ['features[0]', (feature) => ({ features: [feature], limits: [] }), []],
    ['store', (store) => ({ store, limits: [] }), []],
    ['clock', (clock) => ({ clock, limits: [] }), []],
    ['limits[0].kind', (kind) => withWindow({ kind }), []],
    ['limits[0].name', (name) => withWindow({ name }), []],
    ['limits[0].by', (by) => withWindow({ by }), ['wrong!', HOSTILE[6]]],
    ['limits[0].unit', (unit) => withWindow({ unit }), []],
    ['limits[0].mode', (mode) => withWindow({ mode }), []],
    ['limits[0].onStoreError', (onStoreError) => withWindow({ onStoreError }), []],
    ['limits[0].whenFull', (whenFull) => withWindow({ whenFull }), []],
    ['limits[0].limit', (limit) => withWindow({ limit }), [HOSTILE[10]]],
    ['limits[0].limit.free', (free) => withWindow({ limit: { free } }), []],
    ['limits[0].window', (window) => withWindow({ window }), []],
    ['limits[0].parts', (parts) => withWindow({ parts }), []],
    ['limits[0].capacity', (capacity) => withBucket({ capacity }), [HOSTILE[10]]],
    ['limits[0].capacity.free', (free) => withBucket({ capacity: { free } }), []],
    ['limits[0].refill', (refill) => withBucket({ refill }), [HOSTILE[10]]],
    ['limits[0].refill.free', (free) => withBucket({ refill: { free } }), []],
  ];

  describe.each(FIELDS)('of %s', (path, config, right) => {
    test.each(HOSTILE.filter((value) => !right.includes(value)).map((value) => [value]))(
      '%p is a problem there, and the only one',
      (value) => {
        const error = thrownBy(() => make(config(value)));
        expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
        // A wrong kind is told of as a wrong limit, and of lists each member.
        const at = path === 'limits[0].kind' ? 'limits[0]' : path;
        const paths = error.problems.map((problem) => problem.path);
        const isList = Array.isArray(value) && ['limits', 'features', 'limits[0].by'].includes(path);
        const isPlans = typeof value === 'object' && value !== null && /\.(limit|capacity|refill)$/.test(path);
        const isTiers = path === 'tiers' && typeof value === 'object' && value !== null;
        if (isList || isPlans || isTiers) expect(paths.every((one) => one.startsWith(at))).toBe(true);
        else {
          expect(paths).toEqual([at]);
          if (path !== 'limits[0].kind') expect(error.problems[0].value).toBe(value);
        }
        for (const { expected } of error.problems) expect(expected).not.toBe('');
        expect(error.message).toContain(at);
      },
    );

    test(`${right.length} of them are right`, () => {
      for (const value of right) expect(() => make(config(value))).not.toThrow();
    });
  });

  test.each<[string, unknown]>([
    ['limits[0].limit', withWindow({ limit: undefined })],
    ['limits[0].window', withWindow({ window: undefined })],
    ['limits[0].capacity', withBucket({ capacity: undefined })],
    ['limits[0].refill', withBucket({ refill: undefined })],
    ['limits[0].name', withWindow({ name: undefined })],
    ['limits[0]', withWindow({ kind: undefined })],
    ['limits', {}],
  ])('of %s is needed', (path, config) => {
    expect(problemsOf(config).map((problem) => problem.path)).toEqual([path]);
  });

  test.each([undefined, null, 5, 'x', [], () => {}])('of the configuration itself, %p, is none', (config) => {
    expect(problemsOf(config)).toEqual([
      { path: 'config', value: config, expected: 'an object with limits, budgets or a queue' },
    ]);
  });
});

test.each([9, '9ms', '367d', 0, '0.001s', Number.POSITIVE_INFINITY])(
  'a window of %p is too short or too long',
  (window) => {
    expect(problemsOf(withWindow({ window }))).toEqual([
      expect.objectContaining({
        path: 'limits[0].window',
        value: window,
        expected: expect.stringContaining('10ms to 366d'),
      }),
    ]);
  },
);

test.each([10, '10ms', '366d', '0.5s'])('a window of %p is right', (window) => {
  expect(() => make(withWindow({ window }))).not.toThrow();
});

test.each([1, 1001, 2.5, '10', Number.NaN])('%p parts are wrong', (parts) => {
  expect(problemsOf(withWindow({ parts })).map(({ path }) => path)).toEqual(['limits[0].parts']);
});

test.each([2, 1000])('%p parts are right', (parts) => {
  expect(() => make(withWindow({ parts }))).not.toThrow();
});

test.each([0, 0.5, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY, '200k'])('a limit of %p is right', (limit) => {
  expect(() =>
    make({
      limits: [
        { ...WINDOW, limit },
        { ...BUCKET, capacity: limit },
      ],
    }),
  ).not.toThrow();
});

test("whenFull 'wait' without a queue, and an unknown onStoreError, are refused with the reason", () => {
  expect(thrownBy(() => make(withWindow({ whenFull: 'wait', onStoreError: 'ajar' }))).message).toMatchInlineSnapshot(`
"Tollgate's configuration has 2 problems:
  limits[0].onStoreError: got 'ajar'; expected 'local' or 'closed' or 'open'
  limits[0].whenFull: got 'wait'; expected 'refuse', or a queue in the configuration, for requests to wait in"
`);
});

const hidden = 'a value that is not shown';

test.each([
  ['the configuration', { limits: [], limit: 5 }, 'limit', hidden],
  ['a window', withWindow({ capacity: 5 }), 'limits[0].capacity', hidden],
  ['a window, misspelt', withWindow({ windw: '1m' }), 'limits[0].windw', hidden],
  ['a bucket', withBucket({ window: '1m' }), 'limits[0].window', hidden],
  ['a tier', { tiers: { small: { permits: 1, tokens: 5 } }, limits: [] }, 'tiers.small', { permits: 1, tokens: 5 }],
])('an unknown field of %s is a problem', (_, config, path, value) => {
  expect(problemsOf(config)).toEqual([{ path, value, expected: expect.any(String) }]);
});

describe('names', () => {
  test.each(['a', 'A1', 'per-user_v1.2:eu', 'x'.repeat(64), 'constructor', 'toString', 'hasOwnProperty', '0'])(
    '%p is one',
    (name) => {
      expect(() => make({ name, limits: [{ ...WINDOW, name }], features: [name] })).not.toThrow();
    },
  );

  test.each(['', '-a', '.a', 'a b', 'a"b', 'a,b', 'a\n', 'ä', 'x'.repeat(65), '__proto__', 'a;b', 'a\0'])(
    '%j is none',
    (name) => {
      const paths = problemsOf({ name, limits: [{ ...WINDOW, name }], features: [name] }).map(({ path }) => path);
      expect(paths.sort()).toEqual(['features[0]', 'limits[0].name', 'name']);
    },
  );

  test('of limits must differ, whatever their kinds', () => {
    const limits = [WINDOW, { ...BUCKET, name: 'w' }, { ...WINDOW, name: 'x' }, WINDOW];
    expect(problemsOf({ limits })).toEqual([
      { path: 'limits[1].name', value: 'w', expected: 'a name of its own: limits[0] has this one' },
      { path: 'limits[3].name', value: 'w', expected: 'a name of its own: limits[0] has this one' },
    ]);
  });

  test('repeated ones are told of beside all other problems', () => {
    const limits = [WINDOW, { ...WINDOW, window: 'x' }];
    expect(
      problemsOf({ limits, nonsense: 1 })
        .map(({ path }) => path)
        .sort(),
    ).toEqual(['limits[1].name', 'limits[1].window', 'nonsense']);
  });
});

describe('names of the prototype', () => {
  const own = (name: string, value: unknown) => JSON.parse(JSON.stringify({ KEY: value }).replace('KEY', name));

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('%s can be a plan and a tier', async (name) => {
    const limits = [slidingWindow({ name: 'w', limit: own(name, 5), window: '1m' })];
    const { admission, used, refusal } = gateOf(limits, { tiers: own(name, 3) });
    const request = { tier: name, subject: { plan: name } };
    await admission(request);
    expect(await used(request)).toEqual({ w: 3 });
    expect((await refusal(request)).layer).toBe('w');
  });

  test.each(['__proto__', 'constructor', 'toString'])('%s is no plan and no tier unless it is given', async (name) => {
    const { gate } = gateOf([slidingWindow({ name: 'w', limit: { free: 5 }, window: '1m' })]);
    await expect(gate.admit({ tier: name, subject: { plan: 'free' } })).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_TIER',
    });
    await expect(gate.admit({ permits: 1, subject: { plan: name } })).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_PLAN',
    });
  });

  test.each(['constructor', 'toString'])('%s can be a limit and change', async (name) => {
    const { gate, admission } = gateOf([slidingWindow({ name, limit: 5, window: '1m' })]);
    gate.update({ limits: { [name]: { limit: 6 } } });
    await admission({ permits: 6 });
    gate.update({ tiers: { small: 2 } });
    expect((await gate.inspect({})).limits[0]).toMatchObject({ layer: name, limit: 6, used: 6 });
  });

  test('an own __proto__ is an unknown field like any other', () => {
    expect(problemsOf({ limits: [], ...own('__proto__', 1) }).map(({ path }) => path)).toEqual(['__proto__']);
    expect(problemsOf({ limits: [{ ...WINDOW, ...own('__proto__', {}) }] }).map(({ path }) => path)).toEqual([
      'limits[0].__proto__',
    ]);
  });
});

describe('maps by plan', () => {
  test('each bad plan is a problem of its own, and good ones are none', () => {
    const limit = { free: -1, pro: 5, team: 'x', default: Number.NaN };
    expect(problemsOf(withWindow({ limit })).map(({ path, value }) => [path, value])).toEqual([
      ['limits[0].limit.free', -1],
      ['limits[0].limit.team', 'x'],
      ['limits[0].limit.default', Number.NaN],
    ]);
    expect(problemsOf(withBucket({ refill: { free: '0/s', pro: '1/s' } })).map(({ path }) => path)).toEqual([
      'limits[0].refill.free',
    ]);
  });

  test('an empty one is a problem', () => {
    const paths = problemsOf({
      limits: [
        { ...WINDOW, limit: {} },
        { ...BUCKET, capacity: {}, refill: {} },
      ],
    });
    expect(paths.map(({ path }) => path)).toEqual(['limits[0].limit', 'limits[1].capacity', 'limits[1].refill']);
  });
});

describe('tiers', () => {
  test.each([
    [{ small: -1 }, ['tiers.small']],
    [{ small: 2 ** 53, medium: Number.NaN, large: '5', other: 1 }, ['tiers.small', 'tiers.medium', 'tiers.large']],
    [{ small: { permits: 1, inputTokens: -1 } }, ['tiers.small']],
    [{ small: { inputTokens: 5 } }, ['tiers.small']],
    [{ small: Number.POSITIVE_INFINITY }, ['tiers.small']],
  ])('%p has its problems where they are', (tiers, paths) => {
    expect(problemsOf({ tiers, limits: [] }).map(({ path }) => path)).toEqual(paths);
  });

  test('may cost nothing, fractions, or tokens too', async () => {
    const tiers = { free: 0, half: 0.5, talk: { permits: 2, inputTokens: 30, outputTokens: 40 } };
    const limits = [
      slidingWindow({ name: 'permits', limit: 10, window: '1m' }),
      slidingWindow({ name: 'tokens', unit: 'tokens', limit: 100, window: '1m' }),
    ];
    const { admission, used } = gateOf(limits, { tiers });
    await admission({ tier: 'free' });
    await admission({ tier: 'half' });
    expect(await used()).toEqual({ permits: 0.5, tokens: 0 });
    await admission({ tier: 'talk' });
    expect(await used()).toEqual({ permits: 2.5, tokens: 70 });
  });
});

describe('what is left out', () => {
  test('is the default', async () => {
    const gate = createTollgate({ limits: [slidingWindow({ name: 'w', limit: 100, window: '1m' })] });
    expect(gate.name).toBe('default');
    expect(DEFAULT_TIERS).toEqual({ small: 1, medium: 3, large: 10, xlarge: 30 });
    for (const tier of ['small', 'medium', 'large', 'xlarge'] as const) await gate.admit({ tier, feature: 'any' });
    expect((await gate.inspect({})).limits).toEqual([
      expect.objectContaining({ unit: 'permits', by: [], mode: 'enforce', used: 44, limit: 100, windowMs: 60_000 }),
    ]);
    await gate.close();
  });

  test('may also be there as undefined', () => {
    const none = { by: undefined, unit: undefined, mode: undefined, onStoreError: undefined, whenFull: undefined };
    const config = { name: undefined, tiers: undefined, features: undefined, store: undefined, clock: undefined };
    expect(() => make({ ...config, ...withWindow({ ...none, parts: undefined }) })).not.toThrow();
  });

  test('no limits at all is a gate that admits everything', async () => {
    const { gate } = gateOf([]);
    expect(await gate.admit({ permits: 1e6 })).toMatchObject({ admitted: true });
    expect((await gate.inspect({ user: 'u' })).limits).toEqual([]);
  });
});

describe('the error', () => {
  const secret = 'hunter2-0123456789';

  test('says nothing of what is inside a wrong store, such as the password of a client', () => {
    const client = { status: 'ready', password: secret, options: { host: 'h', password: secret } };
    expect(thrownBy(() => make({ limits: [], store: client })).message).not.toContain(secret);
  });

  test('keeps its problems out of what a logger prints', () => {
    const error = thrownBy(() => make({ limits: [], store: { deep: { deeper: { password: secret } } } }));
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain(secret);
    expect(JSON.stringify(error)).not.toContain(secret);
  });

  test('is short and of one line a problem, whatever the value', () => {
    const values = [
      'x'.repeat(100_000),
      Array.from({ length: 1000 }, (_, i) => `entry ${i}`),
      Object.fromEntries(Array.from({ length: 1000 }, (_, i) => [`key${i}`, i])),
      'a\nb',
      new Error('a\nb'),
    ];
    for (const value of values) {
      const { message } = thrownBy(() => make({ name: value, limits: [] }));
      expect(message.split('\n')).toHaveLength(2);
      expect(message.length).toBeLessThan(1000);
    }
  });

  test('is made even of values that resist being shown', () => {
    const values = [
      {
        [inspect.custom]() {
          throw new Error('not me');
        },
      },
      {
        get [Symbol.toStringTag]() {
          throw new Error('not me');
        },
      },
      Object.create(null),
      new Proxy({}, { get: () => secret, ownKeys: () => ['a'] }),
    ];
    for (const name of values) expect(problemsOf({ name, limits: [] }).map(({ path }) => path)).toEqual(['name']);
  });
});

test('the configuration is read once: what is done to it later changes nothing', async () => {
  const limit = { free: 5 };
  const limits = [slidingWindow({ name: 'w', limit, window: '1m' })];
  const tiers = { small: 1 };
  const gate = createTollgate({ limits, tiers, store: memoryStore() });
  limit.free = 0;
  limits.length = 0;
  tiers.small = 100;
  expect(await gate.admit({ tier: 'small', subject: { plan: 'free' } })).toMatchObject({ admitted: true });
});
