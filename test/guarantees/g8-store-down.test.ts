/** G8: while the store can't be asked, what each limit says of that is what happens, within a bounded time, and it is told. */
import { budget, concurrency, type Limit, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { askers, flush, gateOf, MINUTE, SECOND, START } from '../core/support.js';
import { breakableStore } from '../helpers/breakable-store.js';
import { check } from '../helpers/oracle-log.js';

const error = new Error('connection lost');

function throws(): never {
  throw error;
}

const FAILURES: [string, () => never][] = [
  ['throws', throws],
  ['rejects', () => Promise.reject(error) as never],
];

/** Whatever it is that fails, the gate goes by this store. */
function brokenGate(
  limits: readonly Limit[],
  { failure = throws, instances = 1, ...more }: Parameters<typeof gateOf>[1] & BrokenOptions = {},
) {
  const store = breakableStore(failure, instances);
  const opened = gateOf(limits, { ...more, store });
  opened.gate.on('store.failed', () => {});
  return { ...opened, store };
}

interface BrokenOptions {
  failure?: () => never;
  instances?: number;
}

const window = slidingWindow({ name: 'w', limit: 12, window: '1m' });

describe.each(FAILURES)('G8, of a store that %s', (_, failure) => {
  test('a limit counts in this process, from empty, unless it says otherwise', async () => {
    const { store, admission, refusal, clock } = brokenGate([window], { failure });
    await admission({ permits: 12 });
    store.break();
    await admission({ permits: 10 });
    expect(await refusal({ permits: 3 })).toMatchObject({ status: 429, layer: 'w', retryAfterMs: MINUTE + 6 * SECOND });
    await admission({ permits: 2 });
    clock.advance(MINUTE + 6 * SECOND);
    await admission({ permits: 12 });
  });

  test('closed refuses with 503, and open lets pass without counting', async () => {
    const closed = brokenGate([{ ...window, onStoreError: 'closed' }], { failure });
    closed.store.break();
    expect(await closed.refusal({ permits: 1 })).toMatchObject({ status: 503, reason: 'store-down' });
    const open = brokenGate([{ ...window, onStoreError: 'open' }], { failure });
    open.store.break();
    for (let i = 0; i < 10; i++) await open.admission({ permits: 12 });
  });

  test('one closed limit refuses what others would let pass; on trial it does not', async () => {
    const others = [{ ...window, name: 'open', onStoreError: 'open' as const }, window];
    const closed = slidingWindow({ name: 'closed', limit: 100, window: '1m', onStoreError: 'closed' });
    const enforced = brokenGate([...others, closed], { failure });
    enforced.store.break();
    expect(await enforced.refusal({ permits: 1 })).toMatchObject({ reason: 'store-down' });
    const onTrial = brokenGate([...others, { ...closed, mode: 'shadow' }], { failure });
    onTrial.store.break();
    await onTrial.admission({ permits: 12 });
    await onTrial.refusal({ permits: 1 });
  });

  test('it is asked three times in vain, then once a second, until it answers; both are told', async () => {
    const { gate, store, admission, clock } = brokenGate([{ ...window, onStoreError: 'open' }], { failure });
    const heard: [string, unknown][] = [];
    gate.on('store.down', (event) => heard.push(['store.down', event]));
    gate.on('store.recovered', (event) => heard.push(['store.recovered', event]));
    store.break();
    for (let i = 0; i < 50; i++) await admission({ permits: 1 });
    expect(store.asked).toBe(3);
    expect(heard).toEqual([['store.down', { gate: gate.name, error }]]);
    for (let second = 1; second <= 3; second++) {
      clock.advance(999);
      await admission({ permits: 1 });
      expect(store.asked).toBe(2 + second);
      clock.advance(1);
      for (let i = 0; i < 50; i++) await admission({ permits: 1 });
      expect(store.asked).toBe(3 + second);
    }
    store.mend();
    clock.advance(SECOND);
    for (let i = 0; i < 5; i++) await admission({ permits: 1 });
    expect(store.asked).toBe(11);
    expect(heard.slice(1)).toEqual([['store.recovered', { gate: gate.name, downMs: 4 * SECOND }]]);
    store.break();
    await admission({ permits: 1 });
    await admission({ permits: 1 });
    expect(heard).toHaveLength(2);
  });

  test('a thousand that fail together are one failure of the store', async () => {
    const { gate, store, clock } = brokenGate([{ ...window, onStoreError: 'open' }], { failure });
    store.break();
    const decisions = await Promise.all(Array.from({ length: 1000 }, () => gate.admit({ permits: 1 })));
    expect(decisions.every(({ admitted }) => admitted)).toBe(true);
    store.mend();
    clock.advance(SECOND);
    const asked = store.asked;
    await gate.admit({ permits: 1 });
    await gate.admit({ permits: 1 });
    expect(store.asked).toBe(asked + 2);
  });

  test('an admission that is asked how its limits stand does not ask it while it is down', async () => {
    const { store, admission } = brokenGate([window], { failure });
    const open = await admission({ permits: 1 });
    store.break();
    expect(await open.layers()).toEqual([]);
    expect(store.peeked).toBe(1);
    for (let i = 0; i < 3; i++) await admission({ permits: 1 });
    expect(await open.layers()).toMatchObject([{ layer: 'w', used: 3, limit: 12 }]);
    expect(store.peeked).toBe(1);
  });

  test('an admission that was charged here does not ask it either, though the next one may', async () => {
    const { store, admission } = brokenGate([window], { failure });
    store.break();
    const open = await admission({ permits: 1 });
    expect(await open.layers()).toMatchObject([{ layer: 'w', used: 1, limit: 12 }]);
    expect([store.asked, store.peeked]).toEqual([1, 0]);
    await admission({ permits: 1 });
    expect(store.asked).toBe(2);
  });

  test('a clock that is set back by an hour keeps nobody from it for longer than a second', async () => {
    const { store, admission, clock } = brokenGate([{ ...window, onStoreError: 'open' }], { failure });
    store.break();
    for (let i = 0; i < 3; i++) await admission({ permits: 1 });
    clock.set(clock.now() - 60 * MINUTE);
    await admission({ permits: 1 });
    expect(store.asked).toBe(4);
  });
});

describe('G8, a share', () => {
  test('is what each of so many processes may use: together what the limit allows', async () => {
    const bucket = tokenBucket({ name: 'b', capacity: 9, refill: '3/m' });
    const gates = [1, 2, 3].map(() => brokenGate([window, bucket], { instances: 3 }));
    for (const { store } of gates) store.break();
    for (const { admission, refusal, clock } of gates) {
      const open = await admission({ permits: 3 });
      await open.settle();
      expect(await refusal({ permits: 1 })).toMatchObject({ layer: 'b', retryAfterMs: MINUTE });
      clock.advance(MINUTE);
      await admission({ permits: 1 });
      expect(await refusal({ permits: 1 })).toMatchObject({ status: 429 });
    }
  });

  test('goes by how many there are now, and by what the limit says now', async () => {
    const { store, gate, admission, refusal } = brokenGate([window], { instances: 3 });
    store.break();
    await admission({ permits: 3 });
    store.instances = 2;
    await admission({ permits: 3 });
    expect(await refusal({ permits: 3 })).toMatchObject({ status: 429 });
    gate.update({ limits: { w: { onStoreError: 'open' } } });
    await admission({ permits: 3 });
    gate.update({ limits: { w: { onStoreError: 'closed' } } });
    expect(await refusal({ permits: 3 })).toMatchObject({ status: 503 });
  });

  test('too small for a cost that the limit can hold refuses for now, and not for good', async () => {
    const { store, refusal, admission } = brokenGate([window], { instances: 4 });
    store.break();
    expect(await refusal({ permits: 4 })).toMatchObject({ status: 503, reason: 'store-down' });
    expect(await refusal({ permits: 13 })).toMatchObject({ status: 422 });
    await admission({ permits: 3 });
  });

  test('of slots comes back when an admission is settled, and the store hears nothing of it', async () => {
    const limits = [concurrency({ name: 'running', limit: 4 })];
    const { store, admission, refusal, clock, used } = brokenGate(limits, { instances: 2 });
    const before = await admission({ permits: 1 });
    store.break();
    const [one] = [await admission({ permits: 1 }), await admission({ permits: 1 })];
    expect(await refusal({ permits: 1 })).toMatchObject({ layer: 'running' });
    await one.settle();
    await admission({ permits: 1 });
    await before.settle();
    store.mend();
    clock.advance(SECOND);
    await flush();
    expect(await used({ permits: 0 })).toEqual({ running: 0 });
  });

  test('of what is refunded can be used again, also where the store has answered meanwhile', async () => {
    const { store, admission, refusal, used } = brokenGate([window]);
    store.break();
    const here = await admission({ permits: 12 });
    store.mend();
    const there = await admission({ permits: 5 });
    await here.settle({ outcome: 'ignored' });
    expect(await used()).toEqual({ w: 5 });
    await there.settle({ outcome: 'ignored' });
    expect(await used()).toEqual({ w: 0 });
    store.break();
    await admission({ permits: 12 });
    await refusal({ permits: 1 });
  });

  test('takes what an admission of the store is extended by, and each gets its own back', async () => {
    const tokens = slidingWindow({ name: 't', unit: 'tokens', limit: 100, window: '1m' });
    const { store, admission, refusal, used } = brokenGate([tokens]);
    const open = await admission({ permits: 0, estimate: { inputTokens: 60 } });
    store.break();
    expect(await open.extend({ inputTokens: 80 })).toMatchObject({ admitted: true });
    expect(await refusal({ permits: 0, estimate: { inputTokens: 30 } })).toMatchObject({ layer: 't' });
    store.mend();
    await open.settle({ outcome: 'ignored' });
    expect(await used()).toEqual({ t: 0 });
    store.break();
    await admission({ permits: 0, estimate: { inputTokens: 100 } });
  });
});

describe('G8, what was charged before and meanwhile', () => {
  test('each is settled where it was charged, also after it was changed to cost less', async () => {
    const { store, gate, admission, used } = brokenGate([{ ...window, limit: 100 }]);
    await admission({ permits: 50 });
    store.break();
    const here = await admission({ permits: 30 });
    await gate.admit({ permits: 1 }, { extending: here });
    store.mend();
    await here.settle({ outcome: 'ignored' });
    expect(await used()).toEqual({ w: 50 });
  });

  test('of one receipt, what was used is booked in both', async () => {
    const tokens = slidingWindow({ name: 't', unit: 'tokens', limit: 100, window: '1m' });
    const { store, admission, refusal, used } = brokenGate([tokens]);
    const open = await admission({ permits: 0, estimate: { inputTokens: 60 } });
    store.break();
    await open.extend({ inputTokens: 80 });
    store.mend();
    await open.settle({ usage: { inputTokens: 70 } });
    expect(await used()).toEqual({ t: 60 });
    store.break();
    expect(await refusal({ permits: 0, estimate: { inputTokens: 95 } })).toMatchObject({ layer: 't' });
    await admission({ permits: 0, estimate: { inputTokens: 90 } });
  });

  test('nothing that ends while it is down is lost: slots come back and spending is booked once it answers', async () => {
    const limits = [concurrency({ name: 'running', limit: 3, onStoreError: 'closed' })];
    const budgets = [budget({ name: 'spend', limit: '$9', per: 'day' })];
    const prices = { m: { input: '$1/M', output: '$1/M' } } as const;
    const { store, gate, admission, refusal, clock } = brokenGate(limits, { budgets, prices });
    const request = { permits: 1, model: 'm', estimate: { inputTokens: 1000, outputTokens: 0 } };
    const open = [await admission(request), await admission(request), await admission(request)];
    store.break();
    for (const one of open) await one.settle({ usage: { inputTokens: 5000 } });
    clock.advance(10 * SECOND);
    await flush();
    store.mend();
    expect(await refusal(request)).toMatchObject({ layer: 'running' });
    clock.advance(SECOND);
    await flush();
    expect((await gate.inspect({})).budgets).toMatchObject([{ used: 15_000_000 }]);
    for (let i = 0; i < 3; i++) await admission(request);
  });

  test('what is closed with the gate is asked for once more', async () => {
    const { store, gate, admission } = brokenGate([concurrency({ name: 'running', limit: 3 })]);
    const open = await admission({ permits: 1 });
    store.break();
    await open.settle();
    store.mend();
    const settle = jest.spyOn(store, 'settle');
    await gate.close();
    expect(settle).toHaveBeenCalledTimes(1);
  });
});

describe('G8, with a line', () => {
  const slots = concurrency({ name: 'running', limit: 2 });

  test('those who find no slot wait for one here, as they would for the store', async () => {
    const { store, gate, clock } = brokenGate([slots], { queue: {} });
    store.break();
    const { ask, began, end, refusals } = askers(gate);
    for (let i = 0; i < 9; i++) ask(`${i}`);
    await flush();
    expect([began, [...refusals]]).toEqual([['0', '1'], []]);
    for (let i = 0; i < 9; i++) await end(`${i}`);
    expect(began).toHaveLength(9);
    expect(clock.now()).toBe(START);
  });

  test('how the limits stand is told with the decision, up or down, at once or after a wait: the store is asked once', async () => {
    const { store, gate } = brokenGate([slots, window], { queue: {} });
    const decide = () => gate.admit({ permits: 1 }, { layers: true });
    const stand = (running: number, used: number) => [
      { layer: 'running', used: running },
      { layer: 'w', used },
    ];
    for (const breakIt of [() => {}, store.break]) {
      breakIt();
      const open = [await decide(), await decide()];
      const waiting = decide();
      for (const { admission } of open.filter((decision) => decision.admitted)) await admission.settle();
      const all = [...open, await waiting].filter((decision) => decision.admitted);
      expect(all.map(({ layers }) => layers)).toMatchObject([stand(1, 1), stand(2, 2), stand(2, 3)]);
      await all[2].admission.settle();
    }
    expect(store.peeked).toBe(0);
  });

  test('where the best model is closed, they wait for the other', async () => {
    const { store, gate } = brokenGate([slots], {
      queue: {},
      ladders: [['m', 'free']],
      budgets: [budget({ name: 'spend', limit: '$1', per: 'day' })],
      prices: { m: { input: '$1/M', output: '$1/M' }, free: { input: '$0/M', output: '$0/M' } },
    });
    store.break();
    const { ask, of, began, end } = askers(gate);
    const request = { permits: 1, model: 'm', estimate: { inputTokens: 1000, outputTokens: 0 } };
    for (let i = 0; i < 4; i++) ask(`${i}`, request);
    await flush();
    expect(began).toEqual(['0', '1']);
    await end('0');
    expect(began).toEqual(['0', '1', '2']);
    expect(of('2')).toMatchObject({ model: 'free' });
  });

  test('a change that the share here has no room for is refused as such, and the store is not asked', async () => {
    const { store, gate, admission } = brokenGate([window]);
    store.break();
    for (let i = 0; i < 3; i++) await (await admission({ permits: 0 })).settle();
    const open = await admission({ permits: 6 });
    await admission({ permits: 6 });
    const decision = await gate.admit({ permits: 8 }, { extending: open });
    expect(decision).toMatchObject({ admitted: false, refusal: { status: 429, layer: 'w' } });
    expect(store.peeked).toBe(0);
  });
});

describe('G8, budgets', () => {
  const options = {
    budgets: [budget({ name: 'spend', limit: '$1', per: 'day' })],
    prices: { m: { input: '$1/M', output: '$1/M' } },
  } as const;
  const dear = { permits: 1, model: 'm', estimate: { inputTokens: 1000, outputTokens: 0 } };

  test('are closed unless they say otherwise, to what costs dollars', async () => {
    const { store, admission, refusal } = brokenGate([window], options);
    store.break();
    expect(await refusal(dear)).toMatchObject({ status: 503, reason: 'store-down' });
    await admission({ permits: 1, model: 'm', estimate: { inputTokens: 0, outputTokens: 0 } });
  });

  test('that are closed leave a model that costs nothing', async () => {
    const { store, admission } = brokenGate([window], {
      ...options,
      ladders: [['m', 'free']],
      prices: { ...options.prices, free: { input: '$0/M', output: '$0/M' } },
    });
    store.break();
    expect(await admission(dear)).toMatchObject({ model: 'free', degraded: true });
  });

  test('have no share of their own', () => {
    const local = { ...options.budgets[0], onStoreError: 'local' as never };
    expect(() => gateOf([window], { ...options, budgets: [local] })).toThrow("expected 'closed' or 'open'");
  });

  test('that are open let it pass, and never hear of it', async () => {
    const open = { ...options, budgets: [{ ...options.budgets[0], onStoreError: 'open' as const }] };
    const { gate, store, admission } = brokenGate([window], open);
    store.break();
    const spent = await admission(dear);
    store.mend();
    await spent.settle({ usage: { inputTokens: 2000, outputTokens: 0 } });
    expect((await gate.inspect({})).budgets).toMatchObject([{ used: 0 }]);
  });
});

test('G8: with a store that comes and goes, a window admits at most twice its limit, and each half at most that', async () => {
  const step = fc.record({
    cost: fc.integer({ min: 0, max: 6 }),
    advance: fc.oneof(fc.integer({ min: 0, max: 4 * SECOND }), fc.constant(MINUTE)),
    isUp: fc.boolean(),
    ignored: fc.boolean(),
  });
  await check(
    fc.asyncProperty(fc.array(step, { maxLength: 80, size: 'max' }), async (steps) => {
      const { gate, store, clock } = brokenGate([window]);
      const kept = { store: [] as { at: number; cost: number }[], here: [] as { at: number; cost: number }[] };
      for (const { cost, advance, isUp, ignored } of steps) {
        clock.advance(advance);
        if (isUp) store.mend();
        else store.break();
        const asked = store.asked;
        const decision = await gate.admit({ permits: cost });
        const book = isUp && store.asked > asked ? kept.store : kept.here;
        const now = clock.now();
        const sum = book.reduce((sum, lot) => (lot.at >= now - MINUTE ? sum + lot.cost : sum), 0);
        if (!decision.admitted) continue;
        expect(sum + cost).toBeLessThanOrEqual(12);
        const canGiveBack = book === kept.here || isUp;
        if (ignored && canGiveBack) await decision.admission.settle({ outcome: 'ignored' });
        else book.push({ at: now, cost });
      }
    }),
    40,
  );
});
