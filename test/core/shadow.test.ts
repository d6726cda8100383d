import { type LayerState, type Limit, type Refusal, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf, MINUTE } from './support.js';

const enforced = slidingWindow({ name: 'user', by: 'user', limit: 20, window: '1m' });
const shadow = slidingWindow({ name: 'new', by: 'user', limit: 10, window: '1m', mode: 'shadow' });
const u = { subject: { user: 'u' } };

/** A gate, and what its shadow limits would have refused. */
function watched(limits: readonly Limit[]) {
  const { gate, ...rest } = gateOf(limits);
  const refused: LayerState[] = [];
  gate.on('shadow.refused', ({ layer }) => refused.push(layer));
  return { gate, refused, ...rest };
}

test('counts what it would have admitted, and not what it would have refused', async () => {
  const { admission, used, refused } = watched([shadow]);
  await admission({ ...u, permits: 8 });
  await admission({ ...u, permits: 3 });
  expect(await used(u)).toEqual({ new: 8 });
  await admission({ ...u, permits: 2 });
  expect(await used(u)).toEqual({ new: 10 });
  expect(refused).toEqual([
    expect.objectContaining({ layer: 'new', mode: 'shadow', cost: 3, used: 8, limit: 10, remaining: 2 }),
  ]);
  expect(refused[0].retryAfterMs).toBeGreaterThan(0);
});

test('says so also of what could never fit', async () => {
  const { admission, refused } = watched([shadow]);
  await admission({ ...u, permits: 11 });
  expect(refused).toEqual([expect.objectContaining({ cost: 11, used: 0, retryAfterMs: undefined })]);
});

test('is charged nothing and says nothing where another limit refuses', async () => {
  const { admission, refusal, used, refused } = watched([enforced, shadow]);
  await admission({ ...u, permits: 5 });
  const { violated, layer } = await refusal({ ...u, permits: 16 });
  expect(violated.map(({ layer }) => layer)).toEqual(['user']);
  expect(layer).toBe('user');
  expect(await used(u)).toEqual({ user: 5, new: 5 });
  expect(refused).toEqual([]);
});

test('never lengthens the wait of a refusal', async () => {
  const slow = slidingWindow({ name: 'slow', by: 'user', limit: 1, window: '1d', mode: 'shadow' });
  const { clock, admission, refusal } = watched([enforced, slow]);
  await admission({ ...u, permits: 20 });
  const { retryAfterMs = 0 } = await refusal({ ...u, permits: 1 });
  expect(retryAfterMs).toBeLessThanOrEqual(2 * MINUTE);
  clock.advance(retryAfterMs);
  await admission({ ...u, permits: 1 });
});

test('changes neither which layer is named nor the order of those that refused', async () => {
  const limits = [
    slidingWindow({ name: 'global', limit: 10, window: '1m' }),
    slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' }),
  ];
  for (const layers of [limits, [shadow, ...limits]]) {
    const { admission, refusal } = watched(layers);
    await admission({ ...u, permits: 10 });
    const { layer, violated } = await refusal({ ...u, permits: 1 });
    expect([layer, ...violated.map(({ layer }) => layer)]).toEqual(['global', 'global', 'user']);
  }
});

test('settles what it was charged, and nothing else', async () => {
  const tokens = slidingWindow({ name: 'tokens', unit: 'tokens', limit: 10, window: '1m', mode: 'shadow' });
  const { admission, used } = watched([tokens]);
  const counted = await admission({ permits: 1, estimate: { inputTokens: 8 } });
  const uncounted = await admission({ permits: 1, estimate: { inputTokens: 8 } });
  await uncounted.settle({ usage: { inputTokens: 500 } });
  expect(await used()).toEqual({ tokens: 8 });
  await counted.settle({ usage: { inputTokens: 12 } });
  expect(await used()).toEqual({ tokens: 12 });
});

