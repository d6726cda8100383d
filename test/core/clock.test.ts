import { steadyClock, systemClock } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';

const NOON = Date.UTC(2026, 5, 1, 12);
const DAY = 86_400_000;

/** A clock whose wall clock is set, beside what passes. */
function steadyAt(start: number) {
  let wall = start;
  let passed = 0;
  let asked = 0;
  const clock = steadyClock(
    () => wall,
    () => {
      asked++;
      return passed;
    },
  );
  return {
    clock,
    wall: () => wall,
    /** How often it was asked what has passed. */
    asked: () => asked,
    /** Lets time pass, and reads the clock. */
    pass(ms: number) {
      wall += ms;
      passed += ms;
      return clock.now();
    },
    /** Sets the wall clock by so much, and reads the clock. */
    step(ms: number) {
      wall += ms;
      return clock.now();
    },
  };
}

const HOUR = 3_600_000;

describe('steadyClock', () => {
  test('shows the wall clock while that goes forwards, and asks nothing else', () => {
    const { pass, asked } = steadyAt(NOON);
    expect([0, 0, 1, 499].map(pass)).toEqual([NOON, NOON, NOON + 1, NOON + 500]);
    expect(asked()).toBe(0);
  });

  test('follows a step forwards', () => {
    const { step } = steadyAt(NOON);
    expect(step(DAY)).toBe(NOON + DAY);
  });

  test('goes on from where it was when the wall clock is set back, a tenth slower', () => {
    const { step, pass } = steadyAt(NOON);
    expect(step(-1000)).toBe(NOON);
    expect(pass(10)).toBe(NOON + 9);
    expect(pass(4990)).toBe(NOON + 4500);
  });

  test('agrees with the wall clock again once ten times the step has passed, and not before', () => {
    const { step, pass, wall, asked } = steadyAt(NOON);
    step(-1000);
    expect(pass(9990)).toBe(wall() + 1);
    expect(pass(10)).toBe(wall());
    const before = asked();
    expect(pass(DAY)).toBe(wall());
    expect(asked()).toBe(before);
  });

  test('several steps back add up', () => {
    const { step, pass, wall } = steadyAt(NOON);
    step(-1000);
    expect(step(-3000)).toBe(NOON);
    expect(pass(39_990)).toBe(wall() + 1);
    expect(pass(10)).toBe(wall());
  });

  test('an hour back and forth again leaves it where the wall clock is', () => {
    const { step, pass } = steadyAt(NOON);
    step(-HOUR);
    expect(pass(60_000)).toBe(NOON + 54_000);
    expect(step(HOUR)).toBe(NOON + 60_000);
    expect(pass(1000)).toBe(NOON + 61_000);
  });

  test('half of the way forth repays half', () => {
    const { step, pass, wall } = steadyAt(NOON);
    step(-HOUR);
    expect(step(HOUR / 2)).toBe(NOON);
    expect(pass(5 * HOUR)).toBe(wall());
  });

  const history = fc.array(
    fc.record({
      passes: fc.integer({ min: 0, max: 60_000 }),
      step: fc.oneof(
        { weight: 3, arbitrary: fc.constant(0) },
        { weight: 1, arbitrary: fc.integer({ min: -DAY, max: DAY }) },
      ),
    }),
    { maxLength: 100 },
  );

  test('never goes back, and is ahead by no more than the wall clock was set back and not forth again', () => {
    fc.assert(
      fc.property(history, (history) => {
        const { pass, step, wall } = steadyAt(NOON);
        let before = NOON;
        /** Of all that the wall clock was set by. */
        let total = 0;
        let most = 0;
        for (const one of history) {
          const passed = pass(one.passes);
          expect(passed - before).toBeGreaterThanOrEqual(Math.floor(one.passes * 0.9));
          const now = step(one.step);
          total += one.step;
          most = Math.max(most, total);
          expect(Number.isInteger(now)).toBe(true);
          expect(now).toBeGreaterThanOrEqual(passed);
          expect(now).toBeGreaterThanOrEqual(wall());
          expect(now - wall()).toBeLessThanOrEqual(most - total);
          before = now;
        }
        // Once what is left has been repaid, for good.
        pass(10 * (most - total));
        expect(pass(1)).toBe(wall());
      }),
    );
  });

  test('never goes back where the wall clock tells fractions', () => {
    const { clock, step } = steadyAt(NOON);
    const before = step(0.9);
    expect(step(-0.4)).toBeGreaterThanOrEqual(before);
    expect(clock.now()).toBeGreaterThanOrEqual(before);
  });
});

