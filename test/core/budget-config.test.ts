import { inspect } from 'node:util';
import { budget, createTollgate, slidingWindow, type TollgateConfig } from '@tollgate/core';
import { gateOf, thrownBy, warnings } from './support.js';

/** Wrong on purpose: what a caller without types might pass. */
const make = (config: unknown) => createTollgate(config as TollgateConfig);
const errorOf = (config: unknown) => thrownBy(() => make(config));
const problemsOf = (config: unknown) => errorOf(config).problems;
const pathsOf = (config: unknown) => problemsOf(config).map(({ path }) => path);

const BUDGET = { kind: 'budget', name: 'b', limit: '$5', per: 'day' };
const WINDOW = { kind: 'slidingWindow', name: 'w', limit: 10, window: '1m' };
const PRICES = { m: { input: '$1/M', output: '$5/M' } } as const;

const withBudget = (fields: object) => ({ budgets: [{ ...BUDGET, ...fields }] });

const SECRET = 'T0P-S3CR3T';
const URL = `https://hooks.example/services/${SECRET}?key=${SECRET}`;

afterEach(() => {
  jest.restoreAllMocks();
});

test('all mistakes are told of at once, each with its path, the value and what would be right', () => {
  const error = errorOf({
    limits: [{ ...WINDOW, unit: 'usd' }, WINDOW],
    budgets: [
      budget({ name: 'company', limit: '5$' as '$5', per: 'day', alertAt: [0.8, 0.5] }),
      budget({
        name: 'user',
        by: 'user',
        limit: { free: '$1', pro: 5 as never },
        per: 'year' as 'day',
        reserve: 'none' as 'worst',
      }),
      budget({ name: 'w', limit: '$9007200', per: 'month', timeZone: 'Europe/Atlantis', degradeAt: [80] }),
      { ...BUDGET, kind: undefined },
    ],
    ladders: [['opus', 'sonnet'], ['haiku', 'opus'], []],
    prices: { opus: { input: '5/M', output: '$25/M' } },
    alerts: { webhook: 'hooks.example', log: 'stdout' },
    budgetStatus: 403,
  });
  expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
  expect(error.problems).toHaveLength(18);
  expect(error.message).toMatchInlineSnapshot(`
"Tollgate's configuration has 18 problems:
  limits[0].unit: got 'usd'; expected 'permits' or 'requests' or 'tokens' or 'inputTokens' or 'outputTokens'
  budgets[0].limit: got '5$'; expected an amount from '$0' to '$9007199' such as '$500' or '$0.25' (more can't be counted to the nano-dollar); a map of such by plan; or a function of the subject
  budgets[0].alertAt[1]: got 0.5; expected a share above 0 and up to 1, above those before it
  budgets[1].limit.pro: got 5; expected an amount from '$0' to '$9007199' such as '$500' or '$0.25' (more can't be counted to the nano-dollar)
  budgets[1].per: got 'year'; expected 'hour' or 'day' or 'week' or 'month'
  budgets[1].reserve: got 'none'; expected 'likely' or 'worst'
  budgets[2].limit: got '$9007200'; expected an amount from '$0' to '$9007199' such as '$500' or '$0.25' (more can't be counted to the nano-dollar); a map of such by plan; or a function of the subject
  budgets[2].timeZone: got 'Europe/Atlantis'; expected a time zone such as 'UTC' or 'Europe/Berlin'
  budgets[2].degradeAt[0]: got 80; expected a share above 0 and up to 1, above those before it
  budgets[3]: got an object; expected what budget({ … }) returns
  ladders[1][1]: got 'opus'; expected a list of at least one model, from the best to the cheapest, each in one ladder only
  ladders[2]: got a list; expected a list of at least one model, from the best to the cheapest, each in one ladder only
  prices.opus.input: got '5/M'; expected a price such as '$1.25/M' for a million tokens (at most 9 decimals) or '$0.01/k' for a thousand (at most 12)
  alerts.webhook: got a value that is not shown; expected an http: or https: URL without user and password
  alerts.log: got 'stdout'; expected a function (line) => void, or false
  budgetStatus: got 403; expected 402 or 429
  limits[1].name: got 'w'; expected a name of its own: limits[0] has this one
  budgets[2].name: got 'w'; expected a name of its own: limits[0] has this one"
`);
});

