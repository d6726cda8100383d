/** What has no price, a wrong one, or another one by now. */
import { type AdmitRequest, budget, type Outcome, type PriceTable, type TollgateConfig } from '@tollgate/core';
import { gateOf, START } from './support.js';

const DAY = 86_400_000;
const A_NANO_DOLLAR = { input: '$0.001/M', output: '$0.001/M' } as const;
const USER = { subject: { user: 'u' } };
const REQUEST: AdmitRequest = { ...USER, permits: 1, model: 'm', estimate: { inputTokens: 100 } };
const USED = { usage: { inputTokens: 40, outputTokens: 2 } };

function priced(prices: TollgateConfig['prices'], more: Partial<TollgateConfig> = {}) {
  const budgets = [budget({ name: 'user', by: 'user', limit: '$1', per: 'day' })];
  const made = gateOf([], { budgets, ...(prices && { prices }), alerts: { log: false }, ...more });
  return { ...made, spent: async () => (await made.gate.inspect(USER.subject)).budgets[0].used };
}

/** A table that says this. */
const saying = (say: (model: string | undefined) => unknown): PriceTable => ({
  costOf: (model) => say(model) as number,
});

describe('a model without a price', () => {
  const unknown = [
    ['gpt-9', "'gpt-9'"],
    ['__proto__', "'__proto__'"],
    ['constructor', "'constructor'"],
    [undefined, 'undefined'],
  ] as const;

  test.each(unknown)('%p is an error that names it, and charges nothing', async (model, shown) => {
    const { gate, spent } = priced({ m: A_NANO_DOLLAR });
    await expect(gate.admit({ ...REQUEST, model })).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_MODEL',
      message: expect.stringContaining(`model: got ${shown}; expected one that has a price`),
    });
    await expect(gate.explain({ ...REQUEST, model })).rejects.toMatchObject({ code: 'TOLLGATE_UNKNOWN_MODEL' });
    expect(await spent()).toBe(0);
  });

  test('is no fault of its own where there are no prices at all', async () => {
    await expect(priced(undefined).gate.admit(REQUEST)).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_MODEL',
      message: "prices: got undefined; expected a price for 'm', or a 'default', since budgets count what it costs.",
    });
  });

  test.each(unknown)('%p has that of `default`', async (model) => {
    const { admission, spent } = priced({ m: A_NANO_DOLLAR, default: { input: '$0.002/M', output: '$0.002/M' } });
    await (await admission({ ...REQUEST, model })).settle(USED);
    expect(await spent()).toBe(84);
  });

  test('that did serve is an error when settling; the admission stays open and charged, and can be settled rightly', async () => {
    const { gate, admission, spent } = priced({ m: A_NANO_DOLLAR });
    const events: unknown[] = [];
    gate.on('settled', (event) => events.push(event));
    const open = await admission(REQUEST);
    const wrong = { model: 'gpt-9', ...USED };
    await expect(open.settle(wrong)).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_MODEL',
      message: expect.stringContaining("'gpt-9'"),
    });
    expect(() => open.conclude(wrong)).toThrow(/gpt-9/);
    expect(await spent()).toBe(100);
    expect(events).toEqual([]);
    expect(await open.extend({ inputTokens: 5 })).toMatchObject({ admitted: true });
    await open.settle({ ...wrong, usd: '$0.000000126' });
    expect(await spent()).toBe(126);
    expect(events).toHaveLength(1);
  });

  test('in the ladder of one that has one is an error, not a way to be free', async () => {
    let listed = true;
    const table = saying((model) => (model === 'm' ? 100 : listed ? 1 : undefined));
    const { gate, spent } = priced(table, { ladders: [['m', 'unlisted']] });
    listed = false;
    await expect(gate.admit(REQUEST)).rejects.toMatchObject({ code: 'TOLLGATE_UNKNOWN_MODEL' });
    expect(await gate.admit({ ...REQUEST, degrade: false })).toMatchObject({ admitted: true });
    expect(await spent()).toBe(100);
  });

  test('is none where no dollars are counted, or none are asked for', async () => {
    const { gate } = gateOf([]);
    expect(await gate.admit({ ...REQUEST, model: 'gpt-9' })).toMatchObject({ admitted: true });
    const { admission, spent } = priced(undefined);
    await (await admission({ ...USER, permits: 3 })).settle({ usage: { inputTokens: 0 } });
    expect(await spent()).toBe(0);
  });
});

