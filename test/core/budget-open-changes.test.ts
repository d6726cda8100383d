/** A budget that is changed while admissions are open. */
import { budget, type Money, memoryStore, type Store } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf, START } from './support.js';

const DAY = 86_400_000;
const prices = { m: { input: '$0.001/M', output: '$0.001/M' } } as const;
const u = { user: 'u' };

/** So many nano-dollars. */
const nano = (amount: number): Money => `$0.${String(amount).padStart(9, '0')}` as Money;

/** What is estimated to cost so many nano-dollars, and what did. */
const costing = (inputTokens: number) => ({ subject: u, permits: 0, model: 'm', estimate: { inputTokens } });
const spent = (inputTokens: number) => ({ usage: { inputTokens, outputTokens: 0 } });

/** A store that answers later. */
function remote(): Store {
  const kept = memoryStore();
  return {
    ...kept,
    take: async (request, now) => kept.take(request, now),
    settle: async (receipt, actual, now, goesOn) => kept.settle(receipt, actual, now, goesOn),
    peek: async (who, bills, now) => kept.peek(who, bills, now),
  };
}

/** 1000 nano-dollars a day for each user. */
function budgeted(store = memoryStore()) {
  const budgets = [budget({ name: 'user', by: 'user', limit: nano(1000), per: 'day' })];
  const made = gateOf([], { budgets, prices, store, alerts: { log: false } });
  return {
    ...made,
    state: async () => (await made.gate.inspect(u)).budgets[0],
    fits: async (cost: number) => (await made.gate.explain(costing(cost))).admitted,
  };
}

type Made = ReturnType<typeof budgeted>;

const CHANGES: [string, (made: Made) => unknown, limit: number][] = [
  ['a limit that goes up', ({ gate }) => gate.update({ budgets: { user: { limit: nano(1500) } } }), 1500],
  ['a limit that goes down', ({ gate }) => gate.update({ budgets: { user: { limit: nano(300) } } }), 300],
  ['a limit of nothing', ({ gate }) => gate.update({ budgets: { user: { limit: '$0' } } }), 0],
  ['a limit by plan', ({ gate }) => gate.update({ budgets: { user: { limit: { default: nano(700) } } } }), 700],
  ['a top-up', ({ gate }) => gate.topUp('user', u, nano(200)), 1200],
  ['a reset', ({ gate }) => gate.resetBudget('user', u), 1800],
];

describe.each(CHANGES)('%s, with 800 of 1000 on an open admission', (_, change, limit) => {
  test('holds at once, and what is open stays charged', async () => {
    const made = budgeted();
    await made.admission(costing(800));
    await change(made);
    expect(await made.state()).toMatchObject({ used: 800, limit, remaining: Math.max(0, limit - 800) });
    const room = Math.max(-1, limit - 800);
    if (room >= 0) expect(await made.fits(room)).toBe(true);
    expect(await made.fits(Math.max(1, room + 1))).toBe(false);
  });

  test.each([0, 250, 800, 801, 5000])('settles at %d, and nothing is lost', async (actual) => {
    const made = budgeted();
    const open = await made.admission(costing(800));
    await change(made);
    await open.settle(spent(actual));
    expect(await made.state()).toMatchObject({ used: actual, limit });
    const room = limit - actual;
    if (room >= 0) expect(await made.fits(room)).toBe(true);
    expect(await made.fits(Math.max(1, room + 1))).toBe(false);
  });

  test('holds for extensions of what is open too', async () => {
    const made = budgeted();
    const open = await made.admission(costing(800));
    await change(made);
    const room = limit - 800;
    expect(await open.extend({ inputTokens: Math.max(1, room + 1) })).toMatchObject({ admitted: false });
    if (room > 0) expect(await open.extend({ inputTokens: room })).toMatchObject({ admitted: true });
    await open.settle(spent(640));
    expect((await made.state()).used).toBe(640);
  });
});

