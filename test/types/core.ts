/**
 * What must not compile, and what must. Checked by `tsc -b` and never run: an error that is expected and does not come
 * is an error itself.
 */
import {
  type Admission,
  type Budget,
  type BudgetState,
  budget,
  type Count,
  concurrency,
  createTollgate,
  type DefaultTier,
  type Drawn,
  type Duration,
  headroom,
  type Limit,
  type Money,
  type PriceTable,
  type Rate,
  type Refusal,
  type Subject,
  slidingWindow,
  type TokenPrice,
  type Tollgate,
  tokenBucket,
} from '@tollgate/core';

/** Compiles where the two types are the same. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};

const gate = createTollgate({
  tiers: { cheap: 1, dear: { permits: 10, outputTokens: 500 } },
  limits: [
    slidingWindow({ name: 'global', limit: 600, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: '1k', refill: '100/h' }),
    slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: { free: 20, pro: '2k' }, window: 60_000 }),
  ],
  features: ['chat', 'embed'],
});

export function names(): void {
  same<typeof gate, Tollgate<'cheap' | 'dear', 'global' | 'user' | 'feature', 'chat' | 'embed'>>(true);

  void gate.admit({ tier: 'cheap', feature: 'chat' });
  void gate.admit({ permits: 5 });
  // @ts-expect-error: no such tier
  void gate.admit({ tier: 'small' });
  // @ts-expect-error: no such feature
  void gate.admit({ tier: 'cheap', feature: 'chatter' });
  // @ts-expect-error: no such field
  void gate.admit({ tier: 'cheap', cost: 5 });
  // @ts-expect-error: no such priority
  void gate.admit({ tier: 'cheap', priority: 'urgent' });
  // @ts-expect-error: permits are a number
  void gate.admit({ permits: '5' });
  // @ts-expect-error: no such count of tokens
  void gate.admit({ tier: 'cheap', estimate: { input_tokens: 5 } });
  // @ts-expect-error: no such tier, here either
  void gate.explain({ tier: 'small' });
}

export function ways(subject: Subject): void {
  const inner = createTollgate({
    limits: [
      headroom({
        name: 'rpm',
        by: ['provider', 'key'],
        window: '1m',
        limit: ({ key, model }) => (key ? 5 : model?.length),
      }),
      headroom({ name: 'tpm', unit: 'tokens', window: '1m', limit: '200k', whenFull: 'wait' }),
      // @ts-expect-error: providers know no permits
      headroom({ name: 'ppm', unit: 'permits', window: '1m', limit: 5 }),
      // @ts-expect-error: by a function, not by plan
      headroom({ name: 'plan', window: '1m', limit: { free: 5 } }),
    ],
  });
  void inner.admit({ permits: 0, ways: [{ name: 'a', provider: 'openai', model: 'gpt', subject }] });
  // @ts-expect-error: a way has a name
  void inner.admit({ permits: 0, ways: [{ provider: 'openai' }] });
  // @ts-expect-error: a way has no ways
  void inner.admit({ permits: 0, ways: [{ name: 'a', ways: [] }] });
  inner.update({ limits: { tpm: { limit: 5 } } });
}

export function observations(admission: Admission): void {
  same<Admission['way'], string | undefined>(true);
  void admission.observe([{ layer: 'rpm', limit: 500, remaining: 3, shutMs: 0 }]);
  // @ts-expect-error: of which limit
  void admission.observe([{ remaining: 3 }]);
  // @ts-expect-error: no such field
  void admission.observe([{ layer: 'rpm', reset: 3 }]);
}

export function defaults(limits: readonly Limit[]): void {
  const plain = createTollgate({ limits });
  same<typeof plain, Tollgate<DefaultTier, string, string>>(true);
  void plain.admit({ tier: 'xlarge', feature: 'anything' });
  // @ts-expect-error: no such tier among the default ones
  void plain.admit({ tier: 'huge' });
  const general: Tollgate = gate;
  void general.admit({ tier: 'whatever' });
}

export async function draws({ admission }: { admission: Admission }): Promise<void> {
  const drawn = await admission.draw({ inputTokens: 5, usd: '$0.5', model: 'any' });
  same<typeof drawn, Drawn>(true);
  if (drawn.admitted) same<void, ReturnType<typeof drawn.draw.settle>>(true);
  else same<Refusal, typeof drawn.refusal>(true);
  // @ts-expect-error: no such count of tokens
  void admission.draw({ tokens: 5 });
  // @ts-expect-error: a draw names what it expects
  void admission.draw();
  // @ts-expect-error: an extension is of the admission's own model
  void admission.extend({ outputTokens: 5, model: 'any' });
}

export function updates(): void {
  gate.update({ limits: { global: { limit: 5, mode: 'shadow' }, user: { capacity: '2k', refill: '5/s' } } });
  gate.update({ limits: { feature: { limit: { free: 5 } } }, tiers: { cheap: 2 } });
  gate.update({ limits: { feature: { limit: ({ plan }) => (plan === 'pro' ? 50 : 5) } } });
  // @ts-expect-error: no such limit
  gate.update({ limits: { users: { capacity: 5 } } });
  // @ts-expect-error: a window's length can't change
  gate.update({ limits: { global: { window: '1h' } } });
  // @ts-expect-error: what a limit counts by can't change
  gate.update({ limits: { user: { by: 'tenant' } } });
  // @ts-expect-error: no such mode
  gate.update({ limits: { user: { mode: 'off' } } });
  gate.update({
    limits: { global: { limit: 5 } },
    queue: { concurrency: 5, maxWait: { batch: '1h' }, weights: { t1: 2 } },
  });
  // @ts-expect-error: what is fair can't change
  gate.update({ queue: { fairBy: 'user' } });
  // @ts-expect-error: nor whether slots are adaptive
  gate.update({ queue: { concurrency: { min: 1, max: 5 } } });
  // @ts-expect-error: no such tier
  gate.update({ tiers: { small: 5 } });
  // @ts-expect-error: nothing but limits and tiers can change
  gate.update({ name: 'other' });
  // @ts-expect-error: to leave a value as it is, leave it out
  gate.update({ limits: { user: { capacity: undefined } } });
}

export function limits(): readonly Limit[] {
  const name = 'l';
  return [
    slidingWindow({ name, by: ['tenant', 'model'], unit: 'tokens', limit: '200k', window: '6h', parts: 60 }),
    slidingWindow({ name, limit: Number.POSITIVE_INFINITY, window: '1d', mode: 'shadow', onStoreError: 'open' }),
    tokenBucket({ name, by: [], capacity: ({ plan }) => (plan ? 5 : '1k'), refill: { free: '1/s', pro: '5/10s' } }),
    // @ts-expect-error: no such dimension
    slidingWindow({ name, by: 'usr', limit: 5, window: '1m' }),
    // @ts-expect-error: no such dimension among good ones
    slidingWindow({ name, by: ['user', 'usr'], limit: 5, window: '1m' }),
    // @ts-expect-error: no such unit
    slidingWindow({ name, unit: 'usd', limit: 5, window: '1m' }),
    // @ts-expect-error: no such field
    slidingWindow({ name, limit: 5, window: '1m', refill: '1/s' }),
    // @ts-expect-error: a window has a length
    slidingWindow({ name, limit: 5 }),
    // @ts-expect-error: a limit has a name
    slidingWindow({ limit: 5, window: '1m' }),
    // @ts-expect-error: a bucket has a capacity
    tokenBucket({ name, limit: 5, refill: '1/s' }),
    // @ts-expect-error: a rate is an amount per time
    tokenBucket({ name, capacity: 5, refill: 1 }),
    tokenBucket({ name, capacity: 5, refill: '1/s', whenFull: 'wait' }),
    // @ts-expect-error: no such word
    tokenBucket({ name, capacity: 5, refill: '1/s', whenFull: 'queue' }),
    concurrency({ name, by: ['tenant', 'model'], limit: 5, lease: '5m', whenFull: 'refuse' }),
    concurrency({ name, limit: ({ plan }) => (plan ? 5 : 1) }),
    concurrency({ name, limit: { min: 1, max: 100, initial: 10 } }),
    // @ts-expect-error: slots are no unit to choose
    concurrency({ name, limit: 5, unit: 'slots' }),
    // @ts-expect-error: slots are whole numbers
    concurrency({ name, limit: '5k' }),
    tokenBucket({ name, capacity: 5, refill: '1/s', onStoreError: 'local' }),
    // @ts-expect-error: a bad plan among good ones
    tokenBucket({ name, capacity: { free: 5, pro: '5x' }, refill: '1/s' }),
    // @ts-expect-error: a function gives a count
    slidingWindow({ name, limit: () => 'lots', window: '1m' }),
  ];
}

export function configs(): void {
  // @ts-expect-error: no such field
  createTollgate({ limits: [], redis: {} });
  // @ts-expect-error: a tier costs a number
  createTollgate({ limits: [], tiers: { small: '5' } });
  // @ts-expect-error: no such field of a tier
  createTollgate({ limits: [], tiers: { small: { permits: 5, tokens: 5 } } });
  // @ts-expect-error: a limit is what slidingWindow or tokenBucket returns
  createTollgate({ limits: [{ name: 'x', limit: 5, window: '1m' }] });
  createTollgate({
    queue: { concurrency: { min: 1, max: 5 }, ageing: { standard: '1m', batch: '2m', background: '3m' } },
  });
  createTollgate({
    queue: { maxWait: { interactive: '0s' }, fairBy: 'tenant', weights: { t1: 0.5 }, shedding: false },
  });
  // @ts-expect-error: no such priority
  createTollgate({ queue: { maxWait: { urgent: '5s' } } });
  // @ts-expect-error: no such dimension
  createTollgate({ queue: { fairBy: 'usr' } });
  // @ts-expect-error: slots are whole numbers
  createTollgate({ queue: { concurrency: '1k' } });
  // @ts-expect-error: a store has methods
  createTollgate({ limits: [], store: {} });
}

const priced = createTollgate({
  limits: [slidingWindow({ name: 'rate', by: 'user', limit: 600, window: '1m' })],
  budgets: [
    budget({ name: 'company', limit: '$500', per: 'day', alertAt: [0.5, 0.8, 1] }),
    budget({ name: 'user', by: ['user', 'model'], limit: { free: '$0.25', pro: '$5' }, per: 'month' }),
  ],
  ladders: [['opus', 'sonnet'], ['mini']],
  prices: {
    opus: { input: '$5/M', output: '$25/M', cachedInput: '$0.5/M' },
    haiku: [
      { input: '$1/M', output: '$5/M' },
      { input: '$0.001/k', output: '$4/M', from: '2026-12-01' },
    ],
  },
  alerts: { webhook: process.env.WEBHOOK, log: false },
  budgetStatus: 429,
});

export function models(table: PriceTable): void {
  same<typeof priced, Tollgate<DefaultTier, 'rate' | 'company' | 'user', string, 'opus' | 'sonnet' | 'mini' | 'haiku'>>(
    true,
  );

  void priced.admit({ tier: 'small', model: 'haiku', floor: 'sonnet', degrade: false, usd: '$0.01' });
  // @ts-expect-error: no such model in ladders or prices
  void priced.admit({ tier: 'small', model: 'gpt' });
  // @ts-expect-error: no such floor
  void priced.admit({ tier: 'small', model: 'opus', floor: 'gpt' });
  // @ts-expect-error: dollars are text
  void priced.admit({ tier: 'small', usd: 0.01 });
  // @ts-expect-error: no such model, here either
  void priced.explain({ tier: 'small', model: 'gpt' });

  const byTable = createTollgate({ budgets: [], prices: table });
  void byTable.admit({ tier: 'small', model: 'anything' });
  const bySeam = createTollgate({ budgets: [], prices: { costOf: () => 5 } });
  void bySeam.admit({ tier: 'small', model: 'anything' });
  const byLadder = createTollgate({ budgets: [], prices: table, ladders: [['opus', 'sonnet']] });
  void byLadder.admit({ tier: 'small', model: 'anything' });
  const open = createTollgate({
    budgets: [],
    prices: { default: { input: '$5/M', output: '$25/M' } },
    ladders: [['opus']],
  });
  void open.admit({ tier: 'small', model: 'anything' });
  const laddered = createTollgate({ limits: [], ladders: [['opus', 'sonnet']] });
  void laddered.admit({ tier: 'small', model: 'sonnet' });
  // @ts-expect-error: no such model in the ladder
  void laddered.admit({ tier: 'small', model: 'sonet' });
  const unpriced = createTollgate({ limits: [] });
  void unpriced.admit({ tier: 'small', model: 'anything' });
}

export function budgets(): readonly Budget[] {
  const [name, limit, per] = ['b', '$5', 'day'] as const;
  return [
    budget({ name, limit, per, by: [], timeZone: 'Europe/Berlin', reserve: 'worst', degradeAt: [0.8], alertAt: [] }),
    budget({ name, limit: ({ plan }) => (plan ? '$5' : '$0'), per: 'hour', mode: 'shadow', onStoreError: 'open' }),
    // @ts-expect-error: the sign stands first
    budget({ name, limit: '5$', per }),
    // @ts-expect-error: no sign
    budget({ name, limit: '5', per }),
    // @ts-expect-error: dollars are text
    budget({ name, limit: 5, per }),
    // @ts-expect-error: no grouping
    budget({ name, limit: '$1,000', per }),
    // @ts-expect-error: an amount, not a price
    budget({ name, limit: '$5/M', per }),
    // @ts-expect-error: a bad plan among good ones
    budget({ name, limit: { free: '$1', pro: '5' }, per }),
    // @ts-expect-error: a function gives an amount
    budget({ name, limit: () => 5, per }),
    // @ts-expect-error: no such period
    budget({ name, limit, per: 'year' }),
    // @ts-expect-error: a period is needed
    budget({ name, limit }),
    // @ts-expect-error: a name is needed
    budget({ limit, per }),
    // @ts-expect-error: no such dimension
    budget({ name, limit, per, by: 'usr' }),
    // @ts-expect-error: nobody is counted by what they may degrade to
    budget({ name, limit, per, by: 'floor' }),
    // @ts-expect-error: a budget counts dollars
    budget({ name, limit, per, unit: 'tokens' }),
    // @ts-expect-error: no such reserve
    budget({ name, limit, per, reserve: 'average' }),
    // @ts-expect-error: shares are a list
    budget({ name, limit, per, degradeAt: 0.8 }),
    // @ts-expect-error: shares are numbers
    budget({ name, limit, per, alertAt: ['80%'] }),
    // @ts-expect-error: no such field
    budget({ name, limit, per, window: '1d' }),
    // @ts-expect-error: no shared store to be local of yet
    budget({ name, limit, per, onStoreError: 'local' }),
  ];
}

export function pricedConfigs(): void {
  const limits: readonly Limit[] = [];
  // @ts-expect-error: a limit is no budget
  createTollgate({ budgets: [slidingWindow({ name: 'w', limit: 5, window: '1m' })] });
  // @ts-expect-error: a budget is no limit
  createTollgate({ limits: [budget({ name: 'b', limit: '$5', per: 'day' })] });
  // @ts-expect-error: a list of lists
  createTollgate({ limits, ladders: ['opus', 'haiku'] });
  // @ts-expect-error: models are names
  createTollgate({ limits, ladders: [['opus', 5]] });
  // @ts-expect-error: a price has two sides
  createTollgate({ limits, prices: { opus: { input: '$5/M' } } });
  // @ts-expect-error: a price is for some number of tokens
  createTollgate({ limits, prices: { opus: { input: '$5', output: '$25/M' } } });
  // @ts-expect-error: no such kind of token
  createTollgate({ limits, prices: { opus: { input: '$5/M', output: '$25/M', audio: '$5/M' } } });
  const price = { input: '$5/M', output: '$25/M' } as const;
  createTollgate({ limits, prices: { opus: [price, { ...price, from: '2026-12-01' }] } });
  // @ts-expect-error: a later price has a date
  createTollgate({ limits, prices: { opus: [price, price] } });
  // @ts-expect-error: the price of others is one too
  createTollgate({ limits, prices: { default: 'free' } });
  // @ts-expect-error: no such status
  createTollgate({ limits, budgetStatus: 403 });
  // @ts-expect-error: no such field
  createTollgate({ limits, alerts: { url: 'https://hooks.example' } });
  // @ts-expect-error: a function or nothing
  createTollgate({ limits, alerts: { log: true } });
}

export async function credits(): Promise<void> {
  same<BudgetState, Awaited<ReturnType<typeof priced.topUp>>>(true);
  await priced.topUp('user', { user: 'u', model: 'opus' }, '$2');
  await priced.resetBudget('company', {});
  // @ts-expect-error: no such budget
  await priced.topUp('users', { user: 'u' }, '$2');
  // @ts-expect-error: no such budget
  await priced.resetBudget('users', { user: 'u' });
  // @ts-expect-error: dollars are text
  await priced.topUp('user', { user: 'u' }, 2);
  // @ts-expect-error: no such dimension
  await priced.topUp('user', { usr: 'u' }, '$2');

  priced.update({
    budgets: { user: { limit: '$6', alertAt: [] } },
    prices: { opus: { input: '$1/M', output: '$2/M' } },
  });
  // @ts-expect-error: no such budget
  priced.update({ budgets: { users: { limit: '$6' } } });
  // @ts-expect-error: a period can't change
  priced.update({ budgets: { user: { per: 'week' } } });
  // @ts-expect-error: no amount
  priced.update({ budgets: { user: { limit: '6$' } } });
  // @ts-expect-error: ladders can't change
  priced.update({ ladders: [['opus']] });

  const { budgets, estimates } = await priced.inspect({ user: 'u' }, { model: 'opus' });
  same<(typeof budgets)[number], BudgetState>(true);
  void estimates[0].model;
  // @ts-expect-error: it may last
  budgets[0].exhaustsAt.toFixed();
}

export function budgetEvents(): void {
  priced.on('budget.threshold', ({ spent, threshold, exhaustsAt = 0 }) => spent * threshold + exhaustsAt);
  priced.on('budget.credited', ({ budget: state }) => same<typeof state, BudgetState>(true));
  priced.on('degraded', ({ from, to }) => from + to);
  // @ts-expect-error: no such event
  priced.on('budget.exhausted', () => {});
}

export const amounts: Money[] = [
  '$5',
  '$0.25',
  '$0.000000001',
  // @ts-expect-error: the sign stands first
  '5$',
  // @ts-expect-error: no sign
  '5',
  // @ts-expect-error: another currency
  '€5',
  // @ts-expect-error: no grouping
  '$1,000',
  // @ts-expect-error: no amount
  '$',
  // @ts-expect-error: dollars are text
  5,
];

export const tokenPrices: TokenPrice[] = [
  '$1.25/M',
  '$0.01/k',
  // @ts-expect-error: for how many tokens?
  '$5',
  // @ts-expect-error: no such scale
  '$5/B',
  // @ts-expect-error: no sign
  '5/M',
];

export const durations: Duration[] = [
  1,
  '30s',
  '1.5h',
  '10ms',
  '2w',
  // @ts-expect-error: no unit
  '30',
  // @ts-expect-error: a word in place of a unit
  '1 minute',
  // @ts-expect-error: no such unit
  '1y',
  // @ts-expect-error: no number
  'm',
];

export const counts: Count[] = [
  0,
  '200k',
  '1.5M',
  // @ts-expect-error: a number that needs no text
  '5',
  // @ts-expect-error: no such scale
  '5G',
  // @ts-expect-error: no number
  'lots',
  // @ts-expect-error: a big integer
  5n,
];

export const rates: Rate[] = [
  '100/h',
  '200k/m',
  '5/10s',
  '1M/d',
  // @ts-expect-error: no time
  '100',
  // @ts-expect-error: no such unit of time
  '100/month',
  // @ts-expect-error: no amount
  '/s',
  // @ts-expect-error: a bare number
  5,
];

export const subjects: Subject[] = [
  {},
  { user: 'u', tenant: 5, key: 'k', plan: 'pro', ip: '192.0.2.1' },
  { user: undefined },
  // @ts-expect-error: a plan is a name
  { plan: 5 },
  // @ts-expect-error: no such dimension, unless an app adds it
  { planet: 'mars' },
];

export async function decisions(): Promise<void> {
  const decision = await gate.admit({ tier: 'cheap' });
  // @ts-expect-error: not known to be admitted
  decision.admission;
  // @ts-expect-error: not known to be refused
  decision.refusal;
  if (decision.admitted) {
    same<typeof decision.admission, Admission>(true);
    // @ts-expect-error: admitted, so not refused
    decision.refusal;
    await decision.admission.settle({ outcome: 'failed', usage: { inputTokens: 5 } });
    await decision.admission.settle({ overloaded: { retryAfterMs: 5000 } });
    // @ts-expect-error: no such outcome
    await decision.admission.settle({ outcome: 'done' });
    // @ts-expect-error: no such count of tokens
    await decision.admission.settle({ usage: { total: 5 } });
    // @ts-expect-error: an id stays as it is
    decision.admission.id = 'other';
  } else {
    same<typeof decision.refusal, Refusal>(true);
    // @ts-expect-error: refused, so not admitted
    decision.admission;
    // @ts-expect-error: it may be that it can never be admitted
    decision.refusal.retryAfterMs.toFixed();
  }
}

export function events(): void {
  gate.on('refused', ({ refusal }) => same<typeof refusal, Refusal>(true));
  gate.on('shadow.refused', ({ layer }) => layer.layer.length);
  // @ts-expect-error: no such event
  gate.on('refuse', () => {});
  // @ts-expect-error: nothing was refused
  gate.on('admitted', ({ refusal }) => refusal);
}