describe('after', () => {
  beforeEach(() => {
    jest.useFakeTimers({ now: NOON });
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  test('runs once, not before its time', () => {
    const task = jest.fn();
    steadyClock().after(1000, task);
    jest.advanceTimersByTime(999);
    expect(task).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    jest.advanceTimersByTime(DAY);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test.each([25, 24.8551 * 2, 366])('waits %d days, though a timer takes but 24.8', (days) => {
    const task = jest.fn();
    steadyClock().after(days * DAY, task);
    jest.advanceTimersByTime(days * DAY - 1);
    expect(task).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
  });

  test('no timer is set for longer than a timer takes', () => {
    const set = jest.spyOn(globalThis, 'setTimeout');
    steadyClock().after(366 * DAY, () => {});
    jest.advanceTimersByTime(366 * DAY);
    for (const [, ms] of set.mock.calls) expect(ms).toBeLessThanOrEqual(2 ** 31 - 1);
    set.mockRestore();
  });

  test('no timer keeps the process alive, at no part of a long wait', () => {
    const set = jest.spyOn(globalThis, 'setTimeout');
    steadyClock().after(60 * DAY, () => {});
    jest.advanceTimersByTime(59 * DAY);
    expect(set.mock.results.map(({ value }) => value.hasRef())).toEqual([false, false, false]);
    set.mockRestore();
  });

  test('it does where it is to, at all of its parts', () => {
    const set = jest.spyOn(globalThis, 'setTimeout');
    steadyClock().after(60 * DAY, () => {}, true);
    jest.advanceTimersByTime(59 * DAY);
    expect(set.mock.results.map(({ value }) => value.hasRef())).toEqual([true, true, true]);
    set.mockRestore();
  });

  test('can be cancelled, twice, and on the way through a long wait', () => {
    const task = jest.fn();
    const cancel = steadyClock().after(30 * DAY, task);
    jest.advanceTimersByTime(29 * DAY);
    cancel();
    cancel();
    jest.advanceTimersByTime(30 * DAY);
    expect(task).not.toHaveBeenCalled();
    expect(jest.getTimerCount()).toBe(0);
  });

  test('cancelling after it has run, or one of two, touches nothing else', () => {
    const task = jest.fn();
    const clock = steadyClock();
    const cancel = clock.after(1, () => {});
    jest.advanceTimersByTime(1);
    clock.after(10, task);
    clock.after(10, task)();
    cancel();
    jest.advanceTimersByTime(10);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test('a time that has passed is the next turn, not this one', () => {
    const task = jest.fn();
    steadyClock().after(-5, task);
    expect(task).not.toHaveBeenCalled();
    jest.advanceTimersByTime(1);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test('the system clock shows the time', () => {
    jest.setSystemTime(NOON + DAY);
    expect(systemClock.now()).toBeGreaterThanOrEqual(NOON + DAY);
  });
});

describe('manualClock', () => {
  test('shows the time it was given, and moves only when told to', () => {
    const clock = manualClock(5);
    expect(clock.now()).toBe(5);
    clock.advance(10);
    expect(clock.now()).toBe(15);
    clock.set(100);
    expect(clock.now()).toBe(100);
    expect(manualClock().now()).toBe(Date.UTC(2026, 0, 1));
  });

  test('runs the timers that are due in their order, each at its own time', () => {
    const clock = manualClock(0);
    const ran: [string, number][] = [];
    const note = (name: string) => () => void ran.push([name, clock.now()]);
    clock.after(30, note('third'));
    clock.after(10, note('first'));
    clock.after(20, note('second'));
    clock.after(20, note('second too'));
    clock.after(31, note('not yet'));
    clock.advance(30);
    expect(ran).toEqual([
      ['first', 10],
      ['second', 20],
      ['second too', 20],
      ['third', 30],
    ]);
    expect(clock.now()).toBe(30);
  });

  test('timers set by timers run too, if they are due by then', () => {
    const clock = manualClock(0);
    const ran: number[] = [];
    const tick = () => {
      ran.push(clock.now());
      clock.after(10, tick);
    };
    clock.after(10, tick);
    clock.advance(35);
    expect(ran).toEqual([10, 20, 30]);
    expect(clock.now()).toBe(35);
  });

  test('set backwards, it runs none and keeps them for their time', () => {
    const clock = manualClock(1000);
    const task = jest.fn();
    clock.after(100, task);
    clock.set(500);
    expect(clock.now()).toBe(500);
    expect(task).not.toHaveBeenCalled();
    clock.set(1099);
    expect(task).not.toHaveBeenCalled();
    clock.set(1100);
    expect(task).toHaveBeenCalledTimes(1);
  });

  test('a cancelled timer does not run, and cancelling twice is safe', () => {
    const clock = manualClock(0);
    const task = jest.fn();
    const cancel = clock.after(10, task);
    clock.after(5, cancel);
    clock.advance(20);
    cancel();
    expect(task).not.toHaveBeenCalled();
  });

  test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('refuses %d as a time', (ms) => {
    const clock = manualClock(7);
    expect(() => clock.set(ms)).toThrow(RangeError);
    expect(() => clock.advance(ms)).toThrow(RangeError);
    expect(() => manualClock(ms)).toThrow(RangeError);
    expect(clock.now()).toBe(7);
  });

  test('says what it got in place of milliseconds', async () => {
    const expected = "manualClock: got '1m'; expected a finite number of milliseconds";
    const clock = manualClock();
    expect(() => clock.advance('1m' as never)).toThrow(expected);
    await expect(clock.play('1m' as never)).rejects.toThrow(expected);
    expect(() => manualClock(new Date() as never)).toThrow('manualClock: got an object;');
  });

  test('runs every timer once, in the order of their times, however it is advanced', () => {
    const delays = fc.array(fc.nat(1000), { maxLength: 30 });
    fc.assert(
      fc.property(delays, fc.array(fc.nat(300), { maxLength: 20 }), (delays, advances) => {
        const clock = manualClock(0);
        const ran: number[] = [];
        for (const ms of delays) clock.after(ms, () => ran.push(ms) && expect(clock.now()).toBe(ms));
        for (const ms of advances) clock.advance(ms);
        const end = advances.reduce((sum, ms) => sum + ms, 0);
        // Those due at once wait for the first move.
        const due = advances.length === 0 ? [] : delays.filter((ms) => ms <= end);
        expect(ran).toEqual(due.sort((a, b) => a - b));
      }),
    );
  });

  test('plays what timers set off, each thing before the next timer', async () => {
    const clock = manualClock(0);
    const ran: [string, number][] = [];
    const sleep = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));
    const worker = async (name: string, ms: number) => {
      for (;;) {
        await sleep(ms);
        for (let i = 0; i < 10; i++) await undefined;
        ran.push([name, clock.now()]);
      }
    };
    void worker('slow', 20);
    void worker('quick', 15);
    await clock.play(45);
    expect(ran).toEqual([
      ['quick', 15],
      ['slow', 20],
      ['quick', 30],
      ['slow', 40],
      ['quick', 45],
    ]);
    expect(clock.now()).toBe(45);
  });
});
