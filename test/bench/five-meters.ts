import type { Bill, Charge, Rule, Scope, TakeRequest } from '@tollgate/core';
import type { Caller } from './load.js';

const HUGE = Number.MAX_SAFE_INTEGER;
const HOUR_MS = 3_600_000;

/**
 * What stores are asked to take: three limits and two budgets. One limit is for all, one by user, one by feature, of which
 * there are few; a budget is by tenant and one by user.
 */
export function fiveMeters(now: number): (caller: Caller) => TakeRequest {
  const window: Rule = { kind: 'window', ms: HOUR_MS, parts: 10, partMs: HOUR_MS / 10 };
  const bucket: Rule = { kind: 'bucket', perMs: 100 / HOUR_MS };
  const day: Rule = { kind: 'calendar', period: 20_000, startsAt: now - HOUR_MS, resetsAt: now + 23 * HOUR_MS };
  const month: Rule = { ...day, period: 660, resetsAt: now + 700 * HOUR_MS };
  const all: Scope = { by: [], at: [] };
  const [byUser, byFeature, byTenant] = (['user', 'feature', 'tenant'] as const).map(
    (dimension, i): Scope => ({ by: [dimension], at: [i] }),
  );
  const charge = (name: string, scope: Scope, rule: Rule): Charge => {
    const unit = rule.kind === 'calendar' ? 'usd' : 'permits';
    const meter = { id: name, name, position: 0, unit, scope } as const;
    return { meter, rule, cost: 1, limit: HUGE, whole: HUGE, whenFull: 'refuse', shadow: false };
  };
  // Requests that are charged alike share their bills, as a gate's do.
  const bills: readonly Bill[] = [
    { scope: all, charges: [charge('all', all, window)] },
    { scope: byUser, charges: [charge('user', byUser, bucket), charge('month', byUser, month)] },
    { scope: byFeature, charges: [charge('feature', byFeature, window)] },
    { scope: byTenant, charges: [charge('day', byTenant, day)] },
  ];
  let sequence = 0;
  return ({ user, feature, tenant }) => ({
    sequence: sequence++,
    alternatives: [{ name: 'only', who: [user, feature, tenant], bills }],
  });
}
