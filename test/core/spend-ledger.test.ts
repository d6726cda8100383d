/** What a process keeps of what it has spent: what is lost is told once, to the nano-dollar, and memory is bounded. */
import fc from 'fast-check';
import { epochOf, type Origin, type RedisEntry } from '../../packages/core/src/store/redis/operation.js';
import { createSpendLedger, type Spend, type SpendLedger } from '../../packages/core/src/store/redis/spend-ledger.js';
import { charge, daily, makeMeters, START } from '../conformance/store/charges.js';
import { check } from '../helpers/oracle-log.js';

const { budget } = makeMeters();

const EPOCH = 1;

/** Of lanes of which all calls have to be known, and none is. */
const GAPS = [0, 1, 2].map((lane) => ({ lane, number: Number.POSITIVE_INFINITY, known: 0 }));

/** A charge, unless it is less than all that its entry costs then. */
function spend(user: string, amount: number, place = 1, origin: Origin = { epoch: EPOCH }, cost = amount): Spend {
  const made = charge(budget, daily(START), [user], 1).charge;
  const entry: RedisEntry = {
    charge: made,
    who: [undefined, user],
    cost,
    place,
    used: 0,
    origin,
    bookedAt: START,
    settling: undefined,
  };
  return { entry, amount, begins: amount === cost };
}

function told(spends: readonly Spend[]): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { entry, amount } of spends) add(sums, `${entry.who[1]}${entry.place}`, amount);
  return sums;
}

function lastOf(ledger: SpendLedger, lane: number): number {
  return ledger.last().find((call) => call.lane === lane)?.number ?? 0;
}

function add(sums: Record<string, number>, name: string, amount: number): void {
  sums[name] = (sums[name] ?? 0) + amount;
  if (sums[name] === 0) delete sums[name];
}

test('what a lane has spent behind a call, and all lanes in another epoch, is told once, by budget, key and period', async () => {
  const call = fc.record({
    lane: fc.nat(3),
    epoch: fc.constantFrom(EPOCH, EPOCH, EPOCH + 1),
    user: fc.constantFrom('a', 'b'),
    amount: fc.integer({ min: 0, max: 9 }),
    change: fc.integer({ min: -9, max: 9 }),
    isOwn: fc.boolean(),
    place: fc.integer({ min: 1, max: 2 }),
  });
  const property = fc.property(fc.array(call, { maxLength: 30 }), fc.nat(3), fc.nat(10), (calls, lane, since) => {
    const ledger = createSpendLedger([() => 0]);
    const numbers = [0, 0, 0, 0];
    const wanted: Record<string, number> = {};
    for (const { lane: by, epoch, user, amount, change: any, isOwn, place } of calls) {
      const change = isOwn ? Math.max(any, -amount) : any;
      const origin = { epoch };
      const begun = isOwn && amount > 0 ? [spend(user, amount, place, origin)] : [];
      ledger.note(by, ++numbers[by], epoch, [...begun, spend(user, change, place, origin, 99)]);
      if (epoch === EPOCH && (by !== lane || numbers[by] <= since)) continue;
      // What was charged elsewhere may be lost as well, and then there is nothing to give back.
      if (begun.length > 0) add(wanted, `${user}${place}`, amount + change);
      else if (change > 0) add(wanted, `${user}${place}`, change);
    }
    const known = numbers.map((number, by) => ({ lane: by, number, known: by === lane ? since : number }));
    expect(told(ledger.takeLost(known, { epoch: EPOCH }))).toEqual(wanted);
    expect(ledger.takeLost(known, { epoch: EPOCH })).toEqual([]);
    expect(lastOf(ledger, lane)).toBeLessThanOrEqual(since);
  });
  await check(property, 300);
});

test('what was charged stands where it is spent again, however often; but what was forgotten before is lost', () => {
  let now = 0;
  const ledger = createSpendLedger([() => now]);
  const [older, newer]: Origin[] = [{ epoch: 1 }, { epoch: 1 }];
  ledger.note(0, 1, 1, [spend('a', 9, 1, older)]);
  now = 300_000;
  ledger.note(0, 2, 1, [spend('a', 5, 1, newer)]);
  ledger.note(1, 1, 1, [spend('a', -2, 1, newer, 3), spend('a', -3, 1, older, 6)]);
  ledger.note(2, 1, 1, [spend('a', 4)]);
  const byEpoch = (spends: readonly Spend[]) => spends.map(({ entry, amount }) => [epochOf(entry), amount]);
  const second: Origin = { epoch: 2 };
  // Of what is known there is one sum.
  expect(byEpoch(ledger.takeLost(GAPS, second))).toEqual([
    [2, 7],
    [1, -3],
  ]);
  ledger.note(0, 3, 2, [spend('a', 7, 1, second)]);
  expect(byEpoch(ledger.takeLost(GAPS, { epoch: 3 }))).toEqual([[3, 7]]);
  expect([older, newer].map((origin) => epochOf(spend('a', 0, 1, origin).entry))).toEqual([1, 3]);
});

