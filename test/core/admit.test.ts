import { budget, type Limit, type Subject, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf, START, warnings } from './support.js';

const one = (more: Partial<Parameters<typeof slidingWindow>[0]> = {}) => [
  slidingWindow({ name: 'w', limit: 10, window: '1m', ...more }) as Limit,
];

afterEach(() => {
  jest.restoreAllMocks();
});

describe('a request that can not be judged', () => {
  test.each([
    ['an unknown tier', { tier: 'huge' }, 'TOLLGATE_UNKNOWN_TIER', "'huge'", "'small', 'medium', 'large', 'xlarge'"],
    ['a tier of the prototype', { tier: 'toString' }, 'TOLLGATE_UNKNOWN_TIER', "'toString'", "'small'"],
    ['an unknown tier, for all its permits', { tier: 'x', permits: 1 }, 'TOLLGATE_UNKNOWN_TIER', "'x'", "'small'"],
    ['an unknown feature', { tier: 'small', feature: 'x' }, 'TOLLGATE_UNKNOWN_FEATURE', "'x'", "'chat', 'embed'"],
    ['neither tier nor permits', {}, 'TOLLGATE_REQUEST_INVALID', 'undefined', 'name a tier'],
  ])('%s: the error says what it got and what is known', async (_, request, code, got, known) => {
    const { gate, used } = gateOf(one(), { features: ['chat', 'embed'] });
    const error = await gate.admit(request).catch((error: Error) => error);
    expect(error).toMatchObject({ name: 'TollgateError', code });
    expect((error as Error).message).toContain(got);
    expect((error as Error).message).toContain(known);
    expect(await used()).toEqual({ w: 0 });
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY])('a user that is %p is nobody, and an error', async (user) => {
    const { gate, used } = gateOf(one({ by: 'user' }));
    await expect(gate.admit({ subject: { user }, permits: 1 })).rejects.toThrow('user: got');
    expect(await used({ subject: { user: 'NaN' } })).toEqual({ w: 0 });
  });

  test('an admission of another gate can not be changed here', async () => {
    const [here, there] = [gateOf(one()), gateOf(one())];
    const extending = await there.admission({ permits: 1 });
    const code = 'TOLLGATE_REQUEST_INVALID';
    await expect(here.gate.admit({ permits: 5 }, { extending })).rejects.toMatchObject({ code });
    expect(await there.used()).toEqual({ w: 1 });
  });

  const WRONG = [Number.NaN, -1, -0.001, Number.POSITIVE_INFINITY, 2 ** 53, '5', 5n, {}, [5], true];

  test.each([...WRONG, null])('costs of %p reject and charge nothing', async (value) => {
    const { gate, used } = gateOf(one({ by: 'user' }));
    const request = { subject: { user: 'u' } };
    const wrong = value as number;
    const code = 'TOLLGATE_REQUEST_INVALID';
    if (value !== null) {
      await expect(gate.admit({ ...request, permits: wrong })).rejects.toMatchObject({ code });
      await expect(gate.admit({ ...request, tier: 'small', permits: wrong })).rejects.toMatchObject({ code });
      for (const field of ['inputTokens', 'outputTokens']) {
        const estimate = { [field]: wrong };
        await expect(gate.admit({ ...request, tier: 'small', estimate })).rejects.toMatchObject({
          code,
          message: expect.stringContaining(`estimate.${field}`),
        });
      }
    } else await expect(gate.admit({ ...request, permits: wrong })).rejects.toMatchObject({ code });
    expect(await used(request)).toEqual({ w: 0 });
  });

  test('a cost is any finite number from 0 to below 2^53', async () => {
    const { admission, used } = gateOf(one({ limit: Number.POSITIVE_INFINITY }));
    await admission({ permits: 0 });
    await admission({ permits: 0.25 });
    expect(await used()).toEqual({ w: 0.25 });
    await admission({ permits: Number.MAX_SAFE_INTEGER });
  });

  test.each([[{}], [[]], [true], [Symbol('u')], [() => 'u'], [new Date(0)], [{ toString: () => 'admin' }]])(
    'with %p as an id: an error, since nobody is meant by it',
    async (value) => {
      const { gate } = gateOf(one({ by: 'user' }));
      const subject = { user: value as unknown as string };
      await expect(gate.admit({ permits: 1, subject })).rejects.toMatchObject({
        code: 'TOLLGATE_REQUEST_INVALID',
        message: expect.stringContaining('user'),
      });
    },
  );

  test('permits given go before those of the tier', async () => {
    const { admission, used } = gateOf(one());
    await admission({ tier: 'large', permits: 2 });
    expect(await used()).toEqual({ w: 2 });
  });
});

