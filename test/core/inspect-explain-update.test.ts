import { type Limit, memoryStore, type Subject, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf, MINUTE, thrownBy, warnings } from './support.js';

const global = slidingWindow({ name: 'global', limit: 100, window: '1m' });
const user = tokenBucket({ name: 'user', by: 'user', capacity: 20, refill: '1/s' });
const feature = slidingWindow({
  name: 'feature',
  by: ['user', 'feature'],
  limit: { free: 5, default: 10 },
  window: '1h',
});

const u = { subject: { user: 'u' }, feature: 'f' };

afterEach(() => {
  jest.restoreAllMocks();
});

describe('inspect', () => {
  const layersOf = async (subject: Subject, facts = {}) => {
    const heard = warnings();
    const states = (await gateOf([global, user, feature]).gate.inspect(subject, facts)).limits;
    expect(heard).toEqual([]);
    return states.map(({ layer }) => layer);
  };

  test('tells of the limits whose dimensions are all given, and of no others', async () => {
    expect(await layersOf({})).toEqual(['global']);
    expect(await layersOf({ tenant: 't' })).toEqual(['global']);
    expect(await layersOf({ user: 'u' })).toEqual(['global', 'user']);
    expect(await layersOf({ user: 'u' }, { feature: 'f' })).toEqual(['global', 'user', 'feature']);
    expect(await layersOf({}, { feature: 'f' })).toEqual(['global']);
    expect(await layersOf({ user: undefined }, { feature: 'f' })).toEqual(['global']);
  });

  test.each([null, ''])('a user that is %p is not given', async (none) => {
    expect(await layersOf({ user: none as string })).toEqual(['global']);
  });

  test('tells how they stand, with all their figures', async () => {
    const { gate, clock, admission } = gateOf([global, user, feature]);
    await admission({ ...u, permits: 4 });
    await (await admission({ ...u, permits: 2 })).settle();
    clock.advance(500);
    expect((await gate.inspect({ user: 'u' }, { feature: 'f' })).limits).toEqual([
      {
        layer: 'global',
        unit: 'permits',
        by: [],
        key: [],
        own: false,
        mode: 'enforce',
        cost: 0,
        used: 6,
        limit: 100,
        remaining: 94,
        retryAfterMs: 0,
        refillMs: 66_000 - 500,
        windowMs: 60_000,
      },
      {
        layer: 'user',
        unit: 'permits',
        by: ['user'],
        key: ['u'],
        own: true,
        mode: 'enforce',
        cost: 0,
        used: 5.5,
        limit: 20,
        remaining: 14.5,
        retryAfterMs: 0,
        refillMs: 1000,
        windowMs: 20_000,
      },
      {
        layer: 'feature',
        unit: 'permits',
        by: ['user', 'feature'],
        key: ['u', 'f'],
        own: true,
        mode: 'enforce',
        cost: 0,
        used: 6,
        limit: 10,
        remaining: 4,
        retryAfterMs: 0,
        refillMs: 66 * MINUTE - 500,
        windowMs: 60 * MINUTE,
      },
    ]);
  });

  test('goes by the plan', async () => {
    const { gate } = gateOf([feature]);
    const [free] = (await gate.inspect({ user: 'u', plan: 'free' }, { feature: 'f' })).limits;
    expect(free.limit).toBe(5);
  });

  test('charges nothing, however often it is asked', async () => {
    const { gate, admission, refusal } = gateOf([user]);
    for (let i = 0; i < 100; i++) await gate.inspect({ user: 'u' });
    await admission({ ...u, permits: 20 });
    await refusal({ ...u, permits: 1 });
  });
});

