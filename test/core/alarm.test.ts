/** The one timer of a line. */
import { createAlarm } from '../../packages/core/src/line/alarm.js';

/** What timers are set, and cancelled. */
function setUp() {
  const timers = new Set<{ ms: number; keepsAlive: boolean | undefined; task: () => void }>();
  let rang = 0;
  const clock = {
    now: () => 0,
    after(ms: number, task: () => void, keepsAlive?: boolean) {
      const timer = { ms, keepsAlive, task };
      timers.add(timer);
      return () => void timers.delete(timer);
    },
  };
  const alarm = createAlarm(clock, () => rang++);
  return { alarm, set: () => [...timers].map(({ ms, keepsAlive }) => [ms, keepsAlive]), timers, rang: () => rang };
}

test('has one timer, for what is due first', () => {
  const { alarm, set } = setUp();
  alarm.set(100, true);
  alarm.set(200, true);
  expect(set()).toEqual([[100, true]]);
  alarm.set(50, true);
  expect(set()).toEqual([[50, true]]);
  alarm.set(Number.POSITIVE_INFINITY, false);
  expect(set()).toEqual([]);
});

test('keeps the process alive from when somebody waits, and until nobody does', () => {
  const { alarm, set } = setUp();
  alarm.set(100, false);
  alarm.set(200, true);
  expect(set()).toEqual([[200, true]]);
  alarm.set(300, false);
  expect(set()).toEqual([[300, false]]);
});

test('rings, and can be set again', () => {
  const { alarm, set, timers, rang } = setUp();
  alarm.set(100, true);
  for (const timer of timers) {
    timers.delete(timer);
    timer.task();
  }
  expect(rang()).toBe(1);
  alarm.set(200, true);
  expect(set()).toEqual([[200, true]]);
});