describe('a limit', () => {
  /** A gate with this limit by user, as window and as bucket, and how much of it a subject gets. */
  async function granted(limit: unknown, subject: Subject): Promise<number[]> {
    const value = limit as number;
    const { gate } = gateOf([
      slidingWindow({ name: 'w', by: 'user', limit: value, window: '1m' }),
      tokenBucket({ name: 'b', by: 'user', capacity: value, refill: '1/s' }),
    ]);
    return (await gate.inspect({ user: 'u', ...subject })).limits.map(({ limit }) => limit);
  }

  test('is one number for all', async () => {
    expect(await granted(5, {})).toEqual([5, 5]);
    expect(await granted('2k', { plan: 'any' })).toEqual([2000, 2000]);
  });

  test('goes by plan', async () => {
    const limit = { free: 5, pro: '1k' };
    expect(await granted(limit, { plan: 'free' })).toEqual([5, 5]);
    expect(await granted(limit, { plan: 'pro' })).toEqual([1000, 1000]);
  });

  test('falls to the default plan, where there is one', async () => {
    const limit = { default: 3, pro: 10 };
    expect(await granted(limit, {})).toEqual([3, 3]);
    expect(await granted(limit, { plan: 'unheard of' })).toEqual([3, 3]);
    expect(await granted(limit, { plan: '__proto__' })).toEqual([3, 3]);
    expect(await granted(limit, { plan: 'pro' })).toEqual([10, 10]);
  });

  test.each([undefined, 'team', '', 'Free', '__proto__', 'constructor', 'default'])(
    'has no value for the plan %p unless the map says so',
    async (plan) => {
      const { gate, used } = gateOf(one({ limit: { free: 5, pro: 10 } }));
      const error = await gate.admit({ permits: 1, subject: { plan } }).catch((error: Error) => error);
      expect(error).toMatchObject({ code: 'TOLLGATE_UNKNOWN_PLAN' });
      for (const word of ["'w'", "'free'", "'pro'", "'default'"]) expect((error as Error).message).toContain(word);
      expect(await used({ subject: { plan: 'free' } })).toEqual({ w: 0 });
    },
  );

  test('an unknown plan in one layer charges none of the others', async () => {
    const { gate, used } = gateOf([
      ...one(),
      slidingWindow({ name: 'plans', by: 'user', limit: { free: 5 }, window: '1m' }),
    ]);
    await expect(gate.admit({ permits: 1, subject: { user: 'u' } })).rejects.toThrow();
    expect(await used({ subject: { user: 'u', plan: 'free' } })).toEqual({ w: 0, plans: 0 });
  });

  test('may be a function of the subject, asked each time', async () => {
    const limit = ({ tenant, plan }: Subject) => (tenant === 'acme' ? 50 : plan === 'pro' ? ('1k' as const) : 1);
    expect(await granted(limit, { tenant: 'acme' })).toEqual([50, 50]);
    expect(await granted(limit, { plan: 'pro' })).toEqual([1000, 1000]);
    expect(await granted(limit, {})).toEqual([1, 1]);

    let now = 5;
    const { admission, refusal } = gateOf(one({ limit: () => now }));
    await admission({ permits: 5 });
    await refusal({ permits: 1 });
    now = 6;
    await admission({ permits: 1 });
  });

  test('the function gets a subject even where the request has none', async () => {
    const seen: Subject[] = [];
    const limit = (subject: Subject) => seen.push(subject);
    const { admission } = gateOf(one({ limit }));
    await admission({ permits: 0 });
    expect(seen).toEqual([{}]);
  });

  test.each([
    [undefined],
    [null],
    [Number.NaN],
    [-1],
    [2 ** 53],
    ['lots'],
    [true],
    [{ free: 5 }],
    [Promise.resolve(5)],
  ])('a function that gives %p is an error of the app, not an open gate', async (value) => {
    const { gate, used } = gateOf([...one(), slidingWindow({ name: 'f', limit: () => value as number, window: '1m' })]);
    await expect(gate.admit({ permits: 1 })).rejects.toMatchObject({
      code: 'TOLLGATE_LIMIT_INVALID',
      message: expect.stringMatching(/'f'.*expected a number/),
    });
    await expect(used()).rejects.toMatchObject({ code: 'TOLLGATE_LIMIT_INVALID' });
    const other = gateOf([tokenBucket({ name: 'r', capacity: 1, refill: () => value as '1/s' })]);
    await expect(other.gate.admit({ permits: 1 })).rejects.toMatchObject({
      code: 'TOLLGATE_LIMIT_INVALID',
      message: expect.stringMatching(/'r'.*expected a rate/),
    });
  });

  test('a function that throws is the error of the request', async () => {
    const fault = new Error('no such tenant');
    const { gate } = gateOf(
      one({
        limit: () => {
          throw fault;
        },
      }),
    );
    await expect(gate.admit({ permits: 1 })).rejects.toBe(fault);
  });

  test('of 0 admits what costs nothing, and nothing else', async () => {
    const { admission, refusal } = gateOf(one({ limit: 0 }));
    await admission({ permits: 0 });
    expect(await refusal({ permits: 1 })).toMatchObject({ reason: 'too-costly', status: 422, retryAfterMs: undefined });
  });

  test.each<[string, Limit]>([
    ['window', slidingWindow({ name: 'w', limit: Number.POSITIVE_INFINITY, window: '1m' })],
    ['bucket', tokenBucket({ name: 'w', capacity: Number.POSITIVE_INFINITY, refill: '1/w' })],
  ])('of Infinity counts without limiting: a %s', async (_, limit) => {
    const { admission, gate } = gateOf([limit]);
    for (let i = 0; i < 5; i++) await admission({ permits: 1e15 });
    expect((await gate.inspect({})).limits).toEqual([
      expect.objectContaining({ used: 5e15, limit: Number.POSITIVE_INFINITY, remaining: Number.POSITIVE_INFINITY }),
    ]);
  });

  test('Infinity for one plan limits the others none the less', async () => {
    const { admission, refusal } = gateOf(one({ by: 'user', limit: { free: 1, staff: Number.POSITIVE_INFINITY } }));
    const staff = { user: 's', plan: 'staff' };
    for (let i = 0; i < 5; i++) await admission({ permits: 100, subject: staff });
    await admission({ permits: 1, subject: { user: 'f', plan: 'free' } });
    await refusal({ permits: 1, subject: { user: 'f', plan: 'free' } });
  });

  test('by plan may also be how fast a bucket fills', async () => {
    const refill = { free: '1/s', pro: '10/s' } as const;
    const { clock, admission, used } = gateOf([tokenBucket({ name: 'b', by: 'user', capacity: 10, refill })]);
    const [free, pro] = [
      { user: 'f', plan: 'free' },
      { user: 'p', plan: 'pro' },
    ];
    for (const subject of [free, pro]) await (await admission({ permits: 10, subject })).settle();
    clock.advance(500);
    expect(await used({ subject: free })).toEqual({ b: 9.5 });
    expect(await used({ subject: pro })).toEqual({ b: 5 });
  });
});

