/** Shedding by itself: readings of the pressure at times of the test's choosing, and a small service under random load. */
import type { Priority } from '@tollgate/core';
import fc from 'fast-check';
import * as shedding from '../../packages/core/src/line/shedding.js';
import { check } from '../helpers/oracle-log.js';
import { START, thrownBy } from './support.js';

const { NOT_SHEDDING, isDropped, levelAt, pressures, sheddingOptions, skipsFirstRungs, step, wait } = shedding;
type State = shedding.SheddingState;
type PerLevel = shedding.PerLevel;

/** From the least to the most worth keeping. */
const BOTTOM_UP: readonly Priority[] = ['background', 'batch', 'standard', 'interactive'];
const TOP_LEVEL = 4;
const HOLD = 100;
const OPTIONS = sheddingOptions({ raiseAt: [1, 2, 3, 4], lowerAt: [0.5, 1.5, 2.5, 3.5], holdMs: HOLD });

const alike = (pressure: number): PerLevel => [pressure, pressure, pressure, pressure];
const onLevel = (level: number): State => step(NOT_SHEDDING, alike(level), START, OPTIONS);

/** A service that is asked by pressures which are the same for all levels. */
function service() {
  let state = NOT_SHEDDING;
  return {
    /** The level after a reading at `at` milliseconds after the start. */
    read(at: number, pressure: number): number {
      state = step(state, alike(pressure), START + at, OPTIONS);
      return state.level;
    },
    state: () => state,
  };
}

describe('the order', () => {
  it.each([
    [0, [], 0],
    [1, ['background'], 0],
    [2, ['background', 'batch'], 0],
    [3, ['background', 'batch'], 1],
    [4, ['background', 'batch', 'standard'], 1],
  ])('on level %d drops %j, and starts standard %d further down', (level, dropped, skipped) => {
    expect(onLevel(level).level).toBe(level);
    expect(levelAt(alike(level), OPTIONS.raiseAt)).toBe(level);
    expect(BOTTOM_UP.filter((priority) => isDropped(level, priority))).toEqual(dropped);
    expect(skipsFirstRungs(level, 'standard', 3)).toBe(skipped);
    expect(skipsFirstRungs(level, 'interactive', 3)).toBe(0);
  });

  it('leaves a request its only alternative', () => {
    expect([1, 2, 5].map((alternatives) => skipsFirstRungs(3, 'standard', alternatives))).toEqual([0, 1, 1]);
  });
});

describe('the level', () => {
  it('is raised at once, as far as the pressure has come', () => {
    const { read } = service();
    expect([read(0, 0.99), read(1, 1), read(2, 2.9), read(3, 4)]).toEqual([0, 1, 2, 4]);
  });

  it('is lowered by one after each hold time', () => {
    const { read } = service();
    read(0, 4);
    expect([read(1, 0), read(HOLD, 0), read(HOLD + 1, 0)]).toEqual([4, 4, 3]);
    expect([read(2 * HOLD, 0), read(2 * HOLD + 1, 0)]).toEqual([3, 2]);
    expect([read(3 * HOLD + 1, 0), read(4 * HOLD + 1, 0), read(9 * HOLD, 0)]).toEqual([1, 0, 0]);
  });

  it('is lowered no further than the pressure lets it be', () => {
    const { read } = service();
    read(0, 4);
    read(1, 2);
    expect(read(50 * HOLD, 2)).toBe(2);
    expect([read(51 * HOLD, 0), read(52 * HOLD - 1, 0), read(52 * HOLD, 0)]).toEqual([2, 2, 1]);
  });

  it('begins the hold time anew where the pressure came back to the lower threshold', () => {
    const { read } = service();
    read(0, 2);
    expect([read(10, 0), read(10 + HOLD - 1, 1.5), read(10 + HOLD, 0), read(9 + 2 * HOLD, 0)]).toEqual([2, 2, 2, 2]);
    expect(read(10 + 2 * HOLD, 0)).toBe(1);
  });

  it('is lowered for the time that the last reading stood, and not for what comes after it', () => {
    const calm = service();
    calm.read(0, 4);
    calm.read(1, 0);
    expect(calm.read(1 + 3 * HOLD, 1.2)).toBe(1);
    const pressed = service();
    pressed.read(0, 4);
    expect(pressed.read(50 * HOLD, 0)).toBe(4);
  });

  it('goes by the pressure on its own priorities', () => {
    expect(step(NOT_SHEDDING, [9, 0, 0, 0], START, OPTIONS).level).toBe(1);
    expect(step(NOT_SHEDDING, [9, 2, 2, 2], START, OPTIONS).level).toBe(2);
    const state = step(onLevel(4), [9, 0, 0, 0], START, OPTIONS);
    expect(step(state, [9, 0, 0, 0], START + 9 * HOLD, OPTIONS).level).toBe(1);
  });
});

