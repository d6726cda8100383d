/** A gate with budgets of all kinds, and the ledger that is kept beside it. */
import { budget, createTollgate, type Money, memoryStore, type Tollgate } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { createLedger, type Price, type Terms, type Who } from './oracle-ledger.js';
import { scattered } from './scattered-store.js';

const START = Date.UTC(2026, 0, 4, 17, 20);
const DEARER = Date.UTC(2026, 0, 5, 3);
export const FEATURES = ['chat', 'drafts'];
export const LADDER = ['opus', 'sonnet', 'haiku'];
export const MODELS = [...LADDER, 'solo'];
export const PLANS: Record<string, string | undefined> = { ann: 'free', bob: 'pro', cyd: undefined };
/** Of drafts the answer's length is learned, and is what `likely` reserves, until other answers come. */
export const LEARNED = 12;

function priced(...[input, cachedInput, cacheWrite, output, reasoning]: bigint[]): Price {
  return { input, cachedInput, cacheWrite, output, reasoning };
}

const PRICES: Record<string, Price> = {
  opus: priced(15_000_000_001n, 1_500_000_000n, 18_750_000_000n, 75_000_000_000n, 75_000_000_003n),
  dearer: priced(16_000_000_007n, 1_600_000_000n, 20_000_000_000n, 80_000_000_000n, 0n),
  sonnet: priced(3_000_000_000n, 333_333_333n, 3_750_000_000n, 15_000_000_000n, 15_000_000_000n),
  haiku: priced(999_999_999n, 100_000_000n, 1_250_000_000n, 5_000_000_000n, 4_999_999_999n),
  solo: priced(100_000n, 300_000n, 700_000n, 31_415_900_000n, 27_182_800_000n),
};

export function priceAt(model: string, now: number): Price {
  return PRICES[model === 'opus' && now >= DEARER ? 'dearer' : model];
}

export const written = (nano: bigint): Money =>
  `$${nano / 1_000_000_000n}.${String(nano % 1_000_000_000n).padStart(9, '0')}` as Money;

function priceTag({ input, cachedInput, cacheWrite, output, reasoning }: Price) {
  const tag = (nano: bigint) => `${written(nano)}/M` as const;
  return {
    input: tag(input),
    cachedInput: tag(cachedInput),
    cacheWrite: tag(cacheWrite),
    output: tag(output),
    reasoning: tag(reasoning),
  };
}

export interface Sizes {
  readonly limits: readonly number[];
  readonly percents: readonly number[];
}

const FREE = 1n;
const timesPlan = ({ user = '' }: Who) => ({ free: FREE, pro: 3n })[PLANS[user] ?? ''] ?? 2n;

function termsOf({ limits, percents }: Sizes): Terms[] {
  const [company, user, hourly, model, weekly] = limits.map(BigInt);
  const plain = { timeZone: 'UTC', reserve: 'likely', percents: [] } as const;
  return [
    { ...plain, name: 'company', by: [], per: 'day', timeZone: 'Asia/Kolkata', limit: () => company, percents: [97] },
    { ...plain, name: 'user', by: ['user'], per: 'day', limit: (who) => user * timesPlan(who), percents },
    {
      ...plain,
      name: 'hourly',
      by: ['user', 'feature'],
      per: 'hour',
      limit: () => hourly,
      reserve: 'worst',
      timeZone: 'Asia/Kolkata',
    },
    {
      ...plain,
      name: 'model',
      by: ['model'],
      per: 'hour',
      limit: () => model,
      reserve: 'worst',
      percents: [...percents].reverse().slice(1),
    },
    { ...plain, name: 'weekly', by: ['user'], per: 'week', limit: () => weekly },
  ];
}

/** The gate with its store, and the ledger beside it. */
export async function openBooks(sizes: Sizes) {
  const clock = manualClock(START);
  const wire = scattered(memoryStore());
  const terms = termsOf(sizes);
  const byPlan = ({ limit }: Pick<Terms, 'limit'>) => ({
    free: written(limit({ user: 'ann' })),
    pro: written(limit({ user: 'bob' })),
    default: written(limit({ user: 'cyd' })),
  });
  const gate: Tollgate = createTollgate({
    clock,
    store: wire.store,
    budgets: terms.map(({ percents, ...one }) =>
      budget({ ...one, limit: byPlan(one), degradeAt: percents.map((percent) => percent / 100) }),
    ),
    ladders: [LADDER],
    prices: {
      ...Object.fromEntries(MODELS.map((model) => [model, priceTag(PRICES[model])])),
      opus: [priceTag(PRICES.opus), { ...priceTag(PRICES.dearer), from: new Date(DEARER).toISOString() }],
    },
  });
  gate.on('store.failed', () => {});
  for (const model of MODELS) {
    for (let i = 0; i < 20; i++) {
      const decision = await gate.admit({ subject: { user: 'ann' }, feature: 'drafts', model, permits: 0, usd: '$0' });
      if (decision.admitted) await decision.admission.settle({ usage: { outputTokens: LEARNED }, usd: '$0' });
    }
  }
  return { gate, clock, wire, terms, ledger: createLedger(terms, LADDER, priceAt) };
}

export type Books = Awaited<ReturnType<typeof openBooks>>;
