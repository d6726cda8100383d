/**
 * G6 through a gate: a waiter is overtaken only by what arrives within the difference of their ageing after it, plus the
 * fairness allowance. So nothing starves, a large cost neither; and no tenant crowds out the others.
 */
import { type Admission, budget, createTollgate, type Priority, type QueueOptions } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { ageings, PRIORITIES, type Short, shortages, stepsOf } from '../helpers/line-cases.js';
import { check } from '../helpers/oracle-log.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const START = Date.UTC(2026, 0, 1);

async function flush(): Promise<void> {
  for (let i = 0; i < 12; i++) await undefined;
}

interface Asked {
  readonly name: number;
  readonly priority: Priority;
  readonly tenant: string;
  readonly cost: number;
  readonly arrived: number;
}

const steps = stepsOf(
  fc.oneof({ weight: 1, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(30 * SECOND) }),
  fc.record({
    priority: fc.constantFrom(...PRIORITIES),
    tenant: fc.constantFrom('a', 'b', 'c'),
    cost: fc.integer({ min: 1, max: 60 }),
  }),
);
type Steps = typeof steps extends fc.Arbitrary<infer S> ? S : never;

interface Watch {
  /** All that have come and neither begun nor left, after each step; and those that have begun in it, in order. */
  step(began: readonly Asked[], asked: Asked | undefined, gone: readonly Asked[], free: number): void;
}

/** Plays the steps through a gate. */
async function play(steps: Steps, short: Short, queue: QueueOptions, watch: Watch): Promise<void> {
  const clock = manualClock(START);
  const isSlots = 'slots' in short;
  const budgets = isSlots
    ? []
    : [budget({ name: 'b', limit: `$${short.dollars}`, per: 'month', whenFull: 'wait' as const })];
  const gate = createTollgate({
    limits: [],
    budgets,
    queue: { shedding: false, maxWait: '60d', ...queue, ...(isSlots && { concurrency: short.slots }) },
    clock,
  });
  const running: { readonly asked: Asked; readonly admission: Admission }[] = [];
  const waiting: { readonly asked: Asked; readonly leaving: AbortController }[] = [];
  let began: Asked[] = [];
  let gone: Asked[] = [];
  let name = 0;
  const costOf = ({ cost }: Asked) => (isSlots ? 1 : cost);
  const whole = isSlots ? short.slots : short.dollars;
  for (const { ms, event } of steps) {
    clock.advance(ms);
    await flush();
    const free = whole - running.reduce((sum, { asked }) => sum + costOf(asked), 0);
    let asked: Asked | undefined;
    let freed = 0;
    if ('end' in event) {
      const [ended] = running.length === 0 ? [] : running.splice(event.end % running.length, 1);
      if (ended) freed = costOf(ended.asked);
      await ended?.admission.settle({ outcome: 'ignored' });
    } else if ('leave' in event) {
      waiting[event.leave % Math.max(1, waiting.length)]?.leaving.abort('gone');
    } else {
      const own: Asked = { ...event, name: name++, arrived: clock.now() };
      asked = own;
      const leaving = new AbortController();
      waiting.push({ asked: own, leaving });
      const drop = () => {
        waiting.splice(
          waiting.findIndex((one) => one.asked === own),
          1,
        );
      };
      const { priority, tenant, cost } = own;
      gate
        .admit({ permits: 1, usd: `$${cost}`, priority, subject: { tenant } }, { signal: leaving.signal })
        .then((decision) => {
          drop();
          if (!decision.admitted) {
            gone.push(own);
            return;
          }
          began.push(own);
          running.push({ asked: own, admission: decision.admission });
        })
        .catch(() => {
          drop();
          gone.push(own);
        });
    }
    await flush();
    watch.step(began, asked, gone, free + freed);
    began = [];
    gone = [];
  }
  await gate.close();
}