describe('a trace of readings', () => {
  const pressure = fc.oneof(
    fc.constantFrom(0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4, Number.POSITIVE_INFINITY, Number.NaN, -1),
    fc.double({ min: 0, max: 5, noNaN: true }),
  );
  const reading = fc.record({
    after: fc.oneof(fc.nat(10), fc.constantFrom(HOLD - 1, HOLD, HOLD + 1), fc.nat(5 * HOLD)),
    pressure: fc
      .tuple(pressure, fc.constantFrom(0, 0, 1, 2), fc.constantFrom(0, 0, 1), fc.constantFrom(0, 0, 1))
      .map(([p, a, b, c]): PerLevel => [p, p - a, p - a - b, p - a - b - c]),
  });
  const trace = fc.array(reading, { maxLength: 30 });
  type Trace = readonly { after: number; pressure: PerLevel }[];

  /** The level at every millisecond, by walking through them all and counting the calm ones. */
  function walk(readings: Trace): number[] {
    const { raiseAt, lowerAt } = OPTIONS;
    const levels: number[] = [];
    let [level, calm, current]: [number, number, PerLevel] = [0, 0, alike(0)];
    const isCalm = () => level > 0 && !(current[level - 1] >= lowerAt[level - 1]);
    for (const { after, pressure } of readings) {
      for (let ms = 0; ms < after; ms++) {
        levels.push(level);
        calm = isCalm() ? calm + 1 : 0;
        if (calm === HOLD) [level, calm] = [level - 1, 0];
      }
      current = pressure;
      for (let above = TOP_LEVEL; above > level; above--) {
        if (current[above - 1] >= raiseAt[above - 1]) [level, calm] = [above, 0];
      }
      if (!isCalm()) calm = 0;
    }
    return [...levels, level];
  }

  it('comes to the levels that counting every millisecond comes to', () =>
    check(
      fc.property(trace, (readings) => {
        const expected = walk(readings);
        let [state, at] = [NOT_SHEDDING, 0];
        for (const [i, { after, pressure }] of readings.entries()) {
          at += after;
          state = step(state, pressure, START + at, OPTIONS);
          // At a time with several readings the walk knows what came of the last.
          if (i + 1 === readings.length || readings[i + 1].after > 0) expect(state.level).toBe(expected[at]);
        }
      }),
      2000,
    ));

  it('comes to the same, however often the same pressure is read in between', () =>
    check(
      fc.property(trace, fc.integer({ min: 1, max: 40 }), (readings, every) => {
        let [seldom, often, at] = [NOT_SHEDDING, NOT_SHEDDING, START];
        let last = alike(0);
        for (const { after, pressure } of readings) {
          for (let ms = every; ms < after; ms += every) often = step(often, last, at + ms, OPTIONS);
          at += after;
          [seldom, often] = [seldom, often].map((state) => step(state, pressure, at, OPTIONS));
          last = pressure;
          expect(often.level).toBe(seldom.level);
        }
      }),
      500,
    ));

  it('is raised only by a pressure that high, and lowered only after a hold time below, by one', () =>
    check(
      fc.property(trace, (readings) => {
        let [state, at, changedAt, last] = [NOT_SHEDDING, START, Number.NEGATIVE_INFINITY, alike(0)];
        /** When the pressure was last at each level's lower threshold. */
        const reached = [START, START, START, START];
        const note = (pressure: PerLevel) => {
          for (const i of reached.keys()) if (pressure[i] >= OPTIONS.lowerAt[i]) reached[i] = at;
        };
        const read = (pressure: PerLevel) => {
          const { level } = state;
          note(last);
          state = step(state, pressure, at, OPTIONS);
          if (state.level > level) {
            expect(pressure[state.level - 1]).toBeGreaterThanOrEqual(OPTIONS.raiseAt[state.level - 1]);
          } else if (state.level < level) {
            expect(state.level).toBe(level - 1);
            expect(at - changedAt).toBeGreaterThanOrEqual(HOLD);
            expect(at - reached[level - 1]).toBeGreaterThanOrEqual(HOLD);
          }
          note(pressure);
          if (state.level !== level) changedAt = at;
          last = pressure;
        };
        for (const { after, pressure } of readings) {
          for (let ms = 0; ms < after; ms++, at++) read(last);
          read(pressure);
        }
      }),
      300,
    ));

  it('is at rest again so many hold times after the pressure is gone as it had levels, and says so', () =>
    check(
      fc.property(trace, (readings) => {
        let [state, at] = [NOT_SHEDDING, START];
        for (const { after, pressure } of readings) {
          at += after;
          state = step(state, pressure, at, OPTIONS);
        }
        state = step(state, alike(0), at, OPTIONS);
        expect(step(state, alike(0), at + state.level * HOLD, OPTIONS).level).toBe(0);
        for (const priority of BOTTOM_UP) {
          const ms = wait(state, priority, at, OPTIONS);
          expect(isDropped(step(state, alike(0), at + ms, OPTIONS).level, priority)).toBe(false);
          if (ms === 0) expect(isDropped(state.level, priority)).toBe(false);
          else expect(isDropped(step(state, alike(0), at + ms - 1, OPTIONS).level, priority)).toBe(true);
        }
      }),
      500,
    ));
});

