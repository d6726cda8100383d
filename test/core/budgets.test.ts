import {
  type Budget,
  type BudgetOptions,
  budget,
  type Limit,
  type Outcome,
  slidingWindow,
  tokenBucket,
} from '@tollgate/core';
import fc from 'fast-check';
import { gateOf, START } from './support.js';

const DAY = 86_400_000;
const A_NANO_DOLLAR = { input: '$0.001/M', output: '$0.001/M' } as const;

/** A token of `m` costs a nano-dollar. */
const prices = { m: A_NANO_DOLLAR };
const u = { subject: { user: 'u' }, permits: 0, model: 'm' };

/** $0.000001 a day for each user: 1000 nano-dollars. */
const userBudget = (more: Partial<BudgetOptions> = {}): Budget =>
  budget({ name: 'user', by: 'user', limit: '$0.000001', per: 'day', ...more });

const budgeted = (budgets: readonly Budget[], limits: readonly Limit[] = []) =>
  gateOf(limits, { budgets, prices, alerts: { log: false } });

/** A request that is estimated to cost so many nano-dollars, and an outcome that did. */
const costing = (inputTokens: number) => ({ ...u, estimate: { inputTokens } });
const spent = (inputTokens: number): Outcome => ({ usage: { inputTokens, outputTokens: 0 } });

