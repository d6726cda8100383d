import {
  type Admission,
  budget,
  type Draw,
  memoryStore,
  type Outcome,
  type Store,
  slidingWindow,
} from '@tollgate/core';
import { gateOf, warnings } from './support.js';

/** A call of an agent: 100 tokens in, 100 out. By `dear` it costs 600 µ$, by `cheap` 200. */
const CALL = { inputTokens: 100, outputTokens: 100 };
const MICRO = 1000;

const prices = { dear: { input: '$1/M', output: '$5/M' }, cheap: { input: '$1/M', output: '$1/M' } } as const;

/** What is charged for an admission of `dear`, whose estimate is that of one call unless said otherwise. */
function agent({ limit = '$1', reserve = 'likely', tokens = 100_000, unit = 'tokens', store = memoryStore() } = {}) {
  let takes = 0;
  const counting: Store = {
    ...store,
    take(...args) {
      takes++;
      return store.take(...args);
    },
  };
  const bench = gateOf([slidingWindow({ name: 'tpm', unit: unit as 'tokens', limit: tokens, window: '1h' })], {
    budgets: [budget({ name: 'usd', limit: limit as '$1', per: 'day', reserve: reserve as 'likely' })],
    prices,
    store: counting,
  });
  const open = (estimate = CALL) => bench.admission({ permits: 1, feature: 'f', model: 'dear', estimate });
  const charged = async () => Object.values(await bench.used());
  return { ...bench, open, charged, takes: () => takes };
}

/** Draws, or fails the test. */
async function drawn(admission: Admission, ...estimate: Parameters<Admission['draw']>): Promise<Draw> {
  const one = await admission.draw(...estimate);
  if (!one.admitted) throw new Error(`refused: ${one.refusal.detail}`);
  return one.draw;
}

