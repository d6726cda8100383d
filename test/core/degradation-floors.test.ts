/** How far down a ladder a request may go, who is told, and what is said where no model of it has room. */
import {
  type AdmitRequest,
  type Budget,
  budget,
  type Limit,
  type Money,
  slidingWindow,
  type TollgateConfig,
} from '@tollgate/core';
import { gateOf, MINUTE, START } from './support.js';

const DAY = 86_400_000;
const prices = {
  opus: { input: '$0.005/M', output: '$0.005/M' },
  sonnet: { input: '$0.003/M', output: '$0.003/M' },
  haiku: { input: '$0.001/M', output: '$0.001/M' },
  gemini: { input: '$0.004/M', output: '$0.004/M' },
  flash: { input: '$0.002/M', output: '$0.002/M' },
  loner: { input: '$0.002/M', output: '$0.002/M' },
} as const;
const ladders = [
  ['opus', 'sonnet', 'haiku'],
  ['gemini', 'flash'],
];

/** Ten tokens: 50, 30 or 10 nano-dollars. */
const ASKED: AdmitRequest = {
  subject: { user: 'u' },
  permits: 1,
  model: 'opus',
  estimate: { inputTokens: 10, outputTokens: 0 },
};

const userBudget = budget({ name: 'user', by: 'user', limit: '$0.000000100', per: 'day' });

const laddered = (budgets: readonly Budget[], limits: readonly Limit[] = [], more: Partial<TollgateConfig> = {}) =>
  gateOf(limits, { budgets, prices, ladders, alerts: { log: false }, ...more });

/** With so many nano-dollars of 100 left. */
async function withLeft(left: number) {
  const made = laddered([userBudget]);
  const usd = `$0.${String(100 - left).padStart(9, '0')}` as Money;
  await made.admission({ subject: { user: 'u' }, permits: 0, usd });
  return made;
}

test.each<[string, Partial<AdmitRequest>, left30: string, left10: string]>([
  ['no floor', {}, 'sonnet', 'haiku'],
  ['the floor of the request', { floor: 'sonnet' }, 'sonnet', 'budget'],
  ['the model itself as floor', { floor: 'opus' }, 'budget', 'budget'],
  ['the floor of the subject', { subject: { user: 'u', floor: 'sonnet' } }, 'sonnet', 'budget'],
  [
    'two floors, the better one the subject’s',
    { floor: 'haiku', subject: { user: 'u', floor: 'opus' } },
    'budget',
    'budget',
  ],
  [
    'two floors, the better one the request’s',
    { floor: 'sonnet', subject: { user: 'u', floor: 'haiku' } },
    'sonnet',
    'budget',
  ],
  ['a subject’s floor from another ladder', { subject: { user: 'u', floor: 'gemini' } }, 'sonnet', 'haiku'],
  [
    'both, the subject’s from another ladder',
    { floor: 'sonnet', subject: { user: 'u', floor: 'flash' } },
    'sonnet',
    'budget',
  ],
  ['a model below the floor: that model alone', { model: 'sonnet', floor: 'opus' }, 'sonnet', 'budget'],
  ['a model below the subject’s floor', { model: 'haiku', subject: { user: 'u', floor: 'opus' } }, 'haiku', 'haiku'],
  ['degrade: false', { degrade: false }, 'budget', 'budget'],
  ['degrade: false of the subject', { subject: { user: 'u', degrade: false } }, 'budget', 'budget'],
  [
    'degrade: true against the subject’s false',
    { degrade: true, subject: { user: 'u', degrade: false } },
    'budget',
    'budget',
  ],
  ['another ladder', { model: 'gemini' }, 'flash', 'budget'],
  ['a model in no ladder', { model: 'loner' }, 'loner', 'budget'],
  [
    'a model in no ladder, whatever the floor',
    { model: 'loner', subject: { user: 'u', floor: 'opus' } },
    'loner',
    'budget',
  ],
])('%s', async (_, asked, left30, left10) => {
  for (const [left, expected] of [
    [30, left30],
    [10, left10],
  ] as const) {
    const { gate } = await withLeft(left);
    const { model, refusal } = await gate.explain({ ...ASKED, ...asked });
    expect(refusal?.reason ?? model).toBe(expected);
    const decision = await gate.admit({ ...ASKED, ...asked });
    expect(decision.admitted ? decision.admission.model : decision.refusal.reason).toBe(expected);
  }
});

test('a request that may go no further may use all of the budget', async () => {
  const made = laddered([budget({ name: 'user', limit: '$0.000000100', per: 'day', degradeAt: [0.1, 0.2] })]);
  for (const asked of [{ degrade: false }, { floor: 'opus' }, { model: 'haiku' }]) {
    expect(await made.gate.explain({ ...ASKED, ...asked })).toMatchObject({
      admitted: true,
      model: asked.model ?? 'opus',
    });
  }
  expect(await made.gate.explain(ASKED)).toMatchObject({ model: 'haiku' });
});

