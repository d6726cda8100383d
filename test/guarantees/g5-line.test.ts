/**
 * G1 and G5 in the line: whatever comes at the same time (a turn, an answer of the store, a deadline, an abort, the end of a
 * lease, a changed limit, the gate's end), what begins is charged once, what doesn't is charged nothing, and no slot is lost.
 */
import {
  type Admission,
  concurrency,
  createTollgate,
  memoryStore,
  type NotTaken,
  type Store,
  slidingWindow,
  type Taken,
} from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';

const SECOND = 1_000;
const START = Date.UTC(2026, 0, 1);
const TENANTS = ['a', 'b'] as const;

/** A store whose answers come when, and in the order that, the test says: each step is done when it is answered, or before. */
function slowStore(inner: Store) {
  const pending: (() => void)[] = [];
  let isSlow = true;
  let isClosed = false;
  /** @param isEarly the step is done as it is asked for, and its answer takes its time */
  function later<T>(step: () => T, isEarly: boolean): T | Promise<T> {
    if (!isSlow) return step();
    if (isEarly) {
      const result = step();
      return new Promise((resolve) => pending.push(() => resolve(result)));
    }
    return new Promise((resolve) => pending.push(() => resolve(step())));
  }
  let early = 0;
  let afterEnd = 0;
  const taken: Taken[] = [];
  const settled = new Set<unknown>();
  const store: Store = {
    take(request, now) {
      // What is open by then may still be settled.
      if (isClosed) afterEnd++;
      return later(
        () => {
          const result = inner.take(request, now) as Taken | NotTaken;
          if ('receipt' in result) taken.push(result);
          return result;
        },
        early++ % 3 > 0,
      );
    },
    settle: (receipt, actual, now, goesOn) =>
      later(
        () => {
          // Each receipt is settled once, by whoever has it.
          expect(settled.has(receipt)).toBe(false);
          settled.add(receipt);
          return inner.settle(receipt, actual, now, goesOn) as undefined;
        },
        early++ % 3 === 0,
      ),
    peek: (who, bills, now) => later(() => inner.peek(who, bills, now) as never, false),
    close() {
      isClosed = true;
    },
  };
  return {
    store,
    taken,
    settled,
    pending: () => pending.length,
    takenAfterEnd: () => afterEnd,
    answer: (nth: number) => pending.splice(nth % pending.length, 1)[0]?.(),
    async directly<T>(ask: () => Promise<T>): Promise<T> {
      isSlow = false;
      try {
        return await ask();
      } finally {
        isSlow = true;
      }
    },
  };
}

const moves = fc.array(
  fc.oneof(
    {
      weight: 9,
      arbitrary: fc.record({
        ask: fc.constantFrom('interactive' as const, 'standard' as const, 'batch' as const),
        tenant: fc.constantFrom('a' as const, ...TENANTS),
        model: fc.constantFrom('best' as const, 'best' as const, 'cheap' as const),
        maxWait: fc.constantFrom('5s' as const, '10m' as const, '10m' as const),
      }),
    },
    { weight: 14, arbitrary: fc.record({ answer: fc.nat(20) }) },
    { weight: 6, arbitrary: fc.record({ settle: fc.nat(20), how: fc.constantFrom('succeeded', 'ignored') }) },
    { weight: 2, arbitrary: fc.record({ abort: fc.nat(20) }) },
    { weight: 2, arbitrary: fc.record({ ms: fc.constantFrom(1, 500, 5 * SECOND, 40 * SECOND) }) },
    { weight: 1, arbitrary: fc.record({ slots: fc.integer({ min: 2, max: 4 }) }) },
    { weight: 2, arbitrary: fc.constant('rest' as const) },
  ),
  { minLength: 20, maxLength: 150, size: 'max' },
);
type Moves = typeof moves extends fc.Arbitrary<infer S> ? S : never;

async function flush(): Promise<void> {
  for (let i = 0; i < 15; i++) await undefined;
}

