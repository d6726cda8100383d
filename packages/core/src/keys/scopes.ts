/** Whether a key may be used for a request. */
import type { KeyScopes } from './key.js';

/** What a toll says that a request is for. Whatever a client may have sent as its model. */
interface Use {
  readonly feature: unknown;
  readonly model: unknown;
}

/** What a key has no right to, of what a request is for. Where a scope is given, a request that doesn't say has none. */
export function lackedScope({ features, models }: KeyScopes, use: Use): keyof Use | undefined {
  if (!includes(features, use.feature)) return 'feature';
  if (!includes(models, use.model)) return 'model';
  return undefined;
}

function includes(scope: readonly string[] | undefined, value: unknown): boolean {
  if (scope === undefined) return true;
  if (typeof value !== 'string') return false;
  return scope.some((one) => (one.endsWith('*') ? value.startsWith(one.slice(0, -1)) : value === one));
}

/** A method or `*`, and a path, with `:name` for a whole segment, and a `*` only at its end. */
const ROUTE = /^(?:\*|[A-Z]+(?:-[A-Z]+)*) \/[^\s*?#]*\*?$/;

export function isRouteScope(value: unknown): value is string {
  return typeof value === 'string' && ROUTE.test(value);
}

/** Routers, and what stands behind them, take such paths for others. */
const AMBIGUOUS = /\\|\/\/|%5c|(?:\/|%2f)(?:\.|%2e){1,2}(?:\/|%2f|$)/i;

/**
 * Whether a key may ask for a path at all: by what the client asks for, which is known wherever the gate stands, and is the
 * same whatever router the path comes to, and whether or not a toll stands there. HEAD counts as GET.
 *
 * @param url as the client sent it
 */
export function maySend({ routes }: KeyScopes, method: string, url: string): boolean {
  if (routes === undefined) return true;
  const [path] = url.split(/[?#]/, 1);
  if (AMBIGUOUS.test(path)) return false;
  const asked = method === 'HEAD' ? 'GET' : method;
  return readRoutes(routes).some(({ verb, path: pattern }) => (verb === '*' || verb === asked) && pattern.test(path));
}

interface Route {
  readonly verb: string;
  readonly path: RegExp;
}

/** By the scopes of keys, which are asked of again and again. */
const read = new WeakMap<readonly string[], readonly Route[]>();

function readRoutes(routes: readonly string[]): readonly Route[] {
  const known = read.get(routes);
  if (known !== undefined) return known;
  const found = routes.map((route) => {
    const [verb, path = ''] = route.split(' ', 2);
    return { verb, path: patternOf(path) };
  });
  read.set(routes, found);
  return found;
}

function patternOf(pattern: string): RegExp {
  const source = pattern
    .replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    .replace(/(?<=\/):[^/]+/g, '[^/]+')
    .replace(/\\\*$/, '.*');
  return new RegExp(`^${source}$`);
}