describe('G6 order, through a gate', () => {
  it('is what sorting all anew at each step would give, where the first that does not fit holds up the rest', async () => {
    await check(
      fc.asyncProperty(steps, shortages, ageings, async (events, short, ageing) => {
        const behind = { interactive: 0, ...ageing };
        let waiting: Asked[] = [];
        await play(
          events,
          short,
          { ageing },
          {
            step(began, asked, gone, free) {
              if (asked) waiting.push(asked);
              // Who gives up is gone before the rest is looked at.
              waiting = waiting.filter((one) => !gone.includes(one));
              const now = Math.max(START, ...waiting.map(({ arrived }) => arrived));
              const urgency = ({ priority, arrived }: Asked) => now - arrived - behind[priority];
              const expected: Asked[] = [];
              let left = free;
              for (;;) {
                const [first] = waiting.toSorted((x, y) => urgency(y) - urgency(x));
                const cost = first && ('slots' in short ? 1 : first.cost);
                if (first === undefined || cost > left) break;
                left -= cost;
                expected.push(first);
                waiting = waiting.filter((one) => one !== first);
              }
              expect(began.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
            },
          },
        );
      }),
      40,
    );
  });

  it('lets nothing be overtaken by what comes later than ageing and the allowance say', async () => {
    await check(
      fc.asyncProperty(steps, shortages, fc.integer({ min: 1, max: 10 * MINUTE }), async (events, short, ms) => {
        const behind = { interactive: 0, standard: ms / 2, batch: ms, background: 1.5 * ms };
        // The longest that a budget may take to be renewed; and that is what anybody is held back at most.
        const allowanceMs = 'slots' in short ? MINUTE : 60 * 24 * HOUR;
        const queue = { ageing: ms, fairBy: 'tenant', weights: { a: 3 }, maxWait: allowanceMs } as const;
        let waiting: Asked[] = [];
        await play(events, short, queue, {
          step(began, asked, gone) {
            if (asked) waiting.push(asked);
            waiting = waiting.filter((one) => !gone.includes(one));
            for (const first of began) {
              waiting = waiting.filter((one) => one !== first);
              for (const other of waiting) {
                const bound = behind[other.priority] - behind[first.priority] + allowanceMs;
                expect(first.arrived - other.arrived).toBeLessThanOrEqual(bound);
              }
            }
          },
        });
      }),
      40,
    );
  });

  it('runs every batch request of a day in its time, though interactive ones ask for twice of what there is', async () => {
    const clock = manualClock(START);
    const queue = { concurrency: 1, ageing: '5m', shedding: false } as const;
    const gate = createTollgate({ limits: [], queue, clock });
    const service = 5 * SECOND;
    const waits: number[] = [];
    let came = 0;
    let refused = 0;
    const refusedBatch: string[] = [];
    function ask(priority: Priority): void {
      void gate.admit({ permits: 1, priority }).then(
        (decision) => {
          if (decision.admitted) {
            const { admission } = decision;
            if (priority === 'batch') waits.push(admission.waitedMs);
            clock.after(service, () => void admission.settle());
          } else if (priority === 'batch') refusedBatch.push(decision.refusal.detail);
          else refused++;
        },
        () => {},
      );
    }
    const end = START + 24 * HOUR;
    while (clock.now() < end + 10 * MINUTE) {
      ask('interactive');
      ask('interactive');
      if (clock.now() < end && (clock.now() - START) % (100 * SECOND) === 0) {
        ask('batch');
        came++;
      }
      clock.advance(service);
      await flush();
    }
    expect(refusedBatch).toEqual([]);
    expect(waits).toHaveLength(came);
    // Until it counts as much as an interactive one, then what those wait, and the one that is running.
    expect(Math.max(...waits)).toBeLessThanOrEqual(5 * MINUTE + 10 * SECOND + service);
    // Interactive ones did ask for more than there is, so that the bound says something.
    expect(refused).toBeGreaterThan(came * 5);
    expect(waits.toSorted((a, b) => a - b)[Math.floor(came / 2)]).toBeGreaterThanOrEqual(4 * MINUTE);
    await gate.close();
  }, 60_000);

  it.each([
    ['slots', 1],
    ['slots, with twice the weight', 2],
  ])(
    'gives two polite tenants all they ask for, beside one that asks for ten times its share of %s',
    async (_, weight) => {
      const clock = manualClock(START);
      const weights = { flood: weight };
      const queue = { concurrency: 100, fairBy: 'tenant', weights, maxDepth: 10_000, shedding: false } as const;
      const gate = createTollgate({ limits: [], queue, clock });
      let seed = 7;
      const random = () => {
        seed = (seed * 48_271) % 2_147_483_647;
        return seed / 2_147_483_647;
      };
      const waits = new Map<string, number[]>([
        ['polite', []],
        ['kind', []],
        ['flood', []],
      ]);
      const refused = new Map<string, number>();
      let runs = true;
      // A slot is taken for a second, about, so that there are 100 of them a second to be shared.
      function ask(tenant: string): void {
        const request = { permits: 1, subject: { tenant } } as const;
        void gate.admit(request).then(
          (decision) => {
            if (!decision.admitted) {
              refused.set(tenant, (refused.get(tenant) ?? 0) + 1);
              return;
            }
            const { admission } = decision;
            waits.get(tenant)?.push(admission.waitedMs);
            clock.after(500 + 1000 * random(), () => void admission.settle());
          },
          () => {},
        );
      }
      function every(ms: number, tenant: string): void {
        clock.after(ms * 2 * random(), () => {
          if (!runs) return;
          ask(tenant);
          every(ms, tenant);
        });
      }
      const share = 100 / (2 + weight);
      const politeAsk = 0.9 * share;
      every(SECOND / politeAsk, 'polite');
      every(SECOND / politeAsk, 'kind');
      every(SECOND / (10 * share), 'flood');
      async function run(seconds: number): Promise<void> {
        for (let i = 0; i < 100 * seconds; i++) {
          clock.advance(10);
          await flush();
        }
      }
      // Until the pace is known nobody is held back, and then until what came meanwhile has begun.
      await run(40);
      for (const one of waits.values()) one.length = 0;
      expect(refused.get('polite') ?? 0).toBe(0);
      await run(60);
      runs = false;
      const p99 = (tenant: string) => {
        const sorted = (waits.get(tenant) ?? []).toSorted((a, b) => a - b);
        return sorted[Math.floor(0.99 * sorted.length)];
      };
      const floodWaits = p99('flood');
      for (const tenant of ['polite', 'kind']) {
        expect(refused.get(tenant) ?? 0).toBe(0);
        expect(waits.get(tenant)?.length).toBeGreaterThan(60 * politeAsk * 0.9);
        expect(p99(tenant)).toBeLessThanOrEqual(0.05 * floodWaits);
      }
      expect(refused.get('flood')).toBeGreaterThan(0);
      await gate.close();
    },
    60_000,
  );
});
