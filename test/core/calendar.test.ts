/** The steps of a calendar budget by themselves: rows of doubles, with the rule of the present period as an argument. */
import fc from 'fast-check';
import type { Booking } from '../../packages/core/src/meters/booking.js';
import {
  book,
  type CalendarRule,
  drained,
  settle,
  used,
  WIDTH,
  wait,
} from '../../packages/core/src/meters/calendar.js';
import { check } from '../helpers/oracle-log.js';

/** Where the row under test begins; its neighbours must stay as they are. */
const AT = 3;
const NEIGHBOUR = -7;

function newRow(): Float64Array {
  const row = new Float64Array(AT + WIDTH + AT).fill(NEIGHBOUR);
  return row.fill(0, AT, AT + WIDTH);
}

function expectNeighboursKept(row: Float64Array): void {
  expect([...row.subarray(0, AT), ...row.subarray(row.length - AT)]).toEqual(new Array(2 * AT).fill(NEIGHBOUR));
}

/** A period of 100 ms. */
const rule = (period: number): CalendarRule => ({
  kind: 'calendar',
  period,
  startsAt: period * 100,
  resetsAt: (period + 1) * 100,
});

/** A row, with the steps over it. */
function start() {
  const row = newRow();
  return {
    row,
    used: (period: number) => used(row, AT, rule(period)),
    previous: () => row[AT + 2],
    book: (period: number, cost: number) => book(row, AT, rule(period), cost),
    /** Returns the place for a further one. */
    settle(period: number, place: number, cost: number, actual: number) {
      const booking = { place, cost };
      settle(row, AT, rule(period), booking, actual);
      return booking.place;
    },
    correct: (period: number, booking: Booking, actual: number) => settle(row, AT, rule(period), booking, actual),
    wait: (room: number, now: number) => wait(row, AT, rule(Math.floor(now / 100)), room, now),
    drained: (period: number) => drained(row, AT, rule(period)),
  };
}

describe('a period', () => {
  it('counts what is spent in it, and begins with nothing', () => {
    const { used, book, previous, row } = start();
    expect(used(20)).toBe(0);
    expect([book(20, 5), book(20, 7)]).toEqual([20, 20]);
    expect(used(20)).toBe(12);
    expect(used(21)).toBe(0);
    book(21, 3);
    expect([used(21), previous()]).toEqual([3, 12]);
    expectNeighboursKept(row);
  });

  it('knows nothing of the one before where that was passed by', () => {
    const { used, book, previous } = start();
    book(20, 5);
    book(22, 3);
    expect([used(22), previous()]).toEqual([3, 0]);
  });

  it('adds up to the last nano-dollar of the largest budget', () => {
    const { used, book } = start();
    book(20, 9e15 - 1);
    book(20, 1);
    expect(used(20)).toBe(9e15);
  });

  it('goes on counting where the clock is set back to an earlier one', () => {
    const { used, book, settle, previous } = start();
    book(20, 4);
    const place = book(21, 5);
    expect(used(20)).toBe(5);
    expect(book(19, 2)).toBe(21);
    expect([used(19), used(20), used(21), previous()]).toEqual([7, 7, 7, 4]);
    expect(settle(19, place, 5, 6)).toBe(21);
    expect([used(21), previous()]).toEqual([8, 4]);
  });
});

