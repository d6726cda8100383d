/** The pace of a line: how much begins in a millisecond while somebody waits. */
import { newPace, noteStart, paceOf, resume } from '../../packages/core/src/line/pace.js';

/** One that has seen so many starts, each `ms` after the one before. */
function paced(starts: number, ms: number, cost = 1) {
  const pace = newPace();
  resume(pace, 0);
  for (let i = 1; i <= starts; i++) noteStart(pace, cost, i * ms);
  return { pace, now: starts * ms };
}

describe('the pace', () => {
  it('is not known by a few starts, nor by what begins at one time', () => {
    const { pace, now } = paced(9, 100);
    expect(paceOf(pace, now)).toBe(0);
    const { pace: atOnce } = paced(50, 0);
    expect(paceOf(atOnce, 0)).toBe(0);
  });

  it('is the cost that begins by time', () => {
    const { pace, now } = paced(20, 100, 3);
    expect(paceOf(pace, now)).toBeCloseTo(0.03, 10);
  });

  it('follows what begins of late', () => {
    const { pace, now } = paced(50, 100);
    for (let i = 1; i <= 100; i++) noteStart(pace, 1, now + i * 10);
    expect(1 / paceOf(pace, now + 1000)).toBeGreaterThan(10);
    expect(1 / paceOf(pace, now + 1000)).toBeLessThan(15);
  });

  it('falls while nothing begins for longer than usual', () => {
    const { pace, now } = paced(20, 100);
    expect(paceOf(pace, now + 100)).toBeCloseTo(0.01, 10);
    expect(paceOf(pace, now + 10_000)).toBeLessThan(0.002);
  });

  it('counts no time in which nobody waits', () => {
    const { pace, now } = paced(20, 100);
    resume(pace, now + 1_000_000);
    noteStart(pace, 1, now + 1_000_500);
    noteStart(pace, 1, now + 1_000_600);
    expect(paceOf(pace, now + 1_000_600)).toBeCloseTo(0.01, 10);
  });

  it('is not made less by a clock that is set back', () => {
    const { pace, now } = paced(20, 100);
    noteStart(pace, 1, now - 5000);
    expect(paceOf(pace, now - 5000)).toBeGreaterThanOrEqual(0.01);
  });
});
