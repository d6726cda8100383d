/** The line and what waits in it, as they are configured: what is read, and what every mistake is told by. */
import { budget, concurrency, createTollgate, slidingWindow, type TollgateConfig, tokenBucket } from '@tollgate/core';
import { validate } from '../../packages/core/src/config/validate.js';
import { gateOf, MINUTE, SECOND, thrownBy } from './support.js';

/** Wrong on purpose: what a caller without types might pass. */
const problemsOf = (config: unknown) => thrownBy(() => createTollgate(config as TollgateConfig)).problems;
const problemsOfQueue = (queue: unknown) => problemsOf({ queue });
const queueOf = (queue: TollgateConfig['queue'] = {}) => validate({ queue }).queue;
const layersOf = (config: TollgateConfig) => validate(config).layers;

const HOUR = 60 * MINUTE;

/** Where it is, the wrong value, what is said to be right there, and a queue with it. */
type Mistake = [path: string, value: unknown, expected: string, queue: (value: unknown) => unknown];

const mistakes = (path: string, values: readonly unknown[], expected: string, queue: Mistake[3]): Mistake[] =>
  values.map((value) => [path, value, expected, queue]);

describe('a queue', () => {
  it('that says nothing has its defaults', () => {
    expect(queueOf({})).toEqual({
      ageing: { interactive: 0, standard: 2.5 * MINUTE, batch: 5 * MINUTE, background: 7.5 * MINUTE },
      maxDepth: 1000,
      maxDepthEach: 1000,
      maxWaitMs: { interactive: 10 * SECOND, standard: 30 * SECOND, batch: 10 * MINUTE, background: HOUR },
      // By then they would go before standard requests that may wait for 30 seconds.
      patienceMs: { interactive: 10 * SECOND, standard: 30 * SECOND, batch: 3 * MINUTE, background: 5.5 * MINUTE },
      fairBy: undefined,
      weights: new Map(),
      shedding: { raiseAt: [0.6, 0.6, 0.6, 0.95], lowerAt: [0.5, 0.5, 0.5, 0.8], holdMs: 5000 },
    });
    expect(layersOf({ queue: {} })).toEqual([]);
  });

  it('is read as it is given', () => {
    const queue = queueOf({
      concurrency: 5,
      ageing: { standard: '1m', batch: '2m', background: '1h' },
      maxDepth: 50,
      maxDepthEach: 10,
      maxWait: { interactive: '0s', batch: 90_000 },
      fairBy: 'tenant',
      weights: { big: 10, small: 0.5 },
      shedding: { holdMs: 100, lowerAt: [0.1, 0.2, 0.3, 0.4] },
    });
    expect(queue).toEqual({
      ageing: { interactive: 0, standard: MINUTE, batch: 2 * MINUTE, background: HOUR },
      maxDepth: 50,
      maxDepthEach: 10,
      maxWaitMs: { interactive: 0, standard: 30 * SECOND, batch: 90 * SECOND, background: HOUR },
      patienceMs: { interactive: 0, standard: 30 * SECOND, batch: 90 * SECOND, background: HOUR - 30 * SECOND },
      fairBy: 'tenant',
      weights: new Map([
        ['big', 10],
        ['small', 0.5],
      ]),
      shedding: { raiseAt: [0.6, 0.6, 0.6, 0.95], lowerAt: [0.1, 0.2, 0.3, 0.4], holdMs: 100 },
    });
  });

  it('has one wait for all priorities, or none', () => {
    const all = (ms: number) => ({ interactive: ms, standard: ms, batch: ms, background: ms });
    expect(queueOf({ maxWait: '2m' })?.maxWaitMs).toEqual(all(2 * MINUTE));
    expect(queueOf({ maxWait: '0s' })?.maxWaitMs).toEqual(all(0));
    expect(queueOf({ maxWait: 0 })?.maxWaitMs).toEqual(all(0));
  });

  it('sheds unless it is told not to', () => {
    expect(queueOf({ shedding: true })?.shedding).toEqual(queueOf({})?.shedding);
    expect(queueOf({ shedding: false })?.shedding).toBeUndefined();
  });

  it('takes as many of one as of all unless told', () => {
    expect(queueOf({ maxDepth: 7, fairBy: 'user' })?.maxDepthEach).toBe(7);
  });

  it('is none where none is configured', () => {
    expect(validate({ limits: [] }).queue).toBeUndefined();
  });

  it('has slots of its own between limits and budgets, named concurrency', () => {
    const limits = [slidingWindow({ name: 'w', limit: 5, window: '1m' })];
    const budgets = [budget({ name: 'b', limit: '$5', per: 'day' })];
    const layers = layersOf({ limits, budgets, queue: { concurrency: 64, lease: '1m' } });
    expect(layers.map(({ name }) => name)).toEqual(['w', 'concurrency', 'b']);
    expect(layers[1]).toMatchObject({
      by: [],
      unit: 'slots',
      shadow: false,
      whenFull: 'wait',
      limit: 64,
      rule: { kind: 'slots', leaseMs: MINUTE },
    });
    expect(layers[1].adaptive).toBeUndefined();
  });

  it('has adaptive slots by bounds, which begin at the least unless told, and a lease of ten minutes', () => {
    const [first] = layersOf({ queue: { concurrency: { min: 2, max: 50 } } });
    expect(first.rule).toEqual({ kind: 'slots', leaseMs: 10 * MINUTE });
    expect([first.adaptive?.max, first.adaptive?.limit([], 0)]).toEqual([50, 2]);
    const [second] = layersOf({ queue: { concurrency: { min: 2, max: 50, initial: 20 } } });
    expect(second.adaptive?.limit([], 0)).toBe(20);
  });
});