describe('settling', () => {
  it.each([
    ['less', 4],
    ['nothing', 0],
    ['the same', 10],
    ['more', 25],
  ])('puts %s in place of the cost, in the period that was charged', (_, actual) => {
    const { used, book, settle } = start();
    book(20, 1);
    const place = book(20, 10);
    expect(settle(20, place, 10, actual)).toBe(20);
    expect(used(20)).toBe(1 + actual);
  });

  it.each([
    ['less', 4],
    ['more', 25],
  ])('corrects the period before by %s, and leaves the present one alone', (_, actual) => {
    const { used, book, settle, previous } = start();
    const place = book(20, 10);
    book(21, 3);
    expect(settle(21, place, 10, actual)).toBe(20);
    expect([used(21), previous()]).toEqual([3, actual]);
  });

  it('brings the row to the present period first', () => {
    const { used, book, settle, previous } = start();
    const place = book(20, 10);
    settle(21, place, 10, 12);
    expect([used(21), previous()]).toEqual([0, 12]);
  });

  it('gives nothing back to a period older than that', () => {
    const { used, book, settle, previous } = start();
    const place = book(20, 10);
    book(21, 2);
    book(22, 3);
    settle(22, place, 10, 4);
    expect([used(22), previous()]).toEqual([3, 2]);
  });

  it('books what is above the estimate of a period older than that in the present one', () => {
    const { used, book, settle, previous } = start();
    const place = book(20, 10);
    book(21, 2);
    settle(22, place, 10, 14);
    expect([used(22), previous()]).toEqual([4, 2]);
    settle(40, place, 14, 15);
    expect([used(40), previous()]).toEqual([1, 0]);
  });

  it('books what is above the estimate where the record was forgotten, in the period that was charged', () => {
    const present = start();
    expect(present.settle(20, 20, 0, 7)).toBe(20);
    expect(present.used(20)).toBe(7);
    const before = start();
    before.settle(21, 20, 0, 7);
    expect([before.used(21), before.previous()]).toEqual([0, 7]);
    const setBack = start();
    setBack.settle(19, 20, 0, 7);
    expect(setBack.used(20)).toBe(7);
  });

  it('never takes a period below nothing', () => {
    const { used, book, settle, previous } = start();
    book(20, 3);
    settle(20, 20, 10, 0);
    expect(used(20)).toBe(0);
    book(20, 3);
    settle(21, 20, 10, 0);
    expect(previous()).toBe(0);
  });
});

describe('a second settling', () => {
  it('corrects the first by what is booked then, up and down', () => {
    const { used, book, settle, previous } = start();
    let place = book(20, 10);
    place = settle(20, place, 10, 30);
    place = settle(20, place, 30, 5);
    expect(used(20)).toBe(5);
    place = settle(21, place, 5, 8);
    settle(21, place, 8, 2);
    expect([used(21), previous()]).toEqual([0, 2]);
  });

  it('takes back what came to the present period as a whole', () => {
    const { used, book, settle, previous } = start();
    let place = book(20, 0);
    book(22, 100);
    place = settle(22, place, 0, 9);
    expect([place, used(22)]).toEqual([22, 109]);
    place = settle(22, place, 9, 5);
    expect(used(22)).toBe(105);
    settle(23, place, 5, 1);
    expect([used(23), previous()]).toEqual([0, 101]);
  });

  it('takes back nothing where a part stands in a lost period, lest it be what others spent', () => {
    const { used, book, correct } = start();
    const booking = { place: book(20, 10), cost: 10 };
    book(22, 100);
    const after: number[][] = [];
    for (const actual of [12, 0, 3, 12, 13]) {
      correct(22, booking, actual);
      after.push([booking.cost, used(22)]);
    }
    expect(after).toEqual([
      [12, 102],
      [12, 102],
      [12, 102],
      [12, 102],
      [13, 103],
    ]);
  });
});

describe('the wait', () => {
  it('is none where there is room, else until the period ends', () => {
    const { book, wait } = start();
    expect(wait(0, 2050)).toBe(0);
    book(20, 10);
    expect(wait(10, 2050)).toBe(0);
    expect(wait(9, 2000)).toBe(100);
    expect(wait(9, 2050)).toBe(50);
    expect(wait(0, 2099)).toBe(1);
    expect(wait(0, 2100)).toBe(0);
  });

  it('is never none without room, not even where the time is ahead of the rule', () => {
    const { row, book } = start();
    book(20, 10);
    expect(wait(row, AT, rule(20), 9, 2100)).toBe(1);
    expect(wait(row, AT, rule(20), 9, 2500)).toBe(1);
  });
});