describe('the value', () => {
  const HOSTILE: readonly unknown[] = [
    null,
    true,
    -1,
    Number.NaN,
    5,
    '',
    'wrong!',
    '5$',
    [null],
    { a: 1 },
    Symbol('s'),
    9n,
  ];
  const FIELDS: readonly [field: string, config: (value: unknown) => object][] = [
    ['budgets[0]', (one) => ({ budgets: [one] })],
    ['budgets[0].name', (name) => withBudget({ name })],
    ['budgets[0].by', (by) => withBudget({ by })],
    ['budgets[0].mode', (mode) => withBudget({ mode })],
    ['budgets[0].onStoreError', (onStoreError) => withBudget({ onStoreError })],
    ['budgets[0].whenFull', (whenFull) => withBudget({ whenFull })],
    ['budgets[0].limit', (limit) => withBudget({ limit })],
    ['budgets[0].limit.free', (free) => withBudget({ limit: { free } })],
    ['budgets[0].per', (per) => withBudget({ per })],
    ['budgets[0].timeZone', (timeZone) => withBudget({ timeZone })],
    ['budgets[0].reserve', (reserve) => withBudget({ reserve })],
    ['budgets[0].degradeAt', (degradeAt) => withBudget({ degradeAt })],
    ['budgets[0].alertAt', (alertAt) => withBudget({ alertAt })],
    ['ladders', (ladders) => ({ budgets: [], ladders })],
    ['ladders[0]', (ladder) => ({ budgets: [], ladders: [ladder] })],
    ['ladders[0][1]', (model) => ({ budgets: [], ladders: [['good', model, 'cheap']] })],
    ['prices', (prices) => ({ budgets: [], prices })],
    ['prices.m', (m) => ({ budgets: [], prices: { ...PRICES, m } })],
    ['prices.m.output', (output) => ({ budgets: [], prices: { m: { input: '$1/M', output } } })],
    ['alerts.log', (log) => ({ budgets: [], alerts: { log } })],
    ['budgetStatus', (budgetStatus) => ({ budgets: [], budgetStatus })],
  ];
  /** Any text is the name of a model, or what one counts by. */
  const isRight = (path: string, value: unknown) =>
    typeof value === 'string' && value !== '' && ['budgets[0].by', 'ladders[0][1]'].includes(path);
  /** What is in a list or a map is wrong there, and told of there. */
  const isWithin = (path: string, value: unknown) => {
    const lists = ['ladders', 'ladders[0]', 'prices.m', 'budgets[0].by', 'budgets[0].degradeAt', 'budgets[0].alertAt'];
    if (Array.isArray(value)) return lists.includes(path);
    return typeof value === 'object' && value !== null && ['budgets[0].limit', 'prices', 'prices.m'].includes(path);
  };

  describe.each(FIELDS)('of %s', (path, config) => {
    test.each(HOSTILE.filter((value) => !isRight(path, value)).map((value) => [value]))(
      '%p is a problem there, and the only one',
      (value) => {
        const error = errorOf(config(value));
        expect(error.code).toBe('TOLLGATE_CONFIG_INVALID');
        const paths = error.problems.map((problem) => problem.path);
        if (isWithin(path, value)) expect(paths.every((one) => one.startsWith(path))).toBe(true);
        else expect(error.problems).toEqual([{ path, value, expected: expect.stringMatching(/./) }]);
        expect(error.message).toContain(`${paths[0]}: got `);
      },
    );
  });

  test.each(['budgets', 'alerts'])('of %s has to be what it is called', (field) => {
    for (const value of [null, true, 5, 'x']) expect(pathsOf({ limits: [], [field]: value })).toEqual([field]);
  });

  test.each([
    ['limit', 'budgets[0].limit'],
    ['per', 'budgets[0].per'],
    ['name', 'budgets[0].name'],
    ['kind', 'budgets[0]'],
  ])('of %s is needed', (field, path) => {
    expect(pathsOf(withBudget({ [field]: undefined }))).toEqual([path]);
  });

  test.each(['unit', 'window', 'capacity', 'refill', 'parts', 'budget'])('of %s has no place in a budget', (field) => {
    expect(problemsOf(withBudget({ [field]: '1d' }))).toEqual([
      { path: `budgets[0].${field}`, value: 'a value that is not shown', expected: 'no such field' },
    ]);
  });

  test.each([
    [{ budgets: [WINDOW] }, 'budgets[0]'],
    [{ limits: [BUDGET] }, 'limits[0]'],
  ])('of a list of the other kind is a problem', (config, path) => {
    expect(pathsOf(config)).toEqual([path]);
  });
});