describe('what does not fit', () => {
  const whenFull = (config: TollgateConfig) => layersOf(config).map((layer) => layer.whenFull);
  const window = { name: 'w', limit: 5, window: '1m' } as const;
  const runs = { name: 'c', limit: 5 } as const;
  const cap = { name: 'b', limit: '$5', per: 'day' } as const;

  it('waits for slots where there is a queue, and else where it is told to', () => {
    const config = { limits: [slidingWindow(window), concurrency(runs)], budgets: [budget(cap)] };
    expect(whenFull(config)).toEqual(['refuse', 'refuse', 'refuse']);
    expect(whenFull({ ...config, queue: {} })).toEqual(['refuse', 'wait', 'refuse']);
    const told = {
      limits: [slidingWindow({ ...window, whenFull: 'wait' }), concurrency({ ...runs, whenFull: 'refuse' })],
      budgets: [budget({ ...cap, whenFull: 'wait' })],
      queue: {},
    };
    expect(whenFull(told)).toEqual(['wait', 'refuse', 'wait']);
  });

  it('never waits for what is on trial', () => {
    expect(whenFull({ limits: [concurrency({ ...runs, mode: 'shadow' })], queue: {} })).toEqual(['refuse']);
  });

  it.each([
    ['limits[0]', { limits: [slidingWindow({ ...window, whenFull: 'wait' })] }],
    ['limits[0]', { limits: [tokenBucket({ name: 't', capacity: 5, refill: '1/s', whenFull: 'wait' })] }],
    ['limits[0]', { limits: [concurrency({ ...runs, whenFull: 'wait' })] }],
    ['budgets[0]', { budgets: [budget({ ...cap, whenFull: 'wait' })] }],
  ])('has no line to wait in without a queue: %s of %j', (path, config) => {
    expect(problemsOf(config)).toEqual([
      { path: `${path}.whenFull`, value: 'wait', expected: expect.stringContaining('a queue in the configuration') },
    ]);
  });

  it('cannot be told to wait for what is on trial', () => {
    const limits = [slidingWindow({ ...window, whenFull: 'wait', mode: 'shadow' })];
    for (const config of [{ limits }, { limits, queue: {} }]) {
      expect(problemsOf(config)).toEqual([
        { path: 'limits[0].whenFull', value: 'wait', expected: expect.stringContaining('shadow mode') },
      ]);
    }
    const { gate } = gateOf([slidingWindow({ ...window, whenFull: 'wait' })], { queue: {} });
    const error = thrownBy(() => gate.update({ limits: { w: { mode: 'shadow' } } }));
    expect(error.problems).toMatchObject([{ path: 'limits.w.whenFull', value: 'wait' }]);
  });
});

