/** What may be asked for and spent. `npx tollgate check policy.ts` looks at it, `replay` tries it on recorded traffic. */
import { budget, concurrency, slidingWindow, type TollgateConfig, tokenBucket } from '@tollgate/core';
import { ring, store } from './keys.js';

/** The most that an answer may have. */
export const OUTPUT_TOKENS = 400;

const policy = {
  name: 'assistant',
  store,
  tiers: {
    small: { permits: 1, outputTokens: 0 },
    large: { permits: 10, outputTokens: OUTPUT_TOKENS },
    // An agent is charged its first call here; each further one draws on that, or has it extended.
    xlarge: { permits: 30, outputTokens: OUTPUT_TOKENS },
  },
  features: ['chat', 'summary', 'agent'],
  limits: [
    slidingWindow({ name: 'all', limit: 6000, window: '1m' }),
    tokenBucket({ name: 'user', by: 'user', capacity: { free: 60, pro: 600 }, refill: { free: '60/h', pro: '600/h' } }),
    slidingWindow({ name: 'tokens', by: 'tenant', unit: 'tokens', limit: '200k', window: '1m', whenFull: 'wait' }),
    concurrency({ name: 'agents', by: ['user', 'feature'], limit: 4 }),
  ],
  budgets: [
    budget({ name: 'company', limit: '$100', per: 'day', alertAt: [0.5, 0.8, 1] }),
    // A team that has spent four fifths of its month goes on with the cheaper model.
    budget({ name: 'team', by: 'tenant', limit: '$300', per: 'month', degradeAt: [0.8] }),
    budget({ name: 'key', by: 'key', limit: ring.limit('spend'), per: 'day', degradeAt: [0.8] }),
  ],
  ladders: [['gpt-5', 'gpt-5-mini']],
  prices: {
    'gpt-5': { input: '$1.25/M', cachedInput: '$0.125/M', output: '$10/M' },
    'gpt-5-mini': { input: '$0.25/M', cachedInput: '$0.025/M', output: '$2/M' },
  },
  queue: { concurrency: 64, fairBy: 'tenant', maxWait: { interactive: '10s', batch: '5m' } },
} as const satisfies TollgateConfig;

export default policy;
