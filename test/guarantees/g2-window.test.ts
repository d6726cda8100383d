/** G2: admitted cost in every interval of a window's length is at most its limit, whatever happens on the way. */
import { createTollgate, type Decision, slidingWindow, type Tollgate, tokenBucket } from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { histories, play } from '../helpers/oracle-history.js';
import { check, hasLeft, sumBetween } from '../helpers/oracle-log.js';

const W = 60_000;
const PARTS = 10;
const PART = W / PARTS;

function windowGate(limit: number): { gate: Tollgate; clock: ManualClock } {
  const clock = manualClock();
  const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'outputTokens', limit, window: W, parts: PARTS });
  return { gate: createTollgate({ clock, limits: [tokens] }), clock };
}

const limits = fc.integer({ min: 5, max: 60 });
const history = histories({
  costs: fc.oneof(fc.integer({ min: 0, max: 25 }), fc.constantFrom(0.5, 1.25, 100)),
  steps: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: PART * 2 }) },
    { weight: 2, arbitrary: fc.integer({ min: W - PART, max: W + PART }) },
    { weight: 1, arbitrary: fc.integer({ min: -3 * W, max: 0 }) },
    { weight: 1, arbitrary: fc.integer({ min: W, max: 5 * W }) },
  ),
  every: PART,
  changes: limits,
});

/** What has left the window can't be given back. */
const isVoid = hasLeft(PART, PARTS);

describe('G2 strict window', () => {
  it('holds in every interval of its length, at each admission by the limit in force', async () => {
    await check(
      fc.asyncProperty(limits, history, async (first, commands) => {
        const { gate, clock } = windowGate(first);
        let limit = first;
        await play(gate, clock, commands, {
          isVoid,
          admitted({ lots }, cost, now) {
            // Zero cost adds nothing to any interval.
            if (cost > 0) expect(sumBetween(lots, now - W, now) + cost).toBeLessThanOrEqual(limit);
          },
          refused() {},
          change(to) {
            limit = to;
            gate.update({ limits: { tokens: { limit } } });
          },
        });
      }),
      100,
    );
  });

  it('refuses only what does not fit in the window and one part before it', async () => {
    // Without provisional ends: one that was too high gives its overage back no earlier than the window does.
    const once = history.map((commands) =>
      commands.map((one) => (one.do === 'settle' ? { ...one, provisional: false } : one)),
    );
    await check(
      fc.asyncProperty(limits, once, async (first, commands) => {
        const { gate, clock } = windowGate(first);
        let limit = first;
        await play(gate, clock, commands, {
          isVoid,
          admitted() {},
          refused({ lots }, cost, now) {
            expect(sumBetween(lots, now - W - PART + 1, now) + cost).toBeGreaterThan(limit);
          },
          change(to) {
            limit = to;
            gate.update({ limits: { tokens: { limit } } });
          },
        });
      }),
      100,
    );
  });

  it('admits its full limit again once it was idle for its length and one part', async () => {
    await check(
      fc.asyncProperty(limits, history, async (limit, commands) => {
        const { gate, clock } = windowGate(limit);
        const { now } = await play(gate, clock, commands, {
          isVoid,
          admitted() {},
          refused() {},
          change(to) {
            gate.update({ limits: { tokens: { limit: to } } });
          },
        });
        gate.update({ limits: { tokens: { limit } } });
        clock.set(now() + W + PART);
        for (const user of ['ann', 'bob']) {
          const full = await gate.admit({ subject: { user }, permits: 0, estimate: { outputTokens: limit } });
          expect(full.admitted).toBe(true);
        }
      }),
      60,
    );
  });

  it('loses no more than two parts to rounding, where parts do not divide the window into milliseconds', async () => {
    const sizes = fc.tuple(fc.integer({ min: 10, max: 5_000 }), fc.integer({ min: 2, max: 1_000 }), fc.nat(10_000));
    await check(
      fc.asyncProperty(sizes, async ([window, parts, start]) => {
        const clock = manualClock(start);
        const gate = createTollgate({ clock, limits: [slidingWindow({ name: 'w', limit: 10, window, parts })] });
        expect((await gate.admit({ permits: 10 })).admitted).toBe(true);
        clock.advance(window);
        expect((await gate.admit({ permits: 10 })).admitted).toBe(false);
        clock.advance(2 * Math.ceil(window / parts));
        expect((await gate.admit({ permits: 10 })).admitted).toBe(true);
      }),
      200,
    );
  });

  it('books what was used above the estimate when it is known, and blocks from then on', async () => {
    const { gate, clock } = windowGate(100);
    const admit = (outputTokens: number) =>
      gate.admit({ subject: { user: 'ann' }, permits: 0, estimate: { outputTokens } });
    const first = admission(await admit(10));
    clock.advance(W);
    await first.settle({ usage: { outputTokens: 150 } });
    expect((await gate.inspect({ user: 'ann' })).limits).toMatchObject([{ used: 150, remaining: 0 }]);
    const refused = await admit(60);
    // The estimate leaves with the part it was charged to; the overage counts from now.
    expect(refused).toMatchObject({ admitted: false, refusal: { retryAfterMs: W + PART } });
    clock.advance(W);
    expect((await admit(1)).admitted).toBe(false);
    clock.advance(PART);
    expect((await admit(100)).admitted).toBe(true);
  });
});

function admission(decision: Decision) {
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  return decision.admission;
}

