/** A cheaper model rather than a refusal. */
import { type AdmitRequest, type BudgetOptions, budget, type Limit, type Money, slidingWindow } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf } from './support.js';

const MODELS = ['opus', 'sonnet', 'haiku'];
/** Nano-dollars for a token. */
const PRICE: Record<string, number> = { opus: 5, sonnet: 3, haiku: 1, other: 2 };

const prices = {
  costOf: (model: string | undefined, { inputTokens = 0, outputTokens = 0 }) =>
    model === undefined ? undefined : (inputTokens + outputTokens) * PRICE[model],
};

const nano = (amount: number): Money =>
  `$${Math.floor(amount / 1e9)}.${String(amount % 1e9).padStart(9, '0')}` as Money;

const u = { user: 'u' };
/** Ten tokens: 50, 30 or 10 nano-dollars. */
const ASKED: AdmitRequest = { subject: u, permits: 1, model: 'opus', estimate: { inputTokens: 10 } };

/** A gate with a ladder, by default with 1000 nano-dollars a day for each user. */
function laddered(options: Partial<BudgetOptions> = {}, limits: readonly Limit[] = []) {
  const budgets = [budget({ name: 'user', by: 'user', limit: nano(1000), per: 'day', ...options })];
  const made = gateOf(limits, { budgets, prices, ladders: [MODELS], alerts: { log: false } });
  return {
    ...made,
    spend: (amount: number, subject = u) => made.admission({ subject, permits: 0, usd: nano(amount) }),
    /** The model that would serve it, or the reason that none does. */
    async served(request: AdmitRequest = ASKED) {
      const { model, refusal } = await made.gate.explain(request);
      return refusal ? refusal.reason : model;
    },
  };
}

describe('a budget with degradeAt', () => {
  test.each([
    [0, 'opus'],
    [750, 'opus'],
    [751, 'sonnet'],
    [920, 'sonnet'],
    [921, 'haiku'],
    [990, 'haiku'],
    [991, 'budget'],
    [1000, 'budget'],
  ])('of [0.8, 0.95], with %d of 1000 spent: %s', async (spent, expected) => {
    const { gate, spend, served } = laddered({ degradeAt: [0.8, 0.95] });
    await spend(spent);
    expect(await served()).toBe(expected);
    const decision = await gate.admit(ASKED);
    expect(decision.admitted ? decision.admission.model : decision.refusal.reason).toBe(expected);
    if (decision.admitted) expect(decision.admission.estimate.usd).toBe(10 * PRICE[expected]);
  });

  test.each([
    ['more shares than models that could step down', [0.1, 0.2, 0.3, 0.4], ['opus', 'sonnet', 'haiku'], [50, 170, 990]],
    ['fewer shares: those without one may use all', [0.5], ['opus', 'sonnet', 'haiku'], [450, 970, 990]],
    ['a share of all', [1], ['opus', 'sonnet', 'haiku'], [950, 970, 990]],
  ])('%s', async (_, degradeAt, models, most) => {
    for (const [i, model] of models.entries()) {
      const { spend, served } = laddered({ degradeAt });
      await spend(most[i]);
      expect(await served()).toBe(model);
      await spend(1);
      expect(await served()).toBe(models[i + 1] ?? 'budget');
    }
  });

  test('asked for a model lower down, goes by that one’s share', async () => {
    const { spend, served } = laddered({ degradeAt: [0.8, 0.95] });
    await spend(920);
    expect(await served({ ...ASKED, model: 'sonnet' })).toBe('sonnet');
    expect(await served({ ...ASKED, model: 'haiku' })).toBe('haiku');
    await spend(1);
    expect(await served({ ...ASKED, model: 'sonnet' })).toBe('haiku');
  });

  test('shares are exact to the nano-dollar', async () => {
    const cents = fc.integer({ min: 1, max: 100_000 });
    const percents = fc.uniqueArray(fc.integer({ min: 1, max: 100 }), { minLength: 2, maxLength: 2 });
    await fc.assert(
      fc.asyncProperty(
        cents,
        percents,
        fc.integer({ min: -2, max: 2 }),
        fc.nat(2),
        async (cents, percents, off, at) => {
          const [a, b] = percents.toSorted((x, y) => x - y);
          const limit = cents * 1e7;
          const { spend, served } = laddered({ limit: nano(limit), degradeAt: [a / 100, b / 100] });
          const bounds = [(limit / 100) * a, (limit / 100) * b, limit];
          const spent = Math.max(0, bounds[at] - 10 * PRICE[MODELS[at]] + off);
          await spend(spent);
          const expected = MODELS.find((model, i) => spent + 10 * PRICE[model] <= bounds[i]) ?? 'budget';
          expect(await served()).toBe(expected);
        },
      ),
      // A double's product of 0.41 and 10 million is less than 4.1 million, and that of 0.07 and 100 more than 7.
      {
        examples: [
          [1, [41, 57], 0, 0],
          [1, [41, 57], 1, 0],
          [1, [41, 57], 0, 1],
          [1, [7, 14], 1, 0],
        ],
      },
    );
  });

  test('shares move with the limit, and with what it is topped up by', async () => {
    const { gate, spend, served } = laddered({ degradeAt: [0.8, 0.95] });
    await spend(751);
    expect(await served()).toBe('sonnet');
    await gate.topUp('user', u, nano(2));
    expect(await served()).toBe('opus');
    gate.update({ budgets: { user: { limit: nano(900) } } });
    expect(await served()).toBe('sonnet');
    gate.update({ budgets: { user: { degradeAt: [1] } } });
    expect(await served()).toBe('opus');
  });

  test('what has been admitted may be extended into all of it', async () => {
    const { spend, admission } = laddered({ degradeAt: [0.8, 0.95] });
    await spend(750);
    const open = await admission(ASKED);
    expect(await open.extend({ inputTokens: 40 })).toMatchObject({ admitted: true, admission: { model: 'opus' } });
    expect(await open.extend({ inputTokens: 1 })).toMatchObject({ admitted: false, refusal: { reason: 'budget' } });
  });

  test('what has no model, or one in no ladder, may use all of it', async () => {
    const { spend, served } = laddered({ degradeAt: [0.1, 0.2] });
    await spend(980);
    expect(await served({ ...ASKED, model: 'other' })).toBe('other');
    expect(await served({ ...ASKED, model: undefined, usd: nano(20), estimate: undefined })).toBeUndefined();
    await spend(1);
    expect(await served({ ...ASKED, model: 'other' })).toBe('budget');
  });
});

