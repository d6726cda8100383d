/** The rule of headroom by itself: a row of doubles, with time as an argument. */
import fc from 'fast-check';
import type { Booking } from '../../packages/core/src/meters/booking.js';
import * as headroom from '../../packages/core/src/meters/headroom.js';
import { headroomLog } from '../helpers/oracle-headroom.js';
import { check } from '../helpers/oracle-log.js';

/** Where the row under test begins; its neighbours must stay as they are. */
const AT = 2;
const START = 1_700_000_000_000;
const LIMIT = 60;
const WINDOW = 6_000;
const rule = headroom.headroomRule(WINDOW, LIMIT);

const rowOf = () => new Float64Array(2 * AT + headroom.WIDTH);

const cost = fc.oneof(fc.nat(30), fc.double({ min: 0, max: 30, noNaN: true }));
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('take' as const), cost }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('settle' as const), which: fc.nat(9), actual: cost }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('observe' as const), which: fc.nat(9), used: fc.nat(LIMIT) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('shut' as const), ms: fc.constantFrom(0, 500, 5_000) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: -50, max: 3_000 }) }) },
);

it('counts as a log of all that happened does, and every wait ends exactly where the cost fits', () =>
  check(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), cost, (steps, next) => {
      const row = rowOf();
      const log = headroomLog(LIMIT, WINDOW);
      const taken: (Booking & { readonly behind: number; readonly charged: number })[] = [];
      let [now, latest] = [START, START];
      for (const one of steps) {
        if (one.kind === 'pass') now += one.ms;
        // What asks the rows keeps time from going back.
        latest = Math.max(latest, now);
        const last = taken.length > 0 && 'which' in one ? taken[Math.max(0, taken.length - 1 - one.which)] : undefined;
        if (one.kind === 'take') {
          const behind = log.charge(one.cost, latest);
          taken.push({
            cost: one.cost,
            place: headroom.book(row, AT, rule, one.cost, latest),
            behind,
            charged: one.cost,
          });
        }
        if (one.kind === 'settle' && last !== undefined) {
          const before = last.cost;
          const held = log.used(latest);
          headroom.settle(row, AT, rule, last, one.actual, latest);
          if (one.actual > before) log.charge(one.actual - before, latest);
          else log.giveBack(before - one.actual, latest);
          expect(last.cost).toBeCloseTo(Math.max(one.actual, before - held), 6);
        }
        if (one.kind === 'observe') {
          const said = { used: one.used, limit: LIMIT, shutMs: undefined };
          const before = headroom.used(row, AT, rule, latest);
          const answered = last && { ...last, cost: last.charged };
          const hasRoom = headroom.observe(row, AT, rule, said, answered, latest);
          log.observe(one.used, answered, latest);
          if (!log.isShut(latest)) expect(hasRoom).toBe(headroom.used(row, AT, rule, latest) < before);
        }
        if (one.kind === 'shut') {
          headroom.observe(row, AT, rule, { used: undefined, limit: LIMIT, shutMs: one.ms }, undefined, latest);
          log.shut(one.ms, latest);
        }
        const used = headroom.used(row, AT, rule, latest);
        expect(Number.isNaN(used)).toBe(log.isShut(latest));
        if (!Number.isNaN(used)) expect(used).toBeCloseTo(log.used(latest), 6);
      }
      const room = LIMIT - next;
      const waitMs = headroom.wait(row, AT, rule, room, latest);
      expect(headroom.used(row, AT, rule, latest + waitMs) <= room).toBe(true);
      if (waitMs > 0) expect(headroom.used(row, AT, rule, latest + waitMs - 1) <= room).toBe(false);
      const isDrained = headroom.drained(row, AT, latest);
      expect(isDrained).toBe(!log.isShut(latest) && headroom.used(row, AT, rule, latest) === 0);
      expect([...row.subarray(0, AT), ...row.subarray(AT + headroom.WIDTH)]).toEqual(new Array(2 * AT).fill(0));
    }),
    500,
  ));

it('admits no more in any interval than the limit and what comes back, where nothing is observed or given back', () =>
  check(
    fc.property(fc.array(fc.tuple(fc.nat(2_000), fc.nat(30)), { maxLength: 60, size: 'max' }), (asks) => {
      const row = rowOf();
      const admitted: { readonly at: number; readonly cost: number }[] = [];
      let now = START;
      for (const [ms, cost] of asks) {
        now += ms;
        if (!(headroom.used(row, AT, rule, now) <= LIMIT - cost)) continue;
        headroom.book(row, AT, rule, cost, now);
        admitted.push({ at: now, cost });
      }
      for (const [i, first] of admitted.entries()) {
        let sum = 0;
        for (const { at, cost } of admitted.slice(i)) {
          sum += cost;
          expect(sum).toBeLessThanOrEqual(LIMIT + (at - first.at) * rule.perMs + 1e-6);
        }
      }
    }),
    120,
  ));