describe('a pressure that oscillates', () => {
  /** The levels from 0 to `until`, read every millisecond. */
  function levels(until: number, pressureAt: (ms: number) => number): number[] {
    const { read } = service();
    return Array.from({ length: until }, (_, ms) => read(ms, pressureAt(ms)));
  }
  const changes = (of: readonly number[]) => of.filter((level, i) => i > 0 && level !== of[i - 1]).length;

  it.each([1, 2, 7, HOLD - 1])('around the upper threshold, every %d ms, raises the level once', (every) => {
    const found = levels(20 * HOLD, (ms) => (Math.floor(ms / every) % 2 === 0 ? 2.01 : 1.99));
    expect(new Set(found)).toEqual(new Set([2]));
  });

  it.each([1, 2, 7, HOLD - 1])('around the lower threshold, every %d ms, leaves the level', (every) => {
    const found = levels(20 * HOLD, (ms) => (ms === 0 ? 2 : Math.floor(ms / every) % 2 === 0 ? 1.51 : 1.49));
    expect(new Set(found)).toEqual(new Set([2]));
  });

  it.each([1, 2, 7, HOLD])('between none and all, every %d ms, stays on the highest level', (every) => {
    const found = levels(20 * HOLD, (ms) => (Math.floor(ms / every) % 2 === 0 ? 9 : 0));
    expect(new Set(found)).toEqual(new Set([4]));
  });

  it('more slowly than the hold time, is followed: lowered by one, raised by one, in each round', () => {
    const round = 3 * HOLD;
    const found = levels(10 * round, (ms) => (ms % round < HOLD ? 1.2 : ms % round === HOLD ? 0.4 : 0.1));
    expect(changes(found)).toBe(19);
    expect(new Set(found)).toEqual(new Set([0, 1]));
  });
});

