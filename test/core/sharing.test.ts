/** Gates in several processes that share a store: what one is told, all know; what is to be told once, is. */
import { budget, memoryStore, slidingWindow, type TollgateConfig } from '@tollgate/core';
import { sharedHub } from '../helpers/shared-hub.js';
import { flush, gateOf, warnings } from './support.js';

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
  const failure: { error?: Error } = {};
  const hub = sharedHub(failure);
  const memory = () => ({ ...memoryStore(), shared: hub.join() });
  const open = (more: Partial<TollgateConfig> = {}) =>
    gateOf(limits, { ...options, ...more, store: memory() } as never);
  return { failure, open };
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

  test('by a function is one of this process alone', async () => {
    const { open } = setUp();
    const [one, other] = [open(), open()];
    const heard: unknown[] = [];
    other.gate.on('updated', (event) => heard.push(event));
    one.gate.update({ limits: { user: { limit: () => 2 } }, tiers: { small: 5 } });
    expect(heard).toEqual([]);
    await one.refusal({ ...ann, permits: 3 });
    await other.admission({ ...ann, permits: 3 });
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
    const { open, failure } = setUp();
    const [one, other] = [open(), open()];
    failure.error = new Error('connection lost');
    one.gate.update({ limits: { user: { limit: 2 } } });
    await flush();
    await one.refusal({ ...ann, permits: 3 });
    await other.admission({ ...ann, permits: 3 });
    expect(heard.filter(({ code }) => code !== 'TOLLGATE_DIMENSION_MISSING')).toEqual([
      { code: 'TOLLGATE_NOT_SHARED', message: expect.stringMatching(/'api'.*this process alone.*connection lost/) },
    ]);
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
    const { open, failure } = setUp();
    const one = open();
    failure.error = new Error('connection lost');
    await expect(one.gate.topUp('spend', whom, '$2')).rejects.toThrow('connection lost');
    expect(await limitOf(one)).toBe(1_000_000_000);
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
  async function spendTwice(store: { error?: Error }, { open }: ReturnType<typeof setUp>) {
    const heard: unknown[] = [];
    const gates = [open(), open()];
    for (const [i, { gate }] of gates.entries()) {
      gate.on('budget.threshold', ({ threshold }) => heard.push([i, threshold]));
    }
    if (store.error === undefined) await gates[1].admission({ ...spending(100_000), feature: 'embed' });
    for (const { admission } of gates) await admission({ ...spending(600_000), feature: 'chat' });
    await flush();
    return heard;
  }

  test('is given by the one that sees it first', async () => {
    const site = setUp();
    expect(await spendTwice(site.failure, site)).toEqual([[0, 0.5]]);
  });

  test('is given by each where they can not agree', async () => {
    const site = setUp();
    site.failure.error = new Error('connection lost');
    expect(await spendTwice(site.failure, site)).toEqual([
      [0, 0.5],
      [1, 0.5],
    ]);
  });
});