it('is never behind a provider whose answers come late, whatever others had used of it before', () =>
  check(
    fc.property(
      fc.nat(LIMIT),
      fc.array(fc.record({ ms: fc.nat(1_000), cost: fc.nat(12), lateMs: fc.nat(20_000) }), {
        maxLength: 40,
        size: 'max',
      }),
      (others, asks) => {
        const row = rowOf();
        let [level, at] = [others, START];
        const flow = (now: number) => {
          level = Math.max(0, level - (now - at) * rule.perMs);
          at = now;
        };
        const answers: { readonly due: number; readonly used: number; readonly booking: Booking }[] = [];
        const hear = (now: number) => {
          for (const { due, used, booking } of answers.splice(0).sort((a, b) => a.due - b.due)) {
            if (due > now) answers.push({ due, used, booking });
            else {
              flow(due);
              headroom.observe(row, AT, rule, { used, limit: LIMIT, shutMs: undefined }, booking, due);
              expect(headroom.used(row, AT, rule, due)).toBeGreaterThanOrEqual(Math.min(level, LIMIT) - 1e-6);
            }
          }
        };
        let now = START;
        for (const { ms, cost, lateMs } of asks) {
          now += ms;
          hear(now);
          flow(now);
          const place = headroom.book(row, AT, rule, cost, now);
          level += cost;
          answers.push({ due: now + lateMs, used: level, booking: { cost, place } });
        }
        hear(Number.MAX_SAFE_INTEGER);
      },
    ),
    250,
  ));

it('lets out what waits up to twice as fast as the refill, where a window of the provider begins anew', () => {
  const row = rowOf();
  const fresh = { used: 0, limit: LIMIT, shutMs: undefined };
  const bookings = Array.from({ length: 30 }, () => ({ cost: 2, place: headroom.book(row, AT, rule, 2, START) }));
  const full = { used: LIMIT, limit: LIMIT, shutMs: 30_000 };
  headroom.observe(row, AT, rule, full, bookings[0], START);
  let now = START + 30_000;
  // Nothing has come back meanwhile.
  expect(headroom.used(row, AT, rule, now)).toBe(LIMIT);
  const begun: number[] = [];
  for (const end = now + 3_000; now < end; now += 10) {
    if (!(headroom.used(row, AT, rule, now) <= LIMIT - 1)) continue;
    const booking = { cost: 1, place: headroom.book(row, AT, rule, 1, now) };
    headroom.observe(row, AT, rule, fresh, booking, now);
    begun.push(now);
  }
  for (const from of begun) {
    const within = begun.filter((at) => at >= from && at < from + 500);
    expect(within.length).toBeLessThanOrEqual(2 * rule.perMs * 500 + 1);
  }
  expect(begun.length).toBeGreaterThan(1.9 * rule.perMs * 3_000);
});

it('goes by the rate that is known now, and forgets a row that has drained by it', () => {
  const row = rowOf();
  const faster = headroom.headroomRule(WINDOW, 2 * LIMIT);
  headroom.book(row, AT, rule, LIMIT, START);
  headroom.observe(row, AT, faster, { used: LIMIT, limit: 2 * LIMIT, shutMs: undefined }, undefined, START);
  expect([headroom.drained(row, AT, START + 2_999), headroom.drained(row, AT, START + 3_000)]).toEqual([false, true]);
  // What may be forgotten is nothing by any rate.
  expect(headroom.used(row, AT, rule, START + 2_999)).toBeCloseTo(0.02);
  expect(headroom.used(row, AT, rule, START + 3_000)).toBe(0);
  const none = headroom.headroomRule(WINDOW, 0);
  expect(headroom.wait(rowOf(), AT, none, 0, START)).toBe(0);
  headroom.observe(row, AT, none, { used: 0, limit: 0, shutMs: undefined }, undefined, START);
  expect(headroom.wait(row, AT, none, -1, START)).toBe(Number.POSITIVE_INFINITY);
  expect(headroom.wait(row, AT, none, 0, START)).toBe(24 * 60 * 60_000);
  expect(headroom.drained(row, AT, START + 24 * 60 * 60_000 - 1)).toBe(false);
  expect(headroom.drained(row, AT, START + 24 * 60 * 60_000)).toBe(true);
  const endless = headroom.headroomRule(WINDOW, Number.POSITIVE_INFINITY);
  expect(headroom.used(row, AT, endless, START + 1)).toBe(0);
  expect(headroom.used(row, AT, endless, START)).toBe(LIMIT);
});
