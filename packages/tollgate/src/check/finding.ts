/** What is found wrong with a configuration, and the request that tries it out. */
import type { Subject, Tollgate, TollgateConfig } from '@tollgate/core';

export interface Finding {
  /** Where, such as `limits[0]`. */
  readonly path: string;
  /** What will happen, and what to do if that isn't meant. */
  readonly text: string;
}

/** A request with all that the gate counts by, but for a model where none is known to have a price. */
export function trialOf({ dimensions }: Tollgate, { features, ladders, prices }: TollgateConfig) {
  const own = Object.fromEntries([...dimensions].map((dimension) => [dimension, 'any']));
  const unpriced = prices === undefined || 'default' in prices ? 'any' : undefined;
  return {
    subject: { ...own, user: 'someone', tenant: 'someone', key: 'someone', ip: '192.0.2.1' } as Subject,
    feature: features === undefined ? 'any' : features[0],
    route: 'any',
    provider: 'any',
    model: ladders?.[0]?.[0] ?? unpriced,
  };
}