describe('a unit', () => {
  const UNITS = ['requests', 'permits', 'tokens', 'inputTokens', 'outputTokens'] as const;
  const limits = UNITS.map((unit) => slidingWindow({ name: unit, unit, limit: 1000, window: '1m' }));
  const tiers = {
    plain: 3,
    talk: { permits: 2, inputTokens: 30, outputTokens: 40 },
    half: { permits: 1, outputTokens: 7 },
  };

  test('permits need not be said where nothing counts them', async () => {
    const counted = gateOf(limits.filter(({ name }) => name !== 'permits'));
    const estimate = { inputTokens: 5, outputTokens: 6 };
    await counted.admission({ estimate });
    expect(await counted.used({ permits: undefined })).toMatchObject({ requests: 1, tokens: 11 });
    await expect(counted.admission({ permits: -1 })).rejects.toMatchObject({ code: 'TOLLGATE_REQUEST_INVALID' });
    const spending = gateOf([], { budgets: [budget({ name: 'spend', limit: '$1', per: 'day' })] });
    await spending.admission({ usd: '$0.25' });
    expect(await spending.used({ permits: undefined, usd: '$0' })).toEqual({ spend: 250_000_000 });
  });

  test('what is on trial counts permits like the rest', async () => {
    const { gate } = gateOf([slidingWindow({ name: 'w', limit: 5, window: '1m', mode: 'shadow' })]);
    await expect(gate.admit({})).rejects.toMatchObject({ code: 'TOLLGATE_REQUEST_INVALID' });
  });

  test.each([
    ['no estimate', { tier: 'plain' }, [1, 3, 0, 0, 0]],
    ['a whole estimate', { tier: 'plain', estimate: { inputTokens: 5, outputTokens: 6 } }, [1, 3, 11, 5, 6]],
    ['half an estimate', { tier: 'plain', estimate: { inputTokens: 5 } }, [1, 3, 5, 5, 0]],
    ["the tier's estimate", { tier: 'talk' }, [1, 2, 70, 30, 40]],
    ["half of the tier's estimate", { tier: 'talk', estimate: { outputTokens: 1 } }, [1, 2, 31, 30, 1]],
    ['an estimate of nothing', { tier: 'talk', estimate: { inputTokens: 0, outputTokens: 0 } }, [1, 2, 0, 0, 0]],
    ['an estimate that says nothing', { tier: 'talk', estimate: {} }, [1, 2, 70, 30, 40]],
    ['a tier with half an estimate', { tier: 'half' }, [1, 1, 7, 0, 7]],
    ['permits alone', { permits: 9 }, [1, 9, 0, 0, 0]],
    ['permits of 0', { permits: 0 }, [1, 0, 0, 0, 0]],
  ])('with %s counts what it says', async (_, request, expected) => {
    const { admission, used } = gateOf(limits, { tiers });
    await admission(request);
    expect(await used()).toEqual(Object.fromEntries(UNITS.map((unit, i) => [unit, expected[i]])));
  });

  test.each(UNITS)('%s alone can refuse', async (unit) => {
    const limit = { requests: 1, permits: 2, tokens: 70, inputTokens: 30, outputTokens: 40 }[unit];
    const others = limits.filter(({ name }) => name !== unit);
    const { admission, refusal } = gateOf([...others, slidingWindow({ name: unit, unit, limit, window: '1m' })], {
      tiers,
    });
    await admission({ tier: 'talk' });
    const { violated, layers } = await refusal({ tier: 'talk' });
    expect(violated.map(({ layer }) => layer)).toEqual([unit]);
    expect(layers).toHaveLength(5);
  });
});

