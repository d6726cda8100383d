/** The meters' steps by themselves: rows of doubles, with time as an argument. */
import fc from 'fast-check';
import type { Booking } from '../../packages/core/src/meters/booking.js';
import * as bucket from '../../packages/core/src/meters/bucket.js';
import { type Charge, fits, type Rule, type Usage } from '../../packages/core/src/meters/meter.js';
import { book, drained, lengthen, NO_ROOM, settle, usage, used, width } from '../../packages/core/src/meters/rules.js';
import * as window from '../../packages/core/src/meters/window.js';
import { check } from '../helpers/oracle-log.js';

/** Where the row under test begins; its neighbours must stay as they are. */
const AT = 3;
const NEIGHBOUR = -7;

function rowOf(rule: Rule): Float64Array {
  const row = new Float64Array(AT + width(rule) + AT).fill(NEIGHBOUR);
  return row.fill(0, AT, AT + width(rule));
}

function chargeOf(rule: Rule, cost: number, limit: number): Charge {
  return {
    meter: { id: 'm', name: 'm', position: 0, unit: 'permits', scope: { by: [], at: [] } },
    rule,
    cost,
    limit,
    whole: limit,
    whenFull: 'refuse',
    shadow: false,
  };
}

function usageAt(row: Float64Array, charge: Charge, now: number): Usage {
  return usage(row, AT, charge, [], now);
}

function expectNeighboursKept(row: Float64Array): void {
  expect([...row.subarray(0, AT), ...row.subarray(row.length - AT)]).toEqual(new Array(2 * AT).fill(NEIGHBOUR));
}

it('the one rule: a cost fits up to the limit, the limit included', () => {
  expect([fits(0, 0, 0), fits(3, 7, 10), fits(0, 10, 10)]).toEqual([true, true, true]);
  expect([fits(3, 7.5, 10), fits(11, 0, 10)]).toEqual([false, false]);
  expect(fits(1e300, 1, Number.POSITIVE_INFINITY)).toBe(true);
});

