import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { alertText, type BudgetAlert } from '../../packages/core/src/money/alert-text.js';
import { exhaustsAt } from '../../packages/core/src/money/forecast.js';
import { createThresholds } from '../../packages/core/src/money/thresholds.js';

const USUAL = [0.5, 0.8, 1];
const HOUR = 3_600_000;
const DOLLAR = 1e9;

describe('thresholds', () => {
  /** What one key of a budget with a limit of 100 tells of each of these amounts, in one period. */
  function toldOf(used: readonly number[], shares: readonly number[] = USUAL) {
    const thresholds = createThresholds();
    return used.map((amount) => thresholds.reached('b', ['u'], 1, shares, amount, 100));
  }

  test('each is told of when it is reached, and once', () => {
    expect(toldOf([0, 49, 50, 51, 79, 80, 99, 100, 130])).toEqual([[], [], [0.5], [], [], [0.8], [], [1], []]);
  });

  test('several that are reached at once are told of together, in their order', () => {
    expect(toldOf([85, 100])).toEqual([[0.5, 0.8], [1]]);
    expect(toldOf([500])).toEqual([USUAL]);
  });

  test('spending that falls and rises again tells nothing twice', () => {
    expect(toldOf([60, 10, 60, 0, 81, 40, 81])).toEqual([[0.5], [], [], [], [0.8], [], []]);
  });

  test('may lie above the whole limit, for what is overspent', () => {
    expect(toldOf([100, 149, 150], [1, 1.5])).toEqual([[1], [], [1.5]]);
  });

  test('without any, nothing is told', () => {
    expect(toldOf([0, 50, 1000], [])).toEqual([[], [], []]);
  });

  test('each period tells anew, and one that is over tells nothing more', () => {
    const thresholds = createThresholds();
    const at = (period: number, used: number) => thresholds.reached('b', ['u'], period, USUAL, used, 100);
    expect([at(7, 60), at(8, 60), at(8, 60), at(7, 100), at(8, 80), at(12, 100)]).toEqual([
      [0.5],
      [0.5],
      [],
      [],
      [0.8],
      USUAL,
    ]);
  });

  test.each<[string, [string, readonly (string | undefined)[]], [string, readonly (string | undefined)[]]]>([
    ['budgets', ['a', ['u']], ['b', ['u']]],
    ['keys', ['b', ['u']], ['b', ['v']]],
    ['no value and one that looks like it', ['b', [undefined]], ['b', ['null']]],
    ['no value and an empty one', ['b', [undefined]], ['b', ['']]],
    ['the order of values', ['b', ['u', 'v']], ['b', ['v', 'u']]],
    ['where one value ends', ['b', ['a","b']], ['b', ['a', 'b']]],
    ['a name that objects have', ['b', ['__proto__']], ['b', ['constructor']]],
  ])('%s are told apart', (_, one, other) => {
    const thresholds = createThresholds();
    for (const [budget, key] of [one, other]) {
      expect(thresholds.reached(budget, key, 1, USUAL, 50, 100)).toEqual([0.5]);
      expect(thresholds.reached(budget, [...key], 1, USUAL, 50, 100)).toEqual([]);
    }
  });

  test('a limit that is moved tells what is reached of the new one, and nothing twice', () => {
    const thresholds = createThresholds();
    const at = (used: number, limit: number) => thresholds.reached('b', [], 1, USUAL, used, limit);
    expect([at(80, 100), at(80, 200), at(100, 200), at(160, 200), at(170, 170)]).toEqual([[0.5, 0.8], [], [], [], [1]]);
  });

  test('of no limit nothing is reached, of a limit of nothing all is once something is spent', () => {
    const thresholds = createThresholds();
    const at = (used: number, limit: number) => thresholds.reached('b', [], 1, USUAL, used, limit);
    expect([at(1e15, Number.POSITIVE_INFINITY), at(0, 0), at(-5, 0), at(-5, 100), at(1, 0)]).toEqual([
      [],
      [],
      [],
      [],
      USUAL,
    ]);
  });

  test('a share in hundredths is reached at just that many hundredths, to the nano-dollar', () => {
    const hundredths = fc.integer({ min: 1, max: 150 });
    fc.assert(
      fc.property(hundredths, fc.integer({ min: 1, max: 1_000_000 * DOLLAR }), (n, unit) => {
        const limit = unit - (unit % 100) + 100;
        const share = Number(`${n}e-2`);
        const exact = (limit / 100) * n;
        const at = (used: number) => createThresholds().reached('b', [], 1, [share], used, limit).length;
        expect([at(exact - 1), at(exact)]).toEqual([0, 1]);
      }),
    );
  });

  test('agree with a list of everything ever told', () => {
    const step = fc.record({
      user: fc.constantFrom('u', 'v', undefined),
      later: fc.boolean(),
      used: fc.integer({ min: -20, max: 150 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60, size: 'max' }), (steps) => {
        const thresholds = createThresholds();
        const told = new Set<string>();
        let period = 0;
        for (const { user, later, used } of steps) {
          if (later) period++;
          const expected = USUAL.filter((share) => used >= share * 100 && !told.has(`${period} ${user} ${share}`));
          for (const share of expected) told.add(`${period} ${user} ${share}`);
          expect(thresholds.reached('b', [user], period, USUAL, used, 100)).toEqual(expected);
        }
      }),
    );
  });

  describe('of more keys than are kept', () => {
    const at = (thresholds: ReturnType<typeof createThresholds>, user: string, period = 1, used = 50, budget = 'b') =>
      thresholds.reached(budget, [user], period, USUAL, used, 100).length;

    test('the one told of longest ago is forgotten, and told of again', () => {
      const thresholds = createThresholds(2);
      expect(['a', 'b', 'c', 'c', 'b', 'a'].map((user) => at(thresholds, user))).toEqual([1, 1, 1, 0, 0, 1]);
    });

    test('one that tells again is young again, in the same period and in the next', () => {
      const thresholds = createThresholds(2);
      at(thresholds, 'a');
      at(thresholds, 'b');
      expect(at(thresholds, 'a', 1, 80)).toBe(1);
      at(thresholds, 'c');
      expect(at(thresholds, 'a', 1, 80)).toBe(0);
      expect(at(thresholds, 'a', 2)).toBe(1);
      at(thresholds, 'd', 2);
      expect(at(thresholds, 'a', 2)).toBe(0);
    });

    test('keys that have reached nothing displace none, nor do those of another budget', () => {
      const thresholds = createThresholds(1);
      at(thresholds, 'a');
      for (let i = 0; i < 100; i++) {
        at(thresholds, `poor ${i}`, 1, 49);
        at(thresholds, `rich ${i}`, 1, 50, 'other');
      }
      expect(at(thresholds, 'a')).toBe(0);
    });
  });
});

