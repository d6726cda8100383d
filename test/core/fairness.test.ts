import fc from 'fast-check';
import { createFairness, type Fairness, type Turn } from '../../packages/core/src/line/fairness.js';
import { pop, priorityQueue, push } from '../../packages/core/src/line/priority-queue.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const START = Date.UTC(2026, 0, 1);
const MAX_WAIT = 10 * SECOND;

interface Tenant {
  /** Cost it asks for, as a part of all that can be served. */
  readonly asks: number;
  readonly weight?: number;
  /** Of each of its requests; 1 unless given. */
  readonly cost?: number;
  readonly from?: number;
  readonly until?: number;
}

interface Result {
  /** The part of what it asked for, and the part of all there is, that it got. */
  readonly got: number;
  readonly share: number;
  /** Milliseconds, of those that were served. */
  readonly p50: number;
  readonly p99: number;
}

interface Simulation {
  readonly tenants: Readonly<Record<string, Tenant>>;
  /** Milliseconds that a cost of 1 takes. */
  readonly service?: number;
  /** The rate the line is told, as a multiple of what is right. */
  readonly misjudged?: number;
  readonly isFair?: boolean;
  /** Whether the line refuses on arrival what its key's share would serve too late. */
  readonly refuses?: boolean;
  readonly seed?: number;
}

const LENGTH = 5 * MINUTE;

/** One server, one request at a time; they come at random, and give up after `MAX_WAIT`. */
function simulate({ tenants, service = 10, misjudged = 1, isFair = true, refuses = false, seed = 1 }: Simulation) {
  const random = randomFrom(seed);
  const weights = new Map(Object.entries(tenants).map(([name, { weight = 1 }]) => [name, weight]));
  let fairness = createFairness({ allowanceMs: MAX_WAIT, weights });
  const queue = priorityQueue<{ tenant: string; cost: number; arrived: number; turn: Turn }>();
  const served = new Map(Object.keys(tenants).map((name) => [name, { cost: 0, waits: [] as number[] }]));

  const arrivals = Object.entries(tenants)
    .flatMap(([tenant, { asks, cost = 1, from = 0, until = LENGTH }]) => {
      const times: { tenant: string; cost: number; arrived: number }[] = [];
      const gap = () => ((service * cost) / asks) * Math.log(1 / (1 - random()));
      for (let at = from + gap(); at < until; at += gap()) {
        times.push({ tenant, cost, arrived: START + at });
      }
      return times;
    })
    .toSorted((a, b) => a.arrived - b.arrived);

  let free = START;
  function serveUntil(now: number): void {
    while (queue.size > 0 && free <= now) {
      const { tenant, cost, arrived, turn } = pop(queue) ?? fail();
      if (free - arrived <= MAX_WAIT) {
        fairness.begin(turn);
        const totals = served.get(tenant) ?? fail();
        totals.cost += cost;
        totals.waits.push(free - arrived);
        free += cost * service;
      }
      // Of those who come to a line that is empty nobody is ahead.
      if (queue.size === 0) fairness = createFairness({ allowanceMs: MAX_WAIT, weights });
    }
    free = Math.max(free, now);
  }

  for (const { tenant, cost, arrived } of arrivals) {
    serveUntil(arrived);
    const turn = fairness.turnOf(tenant, cost, arrived, misjudged / service);
    if (refuses && turn.waitMs > MAX_WAIT) continue;
    fairness.enter(turn);
    const lane = { priority: 'standard', key: tenant } as const;
    push(queue, lane, isFair ? turn.since : arrived, { tenant, cost, arrived, turn });
  }
  serveUntil(START + LENGTH);

  return (name: string): Result => {
    const { cost, waits } = served.get(name) ?? fail();
    const asked = arrivals.reduce((sum, one) => (one.tenant === name ? sum + one.cost : sum), 0);
    const ascending = waits.toSorted((a, b) => a - b);
    const percentile = (part: number) => ascending[Math.floor(part * ascending.length)];
    return { got: cost / asked, share: (cost * service) / LENGTH, p50: percentile(0.5), p99: percentile(0.99) };
  };
}

/** From 0 to 1, the same for the same seed (D. H. Lehmer's generator). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

function fail(): never {
  throw new Error('unreachable');
}

function entering(fairness: Fairness) {
  return (key: string, cost: number): Turn => {
    const turn = fairness.turnOf(key, cost, START, 1);
    fairness.enter(turn);
    return turn;
  };
}

/** Ten times a third. */
const FLOOD: Tenant = { asks: 10 / 3 };