test('without degradeAt, the best model is used until it does not fit, then those that do', async () => {
  const { gate, used } = laddered();
  const models: (string | undefined)[] = [];
  for (let i = 0; i < 25; i++) {
    const decision = await gate.admit(ASKED);
    models.push(decision.admitted ? decision.admission.model : decision.refusal.reason);
  }
  expect(models).toEqual([...Array(20).fill('opus'), ...Array(5).fill('budget')]);
  expect(await used({ subject: u })).toEqual({ user: 1000 });
});

test('a smaller rest goes to the best model that it holds', async () => {
  const { spend, served } = laddered();
  await spend(960);
  expect(await served()).toBe('sonnet');
  await spend(15);
  expect(await served()).toBe('haiku');
  await spend(15);
  expect(await served()).toBe('haiku');
  await spend(1);
  expect(await served()).toBe('budget');
});

describe('a model with layers of its own', () => {
  const perMinute = slidingWindow({ name: 'rpm', by: 'model', unit: 'requests', limit: 2, window: '1m' });

  test('steps down where its limit is full, though the budget is not', async () => {
    const { gate, clock, used } = laddered({}, [perMinute]);
    const models: (string | undefined)[] = [];
    for (let i = 0; i < 7; i++) {
      const decision = await gate.admit(ASKED);
      models.push(decision.admitted ? decision.admission.model : decision.refusal.reason);
    }
    expect(models).toEqual(['opus', 'opus', 'sonnet', 'sonnet', 'haiku', 'haiku', 'limit']);
    expect(await used({ subject: u, model: 'sonnet' })).toEqual({ rpm: 2, user: 180 });
    clock.advance(66_000);
    const decision = await gate.admit(ASKED);
    expect(decision.admitted && decision.admission.model).toBe('opus');
  });

  test('is charged where it serves, and settled there', async () => {
    const tpm = slidingWindow({ name: 'tpm', by: 'model', unit: 'tokens', limit: 15, window: '1m' });
    const { admission, used } = laddered({ by: ['user', 'model'], name: 'own' }, [tpm]);
    await admission(ASKED);
    const degraded = await admission(ASKED);
    expect(degraded.model).toBe('sonnet');
    await degraded.settle({ usage: { inputTokens: 4, outputTokens: 0 } });
    expect(await used({ subject: u, model: 'opus' })).toEqual({ tpm: 10, own: 50 });
    expect(await used({ subject: u, model: 'sonnet' })).toEqual({ tpm: 4, own: 12 });
    expect(await used({ subject: u, model: 'haiku' })).toEqual({ tpm: 0, own: 0 });
  });

  test('has its budget, and the next one its own', async () => {
    const { admission } = laddered({ by: 'model', limit: nano(100) });
    const models = [];
    for (let i = 0; i < 15; i++) models.push((await admission(ASKED)).model);
    expect(models).toEqual([...Array(2).fill('opus'), ...Array(3).fill('sonnet'), ...Array(10).fill('haiku')]);
  });

  test('a limit on trial degrades nothing', async () => {
    const { admission } = laddered({ mode: 'shadow', limit: nano(60) }, [{ ...perMinute, mode: 'shadow' }]);
    for (let i = 0; i < 4; i++) expect((await admission(ASKED)).model).toBe('opus');
  });
});