describe('first requests of an unknown user, all at once', () => {
  const company = budget({ name: 'company', limit: '$0.000005', per: 'day', reserve: 'worst' });
  const body = (text: string, max_tokens: number) => ({ messages: [{ role: 'user', content: text }], max_tokens });

  test('never pass the budget, whatever they turn out to use of what they declared', async () => {
    const call = fc.record({
      user: fc.constantFrom('a', 'b', 'c'),
      text: fc.string({ maxLength: 200 }),
      max: fc.nat(400),
      used: fc.double({ min: 0, max: 1, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(call, { minLength: 20, maxLength: 60 }), async (calls) => {
        const { gate, used } = budgeted([company, userBudget({ reserve: 'worst' })]);
        const decisions = await Promise.all(
          calls.map(({ user, text, max }) => gate.admit({ ...u, subject: { user } }, { body: body(text, max) })),
        );
        const actual: Record<string, number> = { a: 0, b: 0, c: 0 };
        for (const [i, decision] of decisions.entries()) {
          if (!decision.admitted) continue;
          const { user, max, used } = calls[i];
          const usage = { inputTokens: decision.admission.estimate.inputTokens, outputTokens: Math.floor(used * max) };
          await decision.admission.settle({ usage });
          actual[user] += usage.inputTokens + usage.outputTokens;
        }
        for (const [user, sum] of Object.entries(actual)) {
          expect(sum).toBeLessThanOrEqual(1000);
          expect((await used({ subject: { user } })).user).toBe(sum);
        }
        expect((await used({ subject: { user: 'a' } })).company).toBe(actual.a + actual.b + actual.c);
      }),
      { numRuns: 40 },
    );
  });

  test('as many are admitted as the budget holds at the worst', async () => {
    const { gate, used } = budgeted([userBudget({ reserve: 'worst' })]);
    const decisions = await Promise.all(
      Array.from({ length: 100 }, () => gate.admit({ ...u, estimate: { inputTokens: 30 } }, { body: body('', 300) })),
    );
    expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(3);
    expect(await used(u)).toEqual({ user: 990 });
  });
});

describe('an admission that is never settled', () => {
  test('stays charged as estimated for as long as the period lasts, and is no trouble later', async () => {
    const { clock, admission, refusal, used } = budgeted([userBudget()]);
    await admission(costing(600));
    clock.set(START + DAY - 1);
    expect(await used(u)).toEqual({ user: 600 });
    expect(await refusal(costing(401))).toMatchObject({ reason: 'budget', retryAfterMs: 1, resetsAt: START + DAY });
    for (let day = 1; day <= 3; day++) {
      clock.set(START + day * DAY);
      expect(await used(u)).toEqual({ user: 0 });
      await (await admission(costing(1000))).settle(spent(1000));
      await refusal(costing(1));
    }
  });
});

describe('a settle that comes late', () => {
  test.each<[string, number, Outcome, number]>([
    ['before the period ends corrects it downwards', 0, spent(100), 100],
    ['before the period ends corrects it upwards', 0, spent(5000), 5000],
    ['after it ended gives the next one nothing', 1, spent(100), 300],
    ['after it ended takes nothing from the next one', 1, spent(5000), 300],
    ['after it ended, given back, gives the next one nothing', 1, { outcome: 'ignored' }, 300],
    ['after two gives nothing back', 2, spent(100), 300],
    ['after two books what was used above the estimate now', 2, spent(5000), 300 + 4400],
    ['after two, as it was estimated, changes nothing', 2, {}, 300],
    ['after ten books what was used above the estimate now', 10, spent(5000), 300 + 4400],
  ])('%s', async (_, days, outcome, expected) => {
    const { clock, admission, used } = budgeted([userBudget()]);
    const late = await admission(costing(600));
    clock.advance(days * DAY);
    if (days > 0) await admission(costing(300));
    await late.settle(outcome);
    expect(await used(u)).toEqual({ user: expected });
  });

  test('after two, by somebody who has been forgotten meanwhile, is booked all the same', async () => {
    const { clock, admission, refusal, used } = budgeted([userBudget()]);
    const late = await admission(costing(600));
    clock.advance(2 * DAY);
    for (let i = 0; i < 50; i++) await admission({ ...costing(1), subject: { user: `other${i}` } });
    await late.settle(spent(1700));
    expect(await used(u)).toEqual({ user: 1100 });
    expect(await refusal(costing(1))).toMatchObject({ reason: 'budget', resetsAt: START + 3 * DAY });
  });

  test('each budget goes by its own period', async () => {
    const { clock, admission, used } = budgeted([
      userBudget(),
      userBudget({ name: 'hourly', per: 'hour' }),
      userBudget({ name: 'monthly', per: 'month' }),
    ]);
    const late = await admission(costing(600));
    clock.advance(DAY);
    await late.settle(spent(800));
    expect(await used(u)).toEqual({ user: 0, hourly: 200, monthly: 800 });
  });
});

describe('a client that leaves during a stream', () => {
  test('keeps the estimate until somebody tells what was seen', async () => {
    const { gate, admission, used } = budgeted([userBudget()]);
    const settled: unknown[] = [];
    gate.on('settled', ({ outcome, provisional, actual }) => settled.push([outcome, provisional, actual?.usd]));
    const left = await admission(costing(600));
    await left.conclude({ outcome: 'failed' });
    expect(await used(u)).toEqual({ user: 600 });
    await left.settle({ outcome: 'failed', ...spent(250) });
    expect(await used(u)).toEqual({ user: 250 });
    await left.settle(spent(900));
    await left.conclude(spent(900));
    expect(await used(u)).toEqual({ user: 250 });
    expect(settled).toEqual([
      ['failed', true, 600],
      ['failed', false, 250],
    ]);
  });

  test('is charged for what was seen, be it more than there is', async () => {
    const { admission, refusal, used } = budgeted([userBudget()]);
    const left = await admission(costing(600));
    await left.conclude({ outcome: 'failed' });
    await left.settle({ outcome: 'failed', ...spent(4000) });
    expect(await used(u)).toEqual({ user: 4000 });
    expect((await refusal(costing(1))).violated).toMatchObject([{ used: 4000, limit: 1000, remaining: 0 }]);
  });

  test('is charged for what was seen in the period that it came in, also where that is over', async () => {
    const { clock, admission, used } = budgeted([userBudget(), userBudget({ name: 'month', per: 'month' })]);
    const left = await admission(costing(600));
    await left.conclude({ outcome: 'failed' });
    clock.advance(DAY);
    await admission(costing(300));
    await left.settle({ outcome: 'failed', ...spent(250) });
    expect(await used(u)).toEqual({ user: 300, month: 550 });
  });

  test('keeps the worst charged where what was seen says nothing of the answer', async () => {
    const { admission, gate, used } = budgeted([userBudget({ reserve: 'worst' })]);
    for (let i = 0; i < 20; i++) {
      const usage = { inputTokens: 0, outputTokens: 10 };
      await (await admission({ ...u, subject: { user: `u${i}` }, estimate: {} })).settle({ usage });
    }
    const decision = await gate.admit({ ...u, estimate: { inputTokens: 50 } }, { body: { max_tokens: 400 } });
    if (!decision.admitted) throw new Error('refused');
    expect(await used(u)).toEqual({ user: 450 });
    await decision.admission.conclude({ outcome: 'failed', model: 'm' });
    expect(await used(u)).toEqual({ user: 450 });
    await decision.admission.settle({ outcome: 'failed', usage: { inputTokens: 60 } });
    expect(await used(u)).toEqual({ user: 460 });
  });
});

describe('an agent that would overrun in its fortieth call', () => {
  const layers = [
    slidingWindow({ name: 'tokens', unit: 'tokens', limit: 100_000, window: '1d' }),
    tokenBucket({ name: 'permits', capacity: 100, refill: '1/h' }),
  ];

  /** An admission after 39 calls at 25 nano-dollars each. */
  async function afterThirtyNine() {
    const made = budgeted([userBudget({ limit: '$0.000000999' }), userBudget({ name: 'week', per: 'week' })], layers);
    const agent = await made.admission({ ...costing(25), permits: 1 });
    for (let call = 2; call <= 39; call++) {
      expect(await agent.extend({ inputTokens: 25 })).toMatchObject({ admitted: true });
    }
    return { ...made, agent };
  }

  test('is refused that call alone, which charges nothing', async () => {
    const { gate, agent } = await afterThirtyNine();
    const before = await gate.inspect(u.subject, { model: 'm' });
    const decision = await agent.extend({ inputTokens: 25 });
    expect(decision).toMatchObject({
      admitted: false,
      refusal: { id: agent.id, reason: 'budget', layer: 'user', status: 402, resetsAt: START + DAY },
    });
    expect(await gate.inspect(u.subject, { model: 'm' })).toEqual(before);
    expect(before.budgets).toMatchObject([{ used: 975 }, { used: 975 }]);
    expect(agent.estimate).toMatchObject({ inputTokens: 975, usd: 975 });
    expect(await agent.extend({ inputTokens: 24 })).toMatchObject({ admitted: true });
  });

  test.each([0, 400, 974, 975, 976, 2500])('settles with what it used in all: %d', async (total) => {
    const { agent, used } = await afterThirtyNine();
    await agent.extend({ inputTokens: 25 });
    await agent.settle(spent(total));
    expect(await used(u)).toEqual({ user: total, week: total, tokens: total, permits: 1 });
  });

  test('keeps what was admitted charged where it says nothing', async () => {
    const { agent, used } = await afterThirtyNine();
    await agent.extend({ inputTokens: 25 });
    await agent.settle();
    expect(await used(u)).toEqual({ user: 975, week: 975, tokens: 975, permits: 1 });
  });

  test('makes as many calls at once as there is room for', async () => {
    const { agent, used } = await afterThirtyNine();
    const decisions = await Promise.all(Array.from({ length: 5 }, () => agent.extend({ inputTokens: 9 })));
    expect(decisions.map(({ admitted }) => admitted)).toEqual([true, true, false, false, false]);
    expect(agent.estimate.usd).toBe(993);
    await agent.settle(spent(980));
    expect(await used(u)).toMatchObject({ user: 980, week: 980 });
  });

  test('goes on once others have given back what they did not use', async () => {
    const { admission, agent } = await afterThirtyNine();
    const other = await admission(costing(20));
    expect(await agent.extend({ inputTokens: 5 })).toMatchObject({ admitted: false });
    await other.settle(spent(0));
    expect(await agent.extend({ inputTokens: 24 })).toMatchObject({ admitted: true });
  });
});
