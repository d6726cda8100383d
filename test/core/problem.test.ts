import type { Charge, Dimension, LayerState, Rule, Unit, Usage } from '@tollgate/core';
import { problemBody, refusalHeaders, refusalOf, storeDownRefusal } from '../../packages/core/src/http/problem.js';

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const MIDNIGHT = Date.UTC(2026, 11, 1);
const NEVER = Number.POSITIVE_INFINITY;

interface Said {
  name?: string;
  by?: readonly Dimension[];
  key?: readonly (string | undefined)[];
  unit?: Unit;
  cost?: number;
  used?: number;
  limit?: number;
  share?: number;
  waitMs?: number;
  shadow?: boolean;
  rule?: Rule;
}

/** What a meter says. By user, full, and waiting for six minutes, unless told otherwise. */
function said(it: Said = {}): Usage {
  const {
    name = 'user',
    by = ['user'],
    key = by.map(() => 'u'),
    unit = 'permits',
    cost = 10,
    used = 100,
    limit = 100,
    rule = { kind: 'window', ms: HOUR, parts: 10, partMs: HOUR / 10 },
  } = it;
  const charge: Charge = {
    meter: { id: name, name, position: 0, unit, scope: { by, at: by.map((_, i) => i) } },
    rule,
    cost,
    limit: it.share ?? limit,
    whole: limit,
    whenFull: 'refuse',
    shadow: it.shadow ?? false,
  };
  return { charge, key, used, waitMs: it.waitMs ?? 6 * MINUTE, refillMs: 0 };
}

/** What a daily budget of $5 by user says six hours before midnight, of which $4.50 are spent. */
const budget = (it: Said = {}): Said => ({
  name: 'daily',
  unit: 'usd',
  cost: 2e9,
  used: 4.5e9,
  limit: 5e9,
  waitMs: 6 * HOUR,
  rule: { kind: 'calendar', period: 1, startsAt: MIDNIGHT - DAY, resetsAt: MIDNIGHT },
  ...it,
});

const refusal = (...usages: Said[]) => refusalOf('id-1', [usages.map(said)]);

