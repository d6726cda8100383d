/** From a request's tier, permits and estimate to what it costs. */
import { type ErrorCode, show, TollgateError } from './errors.js';
import type { AdmitRequest, Cost } from './request.js';
import { checkTokenCounts } from './token-counts.js';
import { A_COST, isCost } from './units.js';
import type { Tier } from './validate.js';

/**
 * Gives what requests cost. What names a tier and says no more, as most do, shares one cost that is made once.
 *
 * The function throws a TollgateError for a tier or feature that is not known, and for permits or estimates that are none.
 */
export function costsBy(
  tiers: ReadonlyMap<string, Tier>,
  features: ReadonlySet<string> | undefined,
): (request: AdmitRequest) => Cost {
  const costs = new Map([...tiers].map(([name, tier]) => [name, tierCost(tier)]));
  return ({ tier, permits, estimate, feature }) => {
    const named = tier === undefined ? undefined : costs.get(tier);
    if (tier !== undefined && !named) throw unknown('TOLLGATE_UNKNOWN_TIER', 'tier', tier, costs.keys());
    if (feature !== undefined && features && !features.has(feature)) {
      throw unknown('TOLLGATE_UNKNOWN_FEATURE', 'feature', feature, features);
    }
    if (named && permits === undefined && estimate === undefined) return named;
    checkTokenCounts('TOLLGATE_REQUEST_INVALID', 'estimate', estimate);
    return {
      requests: 1,
      permits: permitsOf(permits ?? named?.permits),
      inputTokens: estimate?.inputTokens ?? named?.inputTokens ?? 0,
      outputTokens: estimate?.outputTokens ?? named?.outputTokens ?? 0,
    };
  };
}

function tierCost({ permits, inputTokens = 0, outputTokens = 0 }: Tier): Cost {
  return { requests: 1, permits, inputTokens, outputTokens };
}

function permitsOf(value: unknown): number {
  if (isCost(value)) return value;
  throw new TollgateError(
    'TOLLGATE_REQUEST_INVALID',
    `permits: got ${show(value)}; expected ${A_COST} (or name a tier).`,
  );
}

function unknown(code: ErrorCode, field: string, value: unknown, known: Iterable<string>): TollgateError {
  const names = [...known].map((name) => `'${name}'`).join(', ');
  return new TollgateError(code, `${field}: got ${show(value)}; expected one of ${names}.`);
}
