/** What `tollgate check` finds in configurations that are right. */
import { budget, concurrency, memoryStore, slidingWindow, type TollgateConfig, tokenBucket } from '@tollgate/core';
import { findings } from 'tollgate';

const user = slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' });
const store = memoryStore();
const prices = { opus: { input: '$5/M', output: '$25/M' }, haiku: { input: '$1/M', output: '$5/M' } } as const;

const found = async (config: TollgateConfig) =>
  (await findings({ store, ...config })).map(({ path, text }) => `${path}: ${text}`);

test('nothing in one without surprises', async () => {
  const spend = budget({ name: 'spend', by: 'user', limit: '$5', per: 'day', degradeAt: [0.8], alertAt: [1] });
  const tiers = { small: { permits: 1, inputTokens: 1000, outputTokens: 500 } };
  const second = slidingWindow({ name: 'burst', by: 'user', limit: 60, window: '1s' });
  const limits = [user, second];
  expect(await found({ limits, budgets: [spend], ladders: [['opus', 'haiku']], prices, tiers })).toEqual([]);
});

test.each<[surprise: string, config: TollgateConfig, finding: RegExp]>([
  ['nothing limits', { limits: [] }, /^limits: There are no limits and no budgets/],
  ['all on trial', { limits: [{ ...user, mode: 'shadow' }] }, /^limits: Nothing is ever refused/],
  [
    'nobody is counted apart',
    { limits: [slidingWindow({ name: 'all', limit: 1000, window: '1m' })] },
    /^limits: One client can use up everything/,
  ],
  [
    'a tier that never fits',
    {
      limits: [slidingWindow({ name: 'user', by: 'user', limit: { free: 20, pro: 200, default: 200 }, window: '1m' })],
    },
    /^tiers\.xlarge: It costs 30, and 'user' of plan 'free' holds 20 permits: .*422/,
  ],
  [
    'a request that a budget never has room for',
    {
      limits: [user],
      budgets: [budget({ name: 'spend', by: 'user', limit: '$0.01', per: 'day' })],
      prices: { default: { input: '$1/M', output: '$10/M' } },
      tiers: { large: { permits: 1, inputTokens: 0, outputTokens: 2000 } },
    },
    /^tiers\.large: It costs \$0\.02, and 'spend' holds \$0\.01/,
  ],
  [
    'a tier too costly where features are named',
    { limits: [user], features: ['chat'], tiers: { huge: 1000 } },
    /^tiers\.huge: It costs 1,000, and 'user'/,
  ],
  [
    'a ladder that rises where features are named',
    {
      limits: [user],
      budgets: [budget({ name: 'b', limit: '$5', per: 'day' })],
      ladders: [['haiku', 'opus']],
      prices,
      features: ['chat'],
    },
    /^ladders\[0\]\[1\]: 'opus' costs no less than 'haiku'/,
  ],
  [
    'refills of fewer plans than hold permits',
    {
      limits: [tokenBucket({ name: 'user', by: 'user', capacity: { free: 50, pro: 500 }, refill: { free: '100/h' } })],
    },
    /^limits\[0\]\.refill: .*not free, fails with TOLLGATE_UNKNOWN_PLAN/,
  ],
  [
    'plans without a default',
    { limits: [tokenBucket({ name: 'user', by: 'user', capacity: { free: 50 }, refill: '100/h' })] },
    /^limits\[0\]\.capacity: .*not free, fails with TOLLGATE_UNKNOWN_PLAN/,
  ],
  [
    'a bucket that takes days to fill',
    { limits: [tokenBucket({ name: 'user', by: 'user', capacity: 480, refill: '10/h' })] },
    /^limits\[0\]\.refill: .* 48 h /,
  ],
  [
    'a bucket that one plan takes weeks to fill',
    {
      limits: [
        tokenBucket({
          name: 'user',
          by: 'user',
          capacity: { free: 50, pro: '10k', default: '10k' },
          refill: { free: '50/h', pro: '1k/w', default: '1k/h' },
        }),
      ],
    },
    /^limits\[0\]\.refill: .* of plan 'pro' waits 1,680 h /,
  ],
  ...([60, '999ms'] as const).map((window): [string, TollgateConfig, RegExp] => [
    `a window below a second, written as ${window}`,
    { limits: [user, slidingWindow({ name: 'burst', by: 'user', limit: 30, window })] },
    /^limits\[1\]\.window: It is (60|999) ms .*whole seconds/,
  ]),
  [
    'refills by plans without a default',
    { limits: [tokenBucket({ name: 'user', by: 'user', capacity: 50, refill: { free: '100/h' } })] },
    /^limits\[0\]\.refill: .*not free, fails with TOLLGATE_UNKNOWN_PLAN/,
  ],
  [
    'a budget that is open',
    { limits: [user], budgets: [budget({ name: 'b', limit: '$5', per: 'day', onStoreError: 'open' })], prices },
    /^budgets\[0\]\.onStoreError: /,
  ],
  [
    'degradation without a ladder',
    { limits: [user], budgets: [budget({ name: 'b', limit: '$5', per: 'day', degradeAt: [0.5] })], prices },
    /^budgets\[0\]\.degradeAt: There are no ladders/,
  ],
  [
    'a ladder that rises',
    { limits: [user], budgets: [budget({ name: 'b', limit: '$5', per: 'day' })], ladders: [['haiku', 'opus']], prices },
    /^ladders\[0\]\[1\]: 'opus' costs no less than 'haiku'/,
  ],
  [
    'alerts that nobody hears',
    {
      limits: [user],
      budgets: [budget({ name: 'b', limit: '$5', per: 'day', alertAt: [1] })],
      prices,
      alerts: { log: false },
    },
    /^alerts: /,
  ],
  ...(['5m', 300_000, { interactive: '5m' }, { interactive: 300_000 }] as const).map(
    (maxWait): [string, TollgateConfig, RegExp] => [
      `a wait that outlasts those who wait, written as ${JSON.stringify(maxWait)}`,
      { limits: [user, concurrency({ name: 'c', limit: 4 })], queue: { maxWait } },
      /^queue\.maxWait: .* 5 min/,
    ],
  ),
  ['a store of its own', { limits: [user], store: undefined as never }, /^store: Usage is kept in memory/],
])('%s', async (_, config, finding) => {
  expect(await found(config)).toContainEqual(expect.stringMatching(finding));
});

