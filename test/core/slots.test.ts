/** The steps of slots by themselves: rows of doubles, with time as an argument. */
import fc from 'fast-check';
import { book, drained, settle, used, WIDTH, wait } from '../../packages/core/src/meters/slots.js';
import { check } from '../helpers/oracle-log.js';

/** Where the row under test begins; its neighbours must stay as they are. */
const AT = 3;
const NEIGHBOUR = -7;
const LEASE = 100;
const rule = { kind: 'slots', leaseMs: LEASE } as const;

/** A row, with the steps over it. */
function start() {
  const row = new Float64Array(AT + WIDTH + AT).fill(NEIGHBOUR).fill(0, AT, AT + WIDTH);
  return {
    used: (now: number) => used(row, AT, rule, now),
    book: (cost: number, now: number) => book(row, AT, rule, cost, now),
    settle(place: number, cost: number, actual: number, now: number) {
      const booking = { place, cost };
      settle(row, AT, rule, booking, actual, now);
      return booking.place;
    },
    wait: (room: number, now: number) => wait(row, AT, rule, room, now),
    drained: (now: number) => drained(row, AT, rule, now),
    forget: () => row.fill(0, AT, AT + WIDTH),
    expectNeighboursKept: () =>
      expect([...row.subarray(0, AT), ...row.subarray(-AT)]).toEqual(new Array(2 * AT).fill(NEIGHBOUR)),
  };
}

describe('a lease', () => {
  it.each([0, 1, 50, 99])(
    'booked %i ms into a generation lasts at least once, and at most twice, its length',
    (into) => {
      const { used, book, expectNeighboursKept } = start();
      const from = 1000 + into;
      book(1, from);
      for (const now of [from, from + LEASE - 1, from + LEASE, 1199]) expect(used(now)).toBe(1);
      for (const now of [1200, from + 2 * LEASE, 1e12]) expect(used(now)).toBe(0);
      expectNeighboursKept();
    },
  );

  it('ends for each by itself', () => {
    const { used, book } = start();
    book(2, 1099);
    book(3, 1100);
    expect([1100, 1199, 1200, 1299, 1300].map(used)).toEqual([5, 5, 3, 3, 0]);
  });

  it('outlives a clock that is set back, and ends when that has caught up', () => {
    const { used, book, settle } = start();
    book(1, 1000);
    const place = book(2, 1100);
    expect(used(0)).toBe(3);
    expect(book(4, 500)).toBe(place);
    expect([used(500), used(1199), used(1200), used(1300)]).toEqual([7, 7, 6, 0]);
    settle(place, 2, 0, 20);
    expect([used(20), used(1200)]).toEqual([5, 4]);
  });
});

describe('settling', () => {
  it('gives back at once, in the generation that was booked or the one after', () => {
    const { used, book, settle } = start();
    const places = [book(1, 1000), book(1, 1010), book(1, 1100)];
    settle(places[0], 1, 0, 1020);
    expect(used(1100)).toBe(2);
    settle(places[1], 1, 0, 1199);
    expect(used(1199)).toBe(1);
    settle(places[2], 1, 0, 1299);
    expect(used(1299)).toBe(0);
  });

  it('does nothing to a lease that has ended, not even where others have come since', () => {
    const { used, book, settle } = start();
    const place = book(2, 1000);
    book(2, 1200);
    expect(settle(place, 2, 0, 1200)).toBe(place);
    expect(used(1200)).toBe(2);
    expect(settle(place, 2, 5, 1200)).toBe(place);
    expect(used(1200)).toBe(2);
  });

  it('keeps what is kept, for as long as the lease lasts', () => {
    const { used, book, settle } = start();
    const place = settle(book(2, 1000), 2, 2, 1100);
    expect([used(1100), used(1199), used(1200)]).toEqual([2, 2, 0]);
    settle(place, 2, 1, 1150);
    expect([used(1150), used(1200)]).toEqual([1, 0]);
  });

  it('books more with a lease that begins anew for all', () => {
    const { used, book, settle } = start();
    book(7, 1000);
    const place = settle(book(1, 1000), 1, 3, 1100);
    expect([used(1100), used(1200), used(1299), used(1300)]).toEqual([10, 3, 3, 0]);
    settle(place, 3, 0, 1250);
    expect(used(1250)).toBe(0);
  });

  it('books what comes to a record that was forgotten, and gives nothing back to one that never had it', () => {
    const { used, settle, book } = start();
    const place = settle(10, 0, 2, 1100);
    expect(used(1100)).toBe(2);
    settle(place, 2, 0, 1100);
    const other = start();
    other.book(1, 900);
    for (const later of [1000, 1100, 1200]) {
      const place = book(1, later);
      expect(other.settle(place, 1, 0, 950)).toBe(place);
      expect(other.settle(place, 0, 1, 950)).toBe(place);
    }
    expect([other.used(950), other.used(1100)]).toEqual([1, 0]);
    other.expectNeighboursKept();
  });
});