test.each(['gpt', 'flash', '__proto__', 'constructor', '', 42, null])('the floor %p is an error', async (floor) => {
  const { gate, used } = laddered([userBudget]);
  await expect(gate.admit({ ...ASKED, floor: floor as string })).rejects.toMatchObject({
    code: 'TOLLGATE_REQUEST_INVALID',
    message: expect.stringMatching(/^floor: got .*; expected one of 'opus', 'sonnet', 'haiku'\.$/),
  });
  expect(await used({ subject: { user: 'u' } })).toEqual({ user: 0 });
});

describe('who is told', () => {
  test('the admission and its listeners, once', async () => {
    const { gate, admission } = await withLeft(35);
    const told: unknown[] = [];
    gate.on('degraded', ({ id, from, to, request }) => told.push([id, from, to, request.model]));
    gate.on('admitted', ({ model }) => told.push(model));
    const degraded = await admission(ASKED);
    expect(degraded).toMatchObject({ model: 'sonnet', degraded: true, estimate: { inputTokens: 10, usd: 30 } });
    await degraded.extend({ inputTokens: 1 });
    await degraded.settle();
    expect(told).toEqual([[degraded.id, 'opus', 'sonnet', 'opus'], 'sonnet', 'sonnet']);
  });

  test('nobody, where the model asked for serves', async () => {
    const { gate, admission } = laddered([userBudget]);
    const told: unknown[] = [];
    gate.on('degraded', (event) => told.push(event));
    for (const model of ['opus', 'haiku', 'loner', undefined]) {
      const asked = model === undefined ? { ...ASKED, model, estimate: undefined } : { ...ASKED, model };
      expect(await admission({ ...asked, subject: { user: `for ${model}` } })).toMatchObject({
        model,
        degraded: false,
      });
    }
    expect(told).toEqual([]);
  });
});

test.each(['hiaku', '__proto__', '', 42, null])(
  'the floor %p of a subject, in no ladder, is an error, rather than no floor',
  async (floor) => {
    const { gate, used } = laddered([userBudget]);
    const asked = { ...ASKED, subject: { user: 'u', floor: floor as string } };
    for (const work of [gate.admit, gate.explain]) {
      await expect(work(asked)).rejects.toMatchObject({
        code: 'TOLLGATE_REQUEST_INVALID',
        message: expect.stringMatching(
          /^subject\.floor: got .*; expected one of 'opus', 'sonnet', 'haiku', 'gemini', 'flash'\.$/,
        ),
      });
    }
    expect(await used({ subject: { user: 'u' } })).toEqual({ user: 0 });
  },
);

test.each([
  ['in no ladder', ladders, 'loner'],
  ['of a gate without ladders', [], 'opus'],
  ['that is not given', ladders, undefined],
])('for a model %s floors mean nothing', async (_, some, model) => {
  const { admission } = laddered([userBudget], [], { ladders: some });
  const asked = { ...ASKED, model, floor: 'hiaku', subject: { user: 'u', floor: 'hiaku' }, usd: '$0' } as const;
  expect((await admission(asked)).model).toBe(model);
});

test('an extension stays with the model that was admitted, and is refused where that one has no room', async () => {
  const limit = slidingWindow({ name: 'tpm', by: 'model', unit: 'tokens', limit: 15, window: '1m' });
  const { admission, used } = laddered([userBudget], [limit]);
  await admission(ASKED);
  const degraded = await admission(ASKED);
  expect(degraded.model).toBe('sonnet');
  expect(await degraded.extend({ inputTokens: 6 })).toMatchObject({
    admitted: false,
    refusal: { id: degraded.id, reason: 'limit', layer: 'tpm' },
  });
  expect(await degraded.extend({ inputTokens: 5 })).toMatchObject({ admitted: true, admission: { model: 'sonnet' } });
  expect(await used({ ...ASKED, model: 'sonnet', degrade: false })).toEqual({ tpm: 15, user: 95 });
});

