/** What a request is charged before it is known what it costs. */
import { type AdmitRequest, type BudgetOptions, budget, type TollgateConfig } from '@tollgate/core';
import fc from 'fast-check';
import { estimateOf } from '../../packages/core/src/money/body.js';
import { gateOf } from './support.js';

/** Tokens of input cost a nano-dollar, those of output a thousand: the two can be told apart in any sum. */
const prices = { m: { input: '$0.001/M', output: '$1/M' }, other: { input: '$0.001/M', output: '$1/M' } } as const;
const usd = (inputTokens: number, outputTokens: number) => inputTokens + 1000 * outputTokens;

const tiers = { small: { permits: 1, inputTokens: 70, outputTokens: 30 }, bare: 1 };
const REQUEST: AdmitRequest = { tier: 'small', model: 'm', feature: 'f' };
const BODY = { messages: [{ role: 'user', content: 'How many roads must a man walk down?' }], max_tokens: 200 };
/** As of `{ outputTokens: req.body.max }` where the body has none. */
const MISSING = { outputTokens: undefined };
const BODY_TOKENS = estimateOf(BODY).inputTokens;

function estimating(options: Partial<BudgetOptions> = {}, more: Partial<TollgateConfig> = {}) {
  const budgets = [budget({ name: 'b', limit: '$1', per: 'day', ...options })];
  const made = gateOf([], { budgets, prices, tiers, alerts: { log: false }, ...more });

  /** What an admission is charged, and what it says that it was estimated to use; all is given back. */
  async function estimated(request: Partial<AdmitRequest> = {}, body?: unknown) {
    const decision = await made.gate.admit({ ...REQUEST, ...request }, { body });
    if (!decision.admitted) throw new Error(`refused: ${decision.refusal.detail}`);
    const { b: charged } = await made.used();
    const { inputTokens, outputTokens } = decision.admission.estimate;
    await decision.admission.settle({ outcome: 'ignored' });
    return { charged, inputTokens, outputTokens };
  }

  /** Settles requests that used this. */
  async function learn(times: number, inputTokens: number, outputTokens: number, request: Partial<AdmitRequest> = {}) {
    for (let i = 0; i < times; i++) {
      const admission = await made.admission({ ...REQUEST, ...request });
      await admission.settle({ usage: { inputTokens, outputTokens } });
    }
    made.clock.advance(86_400_000);
  }

  return { ...made, estimated, learn };
}

const tokens = (inputTokens: number, outputTokens: number, worst = outputTokens) => ({
  likely: { inputTokens, outputTokens, charged: usd(inputTokens, outputTokens) },
  worst: { inputTokens, outputTokens, charged: usd(inputTokens, worst) },
});