describe('dimensions', () => {
  const byUser = one({ by: 'user' });

  test('count each value apart', async () => {
    const { admission, refusal, used } = gateOf(byUser);
    await admission({ permits: 10, subject: { user: 'a' } });
    await admission({ permits: 4, subject: { user: 'b' } });
    await refusal({ permits: 1, subject: { user: 'a' } });
    expect(await used({ subject: { user: 'b' } })).toEqual({ w: 4 });
  });

  test.each(['user', 'tenant', 'key', 'plan', 'ip'] as const)('%s is read from the subject', async (by) => {
    const { gate, admission } = gateOf(one({ by }));
    await admission({ permits: 3, subject: { [by]: 'x' } });
    expect((await gate.inspect({ [by]: 'x' })).limits[0]).toMatchObject({ by: [by], key: ['x'], used: 3 });
  });

  test.each(['feature', 'route', 'model', 'provider'] as const)('%s is read from the request', async (by) => {
    const { gate, admission } = gateOf(one({ by }));
    await admission({ permits: 3, [by]: 'x', subject: { [by]: 'spoofed' } });
    expect((await gate.inspect({}, { [by]: 'x' })).limits[0]).toMatchObject({ by: [by], key: ['x'], used: 3 });
  });

  test("an app's own is read from the subject", async () => {
    const { admission, used } = gateOf(one({ by: 'region' as 'user' }));
    const eu = { region: 'eu' } as Subject;
    await admission({ permits: 3, subject: eu });
    expect(await used({ subject: eu })).toEqual({ w: 3 });
    expect(await used({ subject: { region: 'us' } as Subject })).toEqual({ w: 0 });
  });

  test('numbers and big integers count as what they read', async () => {
    const { admission, used } = gateOf(byUser);
    await admission({ permits: 1, subject: { user: 42 } });
    await admission({ permits: 2, subject: { user: '42' } });
    await admission({ permits: 4, subject: { user: 42n as unknown as number } });
    await admission({ permits: 2, subject: { user: '042' } });
    expect(await used({ subject: { user: 42 } })).toEqual({ w: 7 });
  });

  test.each(['__proto__', 'constructor', 'toString', 'undefined', 'null', '\0', ' ', '😀', 'ß', 'x'.repeat(128)])(
    '%j is an id like any other',
    async (user) => {
      const { admission, used } = gateOf(byUser);
      await admission({ permits: 3, subject: { user } });
      expect(await used({ subject: { user } })).toEqual({ w: 3 });
      expect(await used({ subject: { user: 'other' } })).toEqual({ w: 0 });
      expect(await used({ subject: { user: `${user} ` } })).toEqual({ w: 0 });
      warnings();
      expect(await used({})).toEqual({ w: 0 });
    },
  );

  test('ids of any length are told apart to the last character', async () => {
    const { admission, used, gate } = gateOf(byUser);
    const long = 'x'.repeat(100_000);
    await admission({ permits: 3, subject: { user: `${long}a` } });
    expect(await used({ subject: { user: `${long}a` } })).toEqual({ w: 3 });
    expect(await used({ subject: { user: `${long}b` } })).toEqual({ w: 0 });
    const [{ key }] = (await gate.inspect({ user: `${long}a` })).limits;
    expect(key[0]?.length).toBeLessThan(256);
    // What a long id is counted as is no way to reach its count.
    expect(await used({ subject: { user: key[0] } })).toEqual({ w: 0 });
  });

  describe('in tuples', () => {
    const PAIRS: readonly (readonly [string | undefined, string | undefined])[] = [
      ['a', 'b:c'],
      ['a:b', 'c'],
      ['a', 'b'],
      ['b', 'a'],
      ['a\0', 'b'],
      ['a', '\0b'],
      ['a\0b', undefined],
      ['ab', undefined],
      [undefined, 'ab'],
      [undefined, undefined],
      ['undefined', 'ab'],
      ['a,b', 'c'],
      ['a', 'b,c'],
      ['["a","b"]', 'c'],
      ['__proto__', '__proto__'],
      ['constructor', 'prototype'],
    ];

    test('no two of them collide', async () => {
      warnings();
      const { admission, used } = gateOf(one({ by: ['user', 'feature'], limit: 1e6 }));
      const request = ([user, feature]: (typeof PAIRS)[number]) => ({ subject: { user }, feature });
      for (const [i, pair] of PAIRS.entries()) await admission({ permits: 2 ** i, ...request(pair) });
      for (const [i, pair] of PAIRS.entries()) expect(await used(request(pair))).toEqual({ w: 2 ** i });
    });

    test('any two keys count together if and only if they are equal', async () => {
      warnings();
      const value = fc.option(
        fc.string({ minLength: 1, maxLength: 3, unit: fc.constantFrom('a', 'b', ':', '\0', ',') }),
        {
          nil: undefined,
        },
      );
      const key = fc.record({ user: value, tenant: value, feature: value });
      await fc.assert(
        fc.asyncProperty(key, key, async ({ feature, ...subject }, { feature: otherFeature, ...other }) => {
          const { admission, used } = gateOf(one({ by: ['tenant', 'feature', 'user'] }));
          await admission({ permits: 1, subject, feature });
          const equal = subject.user === other.user && subject.tenant === other.tenant && feature === otherFeature;
          expect(await used({ subject: other, feature: otherFeature })).toEqual({ w: equal ? 1 : 0 });
        }),
      );
    });
  });

  describe('that are missing', () => {
    test.each([
      ['no subject', {}],
      ['an empty subject', { subject: {} }],
      ['undefined', { subject: { user: undefined } }],
      ['null', { subject: { user: null as unknown as undefined } }],
      ['an empty id', { subject: { user: '' } }],
    ])('%s shares one key with all the others without', async (_, request) => {
      warnings();
      const { admission, refusal, used } = gateOf(byUser);
      await admission({ permits: 10 });
      expect(await refusal({ permits: 1, ...request })).toMatchObject({ reason: 'limit', layer: 'w' });
      expect(await used({ subject: { user: 'undefined' } })).toEqual({ w: 0 });
      expect(await used({ subject: { user: 'null' } })).toEqual({ w: 0 });
    });

    test('are warned of once for each dimension and gate', async () => {
      const heard = warnings();
      const { gate, admission } = gateOf([
        ...one({ by: ['user', 'feature'] }),
        tokenBucket({ name: 't', by: 'tenant', capacity: 9, refill: '1/s' }),
      ]);
      await admission({ permits: 1, subject: { user: 'u', tenant: 't' }, feature: 'f' });
      expect(heard).toEqual([]);
      for (let i = 0; i < 3; i++) await admission({ permits: 1, subject: { tenant: 't' }, feature: 'f' });
      expect(heard).toEqual([{ code: 'TOLLGATE_DIMENSION_MISSING', message: expect.stringContaining("'user'") }]);
      gate.update({ tiers: { small: 2 } });
      await admission({ permits: 1 });
      expect(heard.map(({ message }) => /'(\w+)'/.exec(message)?.[1])).toEqual(['user', 'feature', 'tenant']);
      await gateOf(byUser).admission({ permits: 1 });
      expect(heard).toHaveLength(4);
    });

    test("a limit over everybody misses nothing and doesn't warn", async () => {
      const heard = warnings();
      await gateOf(one()).admission({ permits: 1 });
      expect(heard).toEqual([]);
    });
  });
});