describe('window', () => {
  const PARTS = 4;
  const PART = 25;
  const rule = window.windowRule(100, PARTS);
  /** The last time at which a cost charged at `time` counts. */
  const lastCounted = (time: number) => (Math.floor(time / PART) + PARTS + 1) * PART - 1;

  function start(...charges: readonly (readonly [time: number, cost: number])[]) {
    const row = rowOf(rule);
    const places = charges.map(([time, cost]) => window.book(row, AT, rule, cost, time));
    return {
      row,
      places,
      used: (now: number) => window.used(row, AT, rule, now),
      /** Until a cost of 1 fits, where there must be no more than `room` used for it. */
      wait: (room: number, now: number) => usageAt(row, chargeOf(rule, 1, room + 1), now).waitMs,
      settle(i: number, cost: number, actual: number, now: number) {
        const booking = { place: places[i], cost };
        window.settle(row, AT, rule, booking, actual, now);
        return booking.cost;
      },
    };
  }

  it('rounds the length of a part up, so that parts together are no shorter than the window', () => {
    for (const ms of [10, 11, 99, 100, 101, 60_000, 61_001]) {
      for (const parts of [2, 3, 7, 10]) {
        const made = window.windowRule(ms, parts);
        expect(Number.isInteger(made.partMs)).toBe(true);
        expect(made.partMs * made.parts).toBeGreaterThanOrEqual(ms);
      }
    }
  });

  it.each([1000, 1001, 1012, 1024])(
    'counts a cost charged at %i until its part leaves, and not a millisecond more',
    (time) => {
      const { used } = start([time, 5]);
      for (const now of [time, time + 100, lastCounted(time)]) expect(used(now)).toBe(5);
      for (const now of [lastCounted(time) + 1, lastCounted(time) + 100, 1e12]) expect(used(now)).toBe(0);
    },
  );

  it('counts on both sides of a boundary apart', () => {
    const { used, row } = start([1024, 2], [1025, 3]);
    expect(used(lastCounted(1024))).toBe(5);
    expect(used(lastCounted(1024) + 1)).toBe(3);
    expect(used(lastCounted(1025) + 1)).toBe(0);
    expectNeighboursKept(row);
  });

  it('takes a time that goes back as the latest it knows', () => {
    const { used, row, places } = start([1000, 2], [1100, 3]);
    expect(used(500)).toBe(5);
    expect(window.book(row, AT, rule, 4, 500)).toBe(places[1]);
    expect(used(lastCounted(1000) + 1)).toBe(7);
  });

  it('gives back to the part that was charged, and nothing once that has left', () => {
    const early = start([1000, 10], [1050, 1]);
    expect(early.settle(0, 10, 4, 1060)).toBe(4);
    expect(early.used(1060)).toBe(5);
    expect(early.used(lastCounted(1000) + 1)).toBe(1);

    // A ring later the same cell holds another part's cost.
    const ring = start([1000, 10], [1000 + (PARTS + 1) * PART, 20]);
    expect(ring.settle(0, 10, 0, 1000 + (PARTS + 1) * PART)).toBe(10);
    expect(ring.used(1000 + (PARTS + 1) * PART)).toBe(20);
    expectNeighboursKept(ring.row);
  });

  it('gives back up to the last moment that a part counts', () => {
    const { used, settle } = start([1000, 10], [lastCounted(1000), 1]);
    settle(0, 10, 0, lastCounted(1000));
    expect(used(lastCounted(1000))).toBe(1);
  });

  it('gives back nothing of a part that has left, whether or not others came since', () => {
    const { used, settle } = start([1000, 10]);
    const later = lastCounted(1000) + 1;
    expect(settle(0, 10, 4, later)).toBe(10);
    expect([settle(0, 10, 10, later), settle(0, 10, 12, later)]).toEqual([10, 12]);
    expect(used(later)).toBe(2);
  });

  it('tells what is booked of overage that could not be given back, so that entries come to what counts', () => {
    const { used, settle } = start([1000, 10]);
    expect(settle(0, 10, 17, 1060)).toBe(17);
    expect(settle(0, 17, 4, 1060)).toBe(7);
    expect(used(1060)).toBe(7);
  });

  it('charges what is above the estimate to the part that it becomes known in', () => {
    const { used, settle } = start([1000, 10]);
    settle(0, 10, 17, 1110);
    expect(used(1110)).toBe(17);
    expect(used(lastCounted(1000) + 1)).toBe(7);
    expect(used(lastCounted(1110))).toBe(7);
    expect(used(lastCounted(1110) + 1)).toBe(0);
  });

  it('is drained exactly when nothing counts, which is also how it begins', () => {
    const { row } = start();
    expect(window.drained(row, AT, rule, 0)).toBe(true);
    expect(window.drained(row, AT, rule, 1e12)).toBe(true);
    window.book(row, AT, rule, 0, 900);
    expect(window.drained(row, AT, rule, 900)).toBe(true);
    const charged = start([1000, 5]);
    expect(window.drained(charged.row, AT, rule, lastCounted(1000))).toBe(false);
    expect(window.drained(charged.row, AT, rule, lastCounted(1000) + 1)).toBe(true);
    charged.settle(0, 5, 0, 1010);
    expect(window.drained(charged.row, AT, rule, 1010)).toBe(true);
  });

  it('knows the wait: none where there is room, else to the boundary that frees enough', () => {
    const { wait } = start([1000, 4], [1030, 3], [1060, 2]);
    expect(wait(9, 1070)).toBe(0);
    expect(wait(8, 1070)).toBe(lastCounted(1000) + 1 - 1070);
    expect(wait(5, 1070)).toBe(lastCounted(1000) + 1 - 1070);
    expect(wait(4, 1070)).toBe(lastCounted(1030) + 1 - 1070);
    expect(wait(0, 1070)).toBe(lastCounted(1060) + 1 - 1070);
    expect(wait(0, lastCounted(1060))).toBe(1);
  });

  const charges = (costs: fc.Arbitrary<number>) =>
    fc.array(fc.tuple(fc.nat(60), costs), { minLength: 1, maxLength: 15 });

  it.each<[string, fc.Arbitrary<number>]>([
    ['whole', fc.nat(20)],
    ['fractional', fc.nat(200).map((tenths) => tenths / 10)],
  ])('names for %s costs the least wait after which there is room', async (_, costs) => {
    await check(
      fc.property(
        charges(costs),
        costs,
        fc.nat(150),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (steps, cost, later, share) => {
          let now = 10_000;
          const { row, used } = start();
          for (const [ms, cost] of steps) {
            now += ms;
            window.book(row, AT, rule, cost, now);
          }
          now += later;
          const limit = cost + Math.floor(used(now) * share * 10) / 10;
          const ms = usageAt(row, chargeOf(rule, cost, limit), now).waitMs;
          expect(fits(used(now + ms), cost, limit)).toBe(true);
          if (ms > 0) expect(fits(used(now + ms - 1), cost, limit)).toBe(false);
        },
      ),
      1_000,
    );
  });

  it('agrees with a plain list of what was charged when', async () => {
    const step = fc.record({ ms: fc.oneof(fc.nat(30), fc.nat(300)), cost: fc.nat(20), settle: fc.option(fc.nat(30)) });
    await check(
      fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
        const row = rowOf(rule);
        const list: { time: number; cost: number; place: number; open: boolean }[] = [];
        let now = 5_000;
        for (const { ms, cost, settle } of steps) {
          now += ms;
          const one = settle === null ? undefined : list[settle];
          if (one?.open) {
            one.open = false;
            const before = one.cost;
            const counts = now <= lastCounted(one.time);
            const booking = { place: one.place, cost: before };
            window.settle(row, AT, rule, booking, cost, now);
            expect(booking).toEqual({ place: one.place, cost: counts ? cost : Math.max(cost, before) });
            if (cost > before) list.push({ time: now, cost: cost - before, place: 0, open: false });
            else one.cost = booking.cost;
          } else list.push({ time: now, cost, place: window.book(row, AT, rule, cost, now), open: true });
          for (const at of [now, now + 1, now + 60]) {
            const counted = list.filter(({ time }) => at <= lastCounted(time));
            expect(window.used(row, AT, rule, at)).toBe(counted.reduce((sum, { cost }) => sum + cost, 0));
          }
        }
        expectNeighboursKept(row);
      }),
      200,
    );
  });
});

