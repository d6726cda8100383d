/** Gates in several processes that share a store: what one is told, all know; what is to be told once, is. */
import { budget, memoryStore, slidingWindow, type TollgateChange, type TollgateConfig } from '@tollgate/core';
import fc from 'fast-check';
import { type HubState, sharedHub } from '../helpers/shared-hub.js';
import { flush, gateOf, MINUTE, SECOND, START, warnings } from './support.js';

const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })];
const options = {
  name: 'api',
  budgets: [budget({ name: 'spend', by: ['user', 'feature'], limit: '$1', per: 'day', alertAt: [0.5, 1] })],
  prices: { m: { input: '$1/M', output: '$1/M' } },
  alerts: { log: false },
} satisfies Partial<TollgateConfig>;

afterEach(() => {
  jest.restoreAllMocks();
});

/** Makes gates that tell each other, each with meters of its own: what they tell is all that they share. */
function setUp() {
  const state: HubState = {};
  const time = { now: START };
  const hub = sharedHub(state, () => time.now);
  const memory = () => ({ ...memoryStore(), shared: hub.join() });
  const open = (more: Partial<TollgateConfig> = {}) =>
    gateOf(limits, { ...options, ...more, store: memory() } as never);
  return { state, time, hub, open };
}

const ann = { subject: { user: 'ann' } };
const spending = (inputTokens: number) => ({
  ...ann,
  permits: 1,
  model: 'm',
  estimate: { inputTokens, outputTokens: 0 },
});

async function limitOf({ gate }: ReturnType<typeof gateOf>, user: string | undefined = 'ann') {
  const { budgets } = await gate.inspect({ user } as never, { feature: 'chat' });
  return budgets[0].limit;
}

/** What a gate tells of changes to it. */
function changesTo({ gate }: ReturnType<typeof gateOf>): TollgateChange[] {
  const heard: TollgateChange[] = [];
  gate.on('updated', ({ change }) => heard.push(change));
  return heard;
}

async function windowOf({ gate }: ReturnType<typeof gateOf>): Promise<number> {
  return (await gate.inspect({ user: 'ann' })).limits[0].limit;
}

