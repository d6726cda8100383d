/**
 * What an app is checked for that registers its gate and adds a dimension. A project of its own, since both hold for
 * the whole of the program that they stand in. By `tsc -b`; never run.
 */
import { createTollgate, type Dimension, type Subject, slidingWindow, type Tollgate } from '@tollgate/core';
import type { FeatureName, ModelName, TierName } from '@tollgate/core/http';
import { type TollHandler, toll, tollgate } from '@tollgate/express';

declare module '@tollgate/core' {
  interface Subject {
    region?: string;
  }
  interface Register {
    gate: typeof gate;
  }
}

const gate = createTollgate({
  tiers: { cheap: 1, dear: 10 },
  limits: [
    slidingWindow({ name: 'region', by: ['region', 'user'], limit: ({ region }) => (region ? 5 : 1), window: '1m' }),
    // @ts-expect-error: no such dimension
    slidingWindow({ name: 'planet', by: 'planet', limit: 5, window: '1m' }),
  ],
  features: ['chat', 'embed'],
  ladders: [['best', 'fair']],
  prices: {
    best: { input: '$5/M', output: '$25/M' },
    fair: { input: '$1/M', output: '$5/M' },
    embedder: { input: '$0.02/M', output: '$0/M' },
  },
});

export const tier: TierName = 'cheap';
export const feature: FeatureName = 'chat';
export const models: ModelName[] = ['best', 'fair', 'embedder'];
export const dimension: Dimension = 'region';
export const subject: Subject = { user: 'u', region: 'eu' };

export const tolls: TollHandler[] = [
  toll('cheap', { feature: 'chat' }),
  toll((req) => (req.query.long ? 'dear' : 'cheap'), { feature: () => 'embed' }),
  toll('cheap', { model: 'best', floor: 'fair' }),
  toll('cheap', { model: (req) => req.body.model, floor: () => undefined }),
  // @ts-expect-error: no such model
  toll('cheap', { model: 'bset' }),
  // @ts-expect-error: no such model to go down to
  toll('cheap', { model: 'best', floor: 'fiar' }),
  // @ts-expect-error: a default tier, which this gate has not
  toll('small'),
  // @ts-expect-error: no such tier from a function
  toll(() => 'small'),
  // @ts-expect-error: no such feature
  toll('cheap', { feature: 'chatter' }),
  // @ts-expect-error: no such feature from a function
  toll('cheap', { feature: () => 'chatter' }),
];

export function routes(other: Tollgate): void {
  tollgate(gate, { identify: () => ({ region: 'eu' }), defaultTier: 'dear' });
  tollgate(other, { defaultTier: 'cheap' });
  // @ts-expect-error: a default tier, which this gate has not
  tollgate(gate, { defaultTier: 'small' });
  // @ts-expect-error: a region is text
  tollgate(gate, { identify: () => ({ region: 5 }) });
  // @ts-expect-error: no such dimension
  tollgate(gate, { identify: () => ({ planet: 'mars' }) });
}