describe('the wait', () => {
  it('is none where there is room, else to the lease ends that leave enough', () => {
    const { book, wait } = start();
    expect(wait(0, 1000)).toBe(0);
    book(2, 1050);
    book(3, 1150);
    expect([wait(5, 1160), wait(4, 1160), wait(3, 1160)]).toEqual([0, 40, 40]);
    expect([wait(2, 1160), wait(0, 1160), wait(0, 1299), wait(0, 1300)]).toEqual([140, 140, 1, 0]);
    expect([wait(3, 1200), wait(2, 1200)]).toEqual([0, 100]);
  });
});

describe('against a plain list of leases', () => {
  /** An admission: `ends` is the second boundary of generations after it was booked. */
  interface Lease {
    place: number;
    cost: number;
    bookedAt: number;
    ends: number;
  }

  const endOf = (bookedAt: number) => (Math.ceil((bookedAt + 1) / LEASE) + 1) * LEASE;
  const inUse = (leases: readonly Lease[], now: number) =>
    leases.reduce((sum, { cost, ends }) => (now < ends ? sum + cost : sum), 0);

  const step = fc.record({
    ms: fc.oneof({ weight: 4, arbitrary: fc.nat(40) }, { weight: 1, arbitrary: fc.integer({ min: -250, max: 350 }) }),
    cost: fc.nat(3),
    /** Which admission, and to what; an admission may be settled again and again. */
    settles: fc.option(fc.record({ nth: fc.nat(8), actual: fc.oneof(fc.constant(0), fc.nat(4)) })),
    forgets: fc.boolean(),
  });

  it.each([
    ['a clock that goes back', true],
    ['records that are forgotten once they have drained', false],
  ])('agrees over any history, and never passes the limit, with %s', async (_, goesBack) => {
    const limit = 6;
    const property = fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const { used, book, settle, wait, drained, forget, expectNeighboursKept } = start();
      const leases: Lease[] = [];
      let now = 10_000;
      // The latest time at which the row was changed.
      let latest = 0;
      for (const { ms, cost, settles, forgets } of steps) {
        now += goesBack ? ms : Math.abs(ms);
        const lease = settles === null ? undefined : leases[settles.nth % Math.max(1, leases.length)];
        if (lease !== undefined && settles !== null) {
          latest = Math.max(latest, now);
          const before = inUse(leases, latest);
          // A settle may book more whatever the limit; here it doesn't, so that the limit can be held against it.
          const actual = Math.min(settles.actual, lease.cost + Math.max(0, limit - before));
          lease.place = settle(lease.place, lease.cost, actual, now);
          if (latest < lease.ends) {
            if (actual > lease.cost) Object.assign(lease, { bookedAt: latest, ends: endOf(latest) });
            lease.cost = actual;
          } else lease.cost = 0;
        } else if (used(now) <= limit - cost) {
          latest = Math.max(latest, now);
          leases.push({ place: book(cost, now), cost, bookedAt: latest, ends: endOf(latest) });
        }

        expect(inUse(leases, latest)).toBeLessThanOrEqual(limit);
        for (const at of [now, now + 1, now + 60, latest, latest + LEASE]) {
          expect(used(at)).toBe(inUse(leases, Math.max(at, latest)));
          expect(drained(at)).toBe(used(at) === 0);
        }
        for (const { cost, bookedAt, ends } of leases) {
          if (cost > 0) expect(ends - bookedAt).toBeGreaterThan(LEASE);
          expect(ends - bookedAt).toBeLessThanOrEqual(2 * LEASE);
        }
        for (let room = 0; room <= limit; room += 2) {
          const ms = wait(room, now);
          expect(used(now + ms)).toBeLessThanOrEqual(room);
          if (ms > 0) expect(used(now + ms - 1)).toBeGreaterThan(room);
        }
        if (forgets && !goesBack && drained(now)) forget();
      }
      expect(used(latest + 2 * LEASE)).toBe(0);
      expectNeighboursKept();
    });
    await check(property, 60);
  });
});
