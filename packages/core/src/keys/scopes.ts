/** Whether a key may be used for a request. */
import type { KeyScopes } from './key.js';

/** What a request is for. */
interface Use {
  readonly route: string | undefined;
  readonly feature: string | undefined;
  readonly model: string | undefined;
}

/** What a key has no right to, of what a request is for. Where a scope is given, a request that doesn't say has none. */
export function lackedScope({ routes, features, models }: KeyScopes, use: Use): keyof Use | undefined {
  if (!includes(routes, use.route)) return 'route';
  if (!includes(features, use.feature)) return 'feature';
  if (!includes(models, use.model)) return 'model';
  return undefined;
}

function includes(scope: readonly string[] | undefined, value: string | undefined): boolean {
  if (scope === undefined) return true;
  if (value === undefined) return false;
  return scope.some((one) => (one.endsWith('*') ? value.startsWith(one.slice(0, -1)) : value === one));
}
