/** Limiters of rate-limiter-flexible as limits: charged last, and given back as far as they can be. */

import { budget, memoryStore, slidingWindow, type TollgateConfig } from '@tollgate/core';
import { flexible, type Limiter } from '@tollgate/core/flexible';
import {
  BurstyRateLimiter,
  RateLimiterMemory,
  RateLimiterRedis,
  RateLimiterRes,
  RateLimiterUnion,
  RLWrapperTimeouts,
} from 'rate-limiter-flexible';
import { breakableStore } from '../helpers/breakable-store.js';
import { ClassStore } from '../helpers/class-store.js';
import { askers, flush, gateOf, MINUTE, SECOND, thrownBy } from './support.js';

afterEach(() => {
  jest.restoreAllMocks();
});

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

  test('the store has not failed, and goes on to be asked', async () => {
    const { limiter, gate, refusal, admission } = broken();
    const heard: string[] = [];
    for (const event of ['store.failed', 'store.down', 'store.recovered'] as const) {
      gate.on(event, () => heard.push(event));
    }
    for (let i = 0; i < 5; i++) expect(await refusal({ ...ann, permits: 1 })).toMatchObject({ reason: 'store-down' });
    jest.restoreAllMocks();
    await admission({ ...ann, permits: 1 });
    expect(heard).toEqual(new Array(5).fill('store.failed'));
    expect(await consumed(limiter, 'ann')).toBe(1);
  });

  test('what costs it nothing passes, and what it did cost is charged', async () => {
    const { limiter, admission } = broken({ unit: 'tokens' });
    jest.spyOn(limiter, 'get').mockRejectedValueOnce(new Error('connection lost'));
    const open = await admission({ ...ann, permits: 1 });
    await open.settle({ usage: { inputTokens: 7 } });
    expect(await consumed(limiter, 'ann')).toBe(7);
  });

  test('an alternative that it does not fail for is taken', async () => {
    const limiter = memory(10);
    const { gate, admission } = gateOf([flexible(limiter, { name: 'model', by: 'model' })], {
      ladders: [['best', 'cheap']],
    });
    gate.on('store.failed', () => {});
    const consume = limiter.consume.bind(limiter);
    jest.spyOn(limiter, 'consume').mockImplementation(async (key, points) => {
      if (key === 'best') throw new Error('connection lost');
      return consume(key, points);
    });
    expect(await admission({ permits: 1, model: 'best' })).toMatchObject({ model: 'cheap' });
  });

  test('it is as good as full to those who ask how it stands, where it has a say', async () => {
    const { limiter, gate } = broken();
    jest.spyOn(limiter, 'get').mockRejectedValue(new Error('connection lost'));
    const { refusal, layers } = await gate.explain({ ...ann, permits: 1 });
    expect(refusal).toMatchObject({ reason: 'store-down', retryAfterMs: 5000 });
    expect(layers).toEqual([]);
    expect((await gate.inspect(ann.subject)).limits).toMatchObject([{ layer: 'all' }]);
  });

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

describe('what was refused without being counted', () => {
  test('is not given back', async () => {
    const { limiter, refusal } = setUp();
    await limiter.consume('ann', 5);
    jest.spyOn(limiter, 'consume').mockRejectedValue(new RateLimiterRes(0, 5000));
    for (let i = 0; i < 5; i++) expect(await refusal({ ...ann, permits: 1 })).toMatchObject({ retryAfterMs: 5000 });
    expect(await consumed(limiter, 'ann')).toBe(5);
  });

  const storeClient = {};
  test.each([
    ['blockDuration', new RateLimiterMemory({ points: 10, duration: 1, blockDuration: 60 }), 60],
    [
      'inMemoryBlockOnConsumed',
      new RateLimiterRedis({ storeClient, points: 10, duration: 1, inMemoryBlockOnConsumed: 20 }),
      20,
    ],
  ])('a limiter with %s is told of', (option, limiter, value) => {
    for (const one of [limiter, new RLWrapperTimeouts({ limiter, timeoutMs: 100 })]) {
      const make = () => gateOf([flexible(one, { name: 'user' })]);
      const { problems } = thrownBy(make);
      expect(problems).toMatchObject([
        { path: `limits[0].limiter.${option}`, expected: expect.stringContaining('0, as') },
      ]);
      if (one === limiter) expect(problems).toMatchObject([{ value }]);
    }
  });
});

test('of a limiter that is wrapped, the points are those of the one that counts', async () => {
  const limiter = new RLWrapperTimeouts({ limiter: memory(10), timeoutMs: 1000 });
  const { admission, refusal } = gateOf([flexible(limiter, { name: 'user', by: 'user' })]);
  await admission({ ...ann, permits: 10 });
  expect(await refusal({ ...ann, permits: 1 })).toMatchObject({ status: 429, violated: [{ limit: 10 }] });
});