describe.each(['likely', 'worst'] as const)('reserve: %p', (reserve) => {
  const given = { estimate: { inputTokens: 11, outputTokens: 7 } };

  test.each<[string, Partial<AdmitRequest>, unknown, ReturnType<typeof tokens>]>([
    ['what is given goes before the body and the tier', given, BODY, tokens(11, 7)],
    ['input alone is given', { estimate: { inputTokens: 11 } }, BODY, tokens(11, 200)],
    ['output alone is given', { estimate: { outputTokens: 7 } }, BODY, tokens(BODY_TOKENS, 7)],
    ['nothing is given', { estimate: { inputTokens: 0, outputTokens: 0 } }, BODY, tokens(0, 0)],
    ['the body goes before the tier', {}, BODY, tokens(BODY_TOKENS, 200)],
    [
      'the body sets no bound',
      {},
      { ...BODY, max_tokens: undefined },
      tokens(estimateOf({ ...BODY, max_tokens: undefined }).inputTokens, 30),
    ],
    ['there is the tier alone', {}, undefined, tokens(70, 30)],
    ['there is nothing, not even then nothing', { tier: 'bare' }, undefined, tokens(0, 4096)],
    ['of an answer nothing came to be known', { tier: 'bare', estimate: MISSING }, undefined, tokens(0, 4096)],
    ['none is expected', { tier: 'bare', estimate: { inputTokens: 11 } }, undefined, tokens(11, 0)],
  ])('%s', async (_, request, body, expected) => {
    expect(await estimating({ reserve }).estimated(request, body)).toEqual(expected[reserve]);
  });

  test('once learned, that goes before the tier, and before what the body allows', async () => {
    const { learn, estimated } = estimating({ reserve });
    await learn(20, 10, 12);
    expect(await estimated()).toEqual(tokens(10, 12, 30)[reserve]);
    expect(await estimated({}, BODY)).toEqual(tokens(BODY_TOKENS, 12, 200)[reserve]);
    expect(await estimated(given, BODY)).toEqual(tokens(11, 7)[reserve]);
  });

  test('what was learned is no more than the body allows', async () => {
    const { learn, estimated } = estimating({ reserve });
    await learn(20, 10, 500);
    const { outputTokens: likely } = await estimated();
    expect(likely).toBeGreaterThanOrEqual(500);
    expect(likely).toBeLessThan(500 * 1.125);
    expect(await estimated()).toEqual(tokens(10, likely)[reserve]);
    expect(await estimated({}, BODY)).toEqual(tokens(BODY_TOKENS, 200)[reserve]);
  });

  test('of maxima that contradict each other, the largest holds', async () => {
    const { estimated } = estimating({ reserve });
    const maxima: Record<string, unknown>[] = [
      { max_tokens: 10, max_completion_tokens: 400 },
      { max_tokens: 400, max_completion_tokens: 10 },
      { max_output_tokens: 400, maxOutputTokens: 1, max_tokens_to_sample: 2 },
      { max_tokens: 10, generationConfig: { maxOutputTokens: 400 } },
      { max_tokens: 400, generationConfig: { maxOutputTokens: 10 } },
      { max_tokens: 200, n: 2 },
      { max_tokens: 400, max_output_tokens: -400, max_completion_tokens: Number.NaN, maxTokens: 'many' },
    ];
    for (const more of maxima) {
      const body = { ...BODY, max_tokens: undefined, ...more };
      expect(await estimated({}, body)).toEqual(tokens(estimateOf(body).inputTokens, 400)[reserve]);
    }
  });
});

test('of maxima that contradict each other, the largest holds at the worst, whatever is likely', async () => {
  const { learn, estimated } = estimating({ reserve: 'worst' });
  await learn(20, 10, 12);
  const body = { ...BODY, max_tokens: 10, max_completion_tokens: 400 };
  const { inputTokens } = estimateOf(body);
  expect(await estimated({}, body)).toEqual({ inputTokens, outputTokens: 12, charged: usd(inputTokens, 400) });
});

test('while the answer is unknown, each keeps what it reserves at the price of the model that did serve', async () => {
  const budgets = (['likely', 'worst'] as const).map((name) =>
    budget({ name, limit: '$1', per: 'day', reserve: name }),
  );
  const dear = { input: '$0.003/M', output: '$7/M' } as const;
  const { gate, clock, used, learn } = estimating({}, { budgets, prices: { ...prices, dear } });
  await learn(20, 9, 14);
  for (const [model, input, output] of [
    ['dear', 3, 7000],
    ['other', 1, 1000],
  ] as const) {
    const decision = await gate.admit(REQUEST, { body: BODY });
    if (!decision.admitted) throw new Error('refused');
    const { admission } = decision;
    await admission.extend({ outputTokens: 5 });
    const before = await used();
    const { inputTokens, outputTokens } = admission.estimate;
    expect(before).toEqual({ likely: usd(inputTokens, outputTokens), worst: usd(inputTokens, 205) });
    await admission.conclude({ model });
    expect(await used()).toEqual({
      likely: inputTokens * input + outputTokens * output,
      worst: inputTokens * input + 205 * output,
    });
    await admission.settle({ model, usage: { outputTokens: 50 } });
    const both = inputTokens * input + 50 * output;
    expect(await used()).toEqual({ likely: both, worst: both });
    clock.advance(86_400_000);
  }
});