test('of what was charged nothing more is part than of the same call, be it nothing', () => {
  let now = 0;
  const ledger = createSpendLedger([() => now]);
  const [older, newer]: Origin[] = [{ epoch: 1 }, { epoch: 1 }];
  ledger.note(0, 1, 1, [spend('a', 0, 1, older), spend('b', 10, 1, older)]);
  now = 300_000;
  ledger.note(0, 2, 1, [spend('c', 0, 1, newer)]);
  // What was charged as nothing comes to something; of the older one what b was charged is forgotten.
  for (const [i, origin] of [older, newer].entries()) {
    ledger.note(1, 1 + i, 1, [{ ...spend(i === 0 ? 'a' : 'c', 5, 1, origin), begins: false }]);
  }
  expect(told(ledger.takeLost(GAPS, { epoch: 2 }))).toEqual({ a1: 5, c1: 5 });
  expect([older, newer].map((origin) => epochOf(spend('a', 0, 1, origin).entry))).toEqual([1, 2]);
});

test('what is kept is not moved each time that something is forgotten', () => {
  let now = 0;
  let moved = 0;
  const ledger = createSpendLedger([() => now]);
  const slice = Array.prototype.slice;
  jest.spyOn(Array.prototype, 'slice').mockImplementation(function (this: unknown[], ...range) {
    const part = slice.apply(this, range);
    moved += part.length;
    return part;
  });
  for (let i = 1; i <= 6_000; i++) {
    now += 100;
    ledger.note(0, i, EPOCH, [spend('a', 1)]);
    ledger.last();
  }
  jest.restoreAllMocks();
  expect(moved).toBeLessThan(40_000);
  expect(told(ledger.takeLost([GAPS[0]], { epoch: EPOCH }))).toEqual({ a1: 3_000 });
});

test('it is forgotten after five minutes, and the oldest where there is too much', () => {
  let now = 0;
  const ledger = createSpendLedger([() => now]);
  ledger.note(0, 1, EPOCH, [spend('a', 1)]);
  now = 299_999;
  ledger.note(1, 1, EPOCH, [spend('a', 2)]);
  expect([lastOf(ledger, 0), lastOf(ledger, 1), ledger.last()]).toMatchObject([
    1,
    1,
    [
      { lane: 0, number: 1 },
      { lane: 1, number: 1 },
    ],
  ]);
  now = 300_000;
  expect([lastOf(ledger, 0), lastOf(ledger, 1)]).toEqual([0, 1]);
  for (let i = 1; i <= 100_010; i++) ledger.note(2, i, EPOCH, [spend('a', 1)]);
  expect(told(ledger.takeLost([GAPS[2]], { epoch: EPOCH }))).toEqual({ a1: 100_000 });
});

test('it is forgotten as well where the machine has slept, and with it the clock of the process', () => {
  const ledger = createSpendLedger();
  ledger.note(0, 1, EPOCH, [spend('a', 1)]);
  expect(ledger.last()).toMatchObject([{ lane: 0, number: 1 }]);
  const wall = Date.now;
  jest.spyOn(Date, 'now').mockImplementation(() => wall() + 301_000);
  expect(ledger.last()).toEqual([]);
  jest.restoreAllMocks();
});

test('it is kept for no longer where the wall clock has jumped ahead and back', () => {
  const MINUTE = 60_000;
  let [own, wall] = [performance.now(), Date.now()];
  jest.spyOn(performance, 'now').mockImplementation(() => own);
  jest.spyOn(Date, 'now').mockImplementation(() => wall);
  const ledger = createSpendLedger();
  wall += 60 * MINUTE;
  ledger.note(0, 1, EPOCH, [spend('a', 1)]);
  wall -= 60 * MINUTE;
  expect(lastOf(ledger, 0)).toBe(1);
  own += 5 * MINUTE;
  wall += 5 * MINUTE;
  expect(lastOf(ledger, 0)).toBe(0);
  expect(told(ledger.takeLost([GAPS[0]], { epoch: EPOCH }))).toEqual({});
  jest.restoreAllMocks();
});
