/** Limits and budgets as they are configured, as far as that can be told: no functions, and nothing of what a limiter holds. */
import { z } from 'zod';
import type { Tollgate } from '../gate.js';
import { limit } from './schemas.js';

const amount = limit.nullable().describe('null: without end');
const perPlan = z
  .union([amount, z.record(z.string(), amount)])
  .optional()
  .describe(
    'One for all, or one for each plan; of slots also `min` and `max`. Left out where a function of the subject tells it',
  );
const given = z.union([z.string(), z.number()]).optional();
const shares = z.array(z.number()).optional();

const layer = {
  name: z.string(),
  by: z.array(z.string()).describe('What it counts apart; everything together where it is empty'),
  mode: z.enum(['enforce', 'shadow']),
  limit: perPlan,
  whenFull: z.enum(['refuse', 'wait']).optional(),
  onStoreError: z.enum(['local', 'closed', 'open']).optional(),
};

export const configuredLimit = z
  .object({
    ...layer,
    kind: z.enum(['slidingWindow', 'tokenBucket', 'concurrency', 'headroom', 'flexible']),
    unit: z.string().optional(),
    capacity: perPlan,
    refill: perPlan,
    window: given,
    lease: given,
  })
  .describe('A limit as it is configured now. What was left out is left out here');

export const configuredBudget = z
  .object({
    ...layer,
    per: z.string(),
    timeZone: z.string().optional(),
    reserve: z.enum(['likely', 'worst']).optional(),
    degradeAt: shares,
    alertAt: shares,
  })
  .describe('A budget as it is configured now. What was left out is left out here');

type Layer = Tollgate['limits' | 'budgets'][number];

/** A limiter of somebody else's is not looked at: it may hold whatever its store needs. */
export function configuredOf(layer: Layer): Readonly<Record<string, unknown>> {
  const { by = [], mode = 'enforce' } = layer;
  const limiter = undefined;
  return { ...layer, limiter, by: typeof by === 'string' ? [by] : by, mode };
}
