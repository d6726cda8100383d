/** Limiters of rate-limiter-flexible as limits: charged last, and given back as far as they can be. */
import { budget, memoryStore, slidingWindow } from '@tollgate/core';
import { flexible } from '@tollgate/core/flexible';
import { BurstyRateLimiter, RateLimiterMemory, RateLimiterRes, RateLimiterUnion } from 'rate-limiter-flexible';
import { gateOf, MINUTE, thrownBy } from './support.js';

const memory = (points: number, keyPrefix = 'legacy') => new RateLimiterMemory({ points, duration: 3600, keyPrefix });

const ann = { subject: { user: 'ann' } };

async function consumed(limiter: Pick<RateLimiterMemory, 'get'>, key: string): Promise<number | undefined> {
  return (await limiter.get(key))?.consumedPoints;
}

/** Limits `all` by the store and `user` by a limiter. */
function setUp(points = 10, options: Partial<Parameters<typeof flexible>[1]> = {}, all = 100) {
  const limiter = memory(points);
  const limits = [
    flexible(limiter, { name: 'user', by: 'user', ...options }),
    slidingWindow({ name: 'all', limit: all, window: '1m' }),
  ];
  return { limiter, ...gateOf(limits) };
}

test('counts on from what the limiter has counted, by the same keys', async () => {
  const { limiter, gate, admission, refusal } = setUp();
  await limiter.consume('ann', 4);
  await admission({ ...ann, permits: 5 });
  expect(await consumed(limiter, 'ann')).toBe(9);
  const refused = await refusal({ ...ann, permits: 2 });
  expect(refused).toMatchObject({ status: 429, layer: 'user', violated: [{ layer: 'user', used: 9, remaining: 1 }] });
  expect(refused.retryAfterMs).toBeGreaterThan(59 * MINUTE);
  expect((await gate.inspect(ann.subject)).limits).toMatchObject([{ layer: 'user', used: 9, limit: 10 }, {}]);
});

test('a refusal charges nothing: not the limiter, not the store, not the limiters before it', async () => {
  const first = memory(100, 'first');
  const { limiter, used, admission, refusal } = (() => {
    const limiter = memory(10);
    const limits = [
      flexible(first, { name: 'first', by: ['user', 'feature'] }),
      flexible(limiter, { name: 'user', by: 'user' }),
      slidingWindow({ name: 'all', limit: 100, window: '1m' }),
    ];
    return { limiter, ...gateOf(limits) };
  })();
  await admission({ ...ann, permits: 8 });
  await refusal({ ...ann, permits: 3 });
  expect(await consumed(limiter, 'ann')).toBe(8);
  expect(await consumed(first, '["ann",null]')).toBe(8);
  expect((await used(ann)).all).toBe(8);
});

test('what the store refuses never reaches the limiter', async () => {
  const { limiter, refusal } = setUp(10, {}, 2);
  expect(await refusal({ ...ann, permits: 3 })).toMatchObject({ layer: 'all' });
  expect(await consumed(limiter, 'ann')).toBeUndefined();
});

test('never says so of a cost above its points, and does not ask for it', async () => {
  const { limiter, refusal } = setUp();
  expect(await refusal({ ...ann, permits: 11 })).toMatchObject({ status: 422, layer: 'user' });
  expect(await consumed(limiter, 'ann')).toBeUndefined();
});

test('settles to what was used, up and down, and gives all back where it is ignored', async () => {
  const { limiter, admission } = setUp(1000, { unit: 'tokens' });
  const request = { ...ann, permits: 1, estimate: { inputTokens: 100, outputTokens: 0 } };
  const [low, high, none] = [await admission(request), await admission(request), await admission(request)];
  await low.settle({ usage: { inputTokens: 30 } });
  expect(await consumed(limiter, 'ann')).toBe(230);
  await high.settle({ usage: { inputTokens: 150 } });
  expect(await consumed(limiter, 'ann')).toBe(280);
  await none.settle({ outcome: 'ignored' });
  expect(await consumed(limiter, 'ann')).toBe(180);
});

test('what is expected to cost nothing is not asked for, is admitted when it is full, and charged when it did cost', async () => {
  const { limiter, admission } = setUp(1000, { unit: 'tokens' });
  await limiter.consume('ann', 1000);
  const consume = jest.spyOn(limiter, 'consume');
  const open = await admission({ ...ann, permits: 1 });
  expect(consume).not.toHaveBeenCalled();
  await open.settle({ usage: { inputTokens: 50 } });
  expect(await consumed(limiter, 'ann')).toBe(1050);
});

test('in shadow mode it counts what fits, and refuses nothing', async () => {
  const { limiter, gate, admission } = setUp(10, { mode: 'shadow' });
  const heard: unknown[] = [];
  gate.on('shadow.refused', (event) => heard.push(event));
  await admission({ ...ann, permits: 8 });
  await admission({ ...ann, permits: 3 });
  expect(heard).toMatchObject([{ layer: { layer: 'user', used: 8 } }]);
  expect(await consumed(limiter, 'ann')).toBe(8);
});