describe('bucket', () => {
  const G = bucket.GENERATION_MS;
  const rule = { kind: 'bucket', perMs: 0.01 } as const;

  function start() {
    const row = rowOf(rule);
    return {
      row,
      used: (now: number, perMs: number = rule.perMs) => bucket.used(row, AT, perMs, now),
      book: (cost: number, now: number, perMs: number = rule.perMs) =>
        bucket.book(row, AT, { kind: 'bucket', perMs }, cost, now),
      settle(place: number, cost: number, actual: number, now: number, goesOn = false) {
        const booking = { place, cost };
        bucket.settle(row, AT, rule, booking, actual, now, goesOn);
        return booking;
      },
    };
  }

  it('refills what is kept, at its rate, down to nothing missing', () => {
    const { row, used, book, settle } = start();
    settle(book(10, 1_000), 10, 10, 1_000);
    expect(used(1_000)).toBe(10);
    expect(used(1_500)).toBeCloseTo(5, 9);
    expect(used(2_000)).toBe(0);
    expect(used(1e9)).toBe(0);
    expectNeighboursKept(row);
  });

  it('refills nothing of what is held', () => {
    const { used, book, settle } = start();
    const place = book(10, 1_000);
    expect(used(60_000)).toBe(10);
    settle(place, 10, 10, 60_000);
    expect(used(60_500)).toBeCloseTo(5, 9);
  });

  it('refills the kept part beside the held', () => {
    const { used, book, settle } = start();
    settle(book(6, 1_000), 6, 6, 1_000);
    book(4, 1_000);
    expect(used(1_300)).toBeCloseTo(7, 9);
    expect(used(9_000)).toBe(4);
  });

  it('gives back the whole of a refund, whenever it comes while held', () => {
    const { used, book, settle } = start();
    const place = book(10, 1_000);
    settle(place, 10, 3, 700_000);
    expect(used(700_000)).toBe(3);
    expect(used(700_300)).toBe(0);
  });

  it('holds what is left of an admission that goes on', () => {
    const { used, book, settle } = start();
    const { place } = settle(book(10, 1_000), 10, 4, 2_000, true);
    expect(used(60_000)).toBe(4);
    settle(place, 4, 0, 60_000);
    expect(used(60_000)).toBe(0);
  });

  it('refills overage that is charged to a row in its initial state', () => {
    const { row, used, settle } = start();
    settle(0, 0, 10, 1_000);
    expect(used(1_500)).toBe(5);
    expect(bucket.drained(row, AT, 1_999)).toBe(false);
    expect(bucket.drained(row, AT, 2_000)).toBe(true);
  });

  it('charges overage whatever the capacity, and a further correction can only charge more', () => {
    const { used, book, settle } = start();
    const ended = settle(book(10, 1_000), 10, 15, 1_000);
    expect([used(1_000), ended.cost]).toEqual([15, 15]);
    const lowered = settle(ended.place, ended.cost, 2, 1_000);
    expect([used(1_000), lowered.cost]).toEqual([15, 15]);
    expect(settle(lowered.place, lowered.cost, 4, 1_000).cost).toBe(15);
    expect(used(1_000)).toBe(15);
    settle(lowered.place, lowered.cost, 17, 1_000);
    expect(used(1_000)).toBe(17);
  });

  it.each([0, 1, G - 1])('holds for a generation at least, and two at most, %i ms into one', (into) => {
    const { used, book } = start();
    const from = 100 * G + into;
    book(10, from);
    expect(used(from + G)).toBe(10);
    expect(used(102 * G - 1)).toBe(10);
    // Ended holds count as kept when the row was last brought up to date, so all of it has been refilled by now.
    expect(used(102 * G)).toBe(0);
  });

  it('voids a refund of what is held no longer, and takes none from another hold', () => {
    const { used, book, settle } = start();
    const place = book(10, 100 * G);
    book(7, 102 * G);
    expect(settle(place, 10, 0, 102 * G + 1).cost).toBe(10);
    expect(used(102 * G + 1)).toBe(7);
    settle(place, 10, 12, 102 * G + 2);
    expect(used(102 * G + 2)).toBeGreaterThan(8.9);
  });

  it('knows both generations of holds apart', () => {
    const { used, book, settle } = start();
    const older = book(3, 101 * G - 1);
    const newer = book(4, 101 * G);
    settle(older, 3, 0, 101 * G + 1);
    expect(used(101 * G + 1)).toBe(4);
    settle(newer, 4, 0, 102 * G);
    expect(used(102 * G)).toBe(0);
  });

  it('lets a raised rate hold at once, a lowered one from the next charge', () => {
    const { used, book, settle } = start();
    settle(book(100, 1_000, 0.01), 100, 100, 1_000);
    expect(used(2_000, 0.05)).toBe(50);
    expect(used(2_000, 0.001)).toBe(90);
    settle(book(0, 2_000, 0.001), 0, 0, 2_000);
    expect(used(3_000, 0.001)).toBe(89);
  });

  it('takes a time that goes back as the latest it knows', () => {
    const { used, book, settle } = start();
    settle(book(10, 5_000), 10, 10, 5_000);
    expect(used(1_000)).toBe(10);
    settle(book(2, 1_000), 2, 2, 1_000);
    expect(used(5_500)).toBeCloseTo(7, 9);
  });

  it('is drained exactly when nothing is missing or held, which is also how it begins', () => {
    const { row, book, settle } = start();
    expect(bucket.drained(row, AT, 0)).toBe(true);
    const place = book(10, 1_000);
    expect(bucket.drained(row, AT, 500_000)).toBe(false);
    settle(place, 10, 10, 500_000);
    expect(bucket.drained(row, AT, 500_999)).toBe(false);
    expect(bucket.drained(row, AT, 501_000)).toBe(true);
  });

  it('names a wait after which there is room, and a millisecond less would not do', async () => {
    const cases = fc.record({
      perMs: fc.constantFrom(100 / 3_600_000, 1_000 / 3_600_000, 100 / 60_000, 0.01, 0.3, 7 / 60_000),
      cost: fc.integer({ min: 1, max: 100 }),
      since: fc.oneof(
        fc.nat(100_000),
        fc.nat(100).map((s) => s * 1_000),
      ),
      room: fc.nat(100),
    });
    await check(
      fc.property(cases, ({ perMs, cost, since, room }) => {
        const { row, book, settle, used } = start();
        settle(book(cost, 1_000_000, perMs), cost, cost, 1_000_000);
        const now = 1_000_000 + since;
        const ms = usageAt(row, chargeOf({ kind: 'bucket', perMs }, 1, room + 1), now).waitMs;
        expect(used(now + ms, perMs)).toBeLessThanOrEqual(room);
        if (ms > 0) expect(used(now + ms - 1, perMs)).toBeGreaterThan(room);
      }),
      2_000,
    );
  });
});