describe('what no clock and no gauge should show', () => {
  it.each([Number.NaN, -1, Number.NEGATIVE_INFINITY])('takes a pressure of %d for none', (pressure) => {
    const { read } = service();
    expect(read(0, pressure)).toBe(0);
    read(1, 1);
    expect([read(2, pressure), read(2 + HOLD, pressure)]).toEqual([1, 0]);
  });

  it('takes an infinite pressure for the highest', () => {
    const { read } = service();
    expect([read(0, Number.POSITIVE_INFINITY), read(1, 0), read(1 + 4 * HOLD, 0)]).toEqual([4, 4, 0]);
  });

  it('begins the hold time anew where the clock is set back, and never waits for it to come round', () => {
    const { read, state } = service();
    read(0, 2);
    read(10, 0);
    expect(read(-3_600_000, 0)).toBe(2);
    expect(wait(state(), 'background', START - 3_600_000, OPTIONS)).toBe(2 * HOLD);
    expect([read(-3_600_000 + HOLD - 1, 0), read(-3_600_000 + HOLD, 0)]).toEqual([2, 1]);
    expect(wait(state(), 'background', START - 7_200_000, OPTIONS)).toBe(HOLD);
  });

  it('is lowered early by a clock that jumps forward, if the pressure was low; and not otherwise', () => {
    const low = service();
    low.read(0, 4);
    low.read(1, 2);
    expect(low.read(3_600_000, 2)).toBe(2);
    const high = service();
    high.read(0, 4);
    expect([high.read(3_600_000, 0), high.read(3_600_000 + HOLD - 1, 0)]).toEqual([4, 4]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])(
    'recovers from a time of %d within the hold times',
    (time) => {
      const strange = step(onLevel(4), alike(9), time, OPTIONS);
      const state = step(strange, alike(0), START, OPTIONS);
      expect(state.level).toBe(4);
      expect(step(state, alike(0), START + 4 * HOLD, OPTIONS).level).toBe(0);
    },
  );

  it('is at rest in bounded time after a clock that wandered', () =>
    check(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: -1000, max: 1000 }), fc.double({ min: 0, max: 5, noNaN: true }))),
        (readings) => {
          const { read } = service();
          for (const [at, pressure] of readings) read(at, pressure);
          const last = readings.at(-1)?.[0] ?? 0;
          read(last, 0);
          expect(read(last + TOP_LEVEL * HOLD, 0)).toBe(0);
        },
      ),
      500,
    ));
});

describe('wait', () => {
  it('is what is left of the hold times, and infinite under a pressure that keeps the level', () => {
    const state = step(onLevel(4), alike(1), START + 10, OPTIONS);
    expect(BOTTOM_UP.map((priority) => wait(state, priority, START + 30, OPTIONS))).toEqual([
      Number.POSITIVE_INFINITY,
      3 * HOLD - 20,
      HOLD - 20,
      0,
    ]);
    expect(wait(state, 'standard', START + 9 * HOLD, OPTIONS)).toBe(0);
  });
});