describe('where no model has room', () => {
  test('never, for any: 422', async () => {
    const { refusal } = laddered([userBudget]);
    expect(await refusal({ ...ASKED, estimate: { inputTokens: 101, outputTokens: 0 } })).toMatchObject({
      reason: 'too-costly',
      status: 422,
      layer: 'user',
      retryAfterMs: undefined,
      resetsAt: undefined,
    });
  });

  test('never, for the better ones: what is said is of the cheapest', async () => {
    const { admission, refusal } = laddered([userBudget]);
    await admission({ ...ASKED, model: 'haiku', estimate: { inputTokens: 90, outputTokens: 0 } });
    expect(await refusal({ ...ASKED, estimate: { inputTokens: 50, outputTokens: 0 } })).toMatchObject({
      reason: 'budget',
      status: 402,
      layer: 'user',
      retryAfterMs: DAY,
      resetsAt: START + DAY,
      violated: [{ cost: 50, used: 90 }],
    });
  });

  test('a share that holds a better model back is told of, where that model has room sooner than the cheapest', async () => {
    const half = budget({ name: 'half', by: 'user', limit: '$5', per: 'day', degradeAt: [0.5] });
    const weekly = slidingWindow({ name: 'weekly', by: 'model', unit: 'requests', limit: 1, window: '7d' });
    const { clock, gate, admission, refusal } = laddered([half], [weekly]);
    await admission({ subject: { user: 'u' }, permits: 0, model: 'flash', usd: '$2.50' });
    const asked = { ...ASKED, model: 'gemini', usd: '$0.10' } as const;
    const { retryAfterMs = 0, ...told } = await refusal(asked);
    expect(told).toMatchObject({
      reason: 'budget',
      layer: 'half',
      violated: [{ used: 2.5e9, share: 2.5e9, limit: 5e9 }],
    });
    expect(told.detail).toMatch(
      /^You have spent \$2\.50 of the \$5 .* 'half' allows, of which this model may use \$2\.50; .* may cost \$0\.10\./,
    );
    clock.advance(retryAfterMs);
    expect(await gate.explain(asked)).toMatchObject({
      admitted: true,
      model: 'gemini',
      layers: [{}, { share: 2.5e9 }],
    });
  });

  test('never comes before the budget, and the budget before limits', async () => {
    const window = slidingWindow({ name: 'rpm', by: 'model', unit: 'requests', limit: 1, window: '1m' });
    const { admission, refusal } = laddered([userBudget], [window], { ladders: [] });
    await admission({ ...ASKED, estimate: { inputTokens: 20, outputTokens: 0 } });
    expect(await refusal(ASKED)).toMatchObject({ reason: 'budget', status: 402, layer: 'user', retryAfterMs: DAY });
    expect(await refusal({ ...ASKED, estimate: { inputTokens: 21, outputTokens: 0 } })).toMatchObject({
      status: 422,
      layer: 'user',
    });
    expect(await refusal({ ...ASKED, estimate: { inputTokens: 0, outputTokens: 0 } })).toMatchObject({
      reason: 'limit',
      status: 429,
      layer: 'rpm',
    });
  });

  test('the budget comes before a limit that takes longer, and the wait is for both', async () => {
    const weekly = slidingWindow({ name: 'weekly', by: 'user', unit: 'requests', limit: 1, window: '7d' });
    const { clock, gate, admission, refusal } = laddered([userBudget], [weekly], { ladders: [] });
    await admission({ ...ASKED, estimate: { inputTokens: 20, outputTokens: 0 } });
    const { retryAfterMs = 0, ...told } = await refusal(ASKED);
    expect(told).toMatchObject({ reason: 'budget', status: 402, layer: 'user', resetsAt: START + DAY });
    expect(told.violated.map(({ layer }) => layer)).toEqual(['weekly', 'user']);
    clock.advance(retryAfterMs - 1);
    expect((await refusal(ASKED)).reason).toBe('limit');
    clock.advance(1);
    expect(await gate.admit(ASKED)).toMatchObject({ admitted: true });
  });

  test('the status of budgets is 429 if so configured, and of others what it is', async () => {
    const { admission, refusal } = laddered([userBudget], [], { budgetStatus: 429 });
    await admission({ ...ASKED, model: 'haiku', estimate: { inputTokens: 100, outputTokens: 0 } });
    expect(await refusal(ASKED)).toMatchObject({ reason: 'budget', status: 429, resetsAt: START + DAY });
    expect(await refusal({ ...ASKED, estimate: { inputTokens: 101, outputTokens: 0 } })).toMatchObject({ status: 422 });
  });

  test('the wait is the least over the models of the longest that each has', async () => {
    const perMinute = slidingWindow({ name: 'rpm', by: 'model', unit: 'requests', limit: 1, window: '1m', parts: 2 });
    const perModel = budget({ name: 'model', by: 'model', limit: '$0.000000050', per: 'day' });
    const { clock, admission, refusal, gate } = laddered([perModel], [perMinute]);
    await admission(ASKED);
    await admission({ ...ASKED, model: 'sonnet', degrade: false });
    clock.advance(MINUTE / 2);
    await admission({ ...ASKED, model: 'haiku' });
    // Budgets hold opus and sonnet back until tomorrow, a window alone holds haiku back.
    const { retryAfterMs = 0, ...told } = await refusal(ASKED);
    expect(told).toMatchObject({ reason: 'limit', status: 429, layer: 'rpm', resetsAt: undefined });
    clock.advance(retryAfterMs - 1);
    await refusal(ASKED);
    clock.advance(1);
    expect(await gate.explain(ASKED)).toMatchObject({ admitted: true, model: 'haiku' });
    expect(await refusal({ ...ASKED, floor: 'sonnet' })).toMatchObject({
      reason: 'budget',
      status: 402,
      layer: 'model',
      resetsAt: START + DAY,
      retryAfterMs: START + DAY - clock.now(),
    });
  });
});
