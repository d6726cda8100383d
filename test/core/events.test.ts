import { type Limit, memoryStore, type Store, slidingWindow, type TollgateEvents } from '@tollgate/core';
import { gateOf, warnings } from './support.js';

const limits: readonly Limit[] = [
  slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m', onStoreError: 'closed' }),
];
const request = { subject: { user: 'u' }, permits: 4, model: 'm', priority: 'batch' as const };
const cost = { requests: 1, permits: 4, inputTokens: 0, outputTokens: 0, usd: 0, worstUsd: 0 };

afterEach(() => {
  jest.restoreAllMocks();
});

/** A gate named `api`, and what it has said, in order, but for what it was asked. */
function listening(more: Parameters<typeof gateOf>[1] = {}, layers = limits) {
  const { gate, ...rest } = gateOf(layers, { name: 'api', ...more });
  const heard: [event: string, payload: unknown][] = [];
  const names: Record<Exclude<keyof TollgateEvents, 'asked'>, true> = {
    admitted: true,
    refused: true,
    'key.refused': true,
    'shadow.refused': true,
    degraded: true,
    'budget.threshold': true,
    'budget.credited': true,
    settled: true,
    updated: true,
    'store.failed': true,
    'store.down': true,
    'store.recovered': true,
    queued: true,
    withdrawn: true,
    'shed.level': true,
  };
  for (const name of Object.keys(names) as (keyof TollgateEvents)[]) {
    gate.on(name, (payload) => heard.push([name, payload]));
  }
  return { gate, heard, ...rest };
}

describe('each event tells its whole story', () => {
  test('admitted and settled', async () => {
    const { heard, admission } = listening();
    const open = await admission(request);
    const { id } = open;
    expect(heard).toEqual([['admitted', { gate: 'api', id, request, model: 'm', cost, extended: false, waitedMs: 0 }]]);
    const usage = { inputTokens: 5 };
    await open.conclude();
    await open.settle({ outcome: 'failed', usage });
    await open.settle();
    const settled = { gate: 'api', id, request, model: 'm', cost, usd: undefined, overloaded: undefined };
    expect(heard.slice(1)).toEqual([
      ['settled', { ...settled, outcome: 'succeeded', usage: undefined, actual: cost, provisional: true }],
      ['settled', { ...settled, outcome: 'failed', usage, actual: { ...cost, ...usage }, provisional: false }],
    ]);
  });

  test('admitted again, with the whole cost, where it is extended', async () => {
    const { heard, admission } = listening();
    const open = await admission({ ...request, estimate: { inputTokens: 3 } });
    await open.extend({ inputTokens: 4, outputTokens: 5 });
    expect(heard[1]).toEqual([
      'admitted',
      expect.objectContaining({
        id: open.id,
        cost: { ...cost, inputTokens: 7, outputTokens: 5 },
        extended: true,
        waitedMs: 0,
      }),
    ]);
  });

  test('refused, with the refusal that the caller gets', async () => {
    const { heard, admission, refusal } = listening();
    await admission({ ...request, permits: 10 });
    const refused = await refusal(request);
    expect(heard.slice(1)).toEqual([['refused', { gate: 'api', id: refused.id, request, refusal: refused }]]);
  });

  test('shadow.refused, with the id of the admission and how the layer stands', async () => {
    const shadow = slidingWindow({ name: 'new', by: 'user', limit: 3, window: '1m', mode: 'shadow' });
    const { heard, admission } = listening({}, [...limits, shadow]);
    const { id } = await admission(request);
    expect(heard).toEqual([
      [
        'shadow.refused',
        { gate: 'api', id, request, layer: expect.objectContaining({ layer: 'new', cost: 4, used: 0, limit: 3 }) },
      ],
      ['admitted', { gate: 'api', id, request, model: 'm', cost, extended: false, waitedMs: 0 }],
    ]);
  });

  test('updated, with the change', async () => {
    const { heard, gate } = listening();
    const change = { limits: { user: { limit: 5 } } };
    gate.update(change);
    expect(heard).toEqual([['updated', { gate: 'api', change }]]);
  });

  test('an admission that is changed is told of again, under its id', async () => {
    const { heard, gate, admission } = listening();
    const open = await admission(request);
    const larger = { ...request, permits: 6 };
    await gate.admit(larger, { extending: open });
    expect(heard[1]).toEqual([
      'admitted',
      {
        gate: 'api',
        id: open.id,
        request: larger,
        model: 'm',
        cost: { ...cost, permits: 6 },
        extended: true,
        waitedMs: 0,
      },
    ]);
    const tooLarge = { ...request, permits: 20 };
    await gate.admit(tooLarge, { extending: open });
    expect(heard.slice(2)).toEqual([
      ['settled', expect.objectContaining({ id: open.id, outcome: 'ignored', provisional: false })],
      ['refused', { gate: 'api', id: open.id, request: tooLarge, refusal: expect.objectContaining({ id: open.id }) }],
    ]);
  });

  test('nothing is said of what rejects', async () => {
    const { heard, gate, admission } = listening();
    await expect(gate.admit({ tier: 'x' })).rejects.toThrow();
    const open = await admission(request);
    await expect(open.settle({ usage: { inputTokens: -1 } })).rejects.toThrow();
    expect(heard.map(([event]) => event)).toEqual(['admitted']);
  });
});