describe.each<[string, (model: string | undefined) => unknown, RegExp]>([
  ['NaN', () => Number.NaN, /prices\.costOf\('m', …\): got NaN; expected nano-dollars, a finite number/],
  ['Infinity', () => Number.POSITIVE_INFINITY, /prices\.costOf\('m', …\): got Infinity/],
  ['less than nothing', () => -1, /got -1/],
  ['too much to count', () => 2 ** 53, /got 9007199254740992/],
  ['a string', () => '5', /got '5'/],
  ['null', () => null, /got null/],
  ['a promise', () => Promise.resolve(5), /got an object/],
  [
    'an error',
    () => {
      throw new Error('the table is broken');
    },
    /the table is broken/,
  ],
])('a price table that says %s', (_, say, message) => {
  test('is an error at admission, which charges nothing', async () => {
    const { gate, spent } = priced(saying(say));
    await expect(gate.admit(REQUEST)).rejects.toThrow(message);
    await expect(gate.explain(REQUEST)).rejects.toThrow(message);
    expect(await spent()).toBe(0);
  });

  test('is an error when extending and settling, which changes nothing', async () => {
    let isBroken = false;
    const { admission, spent } = priced(saying((model) => (isBroken ? say(model) : 7)));
    const open = await admission(REQUEST);
    isBroken = true;
    await expect(open.extend({ inputTokens: 5 })).rejects.toThrow(message);
    await expect(open.settle(USED)).rejects.toThrow(message);
    expect(() => open.conclude(USED)).toThrow(message);
    expect(await spent()).toBe(7);
    await open.settle({ usd: '$0.000000003', ...USED });
    expect(await spent()).toBe(3);
  });
});

test('a fraction of a nano-dollar is charged as one', async () => {
  const { admission, spent } = priced(saying(() => 6.000001));
  await admission(REQUEST);
  expect(await spent()).toBe(7);
});

describe('a price that changes between admission and settling', () => {
  const from = new Date(START + DAY).toISOString();
  const dear = { input: '$0.010/M', output: '$0.010/M' } as const;

  test.each<[string, Outcome, number]>([
    ['what is settled after the change has the price of the admission', USED, 42],
    ['so has another model that did serve', { model: 'other', ...USED }, 84],
    ['so has what is given back', { outcome: 'ignored' }, 0],
  ])('%s', async (_, outcome, expected) => {
    const { clock, gate, admission } = priced({
      m: [A_NANO_DOLLAR, { ...dear, from }],
      other: [
        { input: '$0.002/M', output: '$0.002/M' },
        { ...dear, from },
      ],
    });
    const monthly: unknown[] = [];
    gate.on('settled', ({ actual }) => monthly.push(actual?.usd ?? 0));
    clock.set(START + DAY - 1);
    const open = await admission(REQUEST);
    clock.advance(1);
    await open.settle(outcome);
    expect(monthly).toEqual([expected]);
  });

  test('what is admitted after the change has the new one', async () => {
    const { clock, admission, spent } = priced({ m: [A_NANO_DOLLAR, { ...dear, from }] });
    clock.set(START + DAY);
    const open = await admission(REQUEST);
    expect(await spent()).toBe(1000);
    await open.settle(USED);
    expect(await spent()).toBe(420);
  });
});

describe('dollars that are given', () => {
  test('hold in place of the price of tokens', async () => {
    const { admission, spent } = priced({ m: A_NANO_DOLLAR });
    const open = await admission({ ...REQUEST, usd: '$0.25' });
    expect(open.estimate).toEqual({ inputTokens: 100, outputTokens: 0, usd: 250_000_000 });
    expect(await spent()).toBe(250_000_000);
    await open.settle({ ...USED, usd: '$0.000000001' });
    expect(await spent()).toBe(1);
  });

  test('need no model, and no price', async () => {
    const { admission, spent } = priced(undefined);
    await (await admission({ ...USER, permits: 0, usd: '$0.3' })).settle({ usd: '$2.5' });
    expect(await spent()).toBe(2_500_000_000);
  });

  test('without them at the end, what was charged stands or is priced by tokens', async () => {
    const { admission, spent } = priced({ m: A_NANO_DOLLAR });
    await (await admission({ ...REQUEST, usd: '$0.25' })).settle();
    expect(await spent()).toBe(250_000_000);
    await (await admission({ ...REQUEST, usd: '$0.25' })).settle(USED);
    expect(await spent()).toBe(250_000_042);
  });
});