describe('pressures', () => {
  const none = { interactive: 0, standard: 0, batch: 0, background: 0 };
  const hour = { interactive: 3_600_000, standard: 3_600_000, batch: 3_600_000, background: 3_600_000 };
  const rest = { ahead: none, maxDepth: 100, expectedWaitMs: none, patienceMs: hour };
  const ahead = { interactive: 1, standard: 3, batch: 7, background: 15 };

  it('is 0 without a signal', () => {
    expect(pressures(rest)).toEqual([0, 0, 0, 0]);
  });

  it('counts the depth of the line, as those see it that each level is for', () => {
    expect(pressures({ ...rest, ahead, maxDepth: 10 })).toEqual([1.5, 0.7, 0.3, 0.3]);
    expect(pressures({ ...rest, ahead, maxDepth: Number.POSITIVE_INFINITY })).toEqual([0, 0, 0, 0]);
  });

  it('counts the waits of those that each level is for', () => {
    const patienceMs = { interactive: 100, standard: 100, batch: 1000, background: 1000 };
    const of = (waits: Partial<Record<Priority, number>>) =>
      pressures({ ...rest, patienceMs, expectedWaitMs: { ...none, ...waits } });
    expect(of({ background: 2000 })).toEqual([2, 0, 0, 0]);
    expect(of({ batch: 500, background: 100 })).toEqual([0.5, 0.5, 0, 0]);
    expect(of({ standard: 30, batch: 500 })).toEqual([0.5, 0.5, 0.3, 0.3]);
    expect(of({ interactive: 40, standard: 30 })).toEqual([0.4, 0.4, 0.4, 0.4]);
    expect(of({ interactive: Number.POSITIVE_INFINITY })).toEqual(alike(Number.POSITIVE_INFINITY));
  });

  it('counts no waits of those that do not wait at all', () => {
    const expectedWaitMs = { interactive: 50, standard: 50, batch: 50, background: 50 };
    const patienceMs = { interactive: 0, standard: 100, batch: 0, background: 1000 };
    expect(pressures({ ...rest, expectedWaitMs, patienceMs })).toEqual([0.5, 0.5, 0.5, 0.5]);
  });

  it('counts slots in use beyond a limit that was cut, while somebody waits for one', () => {
    const of = (inUse: number, limit: number, line = ahead) =>
      pressures({ ...rest, ahead: line, maxDepth: 1e9, slots: { inUse, limit } }).map((pressure) =>
        Number(pressure.toFixed(6)),
      );
    expect(of(64, 64)).toEqual([0, 0, 0, 0]);
    expect(of(60, 40)).toEqual([0.5, 0.5, 0.5, 0.5]);
    expect(of(60, 40, none)).toEqual([0, 0, 0, 0]);
    expect(of(60, 40, { ...none, batch: 1, background: 1 })).toEqual([0.5, 0.5, 0, 0]);
  });

  it('is never less for a lower level, nor less than 0, whatever the signals', () => {
    const any = fc.oneof(fc.double(), fc.nat(100), fc.constantFrom(0, -1, Number.NaN, Number.POSITIVE_INFINITY));
    const each = fc.record({ interactive: any, standard: any, batch: any, background: any });
    const signals = fc.record(
      {
        ahead: each,
        maxDepth: any,
        expectedWaitMs: each,
        patienceMs: each,
        slots: fc.record({ inUse: any, limit: any }),
      },
      { requiredKeys: ['ahead', 'maxDepth', 'expectedWaitMs', 'patienceMs'] },
    );
    return check(
      fc.property(signals, (given) => {
        const found = pressures(given);
        for (const [i, pressure] of found.entries()) {
          expect(pressure).toBeGreaterThanOrEqual(0);
          expect(pressure).toBeLessThanOrEqual(found[i - 1] ?? Number.POSITIVE_INFINITY);
        }
      }),
      2000,
    );
  });
});