describe('the sentence', () => {
  test("of the caller's own limit has its figures", () => {
    expect(refusal({}).detail).toBe(
      "You have used 100 of the 100 permits that 'user' allows; this request costs 10. Try again in 6 minutes.",
    );
  });

  test('of what is used up for good names no time', () => {
    const used = refusal({ waitMs: NEVER });
    expect(used).toMatchObject({ reason: 'limit', status: 429, retryAfterMs: undefined });
    expect(used.detail).toBe(
      "You have used 100 of the 100 permits that 'user' allows; this request costs 10. It is not renewed automatically.",
    );
    expect(refusal({ by: [], waitMs: NEVER }).detail).toBe(
      "The limit 'user', which you share with others, is reached. It is not renewed automatically.",
    );
    expect(refusalHeaders(used)).toEqual([['x-should-retry', 'false']]);
    expect(problemBody(used)).not.toHaveProperty('retryAfter');
    expect(refusal({ waitMs: NEVER }, { name: 'small', limit: 5, waitMs: NEVER })).toMatchObject({
      layer: 'small',
      status: 422,
    });
  });

  test('of a shared limit has its name alone', () => {
    expect(refusal({ name: 'global', by: [] }).detail).toBe(
      "The limit 'global', which you share with others, is reached. Try again in 6 minutes.",
    );
  });

  test('of what can never be admitted says so', () => {
    const never = { cost: 200, used: 0, waitMs: NEVER };
    expect(refusal(never).detail).toBe("This request costs 200 permits; 'user' never allows more than 100.");
    expect(refusal({ ...never, name: 'global', by: [] }).detail).toBe(
      "This request costs more than the limit 'global' can ever allow.",
    );
  });

  test.each<[readonly Dimension[], readonly (string | undefined)[], boolean]>([
    [['user'], ['u'], true],
    [['tenant'], ['t'], true],
    [['key'], ['k'], true],
    [['ip'], ['192.0.2.1'], true],
    [['region' as 'user'], ['eu'], false],
    [['region' as 'user', 'user'], ['eu', 'u'], true],
    [['user', 'feature'], ['u', 'f'], true],
    [['user', 'feature'], ['u', undefined], true],
    [['user', 'feature'], [undefined, 'f'], false],
    [['user'], [undefined], false],
    [['feature'], ['f'], false],
    [['plan'], ['free'], false],
    [['route', 'model', 'provider'], ['r', 'm', 'p'], false],
    [[], [], false],
  ])('by %j with %j tells figures: %p', (by, key, own) => {
    for (const waitMs of [5000, NEVER]) {
      const { detail } = refusal({ by, key, waitMs, cost: 4321, used: 8765, limit: 9753 });
      expect(/4,?321|8,?765|9,?753/.test(detail)).toBe(own);
    }
  });

  test.each<[Unit, string]>([
    ['requests', 'requests'],
    ['permits', 'permits'],
    ['tokens', 'tokens'],
    ['inputTokens', 'input tokens'],
    ['outputTokens', 'output tokens'],
  ])('names the unit %s as %s', (unit, words) => {
    expect(refusal({ unit }).detail).toContain(`100 of the 100 ${words} that`);
    expect(refusal({ unit, cost: 200, waitMs: NEVER }).detail).toContain(`costs 200 ${words};`);
  });

  test('of slots says that they come back as what runs ends', () => {
    const slots = { unit: 'slots', rule: { kind: 'slots', leaseMs: 10 * MINUTE }, cost: 1, used: 2, limit: 2 } as const;
    expect(refusal(slots).detail).toBe(
      "You have 2 running of the 2 that 'user' allows at once. Try again when one has ended, in 6 minutes at the latest.",
    );
    expect(refusal({ ...slots, name: 'all', by: [] }).detail).toBe(
      "The limit 'all', which you share with others, is reached. Try again in 6 minutes.",
    );
  });

  test('speaks of one permit as one', () => {
    expect(refusal({ cost: 1, limit: 0, used: 0, waitMs: NEVER }).detail).toBe(
      "This request costs 1 permit; 'user' never allows more than 0.",
    );
    expect(refusal({ cost: 1, limit: 1, used: 1 }).detail).toContain('1 of the 1 permit that');
  });

  test('groups large figures, and counts what is used in part as used', () => {
    expect(refusal({ used: 199_998.2, limit: 200_000, cost: 1234.5 }).detail).toContain(
      "You have used 199,999 of the 200,000 permits that 'user' allows; this request costs 1,234.5.",
    );
  });

  test.each([
    [1, '1 second'],
    [999, '1 second'],
    [1000, '1 second'],
    [1001, '2 seconds'],
    [59_001, '60 seconds'],
    [119 * SECOND, '119 seconds'],
    [119 * SECOND + 1, '2 minutes'],
    [2 * MINUTE, '2 minutes'],
    [2 * MINUTE + 1, '3 minutes'],
    [6 * MINUTE, '6 minutes'],
    [HOUR, '60 minutes'],
    [2 * HOUR - SECOND, '120 minutes'],
    [2 * HOUR, '2 hours'],
    [2 * HOUR + 1, '3 hours'],
    [2 * DAY - SECOND, '48 hours'],
    [2 * DAY, '2 days'],
    [2 * DAY + 1, '3 days'],
    [30 * DAY, '30 days'],
  ])('of a wait of %d ms says %s', (waitMs, words) => {
    expect(refusal({ waitMs }).detail).toContain(`Try again in ${words}.`);
  });
});