describe('where the store fails', () => {
  const error = new Error('connection lost');
  const down = (how: 'throws' | 'rejects'): Store => {
    const fail = () => {
      if (how === 'throws') throw error;
      return Promise.reject(error);
    };
    return { ...memoryStore(), take: fail, peek: fail };
  };

  test.each(['throws', 'rejects'] as const)('by what it %s, a closed limit refuses and it is told of', async (how) => {
    const heard = warnings();
    const { heard: events, refusal } = listening({ store: down(how) });
    const refused = await refusal(request);
    expect(refused).toMatchObject({ reason: 'store-down', status: 503, layer: undefined, violated: [], layers: [] });
    expect(refused.detail).toBe("Limits can't be checked at the moment. Try again in 5 seconds.");
    expect(events).toEqual([
      ['store.failed', { gate: 'api', error }],
      ['refused', { gate: 'api', id: refused.id, request, refusal: refused }],
    ]);
    expect(heard).toEqual([]);
  });

  test.each(['throws', 'rejects'] as const)('by what it %s, open limits let pass, uncounted', async (how) => {
    const open = slidingWindow({ name: 'w', limit: 1, window: '1m', onStoreError: 'open' });
    const shadow = slidingWindow({ name: 's', limit: 1, window: '1m', mode: 'shadow' });
    const { heard, admission } = listening({ store: down(how) }, [open, shadow]);
    const admitted = await admission(request);
    expect(await admitted.layers()).toEqual([]);
    await admitted.settle({ outcome: 'ignored' });
    expect(heard.map(([event]) => event)).toEqual(['store.failed', 'admitted', 'store.failed', 'settled']);
  });

  test('one closed limit among open ones refuses', async () => {
    const open = slidingWindow({ name: 'w', limit: 1, window: '1m', onStoreError: 'open' });
    const { refusal } = listening({ store: down('rejects') }, [open, ...limits]);
    expect((await refusal(request)).reason).toBe('store-down');
  });

  test('that nobody listens for, it is a warning', async () => {
    const heard = warnings();
    const { refusal } = gateOf(limits, { name: 'api', store: down('rejects') });
    await refusal(request);
    expect(heard).toEqual([
      { code: 'TOLLGATE_STORE_FAILED', message: expect.stringMatching(/'api'.*connection lost/) },
    ]);
  });
});