describe('an amount', () => {
  test.each(['$0', '$0.000000001', '$0.25', '$500', '$9007199', '$9007199.254740991', '$007'])('may be %s', (limit) => {
    expect(() => make(withBudget({ limit }))).not.toThrow();
  });

  test.each([
    '$9007200',
    '$9007199.254740992',
    '$0.0000000001',
    '$-5',
    '-$5',
    '$1e3',
    '$1,000',
    '$5.',
    '$.5',
    ' $5',
    '€5',
    '$5/M',
  ])('may not be %s, which is told of with the reason', (limit) => {
    expect(problemsOf(withBudget({ limit }))).toEqual([
      { path: 'budgets[0].limit', value: limit, expected: expect.stringContaining("to '$9007199' such as '$500'") },
    ]);
  });

  test('by plan is wrong where it is wrong', () => {
    expect(pathsOf(withBudget({ limit: { free: '1', pro: '$5', default: 7 } }))).toEqual([
      'budgets[0].limit.free',
      'budgets[0].limit.default',
    ]);
    expect(pathsOf(withBudget({ limit: {} }))).toEqual(['budgets[0].limit']);
  });

  test('may be missing for a plan, or be none from a function, which is an error of the request', async () => {
    const ofPlan = gateOf([], { budgets: [budget({ name: 'b', limit: { free: '$1' }, per: 'day' })], prices: PRICES });
    await expect(ofPlan.gate.admit({ permits: 0, subject: { plan: 'pro' } })).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_PLAN',
      message: expect.stringMatching(/'b'.*'pro'.*'free'/),
    });
    const given = gateOf([], {
      budgets: [budget({ name: 'b', limit: () => '5' as '$5', per: 'day' })],
      prices: PRICES,
    });
    await expect(given.gate.admit({ permits: 0 })).rejects.toMatchObject({
      code: 'TOLLGATE_LIMIT_INVALID',
      message: expect.stringMatching(/'b'.*'5'.*\$9007199/),
    });
  });
});

describe('shares', () => {
  test.each(['degradeAt', 'alertAt'])('of %s may be none, one, or several up to the whole', (field) => {
    for (const shares of [undefined, [], [1], [0.5, 0.8, 1], [Number.MIN_VALUE]]) {
      expect(() => make(withBudget({ [field]: shares }))).not.toThrow();
    }
  });

  test.each(['degradeAt', 'alertAt'])('of %s are ascending, above 0 and up to 1', (field) => {
    // Each with the places of what is wrong.
    const wrong: [readonly unknown[], number[]][] = [
      [[0], [0]],
      [[-0.5], [0]],
      [[1.01, 1], [0]],
      [[80], [0]],
      [[0.8, 0.5], [1]],
      [[0.8, 0.8], [1]],
      [['0.8', 0.9], [0]],
      [[Number.NaN], [0]],
      [
        [0.5, undefined, 0.8, 0.7],
        [1, 3],
      ],
    ];
    const expected = 'a share above 0 and up to 1, above those before it';
    for (const [shares, places] of wrong) {
      expect(problemsOf(withBudget({ [field]: shares }))).toEqual(
        places.map((i) => ({ path: `budgets[0].${field}[${i}]`, value: shares[i], expected })),
      );
    }
    expect(problemsOf(withBudget({ [field]: 0.8 }))).toEqual([
      { path: `budgets[0].${field}`, value: 0.8, expected: expect.stringContaining('above 0 and up to 1, ascending') },
    ]);
  });
});

