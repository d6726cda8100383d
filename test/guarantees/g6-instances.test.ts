/** G6 over instances that share a store: those who wait go in one order, whichever instance they have come to. */
import { type Admission, budget, createTollgate, type Priority } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { ageings, PRIORITIES, type Short, shortages, stepsOf } from '../helpers/line-cases.js';
import { lineHub } from '../helpers/line-hub.js';
import { check } from '../helpers/oracle-log.js';

const START = Date.UTC(2026, 0, 1);
const INSTANCES = 3;

const steps = stepsOf(
  fc.integer({ min: 1, max: 30_000 }),
  fc.record({
    at: fc.nat(INSTANCES - 1),
    priority: fc.constantFrom(...PRIORITIES),
    cost: fc.integer({ min: 1, max: 60 }),
  }),
);

interface Asked {
  readonly name: number;
  readonly priority: Priority;
  readonly cost: number;
  readonly arrived: number;
  readonly leaving: AbortController;
}

async function flush(): Promise<void> {
  for (let i = 0; i < 60; i++) await undefined;
}

function gatesOf(short: Short, ageing: object, isDeaf: boolean) {
  const clock = manualClock(START);
  const hub = lineHub(isDeaf);
  const isSlots = 'slots' in short;
  const gates = Array.from({ length: INSTANCES }, () =>
    createTollgate({
      name: 'api',
      limits: [],
      budgets: isSlots ? [] : [budget({ name: 'b', limit: `$${short.dollars}`, per: 'month', whenFull: 'wait' })],
      queue: {
        shedding: false,
        maxWait: '366d',
        ageing: ageing as never,
        ...(isSlots && { concurrency: short.slots, lease: '1d' }),
      },
      store: hub.join(),
      clock,
    }),
  );
  return { clock, gates };
}

describe.each([
  ['where all are told of room', false],
  ['where nobody is told of room, within a second', true],
])('G6 order over instances, %s', (_, isDeaf) => {
  it('is that of one line in which all wait', async () => {
    await check(
      fc.asyncProperty(steps, shortages, ageings, async (events, short, ageing) => {
        const behind = { interactive: 0, ...ageing };
        const { clock, gates } = gatesOf(short, ageing, isDeaf);
        const whole = 'slots' in short ? short.slots : short.dollars;
        const costOf = ({ cost }: Asked) => ('slots' in short ? 1 : cost);
        const scoreOf = ({ arrived, priority }: Asked) => arrived + behind[priority];
        const running: { readonly asked: Asked; readonly admission: Admission }[] = [];
        let waiting: Asked[] = [];
        let began: number[] = [];

        function ask(at: number, asked: Asked): void {
          const { priority, cost, leaving } = asked;
          waiting.push(asked);
          gates[at].admit({ permits: 1, usd: `$${cost}`, priority }, { signal: leaving.signal }).then(
            (decision) => {
              if (!decision.admitted) throw new Error(decision.refusal.detail);
              began.push(asked.name);
              running.push({ asked, admission: decision.admission });
            },
            () => {},
          );
        }

        for (const [name, { ms, event }] of events.entries()) {
          clock.advance(ms);
          await flush();
          began = [];
          let free = whole - running.reduce((sum, { asked }) => sum + costOf(asked), 0);
          if ('end' in event) {
            const [ended] = running.length === 0 ? [] : running.splice(event.end % running.length, 1);
            if (ended) free += costOf(ended.asked);
            await ended?.admission.settle({ outcome: 'ignored' });
          } else if ('leave' in event) {
            const [left] = waiting.splice(event.leave % Math.max(1, waiting.length), 1);
            left?.leaving.abort('gone');
          } else {
            const { at, priority, cost } = event;
            const asked = { name, priority, cost, arrived: clock.now(), leaving: new AbortController() };
            // Of equals in two instances either may go first.
            if (waiting.some((one) => scoreOf(one) === scoreOf(asked))) continue;
            ask(at, asked);
          }
          await flush();
          // All begin that are told, or else that are tried again.
          if (isDeaf) {
            for (let i = 0; i < 20; i++) {
              clock.advance(1_000);
              await flush();
            }
          }
          const expected: number[] = [];
          for (;;) {
            const [first] = waiting.toSorted((x, y) => scoreOf(x) - scoreOf(y));
            if (first === undefined || costOf(first) > free) break;
            free -= costOf(first);
            expected.push(first.name);
            waiting = waiting.filter((one) => one !== first);
          }
          expect(began).toEqual(expected);
        }
        await Promise.all(gates.map((gate) => gate.close()));
      }),
      isDeaf ? 10 : 25,
    );
  });
});