describe('drained', () => {
  it('is how it begins, and stays where nothing was spent', () => {
    const { book, drained } = start();
    expect([drained(0), drained(1), drained(20)]).toEqual([true, true, true]);
    book(20, 0);
    expect([drained(20), drained(21)]).toEqual([true, true]);
  });

  it('is what was spent once the period after has ended too, for until then it can be corrected', () => {
    const { book, drained } = start();
    book(20, 5);
    expect([drained(19), drained(20), drained(21), drained(22), drained(50)]).toEqual([
      false,
      false,
      false,
      true,
      true,
    ]);
    book(21, 0);
    expect([drained(21), drained(22)]).toEqual([false, true]);
  });

  it('is what was given back', () => {
    const { book, settle, drained } = start();
    settle(20, book(20, 5), 5, 0);
    expect(drained(20)).toBe(true);
  });
});

describe('against a plain ledger', () => {
  interface Posting {
    readonly entry: Entry;
    readonly period: number;
    readonly amount: number;
  }

  interface Entry extends Booking {
    /** Where a further correction belongs. */
    home: number;
  }

  /** Goes `ahead` by periods, or back; books an amount or settles an entry; and forgets the record where it may be. */
  const step = fc.record({
    ahead: fc.oneof({ weight: 4, arbitrary: fc.constant(0) }, fc.integer({ min: -2, max: 3 })),
    amount: fc.oneof(fc.constant(0), fc.nat(20), fc.nat(1_000_000)),
    settles: fc.option(fc.nat(6)),
    forgets: fc.boolean(),
  });

  /** All that was ever posted, by who and where. */
  function ledger() {
    const postings: Posting[] = [];
    const sum = (which: (posting: Posting) => boolean) =>
      postings.reduce((total, posting) => (which(posting) ? total + posting.amount : total), 0);
    return {
      of: (period: number) => sum((posting) => posting.period === period),
      /** What an entry has booked, in a period or at all. */
      by: (entry: Entry, period?: number) =>
        sum((posting) => posting.entry === entry && (period === undefined || posting.period === period)),
      post: (entry: Entry, period: number, amount: number) => postings.push({ entry, period, amount }),
      settle(entry: Entry, before: number, present: number, actual: number) {
        const change = actual - before;
        if (present - entry.home <= 1) postings.push({ entry, period: entry.home, amount: change });
        else if (change >= 0) {
          postings.push({ entry, period: present, amount: change });
          if (before === 0) entry.home = present;
        }
      },
    };
  }

  it.each([
    ['a clock that goes back', true],
    ['records that are forgotten once they have drained', false],
  ])('agrees over any history, with %s', async (_, goesBack) => {
    const property = fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const { row, ...meter } = start();
      const books = ledger();
      const entries: Entry[] = [];
      let period = 1000;
      let newest = 0;
      for (const { ahead, amount, settles, forgets } of steps) {
        period += goesBack ? ahead : Math.max(0, ahead);
        newest = Math.max(newest, period);
        const entry = settles === null ? undefined : entries[settles % Math.max(1, entries.length)];
        if (entry !== undefined) {
          const before = entry.cost;
          meter.correct(period, entry, amount);
          books.settle(entry, before, newest, amount);
        } else {
          const made = { cost: amount, place: meter.book(period, amount), home: newest };
          entries.push(made);
          books.post(made, newest, amount);
        }

        expect(meter.used(period)).toBe(books.of(newest));
        expect(meter.previous()).toBe(books.of(newest - 1));
        const isEmpty = books.of(newest) === 0 && books.of(newest - 1) === 0;
        expect(meter.drained(newest)).toBe(isEmpty);
        expect(meter.drained(newest + 1)).toBe(books.of(newest) === 0);
        expect(meter.drained(newest + 2)).toBe(true);
        for (const one of entries) {
          expect(books.by(one)).toBe(one.cost);
          for (const each of [newest, newest - 1]) expect(books.by(one, each)).toBeGreaterThanOrEqual(0);
        }
        if (forgets && !goesBack && isEmpty) row.fill(0, AT, AT + WIDTH);
      }
      expectNeighboursKept(row);
    });
    await check(property, 100);
  });
});