describe('exhaustsAt', () => {
  test.each<[string, Parameters<typeof exhaustsAt>, number | undefined]>([
    ['half in a quarter of the day: in another quarter', [50, 100, 0, 24 * HOUR, 6 * HOUR], 12 * HOUR],
    ['four fifths at noon: at three', [80, 100, 0, 24 * HOUR, 12 * HOUR], 15 * HOUR],
    ['less than the share of the day: not before the reset', [40, 100, 0, 24 * HOUR, 12 * HOUR], undefined],
    ['just as much: not before the reset', [50, 100, 0, 24 * HOUR, 12 * HOUR], undefined],
    ['all: now', [100, 100, 0, 24 * HOUR, 12 * HOUR], 12 * HOUR],
    ['more than all: now', [101, 100, 0, 24 * HOUR, 12 * HOUR], 12 * HOUR],
    ['nothing: never', [0, 100, 0, 24 * HOUR, 12 * HOUR], undefined],
    ['less than nothing: never', [-10, 100, 0, 24 * HOUR, 12 * HOUR], undefined],
    ['no limit: never', [50, Number.POSITIVE_INFINITY, 0, 24 * HOUR, 12 * HOUR], undefined],
    ['a limit of nothing: now', [0, 0, 0, 24 * HOUR, 12 * HOUR], 12 * HOUR],
    ['no time has passed: there is no burn', [50, 100, 5, 24 * HOUR, 5], undefined],
    ['before the period, by a clock set back: neither', [50, 100, 5, 24 * HOUR, 4], undefined],
  ])('spent %s', (_, facts, expected) => {
    expect(exhaustsAt(...facts)).toBe(expected);
  });

  test('is the first whole millisecond at which the burn has used up the limit, and never before now', () => {
    const money = fc.integer({ min: 1, max: 9_000_000 * DOLLAR });
    const month = 31 * 24 * HOUR;
    fc.assert(
      fc.property(money, money, fc.integer({ min: 1, max: month - 1 }), (spent, limit, passed) => {
        const start = manualClock().now();
        const now = start + passed;
        const at = exhaustsAt(spent, limit, start, start + month, now);
        if (spent >= limit) return expect(at).toBe(now);
        // By the burn, spent × ms ÷ passed is used after so many ms: exact, in integers.
        const usedUp = (ms: number) => BigInt(spent) * BigInt(ms) >= BigInt(limit) * BigInt(passed);
        // Within a millisecond, which is as near as doubles come.
        if (at === undefined) return expect(usedUp(month - 2)).toBe(false);
        expect(Number.isInteger(at)).toBe(true);
        expect(at).toBeGreaterThanOrEqual(now);
        expect(at).toBeLessThan(start + month);
        expect([usedUp(at - start + 1), usedUp(at - start - 2)]).toEqual([true, false]);
      }),
    );
  });
});