test('budgets that reserve the likely and the worst stand side by side, and settle at the same', async () => {
  const budgets = (['likely', 'worst'] as const).map((name) =>
    budget({ name, limit: '$1', per: 'day', reserve: name }),
  );
  const { gate, admission, used } = gateOf([], { budgets, prices, tiers, alerts: { log: false } });
  for (let i = 0; i < 20; i++) await (await admission(REQUEST)).settle({ usage: { inputTokens: 0, outputTokens: 0 } });
  expect(await used()).toEqual({ likely: 0, worst: 0 });
  const decision = await gate.admit(REQUEST, { body: BODY });
  expect(await used()).toEqual({ likely: BODY_TOKENS, worst: usd(BODY_TOKENS, 200) });
  if (decision.admitted) await decision.admission.settle({ usage: { inputTokens: 9, outputTokens: 14 } });
  expect(await used()).toEqual({ likely: usd(9, 14), worst: usd(9, 14) });
});

describe('what is learned', () => {
  test('holds from the twentieth settle on, not before', async () => {
    const { learn, estimated } = estimating();
    await learn(19, 5, 12);
    expect(await estimated()).toMatchObject({ inputTokens: 70, outputTokens: 30 });
    await learn(1, 5, 12);
    expect(await estimated()).toMatchObject({ inputTokens: 5, outputTokens: 12 });
  });

  test('holds for the same feature and model, whoever asks', async () => {
    const { learn, estimated } = estimating();
    await learn(20, 5, 12);
    expect(await estimated({ subject: { user: 'unknown' } })).toMatchObject({ outputTokens: 12 });
    for (const request of [{ feature: 'g' }, { feature: undefined }, { model: 'other' }]) {
      expect(await estimated(request)).toMatchObject({ outputTokens: 30 });
    }
  });

  test('comes from what is known to have been used: neither from provisional ends nor from what tells nothing', async () => {
    const { admission, estimated } = estimating();
    for (let i = 0; i < 25; i++) {
      const [provisional, silent, ignored] = [
        await admission(REQUEST),
        await admission(REQUEST),
        await admission(REQUEST),
      ];
      await provisional.conclude({ usage: { inputTokens: 1, outputTokens: 1 } });
      await silent.settle();
      await ignored.settle({ outcome: 'ignored', usage: { inputTokens: 1, outputTokens: 1 } });
    }
    expect(await estimated()).toMatchObject({ inputTokens: 70, outputTokens: 30 });
  });

  test('is what the model that did serve has used', async () => {
    const { admission, estimated } = estimating();
    for (let i = 0; i < 20; i++) {
      await (await admission(REQUEST)).settle({ model: 'other', usage: { inputTokens: 5, outputTokens: 12 } });
    }
    expect(await estimated()).toMatchObject({ outputTokens: 30 });
    expect(await estimated({ model: 'other' })).toMatchObject({ outputTokens: 12 });
  });

  test('is charged by the price of each model of a ladder, and by what each of them uses', async () => {
    const { gate, learn } = estimating({ limit: '$0.000050' }, { ladders: [['m', 'other']] });
    await learn(1, 0, 50);
    await learn(20, 0, 2, { model: 'other', estimate: { outputTokens: 0 } });
    await gate.admit({ ...REQUEST, model: 'other', estimate: { outputTokens: 45 } });
    expect(await gate.explain({ ...REQUEST, estimate: { inputTokens: 0 } })).toMatchObject({
      model: 'other',
      layers: [{ cost: usd(0, 2) }],
    });
  });

  test('is found under any name, those that objects have included', async () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const table = Object.fromEntries(names.map((name) => [name, prices.m]));
    const { gate, learn } = estimating({ by: ['user', 'feature', 'model'] }, { prices: table });
    for (const name of names) {
      const asked = { model: name, feature: name, subject: { user: name } };
      await learn(20, 5, 12, asked);
      const decision = await gate.admit({ ...REQUEST, ...asked });
      expect(decision.admitted && decision.admission.estimate).toMatchObject({ inputTokens: 5, outputTokens: 12 });
      const { budgets, estimates } = await gate.inspect({ user: name }, { feature: name, model: name });
      expect(budgets).toMatchObject([{ key: [name, name, name], used: usd(5, 12) }]);
      expect(estimates).toContainEqual(expect.objectContaining({ feature: name, model: name, seen: 20 }));
    }
  });
});

