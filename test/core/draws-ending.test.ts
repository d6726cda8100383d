import { budget, type Draw, type Outcome, slidingWindow, type TollgateEvents } from '@tollgate/core';
import { gateOf, MINUTE } from './support.js';

const MICRO = 1000;
const CALL = { inputTokens: 100, outputTokens: 100 };

const prices = { dear: { input: '$1/M', output: '$5/M' }, cheap: { input: '$1/M', output: '$1/M' } } as const;
const limits = [
  slidingWindow({ name: 'permits', limit: 100, window: '1h' }),
  slidingWindow({ name: 'tokens', unit: 'tokens', limit: 100_000, window: '1h' }),
];

/** An admission of `dear` for three permits and the tokens of one call, and `n` draws of one call each. */
async function agent(n: number) {
  const bench = gateOf(limits, { budgets: [budget({ name: 'usd', limit: '$1', per: 'day' })], prices });
  const settled: TollgateEvents['settled'][] = [];
  bench.gate.on('settled', (event) => settled.push(event));
  const admission = await bench.admission({ permits: 3, model: 'dear', estimate: CALL });
  const draws: Draw[] = [];
  for (let i = 0; i < n; i++) {
    const drawn = await admission.draw(CALL);
    if (drawn.admitted) draws.push(drawn.draw);
  }
  return { ...bench, admission, draws, settled, charged: async () => Object.values(await bench.used()) };
}

describe('an admission with draws', () => {
  test.each<[string, Outcome | undefined]>([
    ['without a word', undefined],
    ['as failed', { outcome: 'failed' }],
    ['with an empty usage', { usage: {} }],
    ['with its own model', { model: 'dear' }],
  ])('settled %s comes to what they used together, each at the price of its model', async (_, outcome) => {
    const { admission, draws, charged, settled } = await agent(3);
    draws[0].settle({ usage: { inputTokens: 10, outputTokens: 20 } });
    draws[1].settle({ usage: { inputTokens: 1, outputTokens: 2 }, model: 'cheap' });
    draws[2].settle();
    await admission.settle(outcome);
    expect(await charged()).toEqual([3, 10 + 20 + 1 + 2 + 200, (110 + 3 + 600) * MICRO]);
    const [usage, usd] = [{ inputTokens: 111, outputTokens: 122 }, '$0.000713000'];
    expect(settled).toMatchObject([{ usage, usd, actual: { ...usage, usd: 713 * MICRO } }]);
  });

  test('gives all but its permits back where they have spent nothing', async () => {
    const { admission, draws, charged } = await agent(2);
    draws[0].settle({ outcome: 'failed', usage: { inputTokens: 0, outputTokens: 0 } });
    draws[1].settle({ outcome: 'ignored' });
    await admission.conclude({ outcome: 'failed' });
    expect(await charged()).toEqual([3, 0, 0]);
  });

  test.each(['settle', 'conclude'] as const)(
    'ignored by %s gives back all but what they have used, or still do',
    async (end) => {
      const { admission, draws, charged, settled } = await agent(3);
      draws[0].settle({ usage: CALL });
      draws[1].settle({ outcome: 'ignored' });
      await admission[end]({ outcome: 'ignored' });
      draws[2].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
      expect(await charged()).toEqual([0, 202, 606 * MICRO]);
      expect(settled).toMatchObject([
        { outcome: 'ignored', actual: { permits: 0, inputTokens: 101, outputTokens: 101 } },
      ]);
    },
  );

  test.each<[string, Outcome, number[]]>([
    ['a usage', { usage: { inputTokens: 5, outputTokens: 5 } }, [3, 10, 30 * MICRO]],
    ['dollars', { usd: '$0.5' }, [3, 400, 0.5e9]],
    ['another model', { model: 'cheap' }, [3, 400, 400 * MICRO]],
  ])('settled with %s of its own comes to that, at once and for good', async (_, outcome, expected) => {
    const { admission, draws, charged } = await agent(2);
    draws[0].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await admission.settle(outcome);
    expect(await charged()).toEqual(expected);
    draws[1].settle({ usage: { inputTokens: 9, outputTokens: 9 } });
    await admission.settle();
    expect(await charged()).toEqual(expected);
  });

  test('keeps its estimate where every draw was refused', async () => {
    const { admission, charged } = await agent(0);
    expect(await admission.draw({ usd: '$2' })).toMatchObject({ admitted: false, refusal: { status: 422 } });
    await admission.settle();
    expect(await charged()).toEqual([3, 200, 600 * MICRO]);
  });

  test('handed over, takes along what they have used, and of open ones the estimate', async () => {
    const { admission, draws, charged, gate } = await agent(3);
    draws[0].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    draws[1].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    const resumed = await gate.resume(await admission.handOver());
    draws[2].settle({ outcome: 'ignored' });
    const one = await resumed.draw({ inputTokens: 398, outputTokens: 0 });
    expect(await charged()).toEqual([3, 602, 1800 * MICRO]);
    if (one.admitted) one.draw.settle({ usage: { inputTokens: 10, outputTokens: 0 } });
    await resumed.settle();
    expect(await charged()).toEqual([3, 2 + 2 + 200 + 10, (6 + 6 + 600 + 10) * MICRO]);
  });

  test('changed by another toll, has its draws still; refused then, it is charged for them', async () => {
    const { admission, draws, charged, gate } = await agent(1);
    draws[0].settle({ usage: { inputTokens: 20, outputTokens: 20 } });
    const request = { permits: 4, model: 'dear', estimate: { inputTokens: 30, outputTokens: 30 } };
    expect(await gate.admit(request, { extending: admission })).toMatchObject({ admitted: true });
    expect(await charged()).toEqual([4, 60, 180 * MICRO]);
    expect(await admission.draw({ inputTokens: 20, outputTokens: 20 })).toMatchObject({ admitted: true });
    expect(await charged()).toEqual([4, 80, 240 * MICRO]);
    expect(await gate.admit({ ...request, permits: 101 }, { extending: admission })).toMatchObject({ admitted: false });
    await expect(admission.draw(CALL)).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
    expect(await charged()).toEqual([4, 80, 240 * MICRO]);
  });
});