test('nobody is warned of what only the check asks', async () => {
  const warned = jest.spyOn(process, 'emitWarning').mockImplementation(() => {});
  await found({
    limits: [
      slidingWindow({ name: 'feature', by: ['feature', 'route'], limit: 100, window: '1m' }),
      slidingWindow({ name: 'tokens', by: ['tenant', 'model'], unit: 'tokens', limit: '200k', window: '1m' }),
    ],
    budgets: [budget({ name: 'spend', by: ['key', 'feature'], limit: '$0.01', per: 'day' })],
    ladders: [['opus', 'haiku']],
    prices,
  });
  await found({
    limits: [
      slidingWindow({ name: 'model', by: ['model', 'provider'], limit: 100, window: '1m' }),
      slidingWindow({ name: 'plan', by: ['plan', 'region' as never], limit: 100, window: '1m' }),
    ],
  });
  expect(warned).not.toHaveBeenCalled();
  warned.mockRestore();
});

test('what bodies may say is not held against a tier that says nothing of tokens', async () => {
  const spend = budget({ name: 'spend', by: 'user', limit: '$0.01', per: 'day' });
  expect(await found({ limits: [user], budgets: [spend], ladders: [['opus', 'haiku']], prices })).toEqual([]);
});

test('a wrong configuration is an error with all its problems', async () => {
  await expect(findings({ limits: [{ ...user, limit: -1 }], budgetStatus: 500 as never })).rejects.toThrow(
    /2 problems[\s\S]*limits\[0\]\.limit[\s\S]*budgetStatus/,
  );
});