describe('listeners', () => {
  test('are called in the order they came, until they are ended', async () => {
    const { gate, admission } = gateOf(limits);
    const heard: string[] = [];
    const end = gate.on('admitted', () => heard.push('first'));
    gate.on('admitted', () => heard.push('second'));
    await admission(request);
    end();
    await admission(request);
    expect(heard).toEqual(['first', 'second', 'second']);
  });

  test('ending one twice ends no other', async () => {
    const { gate, admission } = gateOf(limits);
    const listener = jest.fn();
    const end = gate.on('admitted', listener);
    gate.on('admitted', listener);
    end();
    end();
    await admission(request);
    expect(listener).toHaveBeenCalledTimes(1);
  });

  test('one that is added twice hears twice, and ends once for each', async () => {
    const { gate, admission } = gateOf(limits);
    const listener = jest.fn();
    const ends = [gate.on('admitted', listener), gate.on('admitted', listener)];
    await admission(request);
    expect(listener).toHaveBeenCalledTimes(2);
    for (const end of ends) end();
    await admission(request);
    expect(listener).toHaveBeenCalledTimes(2);
  });

  test('one may end itself while it is called, and another is still heard', async () => {
    const { gate, admission } = gateOf(limits);
    const other = jest.fn();
    const once = jest.fn();
    const end = gate.on('admitted', () => {
      once();
      end();
    });
    gate.on('admitted', other);
    await admission({ ...request, permits: 1 });
    await admission({ ...request, permits: 1 });
    expect(once).toHaveBeenCalledTimes(1);
    expect(other).toHaveBeenCalledTimes(2);
  });

  test.each<[string, unknown]>([
    ['an error', new Error('bug')],
    ['nothing', undefined],
    ['null', null],
    [
      'what resists being shown',
      {
        get [Symbol.toStringTag]() {
          throw new Error('no');
        },
      },
    ],
  ])('one that throws %s is warned of; the request and the other listeners go on', async (_, thrown) => {
    const heard = warnings();
    const { gate, admission, refusal, used } = gateOf(limits);
    const other = jest.fn();
    for (const event of ['admitted', 'settled', 'refused', 'updated'] as const) {
      gate.on(event, () => {
        throw thrown;
      });
      gate.on(event, other);
    }
    const open = await admission(request);
    await open.settle();
    await refusal({ ...request, permits: 7 });
    gate.update({ tiers: { small: 2 } });
    expect(heard.map(({ code }) => code)).toEqual(Array(4).fill('TOLLGATE_LISTENER_FAILED'));
    expect(heard.map(({ message }) => /'([a-z.]+)'/.exec(message)?.[1])).toEqual([
      'admitted',
      'settled',
      'refused',
      'updated',
    ]);
    expect(other).toHaveBeenCalledTimes(4);
    expect(await used(request)).toEqual({ user: 4 });
  });

  test.each<[string, () => unknown]>([
    ['a promise', () => Promise.reject(new Error('bug'))],
    [
      'a promise of another make',
      // biome-ignore lint/suspicious/noThenProperty: as promises of other makes are
      () => ({ then: (_: unknown, reject: (error: unknown) => void) => reject(new Error('bug')) }),
    ],
    [
      'one that fails when asked',
      () => ({
        // biome-ignore lint/suspicious/noThenProperty: as promises of other makes are
        then() {
          throw new Error('bug');
        },
      }),
    ],
  ])('one that gives %s that is not kept is warned of', async (_, listener) => {
    const heard = warnings();
    const { gate, admission } = gateOf(limits);
    gate.on('admitted', listener);
    await admission(request);
    expect(heard).toEqual([
      { code: 'TOLLGATE_LISTENER_FAILED', message: "A listener of 'admitted' failed: Error: bug" },
    ]);
  });

  test('of one gate hear nothing of another', async () => {
    const listener = jest.fn();
    gateOf(limits).gate.on('admitted', listener);
    await gateOf(limits).admission(request);
    expect(listener).not.toHaveBeenCalled();
  });
});

test.each([
  ['refuse', () => {}, "'refused'"],
  ['toString', () => {}, "'refused'"],
  ['refused', undefined, 'a function'],
])('listening for %p by %p is an error at once', (event, listener, expected) => {
  const { gate } = gateOf(limits);
  expect(() => gate.on(event as 'refused', listener as () => void)).toThrow(expected);
});