describe('a draw', () => {
  test('takes what is held already, and asks the store for nothing', async () => {
    const { open, charged, takes } = agent();
    const admission = await open({ inputTokens: 200, outputTokens: 200 });
    await drawn(admission, CALL);
    await drawn(admission, CALL);
    expect([takes(), await charged()]).toEqual([1, [400, 1200 * MICRO]]);
  });

  test('that needs more than is left charges the difference, and no more', async () => {
    const { open, charged, takes } = agent();
    const admission = await open({ inputTokens: 150, outputTokens: 150 });
    await drawn(admission, CALL);
    await drawn(admission, CALL);
    expect([takes(), await charged()]).toEqual([2, [400, 1200 * MICRO]]);
    expect(admission.estimate).toEqual({ inputTokens: 200, outputTokens: 200, usd: 1200 * MICRO });
  });

  test('leaves to the next what it did not use, and what it used above its estimate the next one lacks', async () => {
    const { open, charged, takes } = agent();
    const admission = await open();
    for (let i = 0; i < 9; i++) (await drawn(admission, CALL)).settle({ outcome: 'ignored' });
    expect(takes()).toBe(1);
    (await drawn(admission, CALL)).settle({ usage: { inputTokens: 150, outputTokens: 100 } });
    await drawn(admission, CALL);
    expect([takes(), await charged()]).toEqual([2, [450, 1250 * MICRO]]);
  });

  test('is priced by its own model, or as told in dollars', async () => {
    const { open, charged } = agent();
    const admission = await open({ inputTokens: 0, outputTokens: 0 });
    await drawn(admission, { ...CALL, model: 'cheap' });
    expect(await charged()).toEqual([200, 200 * MICRO]);
    await drawn(admission, { usd: '$0.5' });
    expect(await charged()).toEqual([200, 0.5e9 + 200 * MICRO]);
  });

  test('refused, takes nothing, and smaller ones go on', async () => {
    const { open, charged } = agent({ limit: '$0.001' });
    const admission = await open();
    await drawn(admission, CALL);
    const refused = await admission.draw(CALL);
    expect(refused).toMatchObject({ admitted: false, refusal: { status: 402, layer: 'usd', id: admission.id } });
    expect(await charged()).toEqual([200, 600 * MICRO]);
    await drawn(admission, { ...CALL, model: 'cheap' });
    expect(await charged()).toEqual([400, 800 * MICRO]);
  });

  test('refused by a limit, tells when to come back', async () => {
    const admission = await agent({ tokens: 300 }).open();
    await drawn(admission, CALL);
    const refused = await admission.draw(CALL);
    expect(refused).toMatchObject({ refusal: { status: 429, layer: 'tpm', retryAfterMs: expect.any(Number) } });
  });

  test('uses tokens of either kind where they are counted together, and of its own where apart', async () => {
    const asks = { inputTokens: 20, outputTokens: 180 };
    for (const [unit, takes, counted] of [
      ['tokens', 1, 200],
      ['outputTokens', 2, 180],
      ['inputTokens', 1, 100],
    ] as const) {
      const bench = agent({ unit });
      await drawn(await bench.open(), { ...asks, usd: '$0' });
      expect([unit, bench.takes(), (await bench.charged())[0]]).toEqual([unit, takes, counted]);
    }
  });

  test('extends what is reserved at its worst no sooner than that is used up', async () => {
    const bench = agent({ reserve: 'worst' });
    const body = { max_tokens: 1000, messages: [] };
    const request = { permits: 1, model: 'dear', estimate: { inputTokens: 0 } };
    const decision = await bench.gate.admit(request, { body });
    if (!decision.admitted) throw new Error('refused');
    for (let i = 0; i < 5; i++) await drawn(decision.admission, { outputTokens: 200 });
    expect([bench.takes(), (await bench.charged())[1]]).toEqual([1, 5000 * MICRO]);
    await drawn(decision.admission, { outputTokens: 200 });
    expect([bench.takes(), (await bench.charged())[1]]).toEqual([2, 6000 * MICRO]);
  });

  test('is free where neither tokens nor dollars are counted', async () => {
    const { admission, used } = gateOf([slidingWindow({ name: 'w', limit: 1, window: '1m' })]);
    const open = await admission({ permits: 1 });
    for (let i = 0; i < 3; i++) await drawn(open, { ...CALL, model: 'unheard of', usd: '$5' });
    expect(await used()).toEqual({ w: 1 });
  });

  test.each<[string, unknown, string]>([
    ['null', null, 'TOLLGATE_REQUEST_INVALID'],
    ['a count that is none', { inputTokens: -1 }, 'TOLLGATE_REQUEST_INVALID'],
    ['an unknown field', { tokens: 5 }, 'TOLLGATE_REQUEST_INVALID'],
    ['an amount that is none', { usd: 5 }, 'TOLLGATE_REQUEST_INVALID'],
    ['a model that is no name', { model: 5 }, 'TOLLGATE_REQUEST_INVALID'],
    ['a model without a price', { ...CALL, model: 'unheard of' }, 'TOLLGATE_UNKNOWN_MODEL'],
  ])('of %s rejects and takes nothing', async (_, estimate, code) => {
    const { open, charged } = agent();
    const admission = await open();
    await expect(admission.draw(estimate as typeof CALL)).rejects.toMatchObject({ code });
    await admission.settle();
    expect(await charged()).toEqual([200, 600 * MICRO]);
  });

  test.each(['settle', 'conclude'] as const)('after %s rejects', async (end) => {
    const admission = await agent().open();
    await admission[end]();
    await expect(admission.draw(CALL)).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
  });

  test('is settled once', async () => {
    const { open, charged } = agent();
    const admission = await open();
    const draw = await drawn(admission, CALL);
    draw.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    draw.settle({ usage: { inputTokens: 90, outputTokens: 90 } });
    draw.settle({ outcome: 'ignored' });
    await admission.settle();
    expect(await charged()).toEqual([2, 6 * MICRO]);
  });

  test.each<[string, unknown, string]>([
    ['null', null, 'TOLLGATE_USAGE_INVALID'],
    ['a usage that is none', { usage: { inputTokens: -1 } }, 'TOLLGATE_USAGE_INVALID'],
    ['a model without a price', { model: 'unheard of' }, 'TOLLGATE_UNKNOWN_MODEL'],
  ])('settled with %s throws, and is open still', async (_, outcome, code) => {
    const { open, charged } = agent();
    const admission = await open();
    const draw = await drawn(admission, CALL);
    expect(() => draw.settle(outcome as Outcome)).toThrow(expect.objectContaining({ code }));
    draw.settle({ usage: { inputTokens: 1, outputTokens: 1 } });
    await admission.settle();
    expect(await charged()).toEqual([2, 6 * MICRO]);
  });

  test('teaches what calls of its model use, where it went well; the whole teaches nothing', async () => {
    const { open, gate } = agent();
    const admission = await open();
    (await drawn(admission, CALL)).settle({ usage: { inputTokens: 10, outputTokens: 50 } });
    (await drawn(admission, { ...CALL, model: 'cheap' })).settle({ usage: { outputTokens: 7 } });
    (await drawn(admission, CALL)).settle({ outcome: 'failed', usage: { inputTokens: 0, outputTokens: 0 } });
    (await drawn(admission, CALL)).settle({ outcome: 'ignored', usage: { outputTokens: 9 } });
    await admission.settle({ usage: { inputTokens: 20, outputTokens: 57 } });
    const { estimates } = await gate.inspect({});
    expect(
      estimates.map(({ feature, model, seen, p50, outputRatio }) => [feature, model, seen, p50, outputRatio]),
    ).toEqual([
      ['f', 'dear', 1, expect.closeTo(50, -1), 2],
      ['f', 'cheap', 1, 7, 100 / 7],
    ]);
  });
});