test('is told of when an admission is extended past it, and lets it pass', async () => {
  const tokens = slidingWindow({ name: 'tokens', unit: 'tokens', limit: 10, window: '1m', mode: 'shadow' });
  const { admission, used, refused } = watched([tokens]);
  const open = await admission({ permits: 1, estimate: { inputTokens: 8 } });
  expect(await open.extend({ inputTokens: 5 })).toMatchObject({ admitted: true });
  expect(refused).toEqual([expect.objectContaining({ layer: 'tokens', cost: 5, used: 8 })]);
  expect(await used()).toEqual({ tokens: 8 });
});

test('explains itself without refusing', async () => {
  const { gate, admission } = watched([shadow]);
  await admission({ ...u, permits: 10 });
  expect(await gate.explain({ ...u, permits: 1 })).toMatchObject({
    admitted: true,
    refusal: undefined,
    layers: [{ layer: 'new', mode: 'shadow', used: 10, remaining: 0 }],
  });
});

test('never alters an answer: with shadows or without, every decision is the same', async () => {
  const amount = fc.integer({ min: 0, max: 20 });
  const mode = 'shadow' as const;
  const shadows = fc.array(
    fc.oneof(
      fc
        .record({ limit: amount, window: fc.integer({ min: 10, max: 5000 }), by: fc.constantFrom([], 'user' as const) })
        .map(
          (options) =>
            (name: string): Limit =>
              slidingWindow({ name, mode, ...options }),
        ),
      fc.record({ capacity: amount, by: fc.constantFrom([], 'user' as const) }).map(
        (options) =>
          (name: string): Limit =>
            tokenBucket({ name, mode, refill: '5/s', ...options }),
      ),
    ),
    { minLength: 1, maxLength: 3 },
  );
  const step = fc.record({
    user: fc.constantFrom('a', 'b'),
    permits: fc.nat(12),
    advance: fc.nat(1000),
    settle: fc.constantFrom({}, { outcome: 'ignored' as const }),
  });
  const enforced = [
    slidingWindow({ name: 'window', limit: 30, window: '3s' }),
    tokenBucket({ name: 'bucket', by: 'user', capacity: 10, refill: '4/s' }),
  ];
  // In one order: that has a test of its own.
  const answerOf = ({ reason, status, retryAfterMs, violated }: Refusal) => {
    return { reason, status, retryAfterMs, violated: violated.toSorted((a, b) => (a.layer < b.layer ? -1 : 1)) };
  };
  await fc.assert(
    fc.asyncProperty(shadows, fc.array(step, { maxLength: 30, size: 'max' }), async (made, steps) => {
      const plain = gateOf(enforced);
      const shadowed = gateOf([...made.map((make, i) => make(`shadow${i}`)), ...enforced]);
      for (const { user, permits, advance, settle } of steps) {
        plain.clock.advance(advance);
        shadowed.clock.advance(advance);
        const request = { subject: { user }, permits };
        const expected = await plain.gate.admit(request);
        const decision = await shadowed.gate.admit(request);
        expect(decision.admitted).toBe(expected.admitted);
        if (decision.admitted && expected.admitted) {
          await decision.admission.settle(settle);
          await expected.admission.settle(settle);
        } else if (!decision.admitted && !expected.admitted) {
          expect(answerOf(decision.refusal)).toEqual(answerOf(expected.refusal));
        }
      }
    }),
    { numRuns: 40 },
  );
});

test('admits in secret exactly what it would admit if it enforced', async () => {
  const step = fc.record({ permits: fc.nat(12), advance: fc.nat(20_000) });
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30, size: 'max' }), async (steps) => {
      const enforcing = gateOf([{ ...shadow, mode: 'enforce' }]);
      const { gate, clock, admission, refused, used } = watched([shadow]);
      expect(gate.name).toBe('default');
      for (const { permits, advance } of steps) {
        clock.advance(advance);
        enforcing.clock.advance(advance);
        const before = refused.length;
        await admission({ ...u, permits });
        const decision = await enforcing.gate.admit({ ...u, permits });
        expect(refused.length - before).toBe(decision.admitted ? 0 : 1);
        expect(await used(u)).toEqual(await enforcing.used(u));
      }
    }),
    { numRuns: 40 },
  );
});