async function play(steps: Moves, closes: boolean): Promise<void> {
  const clock = manualClock(START);
  let timers = 0;
  const after = clock.after;
  clock.after = (ms, task) => {
    timers++;
    let isOver = false;
    const end = () => {
      if (!isOver) timers--;
      isOver = true;
    };
    const cancel = after(ms, () => {
      end();
      task();
    });
    return () => {
      end();
      cancel();
    };
  };
  const slow = slowStore(memoryStore());
  const gate = createTollgate({
    limits: [
      slidingWindow({ name: 'w', limit: 10_000, window: '1d', unit: 'requests' }),
      concurrency({ name: 'tenant', by: 'tenant', limit: 2, lease: '1m' }),
      concurrency({ name: 'model', by: 'model', limit: 2, lease: '1m' }),
    ],
    ladders: [['best', 'cheap']],
    queue: { concurrency: 3, lease: '1m', shedding: false, maxWait: '10m' },
    store: slow.store,
    clock,
  });
  const open: { readonly asked: number; readonly admission: Admission }[] = [];
  const waiting = new Map<
    number,
    { readonly tenant: string; readonly model: 'best' | 'cheap'; readonly leaving: AbortController }
  >();
  const admitted = new Set<Admission>();
  let asked = 0;
  let kept = 0;
  let answers = 0;

  async function drain(): Promise<void> {
    await flush();
    while (slow.pending() > 0) {
      slow.answer(0);
      await flush();
    }
  }

  /** Nobody waits for what there is, once those have asked whose time has come while the store was answering. */
  async function noneIsForgotten(): Promise<void> {
    await drain();
    clock.advance(1);
    await drain();
    for (const { tenant, model, leaving } of waiting.values()) {
      expect(leaving.signal.aborted).toBe(false);
      const ask = { permits: 1, subject: { tenant }, model, maxWait: 0 } as const;
      const { admitted } = await slow.directly(() => gate.explain(ask));
      expect(admitted).toBe(false);
    }
  }

  for (const step of steps) {
    if (step === 'rest') await noneIsForgotten();
    else if ('ask' in step) {
      const { ask: priority, tenant, model, maxWait } = step;
      const number = asked++;
      const leaving = new AbortController();
      waiting.set(number, { tenant, model, leaving });
      const answered = () => {
        answers++;
        expect(waiting.delete(number)).toBe(true);
      };
      gate.admit({ permits: 1, priority, subject: { tenant }, model, maxWait }, { signal: leaving.signal }).then(
        (decision) => {
          answered();
          if (!decision.admitted) return;
          expect(admitted.has(decision.admission)).toBe(false);
          admitted.add(decision.admission);
          open.push({ asked: number, admission: decision.admission });
        },
        () => answered(),
      );
    } else if ('answer' in step && slow.pending() > 0) slow.answer(step.answer);
    else if ('settle' in step && open.length > 0) {
      const [{ admission }] = open.splice(step.settle % open.length, 1);
      if (step.how === 'succeeded') kept++;
      void admission.settle({ outcome: step.how as 'succeeded' | 'ignored' });
    } else if ('abort' in step && waiting.size > 0) {
      [...waiting.values()][step.abort % waiting.size].leaving.abort('gone');
    } else if ('ms' in step) clock.advance(step.ms);
    else if ('slots' in step) gate.update({ queue: { concurrency: step.slots } });
    // Some come at the same time, and some when what went before has been heard of.
    if (asked % 2 === 0) await flush();
  }

  const closing = closes ? gate.close() : undefined;
  await noneIsForgottenUnless(closes);
  // All end, and those that can't begin by then time out.
  for (let round = 0; waiting.size + open.length > 0 && round < 200; round++) {
    for (const { admission } of open.splice(0)) {
      kept++;
      void admission.settle().catch(() => {});
    }
    clock.advance(10 * SECOND);
    await drain();
  }
  expect(waiting.size).toBe(0);
  expect(answers).toBe(asked);
  // What was taken is what was begun, and what was given back: each once.
  expect(slow.settled.size).toBe(slow.taken.length);
  expect(slow.taken.length).toBeGreaterThanOrEqual(admitted.size);
  if (closing) {
    await closing;
    expect(slow.takenAfterEnd()).toBe(0);
    expect(timers).toBe(0);
    return;
  }
  for (const tenant of TENANTS) {
    const { limits } = await slow.directly(() =>
      gate.inspect({ tenant }, { model: tenant === 'a' ? 'best' : 'cheap' }),
    );
    expect(limits.map(({ layer, used }) => [layer, used])).toEqual([
      ['w', kept],
      ['tenant', 0],
      ['model', 0],
      ['concurrency', 0],
    ]);
  }
  clock.advance(SECOND);
  expect(timers).toBe(0);
  await gate.close();

  async function noneIsForgottenUnless(isClosed: boolean): Promise<void> {
    if (isClosed) await drain();
    else await noneIsForgotten();
  }
}

describe('G5 once, in the line', () => {
  it('charges what begins once, and what does not nothing, however it races, and loses no slot', async () => {
    await check(
      fc.asyncProperty(moves, (steps) => play(steps, false)),
      750,
    );
  }, 120_000);

  it('holds while the gate is closed', async () => {
    await check(
      fc.asyncProperty(moves, (steps) => play(steps, true)),
      100,
    );
  }, 120_000);
});