/** A service of four slots, under loads of each priority, where requests take half a second. */
describe('a service', () => {
  const [TICK, SERVICE, SLOTS, DEPTH, HOLD_MS] = [50, 500, 4, 20, 1000];
  const patienceMs = { interactive: 2000, standard: 4000, batch: 10_000, background: 60_000 };
  const options = sheddingOptions({ holdMs: HOLD_MS });
  const TOP_DOWN = [...BOTTOM_UP].reverse();

  interface Load {
    readonly ticks: number;
    /** Requests that arrive in each tick, by priority. */
    readonly arrivals: Readonly<Partial<Record<Priority, number>>>;
    readonly limit?: number;
  }

  /** Runs the loads and tells, at each arrival and at the end of each tick, how things stand. */
  function* run(loads: readonly Load[], clock = (at: number) => at) {
    const waiting = { interactive: 0, standard: 0, batch: 0, background: 0 };
    let running: readonly number[] = [];
    let refused: readonly Priority[] = [];
    let [state, at] = [NOT_SHEDDING, START];

    function read({ limit = SLOTS }: Load) {
      const ahead = { interactive: 0, standard: 0, batch: 0, background: 0 };
      const expectedWaitMs = { interactive: 0, standard: 0, batch: 0, background: 0 };
      let depth = 0;
      for (const priority of TOP_DOWN) {
        depth += waiting[priority];
        ahead[priority] = depth;
        expectedWaitMs[priority] = (Math.max(0, running.length + depth + 1 - limit) * SERVICE) / limit;
      }
      const slots = { inUse: running.length, limit };
      const signals = { ahead, maxDepth: DEPTH, expectedWaitMs, patienceMs, slots };
      state = step(state, pressures(signals), clock(at), options);
      return { at, state, running: running.length, refused, full: depth >= DEPTH };
    }

    for (const load of loads) {
      for (const end = at + load.ticks * TICK; at < end; at += TICK) {
        refused = [];
        running = running.filter((until) => until > at);
        for (const priority of TOP_DOWN) {
          const starting = Math.max(0, Math.min(waiting[priority], (load.limit ?? SLOTS) - running.length));
          running = [...running, ...new Array(starting).fill(at + SERVICE)];
          waiting[priority] -= starting;
        }
        for (const priority of TOP_DOWN.flatMap((one) => new Array<Priority>(load.arrivals[one] ?? 0).fill(one))) {
          const { full } = read(load);
          if (isDropped(state.level, priority)) refused = [...refused, priority];
          else if (!full) waiting[priority]++;
          yield read(load);
        }
        yield read(load);
      }
    }
  }

  const upTo = (most: number) => fc.oneof(fc.constant(0), fc.nat(most));
  const anyLoad: fc.Arbitrary<Load> = fc.record({
    ticks: fc.integer({ min: 1, max: 60 }),
    arrivals: fc.record({ interactive: upTo(2), standard: upTo(2), batch: upTo(3), background: upTo(3) }),
    limit: fc.constantFrom(4, 4, 4, 2, 1),
  });

  it('never drops a priority before those below it, nor begins with a cheaper rung before it drops batch', async () => {
    const ORDER = [
      '',
      'background',
      'background batch',
      'background batch cheaper',
      'background batch cheaper standard',
    ];
    const seen = new Set<string>();
    const astray = (at: number) => at + (Math.floor(at / 700) % 5) * 400 - (Math.floor(at / 300) % 3) * 900;
    await check(
      fc.property(fc.array(anyLoad, { minLength: 1, maxLength: 12 }), fc.boolean(), (loads, isAstray) => {
        for (const { state } of run(loads, isAstray ? astray : undefined)) {
          const dropped = (priority: Priority) => (isDropped(state.level, priority) ? [priority] : []);
          const cheaper = (priority: Priority) => (skipsFirstRungs(state.level, priority, 3) > 0 ? ['cheaper'] : []);
          const shed = [dropped('background'), dropped('batch'), cheaper('standard'), dropped('standard')];
          const never = [dropped('interactive'), cheaper('interactive')];
          seen.add([...shed, ...never].flat().join(' '));
        }
      }),
      100,
    );
    expect([...seen].sort()).toEqual(ORDER);
  });

  it('serves all again in bounded time once the load is gone', () =>
    check(
      fc.property(fc.array(anyLoad, { minLength: 1, maxLength: 8 }), (loads) => {
        const drained = ((DEPTH + SLOTS) * SERVICE) / SLOTS + SERVICE;
        const ticks = Math.ceil((drained + TOP_LEVEL * HOLD_MS) / TICK) + 1;
        const moments = [...run([...loads, { ticks, arrivals: {} }])];
        expect(moments.at(-1)).toMatchObject({ state: { level: 0 }, running: 0 });
      }),
      100,
    ));

  it.each(['batch', 'background'] as const)('lets a flood of %s cost nothing above it', (flooding) => {
    const load = (tick: number): Load => ({
      ticks: 1,
      arrivals: { interactive: tick % 10 === 0 ? 1 : 0, standard: tick % 10 === 5 ? 1 : 0, [flooding]: 3 },
    });
    const levels = new Set<number>();
    for (const { state, refused, full } of run(Array.from({ length: 2000 }, (_, tick) => load(tick)))) {
      levels.add(state.level);
      expect(refused.filter((priority) => BOTTOM_UP.indexOf(priority) > BOTTOM_UP.indexOf(flooding))).toEqual([]);
      expect(full).toBe(false);
    }
    expect(Math.max(...levels)).toBe(flooding === 'batch' ? 2 : 1);
  });

  it.each(['batch', 'standard'] as const)('does all that it can while there is nothing but %s, twice over', (only) => {
    const moments = [...run([{ ticks: 2000, arrivals: { [only]: 1 } }])].filter(({ at }) => at > START + 1000);
    expect(moments.some(({ refused }) => refused.length > 0)).toBe(true);
    expect(moments.every(({ running }) => running === SLOTS)).toBe(true);
  });

  it('sheds nothing while all slots are in use and the line is short', () => {
    const moments = [
      ...run([
        { ticks: 1, arrivals: { standard: 8 } },
        { ticks: 200, arrivals: {} },
      ]),
    ];
    expect(moments.some(({ running }) => running === SLOTS)).toBe(true);
    expect(new Set(moments.map(({ state }) => state.level))).toEqual(new Set([0]));
  });
});