describe('the wait that a refusal names', () => {
  const minute = (limit: number) => slidingWindow({ name: 'global', limit, window: W });
  const fine = (limit: number) =>
    slidingWindow({ name: 'fine', by: ['user', 'feature'], limit, window: 7_000, parts: 7 });
  const hourly = (capacity: number) => tokenBucket({ name: 'hourly', by: 'user', capacity, refill: '600/h' });
  const quick = (capacity: number) => tokenBucket({ name: 'quick', by: 'user', capacity, refill: '10/3s' });
  const stacks = {
    'a window': [minute],
    'a bucket': [hourly],
    'a quick bucket': [quick],
    'two windows': [minute, fine],
    'two windows and two buckets': [minute, hourly, fine, quick],
  };
  const past = fc.array(
    fc.record({
      cost: fc.integer({ min: 1, max: 20 }),
      step: fc.oneof(
        fc.nat(20_000),
        fc.nat(20).map((n) => n * 1_000),
      ),
      kept: fc.constantFrom('succeeded', 'ignored'),
    }),
    { minLength: 1, maxLength: 30, size: 'max' },
  );

  it.each(Object.entries(stacks))('is exact for %s: admitted then, refused a second earlier', async (_, stack) => {
    await check(
      fc.asyncProperty(
        past,
        fc.array(fc.integer({ min: 20, max: 60 }), { minLength: 4, maxLength: 4 }),
        async (steps, sizes) => {
          const clock = manualClock();
          const gate = createTollgate({ clock, limits: stack.map((layer, i) => layer(sizes[i])) });
          const admit = (permits: number) => gate.admit({ subject: { user: 'ann' }, feature: 'chat', permits });
          for (const { cost, step, kept } of steps) {
            const decision = await admit(cost);
            if (decision.admitted) await decision.admission.settle({ outcome: kept as 'succeeded' | 'ignored' });
            clock.advance(step);
          }
          for (const cost of [1, 5, 20, 20, 20]) {
            const decision = await admit(cost);
            if (decision.admitted) {
              await decision.admission.settle();
              continue;
            }
            const { retryAfterMs = 0 } = decision.refusal;
            expect(retryAfterMs).toBeGreaterThan(0);
            const early = Math.max(0, retryAfterMs - 1_000);
            clock.advance(early);
            if (retryAfterMs > 1_000) expect((await admit(cost)).admitted).toBe(false);
            clock.advance(retryAfterMs - early);
            const again = await admit(cost);
            expect(again.admitted).toBe(true);
            if (again.admitted) await again.admission.settle();
          }
        },
      ),
      150,
    );
  });

  it.each([
    [1.1, 0.6, 1.7],
    [2.2, 0.7, 2.9],
    [0.1, 0.2, 0.3],
    [0.7, 0.1, 0.8],
  ])('is there, and exact, where %d and %d of %d do not add up in binary', async (first, second, limit) => {
    const clock = manualClock();
    const gate = createTollgate({ clock, limits: [minute(limit)] });
    await gate.admit({ permits: first });
    const [explained, decision] = [await gate.explain({ permits: second }), await gate.admit({ permits: second })];
    expect(explained.admitted).toBe(decision.admitted);
    if (decision.admitted) return;
    clock.advance((decision.refusal.retryAfterMs ?? 0) - 1_000);
    expect((await gate.admit({ permits: second })).admitted).toBe(false);
    clock.advance(1_000);
    expect((await gate.admit({ permits: second })).admitted).toBe(true);
  });

  it('is no second too long for a bucket, whatever the refill comes to in binary', async () => {
    for (let since = 0; since < 36_000; since += 1_000) {
      const clock = manualClock();
      const gate = createTollgate({ clock, limits: [tokenBucket({ name: 'hourly', capacity: 100, refill: '100/h' })] });
      const first = await gate.admit({ permits: 100 });
      if (first.admitted) await first.admission.settle();
      clock.advance(since);
      expect(await gate.admit({ permits: 10 })).toMatchObject({ refusal: { retryAfterMs: 360_000 - since } });
    }
  });

  it('names none for what costs more than a limit can ever hold', async () => {
    const gate = createTollgate({ clock: manualClock(), limits: [minute(10), hourly(5)] });
    const decision = await gate.admit({ subject: { user: 'ann' }, permits: 6 });
    expect(decision).toMatchObject({ refusal: { reason: 'too-costly', layer: 'hourly', retryAfterMs: undefined } });
  });

  it('is the longest over the layers that refuse', async () => {
    const clock = manualClock();
    const gate = createTollgate({ clock, limits: [minute(10), hourly(10)] });
    const first = await gate.admit({ subject: { user: 'ann' }, permits: 10 });
    if (first.admitted) await first.admission.settle();
    // The bucket needs 6 s a permit, the window its length and a part.
    for (const [permits, layer, retryAfterMs] of [
      [10, 'global', W + PART],
      [11, undefined, undefined],
    ] as const) {
      const { refusal } = (await gate.admit({ subject: { user: 'ann' }, permits })) as Extract<
        Decision,
        { admitted: false }
      >;
      expect(refusal.retryAfterMs).toBe(retryAfterMs);
      if (layer)
        expect(refusal).toMatchObject({
          layer,
          violated: [{ layer: 'global' }, { layer: 'hourly', retryAfterMs: 60_000 }],
        });
    }
  });
});