describe('of several layers', () => {
  test('the one that takes longest is named, all that refused are listed', () => {
    const result = refusal(
      { name: 'fits', waitMs: 0 },
      { name: 'short', waitMs: 5 * SECOND },
      { name: 'long', waitMs: 90 * SECOND },
      { name: 'shorter', waitMs: SECOND },
    );
    expect(result).toMatchObject({ layer: 'long', reason: 'limit', status: 429, retryAfterMs: 90 * SECOND });
    expect(result.detail).toContain("'long'");
    const names = (states: readonly LayerState[]) => states.map(({ layer }) => layer);
    expect(names(result.violated)).toEqual(['short', 'long', 'shorter']);
    expect(names(result.layers)).toEqual(['fits', 'short', 'long', 'shorter']);
  });

  test('of those that take equally long, the first is named', () => {
    expect(refusal({ name: 'a', waitMs: SECOND }, { name: 'b' }, { name: 'c' }).layer).toBe('b');
  });

  test('any that can never fit goes before all that can', () => {
    const result = refusal({ name: 'long', waitMs: 300 * DAY }, { name: 'never', cost: 200, waitMs: NEVER });
    expect(result).toMatchObject({ layer: 'never', reason: 'too-costly', status: 422, retryAfterMs: undefined });
    expect(result.violated).toHaveLength(2);
  });

  test('a shadow is neither named nor waited for', () => {
    const result = refusal(
      { name: 'never', waitMs: NEVER, shadow: true },
      { name: 'real', waitMs: SECOND },
      { name: 'long', waitMs: DAY, shadow: true },
    );
    expect(result).toMatchObject({ layer: 'real', retryAfterMs: SECOND, reason: 'limit' });
    expect(result.violated.map(({ layer }) => layer)).toEqual(['real']);
  });
});

describe('of several alternatives', () => {
  const alternatives = (...lists: Said[][]) =>
    refusalOf(
      'id-1',
      lists.map((list) => list.map(said)),
    );

  test('the wait is the least of the longest', () => {
    const result = alternatives(
      [
        { name: 'a', waitMs: SECOND },
        { name: 'b', waitMs: HOUR },
      ],
      [
        { name: 'c', waitMs: MINUTE },
        { name: 'd', waitMs: 2 * MINUTE },
      ],
      [{ name: 'e', waitMs: 3 * MINUTE }],
    );
    expect(result).toMatchObject({ layer: 'd', retryAfterMs: 2 * MINUTE });
  });

  test('one that can never fit does not count where another can', () => {
    const never = [
      { name: 'never', cost: 200, waitMs: NEVER },
      { name: 'short', waitMs: SECOND },
    ];
    const late = [{ name: 'late', waitMs: DAY }];
    expect(alternatives(never, late)).toMatchObject({ layer: 'late', reason: 'limit', retryAfterMs: DAY });
    expect(alternatives(late, never)).toMatchObject({ layer: 'late', reason: 'limit', retryAfterMs: DAY });
    expect(alternatives(never, never)).toMatchObject({ layer: 'never', reason: 'too-costly' });
  });

  test('a shadow lengthens none of them', () => {
    const first = [
      { name: 'a', waitMs: SECOND },
      { name: 's', waitMs: DAY, shadow: true },
    ];
    expect(alternatives(first, [{ name: 'b', waitMs: MINUTE }])).toMatchObject({ layer: 'a', retryAfterMs: SECOND });
  });
});