describe('alertText', () => {
  const alert: BudgetAlert = {
    gate: 'api',
    budget: 'per user',
    by: ['user'],
    key: ['u1'],
    threshold: 0.8,
    spent: 4.25 * DOLLAR,
    limit: 5 * DOLLAR,
    resetsAt: Date.UTC(2026, 0, 2),
    exhaustsAt: Date.UTC(2026, 0, 1, 18, 30, 59, 999),
  };

  test('says whose budget, how much of it, and when it is exhausted and resets', () => {
    expect(alertText(alert)).toBe(
      "Budget 'per user' of gate 'api' has reached 80% for user 'u1': $4.25 of $5 is spent; " +
        'at the present burn it is exhausted at 2026-01-01 18:30 UTC, before it resets at 2026-01-02 00:00 UTC.',
    );
  });

  test('says that it lasts, where it does', () => {
    expect(alertText({ ...alert, exhaustsAt: undefined })).toMatch(
      /: \$4\.25 of \$5 is spent; at the present burn it lasts until it resets at 2026-01-02 00:00 UTC\.$/,
    );
  });

  test.each([5, 6])('says that nothing is left of $5 where $%d is spent', (dollars) => {
    expect(alertText({ ...alert, threshold: 1, spent: dollars * DOLLAR })).toBe(
      `Budget 'per user' of gate 'api' has reached 100% for user 'u1': $${dollars} of $5 is spent; ` +
        'nothing is left until it resets at 2026-01-02 00:00 UTC.',
    );
  });

  test.each<[readonly string[], readonly (string | undefined)[], string]>([
    [[], [], 'has reached 80%: '],
    [['tenant', 'feature'], ['t', 'chat'], "has reached 80% for tenant 't', feature 'chat': "],
    [['user', 'model'], [undefined, 'm'], "has reached 80% for an unknown user, model 'm': "],
  ])('by %j, names %j', (by, key, expected) => {
    expect(alertText({ ...alert, by, key })).toContain(expected);
  });

  test.each<[number, string]>([
    [0.07, '7%'],
    [0.999, '99.9%'],
    [1.1, '110%'],
  ])('shows the threshold %d as %s', (threshold, expected) => {
    expect(alertText({ ...alert, threshold })).toContain(`has reached ${expected} for`);
  });

  describe('of a name that somebody else has chosen', () => {
    const named = (user: string) => alertText({ ...alert, key: [user] });

    test('shows at most 64 characters, whole ones', () => {
      expect(named('x'.repeat(64))).toContain(`user '${'x'.repeat(64)}': `);
      expect(named('x'.repeat(65))).toContain(`user '${'x'.repeat(64)}…': `);
      expect(named('🎈'.repeat(100))).toContain(`user '${'🎈'.repeat(64)}…': `);
    });

    test.each(['\n', '\r', '\u0000', '\u001b[31m', '\u007f', '\u0085', '\u2028', '\u2029', '\u202e', '\ud800'])(
      'shows no %j',
      (hidden) => {
        const text = named(`a${hidden}b`);
        expect(text).toContain(`user 'a\uFFFD${hidden.slice(1)}b': `);
        expect(text).toBe(named(`a\uFFFD${hidden.slice(1)}b`));
      },
    );

    test('shows where it ends, whatever quotes are in it', () => {
      expect(named("o'hara")).toContain(`user "o'hara": `);
      expect(named(`'"\``)).toContain("user '\\'\"`': ");
      expect(named("\\' and")).toContain(`user "\\\\' and": `);
    });

    test('is one line of plain characters, whatever the names are', () => {
      const name = fc.string({ unit: 'binary' });
      fc.assert(
        fc.property(name, name, (user, budget) => {
          const text = alertText({ ...alert, budget, key: [user] });
          expect(text).not.toMatch(/[\p{Cc}\p{Zl}\p{Zp}\p{Cs}]/u);
          expect(text).toMatch(/ is spent; at the present burn it is exhausted at 2026-01-01 18:30 UTC, .*\.$/);
        }),
      );
    });
  });
});