test('a cheaper model is tried where it refuses the better one', async () => {
  const limiter = memory(10);
  const { admission, used } = gateOf(
    [
      flexible(limiter, { name: 'model', by: 'model' }),
      slidingWindow({ name: 'each', by: 'model', limit: 100, window: '1m' }),
    ],
    { ladders: [['best', 'cheap']] },
  );
  await limiter.consume('best', 9);
  expect(await admission({ permits: 2, model: 'best' })).toMatchObject({ model: 'cheap', degraded: true });
  expect(await consumed(limiter, 'best')).toBe(9);
  expect(await consumed(limiter, 'cheap')).toBe(2);
  expect((await used({ model: 'cheap' })).each).toBe(2);
});

test('a thousand at once pass it exactly as often as it allows', async () => {
  const { limiter, gate } = setUp(100, {}, 10_000);
  const decisions = await Promise.all(Array.from({ length: 1000 }, () => gate.admit({ ...ann, permits: 1 })));
  // Each refused one counts until it is given back, so a few may be refused too early, and none is admitted too many.
  const admitted = decisions.filter(({ admitted }) => admitted).length;
  expect(admitted).toBe(100);
  expect(await consumed(limiter, 'ann')).toBe(100);
});

describe('where it fails', () => {
  const broken = (options?: Partial<Parameters<typeof flexible>[1]>) => {
    const { limiter, ...rest } = setUp(10, options);
    jest.spyOn(limiter, 'consume').mockRejectedValue(new Error('connection lost'));
    rest.gate.on('store.failed', () => {});
    return { limiter, ...rest };
  };

  test('it refuses with 503, and what the store was charged is given back', async () => {
    const { refusal, used } = broken();
    expect(await refusal({ ...ann, permits: 1 })).toMatchObject({ status: 503, reason: 'store-down' });
    expect((await used(ann)).all).toBe(0);
  });

  test.each([{ onStoreError: 'open' as const }, { mode: 'shadow' as const }])(
    'it lets pass with %p',
    async (options) => {
      const { admission, used } = broken(options);
      await (await admission({ ...ann, permits: 1 })).settle();
      expect((await used(ann)).all).toBe(1);
    },
  );

  test('before a later one, what an earlier one was charged is given back', async () => {
    const [first, second] = [memory(10, 'first'), memory(10, 'second')];
    const limits = [flexible(first, { name: 'a' }), flexible(second, { name: 'b', by: 'user' })];
    const { gate, refusal } = gateOf(limits);
    gate.on('store.failed', () => {});
    jest.spyOn(second, 'consume').mockRejectedValue(new Error('connection lost'));
    await refusal({ ...ann, permits: 4 });
    expect(await consumed(first, '[]')).toBe(0);
  });
});

test('a bursty limiter, which can give nothing back, admits and refuses', async () => {
  const bursty = new BurstyRateLimiter(memory(2), memory(3, 'burst'));
  const { admission, refusal } = gateOf([flexible(bursty, { name: 'user', by: 'user' })]);
  for (let i = 0; i < 5; i++) await admission({ ...ann, permits: 1 });
  expect(await refusal({ ...ann, permits: 1 })).toMatchObject({ status: 429, layer: 'user' });
});

test('is settled together with budgets of the store', async () => {
  const limiter = memory(10);
  const { gate, admission } = gateOf([flexible(limiter, { name: 'user', by: 'user' })], {
    budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'day' })],
    prices: { m: { input: '$1/M', output: '$1/M' } },
    store: memoryStore(),
  });
  const open = await admission({ ...ann, permits: 2, model: 'm', estimate: { inputTokens: 1000, outputTokens: 0 } });
  await open.settle({ usage: { inputTokens: 500 } });
  expect((await gate.inspect(ann.subject)).budgets).toMatchObject([{ used: 500_000 }]);
});

test.each([
  ['nothing', undefined],
  ['options', { points: 5, duration: 60 }],
  ['a union', new RateLimiterUnion(memory(1, 'a'), memory(1, 'b'))],
])('%s in place of a limiter is told of', (_, limiter) => {
  const make = () => gateOf([flexible(limiter as never, { name: 'user' })]);
  expect(thrownBy(make).problems).toMatchObject([
    { path: 'limits[0].limiter', expected: expect.stringContaining('a limiter of rate-limiter-flexible') },
  ]);
});

test('the rejections that it knows are those of the library', async () => {
  const limiter = memory(1);
  await expect(limiter.consume('ann', 2)).rejects.toBeInstanceOf(RateLimiterRes);
  await expect(limiter.consume('ann', 2)).rejects.toHaveProperty('msBeforeNext', expect.any(Number));
});