describe('a change', () => {
  test('of limits holds in all of them, and each tells of it', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    const heard: unknown[] = [];
    other.gate.on('updated', (event) => heard.push(event));
    const change = { limits: { user: { limit: 2 } }, tiers: { small: 2 } };
    one.gate.update(change);
    expect(await other.refusal({ ...ann, permits: 3 })).toMatchObject({ status: 422 });
    await one.refusal({ ...ann, permits: 3 });
    expect(heard).toEqual([{ gate: 'api', change }]);
  });

  class Prices {
    costOf() {
      return 7;
    }
  }
  test.each<[string, () => TollgateChange, string]>([
    [
      'by a function',
      () => ({ limits: { user: { limit: () => 2 } }, tiers: { small: 5 } }),
      'change.limits.user.limit',
    ],
    ['to a price table', () => ({ prices: { costOf: () => 7 } }), 'change.prices.costOf'],
    ["to a price table of somebody's class", () => ({ prices: new Prices() }), 'change.prices'],
  ])('%s is one of this process alone, with one warning', async (_, change, what) => {
    const heard = warnings();
    const { open } = setUp();
    const [one, other] = [open(), open()];
    const changes = changesTo(other);
    for (let i = 0; i < 2; i++) one.gate.update(change());
    await flush();
    expect(changes).toEqual([]);
    expect(heard).toEqual([
      { code: 'TOLLGATE_NOT_SHARED', message: expect.stringMatching(/'api'.*this process alone/) },
    ]);
    expect(heard[0].message).toContain(`what ${what} is`);
  });

  test('by a function holds where it was made', async () => {
    warnings();
    const { open } = setUp();
    const [one, other] = [open(), open()];
    one.gate.update({ limits: { user: { limit: () => 2 } } });
    await one.refusal({ ...ann, permits: 3 });
    await other.admission({ ...ann, permits: 3 });
  });

  test('to no limit at all is told as that', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    one.gate.update({ limits: { user: { limit: { free: Number.POSITIVE_INFINITY, default: 3 } } } });
    const ask = (plan: string) => other.gate.admit({ subject: { user: 'ann', plan }, permits: 1000 });
    expect((await ask('free')).admitted).toBe(true);
    expect((await ask('pro')).admitted).toBe(false);
  });

  test('at once with others ends alike in all, and each tells of each once', async () => {
    const { open, state, hub } = setUp();
    const [one, other, third] = [open(), open(), open()];
    const heard = [one, other, third].map(changesTo);
    state.isHeldUp = true;
    one.gate.update({ limits: { user: { limit: 2 } } });
    other.gate.update({ limits: { user: { limit: 4 } } });
    expect([await windowOf(one), await windowOf(other), await windowOf(third)]).toEqual([2, 4, 10]);
    hub.deliver();
    expect([await windowOf(one), await windowOf(other), await windowOf(third)]).toEqual([4, 4, 4]);
    const [to2, to4] = [2, 4].map((limit) => ({ limits: { user: { limit } } }));
    expect(heard).toEqual([
      [to2, to4],
      [to4, to2],
      [to2, to4],
    ]);
  });

  test('that was made since another was holds, whichever is heard first', async () => {
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    state.isHeldUp = true;
    other.gate.update({ limits: { user: { limit: 4 } } });
    one.gate.update({ limits: { user: { limit: 2 } } });
    one.gate.update({ limits: { user: { limit: 3 } } });
    const limitsSeen: Promise<number>[] = [];
    one.gate.on('updated', () => limitsSeen.push(windowOf(one)));
    hub.deliver();
    expect(await Promise.all(limitsSeen)).toEqual([3]);
    expect([await windowOf(one), await windowOf(other)]).toEqual([3, 3]);
  });

  test('that is made on hearing of another comes after it', async () => {
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    state.isHeldUp = true;
    const end = one.gate.on('updated', () => {
      end();
      one.gate.update({ limits: { user: { limit: 3 } } });
    });
    one.gate.update({ limits: { user: { limit: 2 } } });
    hub.deliver();
    expect([await windowOf(one), await windowOf(other)]).toEqual([3, 3]);
  });

  test('that was lost on its way holds here no longer than until one after it is heard', async () => {
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    state.isHeldUp = true;
    one.gate.update({ limits: { user: { limit: 2 } } });
    hub.lose();
    one.gate.update({ tiers: { small: 2 } });
    other.gate.update({ limits: { user: { limit: 4 } } });
    hub.deliver();
    expect([await windowOf(one), await windowOf(other)]).toEqual([4, 4]);
  });

  test('that nobody can be told of holds on after those before it are heard', async () => {
    warnings();
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    state.isHeldUp = true;
    one.gate.update({ limits: { user: { limit: 2 } } });
    one.gate.update({ limits: { user: { limit: () => 3 } } });
    hub.deliver();
    expect((await one.gate.inspect({ user: 'ann' })).limits[0].limit).toBe(3);
    other.gate.update({ limits: { user: { limit: 5 } } });
    hub.deliver();
    expect(await windowOf(one)).toBe(5);
  });

  test('that does not fit one made at once is left out by all', async () => {
    const heard = warnings();
    const { open, state, hub } = setUp();
    const price = { input: '$1/M', output: '$1/M' } as const;
    const onTrial = { ...options.budgets[0], mode: 'shadow' } as const;
    const config = { budgets: [onTrial], ladders: [['m', 'n']], prices: { m: price, n: price } };
    const [one, other] = [open(config), open(config)];
    const changes = [one, other].map(changesTo);
    state.isHeldUp = true;
    one.gate.update({ budgets: { spend: { mode: 'enforce' } } });
    // While a budget enforces, each model of a ladder has to have a price.
    other.gate.update({ prices: { m: { input: '$2/M', output: '$2/M' } } });
    hub.deliver();
    for (const each of [one, other]) {
      const { layers } = await each.gate.explain({ ...spending(100_000), feature: 'chat' });
      expect(layers[1]).toMatchObject({ layer: 'spend', cost: 100_000_000 });
    }
    expect(changes.map(({ length }) => length)).toEqual([1, 2]);
    expect(heard).toEqual(Array(2).fill({ code: 'TOLLGATE_NOT_SHARED', message: expect.stringContaining('ladders') }));
  });

  test("that does not fit is not told of, though this process's own is still to be heard", async () => {
    warnings();
    const { open, state, hub } = setUp();
    const [one, without] = [open(), open({ budgets: [] })];
    const changes = changesTo(without);
    state.isHeldUp = true;
    one.gate.update({ budgets: { spend: { limit: '$5' } } });
    without.gate.update({ tiers: { small: 2 } });
    hub.deliver();
    expect(changes).toEqual([{ tiers: { small: 2 } }]);
  });

  test('whatever is made where, and told when, all end alike', async () => {
    warnings();
    const step = fc.oneof(
      fc.record({ at: fc.nat(2), limit: fc.integer({ min: 1, max: 9 }), layer: fc.constantFrom('limit', 'tier') }),
      fc.constant('deliver' as const),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 20, size: 'max' }), async (steps) => {
        const { open, state, hub } = setUp();
        const gates = [open(), open(), open()];
        const made = gates.map(() => 0);
        const heard = gates.map(changesTo);
        state.isHeldUp = true;
        const last: Record<string, number> = { limit: 10, tier: 1 };
        for (const step of steps) {
          if (step === 'deliver') hub.deliver();
          else {
            const { at, limit, layer } = step;
            made[at]++;
            last[layer] = limit;
            gates[at].gate.update(layer === 'limit' ? { limits: { user: { limit } } } : { tiers: { small: limit } });
          }
        }
        hub.deliver();
        const count = made.reduce((sum, n) => sum + n, 0);
        for (const [i, each] of gates.entries()) {
          expect(heard[i]).toHaveLength(count);
          expect(await windowOf(each)).toBe(last.limit);
          const { layers } = await each.gate.explain({ ...ann, tier: 'small' });
          expect(layers[0]).toMatchObject({ cost: last.tier });
        }
      }),
      { numRuns: 30 },
    );
  });

  test('of another gate is not followed, nor one that does not fit: of that it warns', async () => {
    const heard = warnings();
    const { open } = setUp();
    const [one, elsewhere, without] = [open(), open({ name: 'other' }), open({ budgets: [] })];
    one.gate.update({ limits: { user: { limit: 2 } }, budgets: { spend: { limit: '$5' } } });
    await elsewhere.admission({ ...ann, permits: 3 });
    await without.admission({ ...ann, permits: 3 });
    expect(heard.filter(({ code }) => code !== 'TOLLGATE_DIMENSION_MISSING')).toEqual([
      { code: 'TOLLGATE_NOT_SHARED', message: expect.stringMatching(/'api'.*another process.*budgets\.spend/s) },
    ]);
  });

  test('that can not be told holds here, with a warning', async () => {
    const heard = warnings();
    const { open, state } = setUp();
    const [one, other] = [open(), open()];
    state.error = new Error('connection lost');
    one.gate.update({ limits: { user: { limit: 2 } } });
    await flush();
    await one.refusal({ ...ann, permits: 3 });
    await other.admission({ ...ann, permits: 3 });
    expect(heard.filter(({ code }) => code !== 'TOLLGATE_DIMENSION_MISSING')).toEqual([
      { code: 'TOLLGATE_NOT_SHARED', message: expect.stringMatching(/'api'.*this process alone.*connection lost/) },
    ]);
    state.error = undefined;
    other.gate.update({ limits: { user: { limit: 4 } } });
    expect([await windowOf(one), await windowOf(other)]).toEqual([4, 4]);
  });

  test('that was told though telling failed is followed in its place, and told of once', async () => {
    warnings();
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    const heard = [one, other].map(changesTo);
    Object.assign(state, { isHeldUp: true, isLate: true, error: new Error('too late') });
    one.gate.update({ limits: { user: { limit: 2 } } });
    state.error = undefined;
    other.gate.update({ limits: { user: { limit: 4 } } });
    await flush();
    hub.deliver();
    expect([await windowOf(one), await windowOf(other)]).toEqual([4, 4]);
    expect(heard.map((changes) => changes.length)).toEqual([2, 2]);
  });

  test('is not heard of once the gate is closed', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    const heard: unknown[] = [];
    other.gate.on('updated', (event) => heard.push(event));
    await other.gate.close();
    one.gate.update({ limits: { user: { limit: 2 } } });
    expect(heard).toEqual([]);
  });
});