describe('the body', () => {
  test('of a limit', () => {
    expect(problemBody(refusal({ waitMs: 1001 }, { name: 'global', by: [], waitMs: 1 }))).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Limit reached',
      status: 429,
      detail: "You have used 100 of the 100 permits that 'user' allows; this request costs 10. Try again in 2 seconds.",
      instance: 'urn:tollgate:id-1',
      layer: 'user',
      'violated-policies': ['user', 'global'],
      retryAfter: 2,
    });
  });

  test('of what is too costly names no time', () => {
    expect(problemBody(refusal({ cost: 200, waitMs: NEVER }))).toEqual({
      type: 'about:blank',
      title: 'Unprocessable Content',
      status: 422,
      detail: "This request costs 200 permits; 'user' never allows more than 100.",
      instance: 'urn:tollgate:id-1',
      layer: 'user',
      'violated-policies': ['user'],
    });
  });

  test('of a store that is down', () => {
    expect(problemBody(storeDownRefusal('id-1'))).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#temporary-reduced-capacity',
      title: 'Temporarily unavailable',
      status: 503,
      detail: "Limits can't be checked at the moment. Try again in 5 seconds.",
      instance: 'urn:tollgate:id-1',
      retryAfter: 5,
    });
  });

  test('has no figure of a shared limit, nor any key', () => {
    const shared = { name: 'global', by: [], cost: 4321, used: 8765, limit: 9753 } as const;
    const own = { name: 'user', key: ['u-secret'], waitMs: SECOND };
    for (const waitMs of [MINUTE, NEVER]) {
      const text = JSON.stringify(problemBody(refusal({ ...shared, waitMs }, own)));
      expect(text).not.toMatch(/4,?321|8,?765|9,?753|u-secret/);
    }
  });
});

describe('the headers', () => {
  test.each([
    [1, '1', false],
    [1000, '1', false],
    [1001, '2', false],
    [60_000, '60', false],
    [60_001, '61', true],
    [DAY, '86400', true],
  ])('for a wait of %d ms: Retry-After %s, retries by themselves forbidden: %p', (waitMs, seconds, forbidden) => {
    const result = refusal({ waitMs });
    expect(refusalHeaders(result)).toEqual([
      ['Retry-After', seconds],
      ...(forbidden ? [['x-should-retry', 'false']] : []),
    ]);
    expect(String(problemBody(result).retryAfter)).toBe(seconds);
  });

  test('for what can never be: no time, and no retries', () => {
    expect(refusalHeaders(refusal({ waitMs: NEVER, cost: 200 }))).toEqual([['x-should-retry', 'false']]);
  });
});