describe('options', () => {
  it('have defaults that raise before what is measured is used up, and lower after', () => {
    const { raiseAt, lowerAt, holdMs } = sheddingOptions();
    expect(raiseAt.every((pressure, i) => pressure < 1 && pressure > lowerAt[i])).toBe(true);
    expect(holdMs).toBe(5000);
    expect(sheddingOptions({ holdMs: 1 })).toEqual({ raiseAt, lowerAt, holdMs: 1 });
  });

  it.each([
    [{ raiseAt: [1, 2, 3] }, 'shedding.raiseAt', 'a list of 4 pressures, one for each level'],
    [{ lowerAt: 'low' }, 'shedding.lowerAt', 'a list of 4 pressures, one for each level'],
    [{ raiseAt: [1, 2, Number.NaN, 4] }, 'shedding.raiseAt[2]', 'a finite number above 0, and not less than the one'],
    [{ raiseAt: [1, 3, 2, 4] }, 'shedding.raiseAt[2]', 'a finite number above 0, and not less than the one before it'],
    [{ lowerAt: [0, 0.6, 0.7, 0.8] }, 'shedding.lowerAt[0]', 'a finite number above 0'],
    [{ lowerAt: [0.5, 0.6, '0.7', 0.8] }, 'shedding.lowerAt[2]', 'a finite number above 0'],
    [{ lowerAt: [0.5, 0.5, 0.5, 0.95] }, 'shedding.lowerAt[3]', 'less than 0.95, which raiseAt has for that level'],
    [{ holdMs: 0 }, 'shedding.holdMs', 'a finite number of milliseconds, 1 or more'],
    [{ holdMs: Number.POSITIVE_INFINITY }, 'shedding.holdMs', 'a finite number of milliseconds, 1 or more'],
  ])('%j are wrong at %s', (given, path, expected) => {
    const { code, problems } = thrownBy(() => sheddingOptions(given as Partial<shedding.SheddingOptions>));
    expect(code).toBe('TOLLGATE_CONFIG_INVALID');
    expect(problems).toMatchObject([{ path, expected: expect.stringContaining(expected) }]);
  });

  it('tell of all that is wrong at once', () => {
    const { problems } = thrownBy(() => sheddingOptions({ raiseAt: [-1, 2, 1, 4], holdMs: Number.NaN }));
    expect(problems.map(({ path }) => path)).toEqual(['shedding.raiseAt[0]', 'shedding.raiseAt[2]', 'shedding.holdMs']);
  });
});