test('a gate that closes takes nothing from another by the same store', async () => {
  const store = memoryStore();
  const [one, other] = [gateOf(limits, { store }), gateOf(limits, { store, name: 'other' })];
  await other.admission({ ...ann, permits: 4 });
  await one.gate.close();
  expect(await other.used(ann)).toEqual({ user: 4 });
});

describe('room that a budget is given', () => {
  const whom = { user: 'ann', feature: 'chat' };

  test('is there in all of them, also those that begin later, and adds up', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    await one.gate.topUp('spend', whom, '$2');
    await other.gate.topUp('spend', whom, '$0.5');
    for (const each of [one, other, open()]) expect(await limitOf(each)).toBe(3_500_000_000);
    expect(await limitOf(other, 'bob')).toBe(1_000_000_000);
  });

  test('by a reset is as much as was used where it was reset', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    await one.admission({ ...spending(400_000), feature: 'chat' });
    await one.gate.resetBudget('spend', whom);
    expect(await limitOf(other)).toBe(1_400_000_000);
    await other.gate.resetBudget('spend', whom);
    expect(await limitOf(one)).toBe(1_400_000_000);
  });

  test('is told of once, where it was given', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    const heard: string[] = [];
    one.gate.on('budget.credited', () => heard.push('one'));
    other.gate.on('budget.credited', () => heard.push('other'));
    await one.gate.topUp('spend', whom, '$2');
    expect(heard).toEqual(['one']);
  });

  test('that can not be told of is not given', async () => {
    const { open, state } = setUp();
    const one = open();
    state.error = new Error('connection lost');
    await expect(one.gate.topUp('spend', whom, '$2')).rejects.toThrow('connection lost');
    expect(await limitOf(one)).toBe(1_000_000_000);
  });

  test('is there once in all, and here too, where telling of it is confirmed too late', async () => {
    const { open, state } = setUp();
    const [one, other] = [open(), open()];
    Object.assign(state, { isLate: true, error: new Error('too late') });
    await expect(one.gate.topUp('spend', whom, '$2')).rejects.toThrow('too late');
    for (const each of [one, other]) expect(await limitOf(each)).toBe(3_000_000_000);
  });

  test('is there as soon as that is confirmed, and once it is heard not twice', async () => {
    const { open, state, hub } = setUp();
    const [one, other] = [open(), open()];
    state.isHeldUp = true;
    expect(await one.gate.topUp('spend', whom, '$2')).toMatchObject({ limit: 3_000_000_000 });
    expect([await limitOf(one), await limitOf(other)]).toEqual([3_000_000_000, 1_000_000_000]);
    hub.deliver();
    for (const each of [one, other]) expect(await limitOf(each)).toBe(3_000_000_000);
  });

  test('is told to those that begin until its period ends, and to no others', async () => {
    const { open, hub, time } = setUp();
    const first = open();
    first.clock.advance(HOUR);
    await first.gate.topUp('spend', whom, '$2');
    time.now = START + DAY - HOUR - 1;
    expect(await limitOf(open())).toBe(3_000_000_000);
    time.now++;
    const heard: string[] = [];
    hub.join().listen('api', (message) => heard.push(message));
    expect(heard).toEqual([]);
  });

  test('for a day that is over changes nothing of the present one', async () => {
    const { open } = setUp();
    const [ahead, behind] = [open(), open()];
    ahead.clock.advance(DAY);
    await ahead.gate.topUp('spend', whom, '$2');
    await behind.gate.topUp('spend', whom, '$5');
    expect(await limitOf(ahead)).toBe(3_000_000_000);
  });

  test('reaches keys without a value, and gates without such a budget', async () => {
    const { open } = setUp();
    const byUser = { budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'day' })] };
    const [one, other] = [open(byUser), open(byUser)];
    const without = open({ budgets: [] });
    await one.gate.topUp('spend', { user: 'ann' }, '$2');
    expect((await other.gate.inspect(ann.subject)).budgets[0].limit).toBe(3_000_000_000);
    await without.admission(spending(1));
  });
});