describe('a draw by what is sent', () => {
  const body = { messages: [{ role: 'user', content: 'Tell me more of it, in a few words.' }], max_tokens: 50 };

  test('is estimated from its body, with the answer that the body allows', async () => {
    const { open, charged } = agent();
    const admission = await open({ inputTokens: 0, outputTokens: 0 });
    await drawn(admission, {}, { body });
    const { inputTokens, outputTokens, usd } = admission.estimate;
    expect(outputTokens).toBe(50);
    expect(inputTokens).toBeGreaterThan(8);
    expect(usd).toBe((inputTokens + 5 * 50) * MICRO);
    expect(await charged()).toEqual([inputTokens + 50, usd]);
  });

  test('costs no request and no permits', async () => {
    const { open, charged } = agent({ unit: 'requests' });
    const admission = await open();
    await drawn(admission, {}, { body });
    expect((await charged())[0]).toBe(1);
  });

  test('is estimated by what such calls did use, once that is known', async () => {
    const { open } = agent();
    for (let i = 0; i < 30; i++) {
      const admission = await open();
      (await drawn(admission, {}, { body })).settle({ usage: { inputTokens: 10, outputTokens: 7 } });
      await admission.settle();
    }
    const admission = await open({ inputTokens: 0, outputTokens: 0 });
    await drawn(admission, {}, { body });
    expect(admission.estimate.outputTokens).toBe(7);
  });

  test('is estimated as its tier says where the body does not: an embedding has no answer', async () => {
    const told = warnings();
    const { admission } = gateOf([slidingWindow({ name: 'tpm', unit: 'tokens', limit: 10_000, window: '1h' })], {
      budgets: [budget({ name: 'usd', limit: '$1', per: 'day' })],
      prices: { m: { input: '$1/M', output: '$5/M' } },
      tiers: { embedding: { permits: 1, outputTokens: 0 } },
    });
    const open = await admission({ tier: 'embedding', model: 'm', estimate: { inputTokens: 0 } });
    await drawn(open, {}, { body: { input: 'Good evening.' } });
    expect(open.estimate).toMatchObject({ inputTokens: expect.any(Number), outputTokens: 0 });
    expect(told).toEqual([]);
  });

  test('goes by its own model, and by a count that is given', async () => {
    const { open } = agent();
    const admission = await open({ inputTokens: 0, outputTokens: 0 });
    await drawn(admission, { model: 'cheap', inputTokens: 100, outputTokens: 20 }, { body });
    expect(admission.estimate).toEqual({ inputTokens: 100, outputTokens: 20, usd: 120 * MICRO });
  });
});
