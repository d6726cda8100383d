/** The gate of the demo: small windows, quick refills and budgets of cents, so that seconds show what days would. */
import { budget, createTollgate, slidingWindow, steadyClock, tokenBucket } from '@tollgate/core';

export const FEATURES = ['chat', 'summarise', 'embed'] as const;

export type Feature = (typeof FEATURES)[number];

/** From the best to the cheapest. */
export const LADDER = ['sage-large', 'sage-medium', 'sage-small'] as const;

export const MODELS = [...LADDER, 'sage-embed'] as const;

const DAY_MS = 86_400_000;

export type Gate = ReturnType<typeof createGate>;

export function createGate() {
  const sinceMidnight = Date.now() % DAY_MS;
  return createTollgate({
    name: 'demo',
    features: FEATURES,
    limits: [
      slidingWindow({ name: 'global', limit: 350, window: '5s' }),
      tokenBucket({
        name: 'user',
        by: 'user',
        capacity: { free: 40, pro: 120, team: 240 },
        refill: { free: '8/s', pro: '24/s', team: '48/s' },
      }),
      slidingWindow({
        name: 'feature',
        by: ['user', 'feature'],
        limit: { free: 30, pro: 60, team: 120 },
        window: '5s',
      }),
      slidingWindow({ name: 'tokens', by: ['tenant', 'model'], unit: 'tokens', limit: '5k', window: '5s' }),
      // A stricter limit on trial: it counts and reports, and refuses nobody.
      slidingWindow({ name: 'trial', by: 'user', unit: 'requests', limit: 15, window: '5s', mode: 'shadow' }),
    ],
    budgets: [
      budget({ name: 'company-day', limit: '$2', per: 'day' }),
      budget({ name: 'feature-day', by: 'feature', limit: '$1', per: 'day' }),
      budget({
        name: 'user-day',
        by: 'user',
        limit: { free: '$0.01', pro: '$0.08', team: '$0.50' },
        per: 'day',
        // The best model serves the first four fifths; the last tenth is kept for the cheapest.
        degradeAt: [0.8, 0.9],
      }),
    ],
    ladders: [LADDER],
    prices: {
      'sage-large': { input: '$15/M', output: '$75/M' },
      'sage-medium': { input: '$3/M', output: '$15/M' },
      'sage-small': { input: '$0.8125/M', output: '$4.0625/M' },
      'sage-embed': { input: '$0.0205/M', output: '$0/M' },
    },
    // The day begins with the demo, so that the whole run is in one period of the budgets.
    clock: steadyClock(() => Date.now() - sinceMidnight),
  });
}

// From here on a wrong tier, feature or model in `toll` is a compile error.
declare module '@tollgate/core' {
  interface Register {
    gate: Gate;
  }
}