describe('a window of a second', () => {
  /** Its time is the gate's. */
  function setUpSecond(make: (limiter: RateLimiterMemory) => Limiter = (limiter) => limiter) {
    const limiter = new RateLimiterMemory({ points: 100, duration: 1 });
    const gate = gateOf([flexible(make(limiter), { name: 'user', by: 'user', unit: 'tokens' })]);
    jest.spyOn(Date, 'now').mockImplementation(() => gate.clock.now());
    const request = { ...ann, permits: 1, estimate: { inputTokens: 100, outputTokens: 0 } };
    return { limiter, request, ...gate };
  }

  test('gives nothing back to the next one', async () => {
    const { clock, request, admission, refusal } = setUpSecond();
    const open = await admission(request);
    clock.advance(SECOND);
    await open.settle({ outcome: 'ignored' });
    await admission(request);
    await refusal({ ...request, estimate: { inputTokens: 1, outputTokens: 0 } });
  });

  test('gives back as long as it lasts, but for its last tenth', async () => {
    const { limiter, clock, request, admission } = setUpSecond();
    const open = await admission(request);
    clock.advance(899);
    await open.conclude({ usage: { inputTokens: 30 } });
    expect(await consumed(limiter, 'ann')).toBe(30);
    clock.advance(1);
    await open.settle({ usage: { inputTokens: 10 } });
    expect(await consumed(limiter, 'ann')).toBe(30);
  });

  test('nor what it refuses at its end', async () => {
    const { limiter, clock, request, admission, refusal } = setUpSecond();
    await admission(request);
    const reward = jest.spyOn(limiter, 'reward');
    clock.advance(899);
    await refusal(request);
    expect(reward).toHaveBeenCalledTimes(1);
    clock.advance(1);
    await refusal(request);
    expect(reward).toHaveBeenCalledTimes(1);
  });

  test('charges what is above the estimate to the next one, and what could not be given back not again', async () => {
    const { limiter, clock, request, admission } = setUpSecond();
    const open = await admission(request);
    clock.advance(SECOND);
    await open.conclude({ usage: { inputTokens: 30 } });
    await open.settle({ usage: { inputTokens: 120 } });
    expect(await consumed(limiter, 'ann')).toBe(20);
  });

  test('of a limiter that gives nothing back charges nothing twice', async () => {
    const { limiter, request, admission } = setUpSecond((limiter) => ({
      consume: limiter.consume.bind(limiter),
      get: limiter.get.bind(limiter),
      penalty: limiter.penalty.bind(limiter),
    }));
    const open = await admission(request);
    await open.conclude({ usage: { inputTokens: 30 } });
    await open.settle({ usage: { inputTokens: 100 } });
    expect(await consumed(limiter, 'ann')).toBe(100);
  });

  test('gives back once, though two ends are told of at once', async () => {
    const { limiter, request, admission } = setUpSecond();
    const open = await admission(request);
    await Promise.all([open.conclude({ usage: { inputTokens: 30 } }), open.settle({ usage: { inputTokens: 50 } })]);
    expect(await consumed(limiter, 'ann')).toBe(50);
  });

  test('is settled once it has given back', async () => {
    const { limiter, request, admission } = setUpSecond();
    const open = await admission(request);
    let reward: (value: RateLimiterRes) => void = () => {};
    jest.spyOn(limiter, 'reward').mockReturnValue(new Promise((resolve) => (reward = resolve)));
    const settled = jest.fn();
    const settling = open.settle({ outcome: 'ignored' }).then(settled);
    await flush();
    expect(settled).not.toHaveBeenCalled();
    reward(new RateLimiterRes());
    await settling;
  });

  test('what it fails to give back stays booked, until somebody knows better', async () => {
    const { limiter, gate, request, admission } = setUpSecond();
    const heard: unknown[] = [];
    gate.on('store.failed', ({ error }) => heard.push(error));
    const open = await admission(request);
    const error = new Error('connection lost');
    jest.spyOn(limiter, 'reward').mockRejectedValueOnce(error);
    await open.conclude({ usage: { inputTokens: 30 } });
    expect(heard).toEqual([error]);
    expect(await consumed(limiter, 'ann')).toBe(100);
    await open.settle({ usage: { inputTokens: 40 } });
    expect(await consumed(limiter, 'ann')).toBe(40);
  });
});

test('what never comes back is refused without a time to come again', async () => {
  const limiter = new RateLimiterMemory({ points: 10, duration: 0 });
  const { gate, admission, refusal } = gateOf([flexible(limiter, { name: 'user', by: 'user' })]);
  const first = await admission({ ...ann, permits: 10 });
  expect(await first.layers()).toMatchObject([{ used: 10, refillMs: Number.POSITIVE_INFINITY }]);
  const used = { status: 429, reason: 'limit', layer: 'user', retryAfterMs: undefined };
  expect(await refusal({ ...ann, permits: 1 })).toMatchObject(used);
  expect((await gate.explain({ ...ann, permits: 1 })).refusal).toMatchObject(used);
  await first.settle({ outcome: 'ignored' });
  await admission({ ...ann, permits: 10 });
});