describe('fairness', () => {
  test.each([
    ['nearly all of their share', { a: { asks: 0.3 }, b: { asks: 0.3 }, flood: FLOOD }],
    ['little', { a: { asks: 0.2 }, b: { asks: 0.05 }, flood: FLOOD }],
    ['large requests', { a: { asks: 0.2, cost: 4 }, b: { asks: 0.25 }, flood: FLOOD }],
    [
      'what they ask while the flood is there already',
      { a: { asks: 0.3, from: 2 * MINUTE }, b: { asks: 0.3, from: 3 * MINUTE }, flood: FLOOD },
    ],
  ] as const)('gives the polite all they ask for beside a flood: %s', (_, tenants) => {
    for (const seed of [1, 2]) {
      const of = simulate({ tenants, seed });
      for (const name of ['a', 'b']) {
        expect(of(name).got).toBeGreaterThan(0.995);
        expect(of(name).p99).toBeLessThanOrEqual(0.05 * of('flood').p99);
      }
      // Nothing is left idle for it: what the others don't ask for, the flood gets.
      expect(of('a').share + of('b').share + of('flood').share).toBeGreaterThan(0.98);
    }
  });

  test('is what it takes: by arrival the polite get what the flood leaves', () => {
    const of = simulate({ tenants: { a: { asks: 0.3 }, b: { asks: 0.3 }, flood: FLOOD }, isFair: false });
    expect(of('a').got).toBeLessThan(0.35);
    expect(of('a').p50).toBeGreaterThan(0.9 * MAX_WAIT);
  });

  test.each([0.3, 0.5, 1.3])('stands a rate that is %s times the right one', (misjudged) => {
    const of = simulate({ tenants: { a: { asks: 0.3 }, b: { asks: 0.3 }, flood: FLOOD }, misjudged });
    for (const name of ['a', 'b']) {
      expect(of(name).got).toBeGreaterThan(0.99);
      expect(of(name).p99).toBeLessThanOrEqual(0.1 * of('flood').p99);
    }
  });

  test('goes by weight', () => {
    const of = simulate({
      tenants: { big: { asks: 0.55, weight: 6 }, small: { asks: 0.08 }, flood: { asks: 10, weight: 3 } },
    });
    for (const name of ['big', 'small']) {
      expect(of(name).got).toBeGreaterThan(0.995);
      expect(of(name).p99).toBeLessThanOrEqual(0.05 * of('flood').p99);
    }
  });

  test.each([
    [{ a: { asks: 2 }, b: { asks: 2, weight: 3 } }, [0.25, 0.75]],
    [{ a: { asks: 1 }, b: { asks: 4 } }, [0.5, 0.5]],
    [{ a: { asks: 2, cost: 10 }, b: { asks: 5 }, c: { asks: 1, weight: 2 } }, [0.25, 0.25, 0.5]],
  ] as [Record<string, Tenant>, number[]][])('gives each its share where all ask for more: %j', (tenants, shares) => {
    for (const misjudged of [0.6, 1]) {
      const of = simulate({ tenants, misjudged, refuses: true });
      Object.keys(tenants).forEach((name, i) => {
        expect(of(name).share).toBeGreaterThan(0.95 * shares[i]);
        expect(of(name).share).toBeLessThan(1.05 * shares[i]);
      });
    }
  });

  test('gives the polite all they ask for beside two floods', () => {
    const of = simulate({ tenants: { polite: { asks: 0.3 }, some: { asks: 0.7 }, most: { asks: 7 } }, refuses: true });
    expect(of('polite').got).toBeGreaterThan(0.995);
    expect(of('polite').p99).toBeLessThanOrEqual(0.1 * of('most').p99);
  });

  test('holds back nobody who is alone, and none longer than the allowance', () => {
    const turns = fc.array(
      fc.record({
        key: fc.constantFrom('a', 'b', 'c', 'd', undefined),
        cost: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 1e9, noNaN: true })),
        rate: fc.oneof(fc.constant(0), fc.double({ min: 1e-9, max: 1e3, noNaN: true })),
        begins: fc.boolean(),
      }),
    );
    fc.assert(
      fc.property(turns, fc.nat(MINUTE), (all, allowanceMs) => {
        const fairness = createFairness({ allowanceMs, weights: new Map([['b', 1e-3]]), maxKeys: 3 });
        const seen = new Set<string | undefined>();
        all.forEach(({ key, cost, rate, begins }, i) => {
          const now = START + i;
          const turn = fairness.turnOf(key, cost, now, rate);
          fairness.enter(turn);
          expect(turn.since).toBeGreaterThanOrEqual(now);
          expect(turn.since).toBeLessThanOrEqual(now + allowanceMs);
          if (!seen.has(key) && seen.size < 3) expect(turn.since).toBe(now);
          seen.add(key);
          if (begins) fairness.begin(turn);
        });
      }),
    );
  });

  test('counts a key from its arrival again once the line has caught up with it', () => {
    const fairness = createFairness({ allowanceMs: MINUTE });
    const enter = entering(fairness);
    const first = enter('a', 10);
    const second = enter('a', 10);
    expect(first.since).toBe(START);
    expect(second.since).toBeGreaterThan(START);
    const other = enter('b', 100);
    const later = enter('b', 1);
    for (const turn of [first, other, second, later]) fairness.begin(turn);
    expect(enter('a', 10).since).toBe(START);
    expect(enter('a', 10).since).toBeGreaterThan(START);
  });

  test('forgets those that the line has caught up with, and no others, however they came by where they are', () => {
    const fairness = createFairness({ allowanceMs: MINUTE });
    const enter = entering(fairness);
    enter('far', 1);
    enter('near', 10);
    enter('nearer', 5);
    enter('far', 100);
    enter('on', 20);
    const on = enter('on', 1);
    fairness.begin(on);
    expect(on.start).toBe(20);
    expect(fairness.keys()).toBe(2);
    enter('there', 30);
    fairness.begin(enter('there', 0));
    expect(fairness.keys()).toBe(1);
    expect(enter('far', 1).start).toBe(101);
  });

  test('remembers no more keys than it may, and none that the line has caught up with', () => {
    const fairness = createFairness({ allowanceMs: MINUTE, maxKeys: 100 });
    const enter = entering(fairness);
    enter('known', 1);
    const known = enter('known', 1);
    for (let i = 0; i < 10_000; i++) enter(`made up ${i}`, 1);
    expect(fairness.keys()).toBeLessThanOrEqual(101);
    // Those beyond are as one, so that making up keys gains nothing, and what is known stays known.
    expect(enter('one more', 1).since).toBe(START + MINUTE);
    expect(enter('known', 1).start).toBeGreaterThan(known.start);
    const last = enter('known', 1e6);
    const drained = enter('known', 1);
    fairness.begin(last);
    fairness.begin(drained);
    expect(fairness.keys()).toBeLessThanOrEqual(1);
  });
});