describe('an alert', () => {
  /** Who tells of what, in order. */
  function listen(...gates: ReturnType<typeof gateOf>[]): [number, number][] {
    const heard: [number, number][] = [];
    for (const [i, { gate }] of gates.entries()) {
      gate.on('budget.threshold', ({ threshold }) => heard.push([i, threshold]));
    }
    return heard;
  }

  async function spend(gate: ReturnType<typeof gateOf>, feature = 'chat') {
    await gate.admission({ ...spending(600_000), feature });
    await flush();
  }

  test('is given by the one that sees it first', async () => {
    const { open } = setUp();
    const gates = [open(), open()];
    const heard = listen(...gates);
    for (const each of gates) await spend(each);
    expect(heard).toEqual([[0, 0.5]]);
  });

  test('is given by each where they can not agree', async () => {
    const { open, state } = setUp();
    state.error = new Error('connection lost');
    const gates = [open(), open()];
    const heard = listen(...gates);
    for (const each of gates) await spend(each);
    expect(heard).toEqual([
      [0, 0.5],
      [1, 0.5],
    ]);
  });

  test('is one for each gate, budget, key and threshold', async () => {
    const { open } = setUp();
    const more = budget({ name: 'more', by: ['user', 'feature'], limit: '$1', per: 'day', alertAt: [0.5, 0.9] });
    const gates = [open(), open({ name: 'other' }), open({ budgets: [more] })];
    const heard = listen(...gates);
    await spend(gates[0]);
    await spend(gates[1]);
    await spend(gates[2]);
    await spend(gates[1], 'embed');
    await gates[2].admission({ ...spending(350_000), feature: 'chat' });
    await flush();
    expect(heard).toEqual([
      [0, 0.5],
      [1, 0.5],
      [2, 0.5],
      [1, 0.5],
      [2, 0.9],
    ]);
  });

  test('is one for each period, though the last one is not over for all', async () => {
    const { open, time } = setUp();
    const gates = [open(), open()];
    const heard = listen(...gates);
    const at = (ms: number) => {
      time.now = ms;
      for (const { clock } of gates) clock.set(ms);
    };
    await spend(gates[0]);
    at(START + DAY + SECOND);
    await spend(gates[1]);
    expect(heard).toEqual([
      [0, 0.5],
      [1, 0.5],
    ]);
  });

  test('is not repeated by one whose clock is late, for up to a minute', async () => {
    const { open, time } = setUp();
    const gates = [open(), open(), open()];
    const heard = listen(...gates);
    await spend(gates[0]);
    for (const { clock } of gates) clock.set(START + DAY - SECOND);
    time.now = START + DAY + MINUTE - 1;
    await spend(gates[1]);
    expect(heard).toEqual([[0, 0.5]]);
    time.now++;
    await spend(gates[2]);
    expect(heard).toHaveLength(2);
  });
});
