/** The gate of the demo: small windows and quick refills, so that a few seconds show what minutes would. */
import { createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';

export const FEATURES = ['chat', 'summarise', 'embed'] as const;

export type Feature = (typeof FEATURES)[number];

export type Gate = ReturnType<typeof createGate>;

export function createGate() {
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
  });
}

// From here on a wrong tier or feature in `toll` is a compile error.
declare module '@tollgate/core' {
  interface Register {
    gate: Gate;
  }
}
