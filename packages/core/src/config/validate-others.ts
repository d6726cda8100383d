/** Reads limits that somebody else counts, as they are configured: limiters of rate-limiter-flexible, and headroom. */
import { z } from 'zod';
import type { HeadroomTerms } from '../meters/charges.js';
import { type HeadroomRule, headroomRule } from '../meters/headroom.js';
import type { Limiter } from '../meters/outside.js';
import { wrongLimit } from '../meters/per-subject.js';
import { windowRule } from '../meters/window.js';
import type { Whom } from '../request.js';
import { oneOf, reading } from '../schema.js';
import { isCost, parseCount } from '../units.js';
import {
  A_COUNT,
  LONGEST_WINDOW,
  layerFields,
  limitFields,
  onStoreError,
  type ReadLayer,
  windowField,
} from './layer-fields.js';

const A_LIMITER =
  'a limiter of rate-limiter-flexible, such as new RateLimiterRedis({ … }); those of a RateLimiterUnion each as a limit of its own';

const NO_BLOCK =
  '0, as a gate gives back what a limiter has counted for a request that is refused, and would end a block by that or prolong it';

export const flexible = z
  .strictObject({
    name: layerFields.name,
    by: layerFields.by,
    mode: layerFields.mode,
    unit: limitFields.unit,
    onStoreError: oneOf(['closed', 'open']),
    kind: z.literal('flexible'),
    limiter: reading(readLimiter),
  })
  .transform(({ name, by, unit, mode, onStoreError, limiter }): ReadLayer => {
    const { points: limit = Number.POSITIVE_INFINITY, duration = 0 } = innermost(limiter);
    const rule = windowRule(duration > 0 ? duration * 1000 : LONGEST_WINDOW, 1);
    const outside = { limiter, isEndless: duration === 0, failsOpen: onStoreError === 'open' };
    const shape = 'outside';
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, whenFull: 'refuse', limit, rule, shape, outside };
  });

function readLimiter(value: unknown, context: z.core.$RefinementCtx): Limiter {
  const limiter = (value ?? {}) as Limiter;
  if (typeof limiter.consume !== 'function' || typeof limiter.get !== 'function') {
    context.addIssue({ code: 'custom', message: A_LIMITER });
    return z.NEVER;
  }
  for (const option of ['blockDuration', 'inMemoryBlockOnConsumed'] as const) {
    if (!((innermost(limiter)[option] ?? 0) > 0)) continue;
    context.addIssue({ code: 'custom', path: [option], message: NO_BLOCK });
  }
  return limiter;
}

/** What counts: wrappers, such as RLWrapperTimeouts, say nothing of it. */
function innermost(limiter: Limiter): Limiter {
  return limiter.limiter === undefined ? limiter : innermost(limiter.limiter);
}

const headroomLimit = reading((value, context): number | ((whom: Whom) => unknown) => {
  if (typeof value === 'function') return value as (whom: Whom) => unknown;
  const limit = parseCount(value);
  if (limit === undefined) context.addIssue({ code: 'custom', message: `${A_COUNT}; or a function of the subject` });
  return limit ?? z.NEVER;
});

export const headroom = z
  .strictObject({
    ...layerFields,
    onStoreError,
    unit: oneOf(['requests', 'tokens', 'inputTokens', 'outputTokens']),
    kind: z.literal('headroom'),
    limit: headroomLimit,
    window: windowField,
  })
  .transform(({ name, by, unit, mode, onStoreError, whenFull, limit, window }): ReadLayer => {
    const headroom = headroomTerms(name, window, limit);
    const none = Number.POSITIVE_INFINITY;
    const rule = headroom.rule(none);
    const shape = `headroom ${window}`;
    return { name, by, unit, shadow: mode === 'shadow', onStoreError, whenFull, limit: none, rule, shape, headroom };
  });

/** Limits that are learned change now and then: rules of more than these are made anew. */
const MOST_RULES = 1000;

function headroomTerms(name: string, ms: number, given: number | ((whom: Whom) => unknown)): HeadroomTerms {
  const rules = new Map<number, HeadroomRule>();
  return {
    limit(whom) {
      if (typeof given === 'number') return given;
      const limit = given(whom());
      if (limit === undefined || limit === Number.POSITIVE_INFINITY || isCost(limit)) return limit;
      throw wrongLimit(name, limit, 'a number from 0 to 2^53 - 1, Infinity, or undefined for what is not counted');
    },
    rule(limit) {
      const known = rules.get(limit);
      if (known !== undefined) return known;
      if (rules.size >= MOST_RULES) rules.clear();
      const rule = headroomRule(ms, limit);
      rules.set(limit, rule);
      return rule;
    },
  };
}
