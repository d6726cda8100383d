/** What stores are asked to take. */
import type { Bill, Charge, Rule, Scope, TakeRequest } from '@tollgate/core';
import type { Caller } from './load.js';

const HUGE = Number.MAX_SAFE_INTEGER;
const HOUR_MS = 3_600_000;

const WINDOW: Rule = { kind: 'window', ms: HOUR_MS, parts: 10, partMs: HOUR_MS / 10 };
const BUCKET: Rule = { kind: 'bucket', perMs: 100 / HOUR_MS };

/**
 * Three limits and two budgets. One limit is for all, one by user, one by feature, of which there are few; a budget is by
 * tenant and one by user.
 */
export function fiveMeters(now: number): (caller: Caller) => TakeRequest {
  const all: Scope = { by: [], at: [] };
  const [byUser, byFeature, byTenant] = scopes();
  return requests([
    { scope: all, charges: [charge('all', all, WINDOW)] },
    { scope: byUser, charges: [charge('user', byUser, BUCKET), charge('month', byUser, lasting(700, now))] },
    { scope: byFeature, charges: [charge('feature', byFeature, WINDOW)] },
    { scope: byTenant, charges: [charge('day', byTenant, lasting(23, now))] },
  ]);
}

/** A user's bucket and three budgets. */
export function userMeters(now: number): (caller: Caller) => TakeRequest {
  const [byUser] = scopes();
  const budgets = [1, 23, 700].map((hours) => charge(`${hours} h`, byUser, lasting(hours, now)));
  return requests([{ scope: byUser, charges: [charge('user', byUser, BUCKET), ...budgets] }]);
}

/** New ones each time, as each gate has its own. */
function scopes(): Scope[] {
  return (['user', 'feature', 'tenant'] as const).map((dimension, i) => ({ by: [dimension], at: [i] }));
}

function lasting(hours: number, now: number): Rule {
  return { kind: 'calendar', period: 20_000, startsAt: now - HOUR_MS, resetsAt: now + hours * HOUR_MS };
}

function charge(name: string, scope: Scope, rule: Rule): Charge {
  const unit = rule.kind === 'calendar' ? 'usd' : 'permits';
  const meter = { id: name, name, position: 0, unit, scope } as const;
  return { meter, rule, cost: 1, limit: HUGE, whole: HUGE, whenFull: 'refuse', shadow: false };
}

/** Requests that are charged alike share their bills, as a gate's do. */
function requests(bills: readonly Bill[]): (caller: Caller) => TakeRequest {
  return ({ user, feature, tenant }) => ({
    alternatives: [{ name: 'only', who: [user, feature, tenant], bills }],
  });
}