test.each(['UTC', 'Europe/Berlin', 'America/St_Johns', undefined])('the time zone may be %s', (timeZone) => {
  expect(() => make(withBudget({ timeZone }))).not.toThrow();
});

test('limits and budgets are told apart by name alone', () => {
  const config = { limits: [WINDOW], budgets: [BUDGET, { ...BUDGET, name: 'w' }, { ...BUDGET, name: 'c' }, BUDGET] };
  expect(problemsOf(config)).toEqual([
    { path: 'budgets[1].name', value: 'w', expected: 'a name of its own: limits[0] has this one' },
    { path: 'budgets[3].name', value: 'b', expected: 'a name of its own: budgets[0] has this one' },
  ]);
});

describe('a gate', () => {
  test('may have budgets alone', async () => {
    const gate = createTollgate({ budgets: [budget({ name: 'b', limit: '$5', per: 'day' })], prices: PRICES });
    expect((await gate.admit({ permits: 1, usd: '$5' })).admitted).toBe(true);
    const decision = await gate.admit({ permits: 1, usd: '$0.01' });
    expect(decision).toMatchObject({ admitted: false, refusal: { reason: 'budget', layer: 'b', status: 402 } });
    expect(await gate.inspect({})).toMatchObject({ limits: [], budgets: [{ layer: 'b', used: 5e9 }] });
  });

  test('may have an empty list of them, but not neither limits nor budgets', () => {
    expect(() => make({ budgets: [] })).not.toThrow();
    expect(problemsOf({ prices: PRICES })).toEqual([
      { path: 'limits', value: undefined, expected: 'a list of limits (or budgets or a queue alone)' },
    ]);
  });

  test.each([402, 429] as const)('may answer %d where a budget refuses', async (budgetStatus) => {
    const budgets = [budget({ name: 'b', limit: '$5', per: 'day' })];
    const { admission, refusal } = gateOf([], { budgets, budgetStatus });
    await admission({ permits: 0, usd: '$5' });
    expect((await refusal({ permits: 0, usd: '$1' })).status).toBe(budgetStatus);
    expect((await refusal({ permits: 0, usd: '$6' })).status).toBe(422);
  });

  test('that counts dollars refuses no request for want of a price, but fails it', async () => {
    const { gate } = gateOf([], { budgets: [budget({ name: 'b', limit: '$5', per: 'day' })], prices: PRICES });
    await expect(gate.admit({ permits: 1, model: 'unknown' })).rejects.toMatchObject({
      code: 'TOLLGATE_UNKNOWN_MODEL',
      message: expect.stringContaining("'unknown'"),
    });
    await expect(gate.admit({ permits: 1, model: 'm', usd: '5' as '$5' })).rejects.toMatchObject({
      code: 'TOLLGATE_REQUEST_INVALID',
      message: expect.stringMatching(/^usd: got '5'; expected an amount/),
    });
  });
});

