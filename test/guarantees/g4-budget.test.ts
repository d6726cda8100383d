/**
 * G4: at each admission, settled + held + this estimate ≤ limit; what is found above the estimate is always booked. And G5 on
 * the way: an admission is charged once and settled at most once, whatever overlaps or is repeated.
 */
import { budget, createTollgate, type Decision, type Money } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { openBooks } from '../helpers/ledger-books.js';
import { player } from '../helpers/ledger-player.js';
import { commandsOf, nth, sizesOf, specs } from '../helpers/ledger-requests.js';
import { check } from '../helpers/oracle-log.js';

// Every step of all these histories is checked.
jest.setTimeout(60_000);

const HOUR = 3_600_000;

function hourly(limit: Money) {
  const clock = manualClock();
  const budgets = [budget({ name: 'hourly', limit, per: 'hour' })];
  const gate = createTollgate({ clock, budgets, prices: { default: { input: '$1/M', output: '$1/M' } } });
  const admit = (usd: Money) => gate.admit({ permits: 1, usd });
  return { clock, admit, used: async () => (await gate.inspect({})).budgets[0].used };
}

function admission(decision: Decision) {
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  return decision.admission;
}

describe('G4 budget', () => {
  it('is exhausted to the nano-dollar', async () => {
    const { admit } = hourly('$1');
    admission(await admit('$0.999999999'));
    expect((await admit('$0.000000002')).admitted).toBe(false);
    admission(await admit('$0.000000001'));
    expect(await admit('$0.000000001')).toMatchObject({ refusal: { reason: 'budget', status: 402 } });
  });

  it('books what goes below zero, and admits nothing until the period ends or it is made good', async () => {
    const { admit, clock, used } = hourly('$1');
    const [first, second] = [admission(await admit('$0.5')), admission(await admit('$0.25'))];
    await first.conclude({ usd: '$40' });
    await second.settle({ usd: '$0.3' });
    expect(await used()).toBe(40_300_000_000);
    expect((await admit('$0.000000001')).admitted).toBe(false);
    expect((await admit('$0')).admitted).toBe(true);
    await first.settle({ usd: '$0.1' });
    expect(await used()).toBe(400_000_000);
    await admission(await admit('$0.6')).settle({ usd: '$9' });
    expect(await admit('$0.000000001')).toMatchObject({ refusal: { retryAfterMs: HOUR } });
    clock.advance(HOUR);
    expect((await admit('$1')).admitted).toBe(true);
  });

  it('corrects the period that was charged, and of one long over books what is above', async () => {
    const { admit, clock, used } = hourly('$10');
    const all = [];
    for (let i = 0; i < 4; i++) all.push(admission(await admit('$2')));
    clock.advance(HOUR);
    admission(await admit('$3'));
    await all[0].settle({ usd: '$9' });
    await all[1].settle({ outcome: 'ignored' });
    expect(await used()).toBe(3_000_000_000);
    clock.advance(HOUR);
    admission(await admit('$4'));
    await all[2].settle({ outcome: 'ignored' });
    expect(await used()).toBe(4_000_000_000);
    await all[3].settle({ usd: '$2.000000007' });
    expect(await used()).toBe(4_000_000_007);
  });

  it('agrees with the ledger to the nano-dollar, step by step', async () => {
    const histories = fc.array(commandsOf(8, 0), { minLength: 1, maxLength: 60, size: 'max' });
    await check(
      fc.asyncProperty(sizesOf(1), histories, async (sizes, commands) => {
        const { command, audit, drain } = player(await openBooks(sizes));
        for (const one of commands) {
          command(one);
          await drain();
          await audit();
        }
      }),
      60,
    );
  });

  it('agrees with the ledger where everything overlaps, and is answered in any order', async () => {
    const histories = fc.array(commandsOf(8, 20), { minLength: 1, maxLength: 120, size: 'max' });
    await check(
      fc.asyncProperty(sizesOf(1), histories, fc.array(nth, { minLength: 1 }), async (sizes, commands, nths) => {
        const { command, audit, drain } = player(await openBooks(sizes));
        for (const one of commands) {
          command(one);
          await audit();
        }
        await drain(nths);
      }),
      40,
    );
  });

  it('agrees with the ledger where a thousand admissions are in flight at once', async () => {
    const size = fc.integer({ min: 0, max: 2_000 });
    await check(
      fc.asyncProperty(sizesOf(30), fc.nat(), size, async (sizes, seed, numRuns) => {
        const books = await openBooks(sizes);
        const { command, audit, drain } = player(books);
        for (const spec of fc.sample(specs, { seed, numRuns: 1_000 })) command({ do: 'admit', spec });
        expect(books.wire.waiting()).toBe(1_000);
        for (const one of fc.sample(commandsOf(0, 10), { seed, numRuns })) {
          command(one);
          await audit();
        }
        await drain(fc.sample(nth, { seed, numRuns: 100 }));
      }),
      2,
    );
  });
});