describe('layers', () => {
  test('are charged all or none', async () => {
    const { admission, refusal, used } = gateOf([
      slidingWindow({ name: 'global', limit: 100, window: '1m' }),
      tokenBucket({ name: 'user', by: 'user', capacity: 10, refill: '1/s' }),
      slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: 5, window: '1h' }),
    ]);
    const request = { subject: { user: 'u' }, feature: 'f' };
    await admission({ ...request, permits: 5 });
    const { violated, layers, layer } = await refusal({ ...request, permits: 6 });
    expect(violated.map(({ layer }) => layer)).toEqual(['user', 'feature']);
    expect(layers.map(({ layer }) => layer)).toEqual(['global', 'user', 'feature']);
    expect(layer).toBe('feature');
    expect(await used(request)).toEqual({ global: 5, user: 5, feature: 5 });
  });

  test('a thousand at once on a cap of a hundred are a hundred', async () => {
    const { gate, used } = gateOf(one({ limit: 100 }));
    const decisions = await Promise.all(Array.from({ length: 1000 }, () => gate.admit({ permits: 1 })));
    expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(100);
    expect(await used()).toEqual({ w: 100 });
  });

  test('one that took some at a time is refused until the first of it has left, to the millisecond', async () => {
    const { clock, admission, refusal } = gateOf(one());
    await admission({ permits: 10 });
    const { retryAfterMs = 0 } = await refusal({ permits: 1 });
    clock.advance(retryAfterMs - 1);
    await refusal({ permits: 1 });
    clock.advance(1);
    await admission({ permits: 10 });
    expect(clock.now()).toBe(START + retryAfterMs);
  });
});

