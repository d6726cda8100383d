/** `@tollgate/core/flexible`: limiters of rate-limiter-flexible as limits of a gate, with the stores and counts that they have. */
import type { FlexibleLimit, FlexibleOptions } from './config/layers.js';
import type { Limiter } from './meters/outside.js';

export type { FlexibleLimit, FlexibleOptions, Limiter };

/**
 * Makes any limiter of rate-limiter-flexible a limit of a gate: `flexible(new RateLimiterRedis({ … }), { name: 'user', by:
 * 'user' })`. It counts what it counted before: of one dimension the key is its value, of none or several a JSON list of them.
 *
 * It is charged after all other limits and outside their one step. Where it refuses, they are given back, and it too, if it
 * can `reward`. It allows `points` in each fixed window of its `duration`, so up to twice that around an edge; nothing is given
 * back to a window that is over. With a `duration` of 0 what is used never comes back by itself: refusals have no time to come
 * again. It must have no `blockDuration` and no `inMemoryBlockOnConsumed`, or making the gate throws.
 */
export function flexible<const Name extends string>(
  limiter: Limiter,
  options: FlexibleOptions<Name>,
): FlexibleLimit<Name> {
  return { ...options, limiter, kind: 'flexible' };
}