describe('a mistake', () => {
  const WHOLE = 'a whole number from 1 to';
  const COUNTS = [0, -5, 2.5, '1k', null, Number.POSITIVE_INFINITY];

  it.each<Mistake>([
    ...mistakes('queue', [null, 5, 'x', true, []], 'an object such as { concurrency: 64 }', (queue) => queue),
    ...mistakes(
      'queue.concurrency',
      [0, -1, 1.5, '64', Number.NaN, Number.POSITIVE_INFINITY, null, {}, { min: 1 }, { free: 5 }],
      `${WHOLE} 2^53 - 1, or { min, max } with such`,
      (concurrency) => ({ concurrency }),
    ),
    ['queue.concurrency.min', 0, `${WHOLE} ${2 ** 53 - 1}`, (min) => ({ concurrency: { min, max: 5 } })],
    ...mistakes('queue.concurrency.max', [4, '9'], `a whole number from 5`, (max) => ({
      concurrency: { min: 5, max },
    })),
    ['queue.concurrency.initial', 9, 'from 1 to 8', (initial) => ({ concurrency: { min: 1, max: 8, initial } })],
    ['queue.concurrency.most', 9, 'min, max and initial', (most) => ({ concurrency: { min: 1, max: 8, most } })],
    ...mistakes('queue.lease', ['x', 0, '999ms', '25h', null], "from 1s to 1d such as '10m'", (lease) => ({
      concurrency: 5,
      lease,
    })),
    ['queue.lease', '1m', 'nothing without concurrency', (lease) => ({ lease })],
    ['queue.ageing', 'soon', "such as '30s', '5m' or '1h'", (ageing) => ({ ageing })],
    [
      'queue.ageing.batch',
      '1s',
      "no less than standard's",
      (batch) => ({
        ageing: { standard: '5s', batch, background: '1h' },
      }),
    ],
    ...mistakes('queue.maxDepth', COUNTS, WHOLE, (maxDepth) => ({ maxDepth })),
    ...mistakes('queue.maxDepthEach', COUNTS, WHOLE, (maxDepthEach) => ({ maxDepthEach, fairBy: 'user' })),
    ['queue.maxDepthEach', 5, 'nothing without fairBy', (maxDepthEach) => ({ maxDepthEach })],
    ...mistakes(
      'queue.maxWait',
      ['soon', -1, null, [], '0', '-1s'],
      "'0s' for no wait; or a map of such by priority",
      (maxWait) => ({ maxWait }),
    ),
    ['queue.maxWait.batch', 'soon', "such as '10s' or '5m'", (batch) => ({ maxWait: { batch } })],
    ['queue.maxWait.urgent', '1s', 'interactive, standard, batch, background', (urgent) => ({ maxWait: { urgent } })],
    ['queue.maxWait.toString', '1s', 'no such priority', (wait) => ({ maxWait: { toString: wait } })],
    ...mistakes('queue.fairBy', ['', 5, null, [], ['tenant']], "a dimension such as 'tenant'", (fairBy) => ({
      fairBy,
    })),
    ...mistakes('queue.weights', [5, 'x', [], null], 'a map from values of fairBy to their weights', (weights) => ({
      weights,
      fairBy: 'tenant',
    })),
    ...mistakes('queue.weights.big', [0, -1, '5', Number.NaN, Number.POSITIVE_INFINITY, null], 'above 0', (big) => ({
      weights: { big, small: 1 },
      fairBy: 'tenant',
    })),
    ['queue.weights', { big: 5 }, 'nothing without fairBy', (weights) => ({ weights })],
    ...mistakes(
      'queue.shedding',
      [5, 'on', null, []],
      'true, false, or an object with raiseAt, lowerAt and holdMs',
      (shedding) => ({ shedding }),
    ),
    ['queue.shedding.raiseAt', 0.9, 'a list of 4 pressures', (raiseAt) => ({ shedding: { raiseAt } })],
    [
      'queue.shedding.raiseAt[2]',
      0.1,
      'not less than the one before',
      (third) => ({
        shedding: { raiseAt: [0.7, 0.8, third, 0.95] },
      }),
    ],
    [
      'queue.shedding.lowerAt[3]',
      0.95,
      'less than 0.95',
      (last) => ({
        shedding: { lowerAt: [0.1, 0.2, 0.3, last] },
      }),
    ],
    ['queue.shedding.holdMs', '5s', 'milliseconds', (holdMs) => ({ shedding: { holdMs } })],
    ['queue.shedding.levels', 5, 'raiseAt, lowerAt, holdMs', (levels) => ({ shedding: { levels } })],
  ])('in %s, %p, is told of with what would be right', (path, value, expected, queue) => {
    const problems = problemsOfQueue(queue(value));
    expect(problems[0]).toEqual({ path, value, expected: expect.stringContaining(expected) });
    expect(problems).toHaveLength(1);
  });

  it('in the name of a field is told of without its value, which may be secret', () => {
    expect(problemsOfQueue({ maxdepth: 5 })).toEqual([
      { path: 'queue.maxdepth', value: 'a value that is not shown', expected: 'no such field' },
    ]);
  });

  it.each(['limits', 'budgets'])("is one of the %s called as the queue's own slots", (field) => {
    const [limit, cap] = [
      slidingWindow({ name: 'concurrency', limit: 5, window: '1m' }),
      budget({ name: 'concurrency', limit: '$5', per: 'day' }),
    ];
    const layers = { [field]: [field === 'limits' ? limit : cap] };
    expect(problemsOf({ ...layers, queue: { concurrency: 5 } })).toEqual([
      { path: `${field}[0].name`, value: 'concurrency', expected: 'a name of its own: queue.concurrency has this one' },
    ]);
    expect(() => createTollgate({ ...layers, queue: {} })).not.toThrow();
  });

  it('of a gate is told of together with all others', () => {
    const problems = problemsOf({
      limits: [
        concurrency({ name: 'c', limit: 0, lease: '1ms' }),
        slidingWindow({ name: 'c', limit: 5, window: '1m' }),
      ],
      queue: { concurrency: 0, maxDepthEach: 5, weights: { t: 0 }, maxWait: { batch: 'x' }, shedding: { holdMs: 0 } },
    });
    expect(problems.map(({ path }) => path).sort()).toEqual([
      'limits[0].lease',
      'limits[0].limit',
      'limits[1].name',
      'queue.concurrency',
      'queue.maxDepthEach',
      'queue.maxWait.batch',
      'queue.shedding.holdMs',
      'queue.weights',
      'queue.weights.t',
    ]);
  });
});

