/**
 * G6: a waiter is overtaken only by what arrives within the difference of their ageing after it, plus the fairness
 * allowance. So nothing starves.
 */
import type { Priority } from '@tollgate/core';
import fc from 'fast-check';
import { createFairness, type Fairness, type Turn } from '../../packages/core/src/line/fairness.js';
import { type LaneName, pop, priorityQueue, push, remove } from '../../packages/core/src/line/priority-queue.js';
import { type Ageing, evenAgeing, scoreOf } from '../../packages/core/src/line/score.js';
import { check } from '../helpers/oracle-log.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 0, 1);

const PRIORITIES = ['interactive', 'standard', 'batch', 'background'] as const;

const ageings = fc.oneof(
  fc.integer({ min: 2, max: 10 * MINUTE }).map(evenAgeing),
  fc
    .tuple(fc.nat(MINUTE), fc.nat(MINUTE), fc.nat(MINUTE))
    .map(([a, b, c]): Ageing => ({ interactive: 0, standard: a, batch: a + b, background: a + b + c })),
);
const steps = fc.array(
  fc.record({
    ms: fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(30 * SECOND) }),
    event: fc.oneof(
      {
        weight: 5,
        arbitrary: fc.record({
          priority: fc.constantFrom(...PRIORITIES),
          tenant: fc.constantFrom('a', 'b', 'c'),
          cost: fc.oneof(fc.nat(20), fc.constantFrom(0.1, 10_000)),
        }),
      },
      { weight: 4, arbitrary: fc.constant('begin' as const) },
      { weight: 1, arbitrary: fc.nat(100) },
    ),
  }),
  { maxLength: 200, size: 'max' },
);
type Steps = typeof steps extends fc.Arbitrary<infer S> ? S : never;

interface Waiter {
  readonly priority: Priority;
  readonly arrived: number;
  readonly turn: Turn | undefined;
  readonly lane: LaneName;
  readonly score: number;
  arrival: number;
}

interface Line {
  readonly ageing: Ageing;
  /** What is fair from a time on at which nobody waits. */
  readonly fair?: () => Readonly<Record<Priority, Fairness>>;
  /** Told of each that begins, with what waits then, all as they arrived. */
  readonly begins: (first: Waiter, waiting: readonly Waiter[], now: number) => void;
}

/** Lets them come, begin and give up as the steps say, and then all that are left begin. */
function play(steps: Steps, { ageing, fair, begins }: Line): void {
  let fairness = fair?.();
  const queue = priorityQueue<Waiter>();
  let waiting: Waiter[] = [];
  let now = START;

  function begin(): void {
    const first = pop(queue);
    if (first === undefined) return;
    begins(first, waiting, now);
    waiting = waiting.filter((one) => one !== first);
    if (first.turn) fairness?.[first.priority].begin(first.turn);
    if (queue.size === 0) fairness = fair?.();
  }

  for (const { ms, event } of steps) {
    now += ms;
    if (event === 'begin') begin();
    else if (typeof event === 'object') {
      const { priority, tenant, cost } = event;
      const turn = fairness?.[priority].turnOf(tenant, cost, now, 0.001);
      if (turn) fairness?.[priority].enter(turn);
      const lane = { priority, key: tenant };
      const score = scoreOf(ageing, priority, turn?.since ?? now);
      const waiter = { priority, arrived: now, turn, lane, score, arrival: -1 };
      waiter.arrival = push(queue, lane, score, waiter);
      waiting.push(waiter);
    } else if (waiting.length > 0) {
      const [left] = waiting.splice(event % waiting.length, 1);
      remove(queue, left.lane, left);
    }
  }
  while (queue.size > 0) begin();
}

describe('G6 order', () => {
  it('is what sorting all anew at each step would give, by how long each has waited and how far it is behind', async () => {
    await check(
      fc.asyncProperty(ageings, steps, async (ageing, events) => {
        play(events, {
          ageing,
          begins(first, waiting, now) {
            const urgency = ({ priority, arrived }: Waiter) => now - arrived - ageing[priority];
            const [expected] = waiting.toSorted((a, b) => urgency(b) - urgency(a));
            expect(first).toBe(expected);
          },
        });
      }),
      60,
    );
  });

  it('lets nothing be overtaken by what comes later than ageing and the allowance say', async () => {
    await check(
      fc.asyncProperty(ageings, steps, fc.nat(MINUTE), fc.boolean(), async (ageing, events, allowanceMs, isFair) => {
        const one = () => createFairness({ allowanceMs, weights: new Map([['a', 3]]), maxKeys: 2 });
        const fair = () => ({ interactive: one(), standard: one(), batch: one(), background: one() });
        play(events, {
          ageing,
          ...(isFair && { fair }),
          begins(first, waiting) {
            for (const other of waiting) {
              const bound = ageing[other.priority] - ageing[first.priority] + (isFair ? allowanceMs : 0);
              expect(first.arrived - other.arrived).toBeLessThanOrEqual(bound);
            }
          },
        });
      }),
      60,
    );
  });

  it('runs every batch request of a day in its time, though interactive ones ask for twice of what there is', () => {
    const ageing = evenAgeing(5 * MINUTE);
    const interactiveMaxWait = 10 * SECOND;
    const service = SECOND;
    const queue = priorityQueue<{ priority: Priority; arrived: number }>();
    const waits: number[] = [];
    let came = 0;
    const arrive = (priority: Priority, now: number) =>
      push(queue, { priority }, scoreOf(ageing, priority, now), { priority, arrived: now });
    for (let now = START; now < START + DAY + HOUR; now += service) {
      arrive('interactive', now);
      arrive('interactive', now);
      if (now < START + DAY && (now - START) % (20 * SECOND) === 0) {
        arrive('batch', now);
        came++;
      }
      let next = pop(queue);
      while (next?.priority === 'interactive' && now - next.arrived > interactiveMaxWait) next = pop(queue);
      if (next?.priority === 'batch') waits.push(now - next.arrived);
    }
    expect(waits).toHaveLength(came);
    // Until it counts as much as an interactive one, then what those wait, and the one that is running.
    expect(Math.max(...waits)).toBeLessThanOrEqual(5 * MINUTE + interactiveMaxWait + service);
    // It did have to wait, so that the bound says something.
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(4 * MINUTE);
  });
});