describe('where a budget refuses', () => {
  const RENEWED = 'It is renewed at 2026-12-01 00:00 UTC, in 6 hours.';
  const never = budget({ cost: 6e9, used: 0, waitMs: NEVER });
  const limit: Said = { name: 'rate', waitMs: 9 * HOUR };

  test.each<[string, Said, string]>([
    [
      'own',
      budget(),
      `You have spent $4.50 of the $5 that the budget 'daily' allows; this request may cost $2. ${RENEWED}`,
    ],
    ['shared', budget({ by: [] }), `The budget 'daily', which you share with others, is exhausted. ${RENEWED}`],
    ['own, that can never allow it', never, "This request may cost $6; the budget 'daily' never allows more than $5."],
    [
      'shared, that can never allow it',
      { ...never, by: ['feature'] },
      "This request may cost more than the budget 'daily' can ever allow.",
    ],
    [
      'own, of which the model may use a part',
      budget({ used: 2.5e9, share: 2.5e9, cost: 0.1e9 }),
      "You have spent $2.50 of the $5 that the budget 'daily' allows, of which this model may use $2.50; " +
        `this request may cost $0.10. ${RENEWED}`,
    ],
    [
      'shared, of which the model may use a part',
      budget({ by: [], share: 2.5e9 }),
      `The budget 'daily', which you share with others, is exhausted for this model. ${RENEWED}`,
    ],
    [
      'overspent',
      budget({ used: 1_234_500_000_001, cost: 1 }),
      `You have spent $1,234.5001 of the $5 that the budget 'daily' allows; this request may cost $0.000000001. ${RENEWED}`,
    ],
  ])('that is %s, the sentence says so', (_, it, detail) => {
    expect(refusal(it).detail).toBe(detail);
  });

  test('the answer is 402, or 429 where that is wanted, and says when the budget is renewed', () => {
    const figures = { reason: 'budget', layer: 'daily', title: 'Budget exhausted', resetsAt: MIDNIGHT };
    expect(refusal(budget())).toMatchObject({ ...figures, status: 402, retryAfterMs: 6 * HOUR });
    expect(refusalOf('id-1', [[said(budget())]], 429)).toMatchObject({ ...figures, status: 429 });
  });

  test('it goes before limits, even those that take longer, and behind what can never be', () => {
    expect(refusal(limit, budget(), limit)).toMatchObject({ layer: 'daily', reason: 'budget', retryAfterMs: 9 * HOUR });
    expect(refusal(budget(), { ...limit, cost: 200, waitMs: NEVER })).toMatchObject({ layer: 'rate', status: 422 });
    const tooCostly = refusalOf('id-1', [[limit, budget(), { ...never, name: 'monthly' }].map(said)], 429);
    expect(tooCostly).toMatchObject({ layer: 'monthly', reason: 'too-costly', status: 422, resetsAt: undefined });
    expect(tooCostly.violated.map(({ layer }) => layer)).toEqual(['rate', 'daily', 'monthly']);
  });

  test('of several that is named which takes longest', () => {
    const rule = { kind: 'calendar', period: 1, startsAt: MIDNIGHT - DAY, resetsAt: MIDNIGHT + DAY } as const;
    const monthly = budget({ name: 'monthly', waitMs: 30 * HOUR, rule });
    expect(refusal(budget(), monthly, budget())).toMatchObject({ layer: 'monthly', resetsAt: MIDNIGHT + DAY });
  });

  test('one in shadow mode is neither named nor changes the answer', () => {
    const shadow = budget({ name: 'trial', waitMs: NEVER, shadow: true });
    expect(refusal(shadow, limit)).toMatchObject({ layer: 'rate', status: 429, resetsAt: undefined });
  });

  test('by all the models of a ladder, the figures are of the whole, for the last', () => {
    const part = said(budget({ cost: 4e9 }));
    const usages = [{ ...part, charge: { ...part.charge, limit: 4e9, whole: 5e9 } }, said(budget({ cost: 1e9 }))];
    const result = refusalOf(
      'id-1',
      usages.map((usage) => [usage]),
    );
    expect(result.detail).toContain('You have spent $4.50 of the $5 that');
    expect(result.detail).toContain('this request may cost $1.');
  });

  test.each([402, 429])('the body, with status %d, has no time to retry after', (status) => {
    expect(problemBody(refusalOf('id-1', [[budget(), { name: 'global', by: [] }].map(said)], status))).toEqual({
      type: 'https://iana.org/assignments/http-problem-types#quota-exceeded',
      title: 'Budget exhausted',
      status,
      detail: `You have spent $4.50 of the $5 that the budget 'daily' allows; this request may cost $2. ${RENEWED}`,
      instance: 'urn:tollgate:id-1',
      layer: 'daily',
      'violated-policies': ['daily', 'global'],
      resetsAt: '2026-12-01T00:00:00.000Z',
    });
  });

  test('the body of what can never be has no time at all', () => {
    const body = problemBody(refusal(never));
    expect(body).toMatchObject({ type: 'about:blank', status: 422, layer: 'daily' });
    expect(Object.keys(body)).not.toEqual(expect.arrayContaining(['retryAfter']));
    expect(Object.keys(body)).not.toEqual(expect.arrayContaining(['resetsAt']));
  });

  test('the body has no figure of a shared budget', () => {
    const shared = { by: [], cost: 4_321_000_000, used: 8_765_000_000, limit: 9_753_000_000 } as const;
    for (const waitMs of [HOUR, NEVER]) {
      const text = JSON.stringify(problemBody(refusal(budget({ ...shared, waitMs }))));
      expect(text).not.toMatch(/4[.,]?321|8[.,]?765|9[.,]?753|\$/);
    }
  });

  test.each([402, 429])('the headers, with status %d, forbid retries and name no time', (status) => {
    for (const waitMs of [1, 6 * HOUR]) {
      const result = refusalOf('id-1', [[budget({ waitMs }), { name: 'rate', waitMs: SECOND }].map(said)], status);
      expect(refusalHeaders(result)).toEqual([['x-should-retry', 'false']]);
    }
  });
});