describe('what is asked', () => {
  const NONSENSE = [null, 'u1', 7, true, ['u'], () => u, Symbol('u')];

  test.each([undefined, ...NONSENSE])('%p is no request', async (request) => {
    const { gate } = gateOf([user]);
    const error = {
      code: 'TOLLGATE_REQUEST_INVALID',
      message: expect.stringMatching(/^request: got .*; expected an object such as \{ subject, tier \}\.$/),
    };
    await expect(gate.admit(request as never)).rejects.toMatchObject(error);
    await expect(gate.explain(request as never)).rejects.toMatchObject(error);
    expect(thrownBy(() => gate.decide(request as never))).toMatchObject(error);
  });

  test.each(NONSENSE)('%p is no subject, and counted as none', async (subject) => {
    const { gate, used } = gateOf([user]);
    const error = {
      code: 'TOLLGATE_REQUEST_INVALID',
      message: expect.stringMatching(/^subject: got .*; expected an object such as \{ user: 'u1' \}, or undefined/),
    };
    await expect(gate.admit({ subject: subject as Subject, permits: 1 })).rejects.toMatchObject(error);
    await expect(gate.explain({ subject: subject as Subject, permits: 1 })).rejects.toMatchObject(error);
    await expect(gate.inspect(subject as Subject)).rejects.toMatchObject(error);
    expect(await used()).toEqual({ user: 0 });
  });

  test('undefined is a subject of whom nothing is known', async () => {
    warnings();
    const { gate, used } = gateOf([
      global,
      user,
      slidingWindow({ name: 'p', limit: ({ plan }) => (plan ? 5 : 7), window: '1m' }),
    ]);
    await gate.admit({ subject: undefined, permits: 1 });
    expect(await used()).toEqual({ global: 1, user: 1, p: 1 });
    expect((await gate.inspect(undefined as never)).limits).toMatchObject([
      { layer: 'global' },
      { layer: 'p', limit: 7 },
    ]);
  });
});

test.each(['inspect', 'explain'] as const)(
  '%s rejects as the store does, rather than tell of no limits',
  async (ask) => {
    const fault = new Error('connection lost');
    const lost = () => Promise.reject(fault);
    const { gate } = gateOf([user], { store: { ...memoryStore(), peek: lost } });
    await expect(ask === 'inspect' ? gate.inspect({ user: 'u' }) : gate.explain({ ...u, permits: 1 })).rejects.toBe(
      fault,
    );
  },
);