describe('where each alternative is refused by another', () => {
  /** The store refuses the first and the last model, the limiter the second. */
  async function setUpLadder(whenFull: 'refuse' | 'wait', more: Omit<TollgateConfig, 'limits'> = {}) {
    const limiter = memory(10);
    const each = slidingWindow({ name: 'each', by: 'model', limit: 5, window: '10s', whenFull });
    const user = flexible(limiter, { name: 'user', by: ['user', 'model'] });
    const made = gateOf([user, each], { ladders: [['best', 'second', 'cheap']], ...more });
    await limiter.consume('["ann","second"]', 10);
    const bob = { subject: { user: 'bob' }, permits: 5, degrade: false };
    await made.admission({ ...bob, model: 'cheap' });
    const best = await made.admission({ ...bob, model: 'best' });
    return { limiter, best, ...made };
  }

  test('the one that fits first is told of, with all its limits', async () => {
    const store = memoryStore();
    const { limiter, refusal, used } = await setUpLadder('refuse', { store });
    const peek = jest.spyOn(store, 'peek');
    const refused = await refusal({ ...ann, permits: 1, model: 'best' });
    expect(peek.mock.calls.map(([who]) => who)).toEqual([['ann', 'second']]);
    expect(refused).toMatchObject({ layer: 'each', retryAfterMs: 11 * SECOND });
    expect(refused.layers).toMatchObject([
      { layer: 'user', key: ['ann', 'cheap'], used: 0 },
      { layer: 'each', key: ['cheap'], used: 5 },
    ]);
    expect((await used({ ...ann, model: 'second' })).each).toBe(0);
    expect(await consumed(limiter, '["ann","second"]')).toBe(10);
  });

  test('what the limiter refuses comes with what the store says', async () => {
    const { refusal } = await setUpLadder('refuse');
    const refused = await refusal({ ...ann, permits: 1, model: 'second', degrade: false });
    expect(refused.layers).toMatchObject([
      { layer: 'user', used: 10, limit: 10 },
      { layer: 'each', used: 0, limit: 5 },
    ]);
  });

  test('one that is helped by waiting waits for what it is helped by', async () => {
    const { gate, clock } = await setUpLadder('wait', { queue: { maxWait: '1m' } });
    const { ask, of, began } = askers(gate);
    ask('ann', { ...ann, permits: 1, model: 'best' });
    await flush();
    expect(began).toEqual([]);
    clock.advance(11 * SECOND);
    await flush();
    expect(of('ann').model).toBe('best');
  });

  test('what has room by then is taken, though the store had refused it before', async () => {
    const { limiter, best, admission } = await setUpLadder('refuse');
    const consume = limiter.consume.bind(limiter);
    jest.spyOn(limiter, 'consume').mockImplementationOnce(async (key, points) => {
      await best.settle({ outcome: 'ignored' });
      return consume(key, points);
    });
    expect(await admission({ ...ann, permits: 1, model: 'best' })).toMatchObject({ model: 'best' });
  });
});

test.each([
  ['refused', new RateLimiterRes(0, 5000, 11), []],
  ['failed', new Error('connection lost'), ['connection lost']],
])('where the store fails to give back, limiters do so all the same: one has %s', async (_, thrown, before) => {
  const store = breakableStore();
  const [first, second] = [memory(10, 'first'), memory(10, 'second')];
  const limits = [
    flexible(first, { name: 'a' }),
    flexible(second, { name: 'b' }),
    slidingWindow({ name: 'all', limit: 100, window: '1m' }),
  ];
  const { gate, clock, refusal, used } = gateOf(limits, { store });
  const heard: unknown[] = [];
  gate.on('store.failed', ({ error }) => heard.push((error as Error).message));
  jest.spyOn(second, 'consume').mockImplementation(() => {
    store.break();
    return Promise.reject(thrown);
  });
  expect(await refusal({ permits: 4 })).toMatchObject({ reason: 'store-down' });
  expect(await consumed(first, '[]')).toBe(0);
  expect(heard).toEqual([...before, 'the store is down', 'the store is down']);
  store.mend();
  expect((await used()).all).toBe(4);
  clock.advance(SECOND);
  await flush();
  expect((await used()).all).toBe(0);
});