describe('ladders', () => {
  test.each<[string, unknown, string[]]>([
    ['a model twice in one', [['a', 'b', 'a']], ['ladders[0][2]']],
    [
      'a model in two',
      [
        ['a', 'b'],
        ['c', 'b', 'a'],
      ],
      ['ladders[1][1]', 'ladders[1][2]'],
    ],
    ['none in one', [['a'], []], ['ladders[1]']],
    ['a gap', [['a', undefined, 'b']], ['ladders[0][1]']],
    ['a model in place of one', ['a', ['b', 'c']], ['ladders[0]']],
    ['a map', { a: ['b'] }, ['ladders']],
    ['what is no Latin', [['模型', 'haiku']], ['ladders[0][0]']],
    ['what no header can hold', [['opus', 'modèle', 'a\nb', ' a', 'a ']], [1, 2, 3, 4].map((i) => `ladders[0][${i}]`)],
  ])('have not %s', (_, ladders, paths) => {
    expect(pathsOf({ budgets: [], ladders })).toEqual(paths);
  });

  describe('where dollars are counted, have no model without a price', () => {
    const budgets = [budget({ name: 'b', limit: '$5', per: 'day' })];
    const expected = "a model that has a price, since budgets count what it costs: add it to prices, or a 'default'";
    const ladders = [['m'], ['n', 'm2']];

    test('but all those that lack one are told of', () => {
      const { message, problems } = errorOf({ budgets, prices: PRICES, ladders });
      expect(problems).toEqual([
        { path: 'ladders[1][0]', value: 'n', expected },
        { path: 'ladders[1][1]', value: 'm2', expected },
      ]);
      expect(message).toContain(`  ladders[1][0]: got 'n'; expected ${expected}`);
      expect(pathsOf({ budgets, ladders: [['m']] })).toEqual(['ladders[0][0]']);
    });

    test('of a table either', () => {
      const table = { costOf: (model?: string) => (model === 'm' ? 0 : undefined) };
      expect(pathsOf({ budgets, prices: table, ladders })).toEqual(['ladders[1][0]', 'ladders[1][1]']);
    });

    test('unless others have a default, or no budget is enforced', () => {
      const fallback = { ...PRICES, default: PRICES.m };
      expect(() => make({ budgets, prices: fallback, ladders })).not.toThrow();
      expect(() => make({ budgets: [{ ...BUDGET, mode: 'shadow' }], ladders })).not.toThrow();
      expect(() => make({ limits: [WINDOW], ladders })).not.toThrow();
    });

    test('also once that changes', () => {
      const onTrial = make({ budgets: [{ ...BUDGET, mode: 'shadow' }], prices: PRICES, ladders });
      const enforced = thrownBy(() => onTrial.update({ budgets: { b: { mode: 'enforce' } } }));
      expect(enforced.problems.map(({ path }) => path)).toEqual(['ladders[1][0]', 'ladders[1][1]']);
      const gate = make({ budgets, prices: PRICES, ladders: [['m']] });
      const taken = thrownBy(() => gate.update({ prices: { n: PRICES.m } }));
      expect(taken.problems).toEqual([{ path: 'ladders[0][0]', value: 'm', expected }]);
    });

    test('and a table that throws is what fails', () => {
      const fault = new Error('no prices yet');
      const table = {
        costOf: () => {
          throw fault;
        },
      };
      expect(() => make({ budgets, prices: table, ladders })).toThrow(fault);
      const gate = make({ budgets, prices: PRICES, ladders: [['m']] });
      expect(() => gate.update({ prices: table })).toThrow(fault);
    });
  });

  test('may be none, of one model, and of any names', () => {
    for (const ladders of [
      [],
      [['a']],
      [
        ['__proto__', 'constructor'],
        ['toString', 'a/b:c'],
      ],
    ]) {
      expect(() => make({ budgets: [], ladders })).not.toThrow();
    }
  });

  test('whose floor is none of a model are an error of the request', async () => {
    const { gate } = gateOf([], { ladders: [['a', 'b'], ['c']] });
    await expect(gate.admit({ permits: 1, model: 'a', floor: 'c' })).rejects.toMatchObject({
      code: 'TOLLGATE_REQUEST_INVALID',
      message: "floor: got 'c'; expected one of 'a', 'b'.",
    });
  });
});