describe('explain', () => {
  test('tells of every limit that a request would meet, and charges nothing', async () => {
    const { gate, used } = gateOf([global, user, feature]);
    for (let i = 0; i < 10; i++) {
      expect(await gate.explain({ ...u, tier: 'large' })).toMatchObject({
        admitted: true,
        refusal: undefined,
        layers: [
          { layer: 'global', cost: 10, used: 0 },
          { layer: 'user', cost: 10, used: 0 },
          { layer: 'feature', cost: 10, used: 0 },
        ],
      });
    }
    expect(await used(u)).toEqual({ global: 0, user: 0, feature: 0 });
  });

  test('raises no event', async () => {
    const { gate } = gateOf([user]);
    const heard = jest.fn();
    for (const event of ['admitted', 'refused', 'shadow.refused', 'settled'] as const) gate.on(event, heard);
    await gate.explain({ ...u, tier: 'small' });
    await gate.explain({ ...u, tier: 'xlarge' });
    expect(heard).not.toHaveBeenCalled();
  });

  test('says why a request would be refused', async () => {
    const { gate, admission } = gateOf([global, user, feature]);
    await admission({ ...u, permits: 10 });
    const { admitted, refusal } = await gate.explain({ ...u, permits: 11 });
    expect(admitted).toBe(false);
    expect(refusal).toMatchObject({ reason: 'too-costly', layer: 'feature', status: 422 });
    expect(refusal?.violated.map(({ layer }) => layer)).toEqual(['user', 'feature']);
  });

  test.each([
    [{ tier: 'x' }, 'TOLLGATE_UNKNOWN_TIER'],
    [{}, 'TOLLGATE_REQUEST_INVALID'],
    [{ permits: Number.NaN }, 'TOLLGATE_REQUEST_INVALID'],
  ])('rejects %p as admitting it does', async (request, code) => {
    await expect(gateOf([user]).gate.explain({ ...u, ...request })).rejects.toMatchObject({ code });
  });

  test('agrees with what admit then does, and with when it would', async () => {
    const amount = fc.integer({ min: 1, max: 30 });
    const mode = fc.constantFrom('enforce' as const, 'shadow' as const);
    const by = fc.constantFrom([], 'user' as const, ['user', 'feature'] as const);
    const unit = fc.constantFrom('permits' as const, 'requests' as const, 'tokens' as const);
    const shared = { by, unit, mode };
    const windows = fc.record({
      ...shared,
      limit: amount,
      window: fc.integer({ min: 10, max: 5000 }),
      parts: fc.integer({ min: 2, max: 20 }),
    });
    const buckets = fc.record({ ...shared, capacity: amount, refill: amount.map((n) => `${n}/s` as const) });
    const limit = fc.oneof(
      windows.map(
        (options) =>
          (name: string): Limit =>
            slidingWindow({ name, ...options }),
      ),
      buckets.map(
        (options) =>
          (name: string): Limit =>
            tokenBucket({ name, ...options }),
      ),
    );
    const request = fc.record({
      subject: fc.record({ user: fc.constantFrom('a', 'b') }),
      feature: fc.constantFrom('f', 'g'),
      permits: fc.nat(12),
      estimate: fc.record({ inputTokens: fc.nat(12) }),
    });
    const step = fc.record({
      request,
      advance: fc.oneof(fc.constant(0), fc.nat(500), fc.nat(10_000)),
      settle: fc.constantFrom(undefined, {}, { outcome: 'ignored' as const }, { usage: { inputTokens: 20 } }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(limit, { maxLength: 4 }),
        fc.array(step, { maxLength: 25, size: 'max' }),
        async (made, steps) => {
          const { gate, clock } = gateOf(made.map((make, i) => make(`limit${i}`)));
          for (const { request, advance, settle } of steps) {
            clock.advance(advance);
            const explained = await gate.explain(request);
            expect(explained.layers).toHaveLength(made.length);
            const decision = await gate.admit(request);
            expect(explained.admitted).toBe(decision.admitted);
            if (decision.admitted) {
              expect(explained.refusal).toBeUndefined();
              if (settle) await decision.admission.settle(settle);
            } else {
              expect({ ...explained.refusal, id: '' }).toEqual({ ...decision.refusal, id: '' });
            }
          }
        },
      ),
      { numRuns: 100 },
    );
  });

  test('of a refusal tells the exact millisecond, if nothing else comes', async () => {
    const limits = fc.record({
      window: fc.integer({ min: 10, max: 5000 }),
      parts: fc.integer({ min: 2, max: 20 }),
      capacity: fc.integer({ min: 5, max: 30 }),
      refill: fc.integer({ min: 1, max: 50 }).map((n) => `${n}/s` as const),
    });
    const step = fc.record({ permits: fc.integer({ min: 1, max: 8 }), advance: fc.nat(800) });
    await fc.assert(
      fc.asyncProperty(limits, fc.array(step, { minLength: 1, maxLength: 20, size: 'max' }), async (made, steps) => {
        const { window, parts, capacity, refill } = made;
        const { gate, clock } = gateOf([
          slidingWindow({ name: 'w', limit: 15, window, parts }),
          tokenBucket({ name: 'b', capacity, refill }),
        ]);
        for (const { permits, advance } of steps) {
          clock.advance(advance);
          const decision = await gate.admit({ permits });
          if (decision.admitted) await decision.admission.settle();
          else if (decision.refusal.retryAfterMs !== undefined) {
            clock.advance(decision.refusal.retryAfterMs - 1);
            expect(await gate.explain({ permits })).toMatchObject({ admitted: false, refusal: { retryAfterMs: 1 } });
            clock.advance(1);
            expect(await gate.explain({ permits })).toMatchObject({ admitted: true });
          }
        }
      }),
    );
  });
});

describe('update', () => {
  test('of a limit holds at once and keeps what is used', async () => {
    const { gate, admission, refusal, used } = gateOf([global, user]);
    await admission({ ...u, permits: 20 });
    await refusal({ ...u, permits: 5 });
    gate.update({ limits: { user: { capacity: 25 } } });
    expect(await used(u)).toEqual({ global: 20, user: 20 });
    await admission({ ...u, permits: 5 });
    await refusal({ ...u, permits: 1 });
  });

  test('below what is used refuses until that has drained, and settles what is open as before', async () => {
    const { gate, clock, admission, refusal, used } = gateOf([slidingWindow({ name: 'w', limit: 10, window: '1m' })]);
    const open = await admission({ permits: 10 });
    gate.update({ limits: { w: { limit: 4 } } });
    expect((await refusal({ permits: 1 })).violated).toEqual([
      expect.objectContaining({ used: 10, limit: 4, remaining: 0 }),
    ]);
    expect((await refusal({ permits: 5 })).reason).toBe('too-costly');
    await open.settle({ outcome: 'ignored' });
    await admission({ permits: 4 });
    clock.advance(2 * MINUTE);
    expect(await used()).toEqual({ w: 0 });
    await refusal({ permits: 5 });
  });

  test('of how fast a bucket fills', async () => {
    const { gate, clock, admission, used } = gateOf([user]);
    await (await admission({ ...u, permits: 20 })).settle();
    clock.advance(5000);
    gate.update({ limits: { user: { refill: '10/s' } } });
    await admission({ ...u, permits: 0 });
    clock.advance(1000);
    expect((await used(u)).user).toBeLessThanOrEqual(5);
  });

  test('of tiers changes what they cost, adds to them, and keeps the rest', async () => {
    const { gate, admission, used } = gateOf([global]);
    gate.update({ tiers: { small: 7, giant: { permits: 50, inputTokens: 5 } } });
    await admission({ tier: 'small' });
    expect(await used()).toEqual({ global: 7 });
    await admission({ tier: 'giant' });
    await admission({ tier: 'medium' });
    expect(await used()).toEqual({ global: 60 });
  });

  test('of a mode, from shadow to enforcement and back', async () => {
    const { gate, admission, refusal, used } = gateOf([
      slidingWindow({ name: 'w', limit: 10, window: '1m', mode: 'shadow' }),
    ]);
    for (let i = 0; i < 3; i++) await admission({ permits: 4 });
    expect(await used()).toEqual({ w: 8 });
    gate.update({ limits: { w: { mode: 'enforce' } } });
    expect((await refusal({ permits: 4 })).violated[0]).toMatchObject({ used: 8, mode: 'enforce' });
    await admission({ permits: 2 });
    gate.update({ limits: { w: { mode: 'shadow' } } });
    await admission({ permits: 4 });
    expect(await used()).toEqual({ w: 10 });
  });

  test('of a number into a map by plan, and on into a function', async () => {
    const { gate } = gateOf([slidingWindow({ name: 'w', by: 'user', limit: 10, window: '1m' })]);
    const limitOf = async (plan: string) => (await gate.inspect({ user: 'u', plan })).limits[0].limit;
    gate.update({ limits: { w: { limit: { free: 5, pro: 50 } } } });
    expect([await limitOf('free'), await limitOf('pro')]).toEqual([5, 50]);
    gate.update({ limits: { w: { limit: ({ plan }) => (plan === 'pro' ? 500 : 1) } } });
    expect([await limitOf('free'), await limitOf('pro')]).toEqual([1, 500]);
  });

  test('one after the other add up, and what is left out stays', async () => {
    const { gate } = gateOf([global, user]);
    gate.update({ limits: { global: { limit: 50 } } });
    gate.update({ limits: { user: { capacity: 5 } } });
    gate.update({ limits: { user: { mode: 'shadow' } }, tiers: { small: 2 } });
    gate.update({});
    expect((await gate.inspect({ user: 'u' })).limits).toEqual([
      expect.objectContaining({ layer: 'global', limit: 50, mode: 'enforce', windowMs: 60_000 }),
      expect.objectContaining({ layer: 'user', limit: 5, mode: 'shadow', windowMs: 5_000 }),
    ]);
  });

  test('keeps what open admissions were charged, for them to settle', async () => {
    const { gate, admission, used } = gateOf([
      global,
      slidingWindow({ name: 't', unit: 'tokens', limit: 100, window: '1m' }),
    ]);
    const open = await admission({ tier: 'large', estimate: { inputTokens: 50 } });
    gate.update({ tiers: { large: 1 }, limits: { t: { limit: 60 } } });
    expect(await used()).toEqual({ global: 10, t: 50 });
    await open.settle({ usage: { inputTokens: 20 } });
    expect(await used()).toEqual({ global: 10, t: 20 });
    await admission({ tier: 'large' });
    expect(await used()).toEqual({ global: 11, t: 20 });
  });

  describe('refuses', () => {
    type Change = Parameters<ReturnType<typeof gateOf>['gate']['update']>[0];

    /** The problems of a change. Sees to it that nothing has changed, nor been said to. */
    async function problemsOf(change: unknown) {
      const { gate, admission } = gateOf([global, user, feature]);
      const updated = jest.fn();
      gate.on('updated', updated);
      const open = await admission({ ...u, permits: 3 });
      const before = (await gate.inspect({ user: 'u' }, { feature: 'f' })).limits;
      const error = thrownBy(() => gate.update(change as Change));
      expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
      expect((await gate.inspect({ user: 'u' }, { feature: 'f' })).limits).toEqual(before);
      expect((await gate.explain({ ...u, tier: 'small' })).layers[0].cost).toBe(1);
      expect(updated).not.toHaveBeenCalled();
      await open.settle({ outcome: 'ignored' });
      return error.problems;
    }

    test.each<[string, unknown, string, string]>([
      ['a name', { name: 'x' }, 'name', 'tiers, prices, limits, budgets and queue'],
      ['features', { features: ['x'] }, 'features', 'tiers, prices, limits, budgets and queue'],
      ['a store', { store: {} }, 'store', 'tiers, prices, limits, budgets and queue'],
      ['a clock', { clock: {} }, 'clock', 'tiers, prices, limits, budgets and queue'],
      ['an unknown limit', { limits: { nope: { limit: 5 } } }, 'limits.nope', "'global', 'user', 'feature'"],
      ['a limit of the prototype', { limits: { toString: {} } }, 'limits.toString', "'global', 'user', 'feature'"],
      ['a window', { limits: { global: { window: '1h' } } }, 'limits.global.window', 'limit, mode, onStoreError'],
      ['parts', { limits: { global: { parts: 5 } } }, 'limits.global.parts', 'limit, mode, onStoreError'],
      ['dimensions', { limits: { user: { by: 'tenant' } } }, 'limits.user.by', 'capacity, refill, mode, onStoreError'],
      ['a unit', { limits: { user: { unit: 'tokens' } } }, 'limits.user.unit', 'capacity, refill, mode, onStoreError'],
      ["a limit's name", { limits: { user: { name: 'x' } } }, 'limits.user.name', 'capacity'],
      ["a limit's kind", { limits: { user: { kind: 'slidingWindow' } } }, 'limits.user.kind', 'capacity'],
      ["a window's capacity", { limits: { global: { capacity: 5 } } }, 'limits.global.capacity', 'limit'],
      ["a bucket's limit", { limits: { user: { limit: 5 } } }, 'limits.user.limit', 'capacity'],
    ])('%s, and says what can change', async (_, change, path, expected) => {
      const problems = await problemsOf(change);
      expect(problems).toEqual([expect.objectContaining({ path, expected: expect.stringMatching(/only|one of/) })]);
      expect(problems[0].expected).toContain(expected);
    });

    test.each<[string, unknown, string]>([
      ['a wrong limit', { limits: { global: { limit: -1 } } }, 'limits.global.limit'],
      ['a wrong plan', { limits: { feature: { limit: { free: 'x' } } } }, 'limits.feature.limit.free'],
      ['a wrong capacity', { limits: { user: { capacity: 'x' } } }, 'limits.user.capacity'],
      ['a wrong refill', { limits: { user: { refill: 5 } } }, 'limits.user.refill'],
      ['a wrong mode', { limits: { user: { mode: 'off' } } }, 'limits.user.mode'],
      ['a wrong onStoreError', { limits: { user: { onStoreError: 'ajar' } } }, 'limits.user.onStoreError'],
      ['a wrong tier', { tiers: { small: -1 } }, 'tiers.small'],
      ['a tier taken away', { tiers: { small: undefined } }, 'tiers.small'],
    ])('%s, where it stands in the change', async (_, change, path) => {
      expect((await problemsOf(change)).map((problem) => problem.path)).toEqual([path]);
    });

    test('all that is wrong at once', async () => {
      const problems = await problemsOf({
        name: 'x',
        tiers: { small: -1 },
        limits: { nope: {}, user: { by: 'tenant', capacity: -1 }, global: { limit: 'x', window: '1h' } },
      });
      expect(problems.map(({ path }) => path).sort()).toEqual([
        'limits.global.limit',
        'limits.global.window',
        'limits.nope',
        'limits.user.by',
        'limits.user.capacity',
        'name',
        'tiers.small',
      ]);
    });

    test('good parts along with bad ones', async () => {
      await problemsOf({ limits: { global: { limit: 5 }, user: { capacity: -1 } }, tiers: { small: 9 } });
    });

    test.each([
      null,
      undefined,
      5,
      'x',
      [5],
      { limits: 5 },
      { limits: [], tiers: 5 },
      { limits: { user: 5 } },
      { tiers: [5] },
    ])('%j, which is no change', async (change) => {
      expect(await problemsOf(change)).not.toEqual([]);
    });
  });
});