test('what is given lasts for the period, and what was open in it is settled in it', async () => {
  const { gate, clock, admission, state } = budgeted();
  await gate.topUp('user', u, nano(200));
  const open = await admission(costing(1200));
  clock.set(START + DAY - 1);
  expect(await state()).toMatchObject({ used: 1200, limit: 1200 });
  clock.advance(1);
  expect(await state()).toMatchObject({ used: 0, limit: 1000 });
  await open.settle(spent(3000));
  expect(await state()).toMatchObject({ used: 0, limit: 1000 });
});

test('a reset makes good a debt, and what is given back after it stays given', async () => {
  const { gate, admission, state } = budgeted();
  const open = await admission(costing(800));
  await (await admission(costing(0))).settle(spent(4000));
  await Promise.all([gate.resetBudget('user', u), gate.resetBudget('user', u)]);
  expect(await state()).toMatchObject({ used: 4800, remaining: 1000 });
  await open.settle(spent(500));
  await gate.resetBudget('user', u);
  expect(await state()).toMatchObject({ used: 4500, remaining: 1300 });
});

test('of requests that come together, as many are admitted as there is room for, also where a store answers later', async () => {
  for (const store of [memoryStore(), remote()]) {
    const { gate, state } = budgeted(store);
    const decisions = await Promise.all(Array.from({ length: 1000 }, (_, i) => gate.admit(costing(1 + (i % 7)))));
    const costs = decisions.map(({ admitted }, i) => (admitted ? 1 + (i % 7) : 0));
    expect((await state()).used).toBe(costs.reduce((sum, cost) => sum + cost));
    expect((await state()).used).toBe(1000);
    await Promise.all(decisions.map((decision) => decision.admitted && decision.admission.settle(spent(2))));
    expect((await state()).used).toBe(2 * costs.filter((cost) => cost > 0).length);
  }
});

test('agrees with a ledger of its own, whatever is changed while whatever is open', async () => {
  const amount = fc.nat(700);
  const step = fc.oneof(
    fc.record({ do: fc.constant('admit' as const), amount }),
    fc.record({ do: fc.constant('extend' as const), amount, which: fc.nat() }),
    fc.record({ do: fc.constant('settle' as const), amount: fc.nat(2000), which: fc.nat() }),
    fc.record({ do: fc.constant('limit' as const), amount: fc.nat(3000) }),
    fc.record({ do: fc.constant('top up' as const), amount }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40, size: 'max' }), fc.boolean(), async (steps, isRemote) => {
      const { gate, state } = budgeted(isRemote ? remote() : undefined);
      let [limit, credit, settled] = [1000, 0, 0];
      const open: { admission: Awaited<ReturnType<Made['admission']>>; held: number }[] = [];
      const charged = () => settled + open.reduce((sum, { held }) => sum + held, 0);
      for (const step of steps) {
        // What costs no money needs no room.
        const fits = step.amount === 0 || charged() + step.amount <= limit + credit;
        const one = 'which' in step ? open[step.which % open.length] : undefined;
        if (step.do === 'admit') {
          const decision = await gate.admit(costing(step.amount));
          expect(decision.admitted).toBe(fits);
          if (decision.admitted) open.push({ admission: decision.admission, held: step.amount });
        } else if (step.do === 'limit') {
          limit = step.amount;
          gate.update({ budgets: { user: { limit: nano(limit) } } });
        } else if (step.do === 'top up') {
          credit += step.amount;
          expect(await gate.topUp('user', u, nano(step.amount))).toMatchObject({ limit: limit + credit });
        } else if (one && step.do === 'extend') {
          const { admitted } = await one.admission.extend({ inputTokens: step.amount });
          expect(admitted).toBe(fits);
          if (admitted) one.held += step.amount;
        } else if (one) {
          await one.admission.settle(spent(step.amount));
          open.splice(open.indexOf(one), 1);
          settled += step.amount;
        }
        expect(await state()).toMatchObject({ used: charged(), limit: limit + credit });
      }
    }),
    { numRuns: 40 },
  );
});