describe('the URL of the webhook', () => {
  const WRONG: readonly [string, object][] = [
    ['with a user', { alerts: { webhook: URL.replace('//', `//${SECRET}@`) } }],
    ['of no web', { alerts: { webhook: URL.replace('https', 'ftp') } }],
    ['without its beginning', { alerts: { webhook: URL.replace('https://', '') } }],
    ['in a list', { alerts: { webhook: [URL] } }],
    ['in an object', { alerts: { webhook: { url: URL } } }],
    ['in a misspelt field', { alerts: { webhok: URL } }],
    ['in no field', { alerts: URL }],
    ['in a list of alerts', { alerts: [URL] }],
    ['beside the alerts', { webhook: URL }],
    ['in misspelt alerts', { alert: URL }],
    ['in an object of misspelt alerts', { alert: { webhook: URL } }],
    ['in a budget', withBudget({ webhook: URL })],
    ['in a limit', { limits: [{ ...WINDOW, webhook: { url: URL } }] }],
    ['in a price', { prices: { m: { ...PRICES.m, webhook: URL } } }],
  ];

  test.each(WRONG)('%s is a problem that does not show it', (_, config) => {
    const error = errorOf({ budgets: [], ...config });
    expect(error.problems).toHaveLength(1);
    expect(error.message).toMatch(/: got a value that is not shown; expected /);
    const shown = [
      error.stack,
      JSON.stringify(error),
      inspect(error, { depth: 9, showHidden: true }),
      inspect(error.problems, { depth: 9 }),
    ];
    expect(shown.join()).not.toContain(SECRET);
  });

  test('beside another problem shows no more', () => {
    const error = errorOf({ budgets: [{}], alerts: { webhook: URL, log: 5 } });
    expect(error.problems.map(({ path }) => path)).toEqual(['budgets[0]', 'alerts.log']);
    expect(inspect([error, error.problems], { depth: 9 })).not.toContain(SECRET);
  });

  test('is nowhere to be seen of a gate, nor in what it says when it refuses to change', async () => {
    const heard = warnings();
    const gate = createTollgate({
      budgets: [budget({ name: 'b', limit: '$5', per: 'day' })],
      alerts: { webhook: URL },
    });
    const error = thrownBy(() =>
      gate.update({ budgets: { b: { limit: '5' as '$5' } }, alerts: { webhook: URL } } as object),
    );
    const shown = [
      inspect(gate, { depth: 9, showHidden: true, getters: true }),
      JSON.stringify(gate),
      inspect(await gate.inspect({}), { depth: 9 }),
      inspect(error, { depth: 9, showHidden: true }),
      inspect(heard),
    ];
    expect(shown.join()).not.toContain(SECRET);
    await gate.close();
  });

  test.each<[string, object]>([
    ['in alerts', { alerts: { webhook: URL } }],
    ['in misspelt alerts', { alert: URL }],
    ['in a budget', { budgets: { b: { webhook: URL } } }],
    ['in place of a budget', { budgets: { webhook: URL } }],
  ])('%s of a change is not shown, nor kept', async (_, change) => {
    const gate = createTollgate({ budgets: [budget({ name: 'b', limit: '$5', per: 'day' })] });
    const { message, problems } = thrownBy(() => gate.update(change));
    expect(problems).toMatchObject([{ value: 'a value that is not shown' }]);
    expect(message + inspect(problems, { depth: 9 })).not.toContain(SECRET);
    await gate.close();
  });

  test.each(['https://hooks.example/x', 'http://127.0.0.1:9/', undefined])('may be %s', (webhook) => {
    expect(() => make({ budgets: [], alerts: { webhook, log: false } })).not.toThrow();
  });
});

test('a budget and a limit hold together, and the request is charged to both or neither', async () => {
  const limits = [slidingWindow({ name: 'w', by: 'user', limit: 3, window: '1m' })];
  const budgets = [budget({ name: 'b', by: 'user', limit: '$5', per: 'day' })];
  const { admission, refusal, used } = gateOf(limits, { budgets });
  const subject = { user: 'u' };
  await admission({ subject, permits: 2, usd: '$4' });
  expect(await refusal({ subject, permits: 1, usd: '$2' })).toMatchObject({ reason: 'budget', layer: 'b' });
  expect(await refusal({ subject, permits: 2, usd: '$1' })).toMatchObject({ reason: 'limit', layer: 'w' });
  expect(await used({ subject })).toEqual({ w: 2, b: 4e9 });
  await admission({ subject, permits: 1, usd: '$1' });
});
