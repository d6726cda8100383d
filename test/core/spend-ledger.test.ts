/** What a process keeps of what it has spent: what is lost is told once, to the nano-dollar, and memory is bounded. */
import fc from 'fast-check';
import type { RedisEntry } from '../../packages/core/src/store/redis/operation.js';
import { createSpendLedger, type Spend } from '../../packages/core/src/store/redis/spend-ledger.js';
import { charge, daily, makeMeters, START } from '../conformance/store/charges.js';
import { check } from '../helpers/oracle-log.js';

const { budget } = makeMeters();

function spend(user: string, amount: number, place = 1): Spend {
  const made = charge(budget, daily(START), [user], 1).charge;
  const entry: RedisEntry = {
    charge: made,
    who: [undefined, user],
    cost: 1,
    place,
    used: 0,
    epoch: 1,
    bookedAt: START,
    settling: undefined,
  };
  return { entry, amount };
}

const told = (spends: readonly Spend[]) =>
  Object.fromEntries(spends.map(({ entry, amount }) => [`${entry.who[1]}${entry.place}`, amount]));

test('what a lane has spent behind a call is told once, summed by budget, key and period', async () => {
  const call = fc.record({
    lane: fc.nat(3),
    user: fc.constantFrom('a', 'b'),
    amount: fc.integer({ min: -9, max: 9 }),
    place: fc.integer({ min: 1, max: 2 }),
  });
  const property = fc.property(fc.array(call, { maxLength: 30 }), fc.nat(3), fc.nat(10), (calls, lane, since) => {
    const ledger = createSpendLedger([() => 0]);
    const numbers = [0, 0, 0, 0];
    const wanted: Record<string, number> = {};
    for (const { lane: by, user, amount, place } of calls) {
      numbers[by]++;
      ledger.note(by, numbers[by], [spend(user, amount, place)]);
      if (by !== lane || numbers[by] <= since) continue;
      wanted[`${user}${place}`] = (wanted[`${user}${place}`] ?? 0) + amount;
    }
    for (const name of Object.keys(wanted)) if (wanted[name] === 0) delete wanted[name];
    expect(told(ledger.takeSince(lane, since))).toEqual(wanted);
    expect(ledger.takeSince(lane, since)).toEqual([]);
    expect(ledger.last(lane)).toBeLessThanOrEqual(since);
  });
  await check(property, 200);
});

test('it is forgotten after five minutes, and the oldest where there is too much', () => {
  let now = 0;
  const ledger = createSpendLedger([() => now]);
  ledger.note(0, 1, [spend('a', 1)]);
  now = 299_999;
  ledger.note(1, 1, [spend('a', 2)]);
  expect([ledger.last(0), ledger.last(1), ledger.newest()]).toEqual([1, 1, expect.objectContaining({ lane: 1 })]);
  now = 300_000;
  expect([ledger.last(0), ledger.last(1)]).toEqual([0, 1]);
  for (let i = 1; i <= 100_010; i++) ledger.note(2, i, [spend('a', 1)]);
  ledger.forget();
  expect(told(ledger.takeSince(2, 0))).toEqual({ a1: 100_000 });
});

test('it is forgotten as well where the machine has slept, and with it the clock of the process', () => {
  const ledger = createSpendLedger();
  ledger.note(0, 1, [spend('a', 1)]);
  expect(ledger.newest()).toMatchObject({ lane: 0, number: 1 });
  const wall = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => wall() + 301_000);
  expect(ledger.newest()).toBeUndefined();
  jest.restoreAllMocks();
});

test('it is kept for no longer where the wall clock has jumped ahead and back', () => {
  const MINUTE = 60_000;
  let [own, wall] = [performance.now(), Date.now()];
  jest.spyOn(performance, 'now').mockImplementation(() => own);
  jest.spyOn(Date, 'now').mockImplementation(() => wall);
  const ledger = createSpendLedger();
  wall += 60 * MINUTE;
  ledger.note(0, 1, [spend('a', 1)]);
  wall -= 60 * MINUTE;
  expect(ledger.last(0)).toBe(1);
  own += 5 * MINUTE;
  wall += 5 * MINUTE;
  expect(ledger.last(0)).toBe(0);
  expect(told(ledger.takeSince(0, 0))).toEqual({});
  jest.restoreAllMocks();
});