describe('an admission', () => {
  test('says who it is, what it asked for and what it expects', async () => {
    const { admission } = gateOf(one());
    const request = { permits: 1, model: 'm-1', estimate: { inputTokens: 5, outputTokens: 6 } };
    const [first, second] = [await admission(request), await admission({ permits: 1 })];
    expect(first).toMatchObject({ model: 'm-1', waitedMs: 0, estimate: { inputTokens: 5, outputTokens: 6 } });
    expect(second.model).toBeUndefined();
    expect(first.id).not.toBe(second.id);
    expect(await first.layers()).toEqual([expect.objectContaining({ layer: 'w', used: 2, remaining: 8, cost: 1 })]);
  });

  test('tells in the decision how the limits stand after it, where that is asked for', async () => {
    const { gate } = gateOf(one());
    const admitted = await gate.admit({ permits: 3 }, { layers: true });
    expect(admitted).toMatchObject({ layers: [{ layer: 'w', used: 3, remaining: 7, cost: 3 }] });
    expect(await gate.admit({ permits: 3 })).toHaveProperty('layers', undefined);
  });

  test('ids of two gates differ', async () => {
    const ids = await Promise.all([1, 2].map(async () => (await gateOf([]).admission({ permits: 1 })).id));
    expect(new Set(ids).size).toBe(2);
  });

  test('aborts its signal when told so, once', async () => {
    const { admission } = gateOf(one());
    const admitted = await admission({ permits: 1 });
    const { signal } = admitted;
    expect(signal.aborted).toBe(false);
    admitted.abort(new Error('gone'));
    admitted.abort(new Error('again'));
    expect(signal.reason).toEqual(new Error('gone'));
    expect(admitted.signal.aborted).toBe(true);
  });

  test("aborts its signal with the caller's", async () => {
    const { gate } = gateOf(one());
    const caller = new AbortController();
    const decision = await gate.admit({ permits: 1 }, { signal: caller.signal });
    if (!decision.admitted) throw new Error('refused');
    const { signal } = decision.admission;
    caller.abort('left');
    expect(signal.reason).toBe('left');
    expect(decision.admission.signal.aborted).toBe(true);
  });
});

test('a signal that has aborted already rejects with its reason and charges nothing', async () => {
  const { gate, used } = gateOf(one());
  const reason = new Error('left');
  await expect(gate.admit({ permits: 1 }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  expect(await used()).toEqual({ w: 0 });
});

test('a closed gate admits nothing', async () => {
  const { gate, admission } = gateOf(one(), { name: 'api' });
  const open = await admission({ permits: 1 });
  await gate.close();
  await expect(gate.admit({ permits: 1 })).rejects.toMatchObject({
    code: 'TOLLGATE_CLOSED',
    message: expect.stringContaining("'api'"),
  });
  await expect(gate.admit({ permits: 1 }, { extending: open })).rejects.toMatchObject({ code: 'TOLLGATE_CLOSED' });
  await expect(open.settle()).resolves.toBeUndefined();
  await expect(gate.close()).resolves.toBeUndefined();
});

test('what rejects does so as a promise, never by throwing', () => {
  const { gate } = gateOf(one());
  for (const request of [{ tier: 'x' }, undefined, null] as { tier: string }[]) {
    expect(() => gate.admit(request).catch(() => {})).not.toThrow();
  }
});