describe('a concurrency limit', () => {
  const problemsOfLimit = (fields: object) =>
    problemsOf({ limits: [{ kind: 'concurrency', name: 'c', limit: 5, ...fields }] });

  it.each<[string, unknown, string, object]>([
    ...[0, -1, 1.5, '5', Number.NaN, null, {}, true].map((limit): [string, unknown, string, object] => [
      'limit',
      limit,
      'a whole number from 1',
      { limit },
    ]),
    ['limit', undefined, 'a whole number from 1', { limit: undefined }],
    ['limit.free', 0, 'a whole number from 1', { limit: { free: 0, pro: 5 } }],
    ['limit.min', 0, 'a whole number from 1', { limit: { min: 0, max: 5 } }],
    ['limit.max', 2, 'a whole number from 3', { limit: { min: 3, max: 2 } }],
    ['limit.initial', 2, 'a whole number from 3 to 5', { limit: { min: 3, max: 5, initial: 2 } }],
    ['lease', '1ms', 'from 1s to 1d', { lease: '1ms' }],
    ['lease', '2d', 'from 1s to 1d', { lease: '2d' }],
    ['mode', 'off', "'enforce' or 'shadow'", { mode: 'off' }],
    ['onStoreError', 'ajar', "'local' or 'closed' or 'open'", { onStoreError: 'ajar' }],
    ['whenFull', 'queue', "'refuse' or 'wait'", { whenFull: 'queue' }],
    ['unit', 'a value that is not shown', 'no such field', { unit: 'slots' }],
    ['window', 'a value that is not shown', 'no such field', { window: '1m' }],
  ])('with a wrong %s, %p, is told of with what would be right', (field, value, expected, fields) => {
    expect(problemsOfLimit(fields)).toEqual([
      { path: `limits[0].${field}`, value, expected: expect.stringContaining(expected) },
    ]);
  });

  it('whose function gives no number of slots fails the request', async () => {
    const { gate } = gateOf([concurrency({ name: 'c', limit: () => 0.5 })]);
    await expect(gate.admit({ permits: 1 })).rejects.toMatchObject({ code: 'TOLLGATE_LIMIT_INVALID' });
  });
});