describe('estimate against actual', () => {
  test('stands in inspect, by feature and model', async () => {
    const { gate, learn } = estimating();
    expect((await gate.inspect({})).estimates).toEqual([]);
    await learn(4, 35, 15);
    await learn(2, 140, 60, { model: 'other' });
    expect((await gate.inspect({})).estimates).toEqual([
      { feature: 'f', model: 'm', seen: 4, p50: 15, p95: 15, inputRatio: 2, outputRatio: 2 },
      expect.objectContaining({ feature: 'f', model: 'other', seen: 2, inputRatio: 0.5, outputRatio: 0.5 }),
    ]);
  });

  test('stands in the event, to the nano-dollar', async () => {
    const { gate, admission } = estimating();
    const told: unknown[] = [];
    gate.on('settled', ({ model, cost, actual, usage, provisional }) =>
      told.push({ model, cost, actual, usage, provisional }),
    );
    await fc.assert(
      fc.asyncProperty(
        fc.nat(9000),
        fc.nat(900),
        fc.nat(9000),
        fc.nat(900),
        async (i, o, inputTokens, outputTokens) => {
          const open = await admission({ ...REQUEST, estimate: { inputTokens: i, outputTokens: o } });
          const usage = { inputTokens, outputTokens };
          await open.settle({ usage });
          expect(told.pop()).toEqual({
            model: 'm',
            usage,
            provisional: false,
            cost: expect.objectContaining({ inputTokens: i, outputTokens: o, usd: usd(i, o) }),
            actual: expect.objectContaining({ ...usage, usd: usd(inputTokens, outputTokens) }),
          });
          await gate.resetBudget('b', {});
        },
      ),
      { numRuns: 30 },
    );
  });
});

describe('a body that asks for several answers', () => {
  const MANY = { ...BODY, n: 4 };
  const UNBOUND = { messages: BODY.messages, n: 4 };

  test('is taken to be answered so many times, by whatever is known of an answer', async () => {
    const { estimated, learn } = estimating();
    expect((await estimated({}, UNBOUND)).outputTokens).toBe(4 * 30);
    expect((await estimated({}, MANY)).outputTokens).toBe(4 * 200);
    expect((await estimated({ tier: 'bare' }, UNBOUND)).outputTokens).toBe(4 * 4096);
    await learn(30, 10, 15);
    expect((await estimated({}, UNBOUND)).outputTokens).toBe(4 * 15);
    expect((await estimated({}, MANY)).outputTokens).toBe(4 * 15);
  });

  test('at most, where a budget reserves that', async () => {
    const { estimated, learn } = estimating({ reserve: 'worst' });
    await learn(30, 10, 15);
    expect((await estimated({}, UNBOUND)).charged).toBe(usd(estimateOf(UNBOUND).inputTokens, 4 * 30));
  });

  test('changes nothing of what the answers of others are taken for', async () => {
    const { gate, estimated, learn } = estimating();
    await learn(10, 10, 15);
    for (let i = 0; i < 15; i++) {
      const decision = await gate.admit(REQUEST, { body: UNBOUND });
      if (decision.admitted) await decision.admission.settle({ usage: { inputTokens: 10, outputTokens: 60 } });
    }
    expect((await estimated({}, BODY)).outputTokens).toBe(15);
  });
});