describe('an admission that ends before its draws', () => {
  test.each(['settle', 'conclude'] as const)('by %s waits for the last of them, and holds up nobody', async (end) => {
    const { admission, draws, charged, settled } = await agent(3);
    draws[1].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await admission[end]();
    draws[0].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect([settled.length, await charged()]).toEqual([0, [3, 600, 1800 * MICRO]]);
    draws[2].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect([settled.length, await charged()]).toEqual([1, [3, 6, 18 * MICRO]]);
    expect(settled[0].provisional).toBe(end === 'conclude');
  });

  test('provisionally is superseded by a usage at once, and by a plain settle as they end', async () => {
    for (const [outcome, tokens] of [
      [{ usage: { inputTokens: 3, outputTokens: 3 } }, 6],
      [{ outcome: 'ignored' }, 400],
      [undefined, 400],
    ] as const) {
      const { admission, draws, charged, settled } = await agent(2);
      await admission.conclude({ outcome: 'failed' });
      await admission.settle(outcome);
      expect((await charged())[1]).toBe(tokens);
      for (const draw of draws) draw.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
      expect((await charged())[1]).toBe(tokens === 400 ? 4 : tokens);
      expect(settled.map(({ provisional }) => provisional)).toEqual([false]);
    }
  });

  test('waits ten minutes for them, and takes then what they were estimated to use', async () => {
    const { admission, draws, charged, clock, settled } = await agent(2);
    draws[0].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await admission.conclude();
    clock.advance(10 * MINUTE - 1);
    expect((await charged())[1]).toBe(400);
    clock.advance(1);
    expect([settled.length, (await charged())[1]]).toEqual([1, 202]);
    draws[1].settle({ usage: { inputTokens: 300, outputTokens: 300 } });
    expect([settled.length, (await charged())[1]]).toEqual([2, 602]);
    await admission.settle();
    expect([settled.length, (await charged())[1]]).toEqual([3, 602]);
    expect(settled.map(({ provisional }) => provisional)).toEqual([true, true, false]);
  });

  test('settled for good, is booked by estimates after ten minutes, and for good as they end', async () => {
    const { admission, draws, charged, clock, settled } = await agent(2);
    await admission.settle();
    clock.advance(10 * MINUTE);
    draws[0].settle({ usage: { inputTokens: 300, outputTokens: 300 } });
    expect([settled.length, (await charged())[1]]).toEqual([1, 400]);
    draws[1].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect((await charged())[1]).toBe(602);
    expect(settled.map(({ provisional }) => provisional)).toEqual([true, false]);
  });

  test('by the estimates of those that are open, takes a usage of its own in their place', async () => {
    const { admission, draws, charged, clock } = await agent(1);
    await admission.conclude();
    clock.advance(10 * MINUTE);
    await admission.settle({ usage: { inputTokens: 3, outputTokens: 3 } });
    draws[0].settle({ usage: { inputTokens: 300, outputTokens: 300 } });
    expect((await charged())[1]).toBe(6);
  });

  test('tells what it was for that is overloaded, where the last draw that has told of one did', async () => {
    const { admission, draws, settled } = await agent(3);
    draws[0].settle({ outcome: 'failed', overloaded: { retryAfterMs: 7 } });
    draws[1].settle({ outcome: 'failed', overloaded: { retryAfterMs: 9 } });
    await admission.conclude({ outcome: 'failed' });
    draws[2].settle();
    expect(settled).toMatchObject([{ overloaded: { retryAfterMs: 9 } }]);
  });

  test('is settled by what is known where its gate closes', async () => {
    const { admission, draws, gate, settled } = await agent(2);
    draws[0].settle({ usage: { inputTokens: 300, outputTokens: 0 } });
    await admission.conclude();
    await gate.close();
    expect(settled).toMatchObject([{ actual: { inputTokens: 400, outputTokens: 100, usd: 900 * MICRO } }]);
  });

  test('does not end by the response where it is kept open', async () => {
    const { admission, draws, charged } = await agent(1);
    admission.keepOpen();
    await admission.conclude();
    draws[0].settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    expect(await admission.draw(CALL)).toMatchObject({ admitted: true });
    expect((await charged())[1]).toBe(202);
  });
});