describe('a change', () => {
  const limits = [concurrency({ name: 'fixed', limit: 5 }), concurrency({ name: 'bounds', limit: { min: 1, max: 5 } })];
  const queue = { concurrency: 5, maxDepth: 10, fairBy: 'tenant' } as const;

  /** The problems of a change to a gate with such limits and, unless another is given, such a queue. */
  function refusedWith(change: unknown, config: Omit<TollgateConfig, 'limits' | 'clock'> = { queue }) {
    const { gate } = gateOf(limits, config);
    return thrownBy(() => gate.update(change as Parameters<typeof gate.update>[0])).problems;
  }

  it('of slots, depth, waits and weights is made, and the rest stays', async () => {
    const { gate, used } = gateOf(limits, { queue });
    gate.update({
      limits: { fixed: { limit: { free: 2, default: 3 } }, bounds: { onStoreError: 'open' } },
      queue: { concurrency: 9, maxDepth: 20, maxDepthEach: 5, maxWait: '1m', weights: { t1: 5 } },
    });
    const { limits: states } = await gate.inspect({ plan: 'free' });
    expect(states.map(({ layer, limit }) => [layer, limit])).toEqual([
      ['fixed', 2],
      ['bounds', 1],
      ['concurrency', 9],
    ]);
    gate.update({ queue: { maxDepth: 30 } });
    expect(Object.keys(await used())).toEqual(['fixed', 'bounds', 'concurrency']);
    expect((await gate.inspect({})).limits.map(({ limit }) => limit)).toEqual([3, 1, 9]);
  });

  it.each<[string, unknown, string, unknown, string]>([
    ['an adaptive limit', { limits: { bounds: { limit: 5 } } }, 'limits.bounds.limit', 5, 'make a new gate'],
    [
      'the bounds',
      { limits: { bounds: { limit: { min: 2, max: 9 } } } },
      'limits.bounds.limit',
      { min: 2, max: 9 },
      'make a new gate',
    ],
    [
      'a fixed limit to bounds',
      { limits: { fixed: { limit: { min: 2, max: 9 } } } },
      'limits.fixed.limit',
      { min: 2, max: 9 },
      'make a new gate',
    ],
    [
      'a lease',
      { limits: { fixed: { lease: '1m' } } },
      'limits.fixed.lease',
      'a value that is not shown',
      'only limit, mode, onStoreError',
    ],
    [
      'whenFull',
      { limits: { fixed: { whenFull: 'refuse' } } },
      'limits.fixed.whenFull',
      'a value that is not shown',
      'only limit, mode, onStoreError',
    ],
    [
      'the queue to bounds',
      { queue: { concurrency: { min: 1, max: 5 } } },
      'queue.concurrency',
      { min: 1, max: 5 },
      'make a new gate',
    ],
    ['a wrong depth', { queue: { maxDepth: 0 } }, 'queue.maxDepth', 0, 'a whole number from 1'],
    ...['ageing', 'fairBy', 'shedding', 'lease'].map((field): [string, unknown, string, unknown, string] => [
      field,
      { queue: { [field]: '5m' } },
      `queue.${field}`,
      'a value that is not shown',
      'only concurrency, maxDepth, maxDepthEach, maxWait, weights to change; for anything else make a new gate',
    ]),
    ['a queue that is none', { queue: 5 }, 'queue', 5, 'an object with some of concurrency'],
  ])('of %s is refused', (_, change, path, value, expected) => {
    expect(refusedWith(change)).toEqual([{ path, value, expected: expect.stringContaining(expected) }]);
  });

  it.each<[string, TollgateConfig['queue'], string]>([
    ['from bounds', { concurrency: { min: 1, max: 5 } }, 'make a new gate'],
    ['from none', {}, 'there is none yet'],
  ])("of the queue's slots %s is refused", (_, queue = {}, expected) => {
    expect(refusedWith({ queue: { concurrency: 5 } }, { queue })).toEqual([
      { path: 'queue.concurrency', value: 5, expected: expect.stringContaining(expected) },
    ]);
  });

  it('of a queue that there is not is refused', () => {
    expect(refusedWith({ queue: { maxDepth: 5 } }, {})).toEqual([
      { path: 'queue', value: { maxDepth: 5 }, expected: expect.stringContaining('no queue') },
    ]);
  });
});