describe('what is no amount', () => {
  const WRONG: [unknown, string][] = [
    ...(['5', '$-1', '$1e3', '$0.0000000001', '$9007200', '', '$', '$NaN'] as const).map((text): [string, string] => [
      text,
      `'${text}'`,
    ]),
    [5, '5'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [{}, 'an object'],
    [['$5'], 'a list'],
  ];

  test.each(WRONG)('%p, in dollars', async (usd, shown) => {
    const { gate, admission, spent } = priced({ m: A_NANO_DOLLAR });
    await expect(gate.admit({ ...REQUEST, usd: usd as '$5' })).rejects.toMatchObject({
      code: 'TOLLGATE_REQUEST_INVALID',
      message: `usd: got ${shown}; expected an amount such as '$5' or '$0.000125'.`,
    });
    expect(await spent()).toBe(0);
    const open = await admission(REQUEST);
    await expect(open.settle({ usd: usd as '$5' })).rejects.toMatchObject({
      code: 'TOLLGATE_USAGE_INVALID',
      message: `outcome.usd: got ${shown}; expected an amount such as '$5' or '$0.000125'.`,
    });
    expect(await spent()).toBe(100);
    await open.settle(USED);
    expect(await spent()).toBe(42);
  });

  test.each<[unknown, string]>([
    [{ inputTokens: Number.NaN }, 'inputTokens: got NaN'],
    [{ outputTokens: Number.POSITIVE_INFINITY }, 'outputTokens: got Infinity'],
    [{ inputTokens: -1 }, 'inputTokens: got -1'],
    [{ outputTokens: 2 ** 53 }, 'outputTokens: got 9007199254740992'],
    [{ inputTokens: '5' }, "inputTokens: got '5'"],
    [{ input_tokens: 5 }, 'input_tokens: got 5'],
    [JSON.parse('{"__proto__": 5}'), '__proto__: got 5'],
    [{ inputTokens: 5, cachedInputTokens: 6 }, 'inputTokens: got 5; expected at least 6'],
    [{ outputTokens: 5, reasoningTokens: 6 }, 'outputTokens: got 5; expected at least 6'],
  ])('%p, in tokens', async (counts, message) => {
    const { gate, admission, spent } = priced({ m: A_NANO_DOLLAR });
    const given = counts as { inputTokens: number };
    await expect(gate.admit({ ...REQUEST, estimate: given })).rejects.toThrow(`estimate.${message}`);
    expect(await spent()).toBe(0);
    const open = await admission(REQUEST);
    await expect(open.extend(given)).rejects.toThrow(`estimate.${message}`);
    await expect(open.settle({ usage: given })).rejects.toThrow(`outcome.usage.${message}`);
    expect(await spent()).toBe(100);
  });

  test.each([[5], ['5'], [null], [[5]]])('%p, for an extension', async (estimate) => {
    const { admission, spent } = priced({ m: A_NANO_DOLLAR });
    const open = await admission(REQUEST);
    await expect(open.extend(estimate as never)).rejects.toMatchObject({ code: 'TOLLGATE_REQUEST_INVALID' });
    expect(await spent()).toBe(100);
  });
});

test('an extension whose input is left out has none, also where some was learned', async () => {
  const { admission } = priced({ m: A_NANO_DOLLAR });
  for (let i = 0; i < 20; i++) await (await admission(REQUEST)).settle(USED);
  const open = await admission(REQUEST);
  await open.extend({ inputTokens: undefined, outputTokens: 5 });
  expect(open.estimate).toMatchObject({ inputTokens: 100, usd: 107 });
});