test('a store that is an object of a class keeps its methods', async () => {
  const store = new ClassStore();
  const { gate, admission } = gateOf([flexible(memory(10), { name: 'user' })], { store });
  await (await admission({ permits: 1 })).settle();
  await gate.inspect({});
  await gate.close();
  expect(store.isClosed).toBe(true);
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

test('who waits for what a refused request had taken begins at once', async () => {
  let answer = () => {};
  const asked = new Promise<void>((resolve) => {
    answer = resolve;
  });
  const slow: Limiter = {
    points: 1,
    duration: 3600,
    get: async () => null,
    consume: async (key) => {
      if (key !== 'ann') return { consumedPoints: 1, msBeforeNext: MINUTE };
      await asked;
      throw { consumedPoints: 1, msBeforeNext: MINUTE };
    },
  };
  const { gate, used } = gateOf([flexible(slow, { name: 'user', by: 'user' })], {
    queue: { concurrency: 1, shedding: false },
  });
  const { ask, began } = askers(gate);
  ask('ann', { ...ann, permits: 1 });
  await flush();
  ask('bob', { subject: { user: 'bob' }, permits: 1 });
  await flush();
  expect(began).toEqual([]);
  answer();
  await flush();
  expect(began).toEqual(['bob']);
  expect(await used(ann)).toMatchObject({ concurrency: 1 });
});

describe('a limiter that does not answer', () => {
  /** One whose answers to some questions come when they are let. */
  function silent(
    options: Partial<Parameters<typeof flexible>[1]> = {},
    ...questions: ('consume' | 'reward' | 'penalty' | 'get')[]
  ) {
    const { limiter, ...rest } = setUp(10, options);
    const real = new Map(questions.map((question) => [question, limiter[question].bind(limiter)]));
    let answer: () => void = () => {};
    const answered = new Promise<void>((resolve) => {
      answer = resolve;
    });
    for (const question of questions) {
      jest.spyOn(limiter, question).mockImplementation(async (...asked: unknown[]) => {
        await answered;
        return (real.get(question) as (...asked: unknown[]) => Promise<never>)(...asked);
      });
    }
    const failures: unknown[] = [];
    rest.gate.on('store.failed', ({ error }) => failures.push(error));
    return { limiter, ...rest, failures, answer };
  }

  test('fails after a second, and is given back what it counts later', async () => {
    const { limiter, gate, clock, used, failures, answer } = silent({}, 'consume');
    const asking = gate.admit({ ...ann, permits: 4 });
    await flush();
    clock.advance(999);
    await flush();
    expect(failures).toEqual([]);
    clock.advance(1);
    expect(await asking).toMatchObject({ admitted: false, refusal: { status: 503, reason: 'store-down' } });
    expect(failures).toEqual([new Error('The limiter has not answered within 1000 ms.')]);
    expect((await used(ann)).all).toBe(0);
    answer();
    await flush();
    expect(await consumed(limiter, 'ann')).toBe(0);
  });

  test('lets pass after a second where it is open', async () => {
    const { gate, clock } = silent({ onStoreError: 'open' }, 'consume');
    const asking = gate.admit({ ...ann, permits: 4 });
    await flush();
    clock.advance(1000);
    expect((await asking).admitted).toBe(true);
  });

  test('holds up no settlement, and no inspection, for longer', async () => {
    const { gate, clock, admission, failures } = silent({}, 'reward', 'get');
    const admitted = await admission({ ...ann, permits: 4 });
    const settling = admitted.settle({ outcome: 'ignored' });
    const inspecting = gate.inspect(ann.subject);
    await flush();
    clock.advance(1000);
    await settling;
    expect((await inspecting).limits.map(({ layer }) => layer)).toEqual(['all']);
    expect(failures).toHaveLength(2);
  });

  test.each([
    ['gives back', 'reward', 3, 1],
    ['charges', 'penalty', 6, 8],
  ] as const)('in time, and %s late, does so once', async (_, question, provisional, final) => {
    const { limiter, clock, admission, answer } = silent({ unit: 'tokens' }, question);
    const open = await admission({ ...ann, permits: 1, estimate: { inputTokens: 4, outputTokens: 0 } });
    const settling = open.conclude({ usage: { inputTokens: provisional } });
    await flush();
    clock.advance(1000);
    await settling;
    answer();
    await flush();
    expect(await consumed(limiter, 'ann')).toBe(provisional);
    await open.settle({ usage: { inputTokens: final } });
    expect(await consumed(limiter, 'ann')).toBe(final);
  });

  test('who answers in time leaves no timer behind', async () => {
    const { gate, clock, admission, failures } = silent();
    await (await admission({ ...ann, permits: 4 })).settle();
    const set = jest.spyOn(clock, 'after');
    await gate.admit({ ...ann, permits: 4 });
    expect(set.mock.calls.map(([ms]) => ms)).toEqual([1000]);
    clock.advance(10_000);
    await flush();
    expect(failures).toEqual([]);
  });
});