describe('a short row', () => {
  const rule = window.windowRule(100, 4);
  const shortRow = () => rowOf(rule).fill(NEIGHBOUR, AT + width(rule, false));

  it('says the same as a long one, or has no room for a cost and stays as it is', async () => {
    const step = fc.record({
      ms: fc.oneof(fc.nat(30), fc.nat(300)),
      cost: fc.nat(3),
      settle: fc.option(fc.nat(10)),
    });
    let refused = 0;
    await check(
      fc.property(fc.array(step, { maxLength: 30, size: 'max' }), (steps) => {
        const [short, long] = [shortRow(), rowOf(rule)];
        const open: { short: Booking; long: Booking }[] = [];
        let now = 5_000;
        for (const { ms, cost, settle: nth } of steps) {
          now += ms;
          const before = [...short];
          const one = nth === null ? undefined : open[nth];
          const booked = one && { ...one.short };
          const place = one ? 0 : book(short, AT, rule, cost, now, false);
          if (place === NO_ROOM || (one && !settle(short, AT, rule, one.short, cost, now, false, false))) {
            refused++;
            expect([...short]).toEqual(before);
            expect(one?.short).toEqual(booked);
          } else if (one) {
            settle(long, AT, rule, one.long, cost, now, false);
            expect(one.short.cost).toBe(one.long.cost);
          } else open.push({ short: { place, cost }, long: { place: book(long, AT, rule, cost, now), cost } });
          const copy = rowOf(rule);
          lengthen(short, AT, copy, AT, rule);
          for (const at of [now, now + 1, now + 60, now + 200]) {
            const wanted = [used(long, AT, rule, at), drained(long, AT, rule, at)];
            expect([used(short, AT, rule, at, false), drained(short, AT, rule, at, false)]).toEqual(wanted);
            expect([used(copy, AT, rule, at), drained(copy, AT, rule, at)]).toEqual(wanted);
            const charge = chargeOf(rule, 1, 2);
            expect(usage(short, AT, charge, [], at, false)).toEqual(usageAt(long, charge, at));
          }
        }
        expect([...short.subarray(AT + width(rule, false))]).toEqual(
          new Array(short.length - AT - width(rule, false)).fill(NEIGHBOUR),
        );
        expectNeighboursKept(long);
      }),
      200,
    );
    expect(refused).toBeGreaterThan(0);
  });

  it.each([0, 4, 10, 25])('of a bucket always has room, also to settle at %i', (actual) => {
    const bucketRule = { kind: 'bucket', perMs: 0.01 } as const;
    const row = rowOf(bucketRule);
    const booking = { place: book(row, AT, bucketRule, 10, 1_000, false), cost: 10 };
    expect(booking.place).not.toBe(NO_ROOM);
    expect(settle(row, AT, bucketRule, booking, actual, 1_000, false, false)).toBe(true);
    expect(used(row, AT, bucketRule, 1_000, false)).toBe(actual);
  });
});

describe('what a meter says to a charge', () => {
  const rule = window.windowRule(100, 4);
  it('never, for what costs more than the limit; no wait, for what fits', () => {
    const row = rowOf(rule);
    expect(usageAt(row, chargeOf(rule, 11, 10), 1_000)).toMatchObject({
      waitMs: Number.POSITIVE_INFINITY,
      used: 0,
    });
    expect(usageAt(row, chargeOf(rule, 10, 10), 1_000)).toMatchObject({ waitMs: 0, refillMs: 0 });
    window.book(row, AT, rule, 10, 1_000);
    expect(usageAt(row, chargeOf(rule, 0, 10), 1_000)).toMatchObject({ waitMs: 0, refillMs: 125 });
    expect(usageAt(row, chargeOf(rule, 1, 10), 1_000)).toMatchObject({ waitMs: 125, refillMs: 125 });
    expect(usageAt(row, chargeOf(rule, 1, Number.POSITIVE_INFINITY), 1_000)).toMatchObject({ waitMs: 0 });
  });
});
