/** The ways that a call can go, best first: the keys of its provider, then those of the providers that stand in for it. */
import type { Health } from './health/health.js';
import type { KeyOptions } from './keys/key.js';
import { type KeyPool, offerKeys, type PooledKey } from './keys/pool.js';
import type { Provider } from './providers/provider.js';
import { NO_KEY, type OwnRefusal } from './refusals.js';
import { type CallWay, NO_FAMILY } from './way.js';

/** A provider that stands in for another one, and its models. */
export interface StandIn {
  /** The name of a provider of the same wire format. */
  readonly provider: string;
  /**
   * Its models by those that are asked for. A model that isn't named isn't served by it; where there is no map, all are, by
   * their own names.
   */
  readonly models?: { readonly [model: string]: string } | undefined;
}

export interface Roads {
  readonly providers: ReadonlyMap<string, Provider>;
  /** By provider, its keys. */
  readonly pools: ReadonlyMap<string, KeyPool>;
  readonly standIns: ReadonlyMap<string, readonly StandIn[]>;
  /** Keys of another aren't used. Where it isn't given, all are. */
  readonly environment: string | undefined;
  readonly health: Health;
}

/** Who can serve a model, and what it is called there. */
interface Server {
  readonly provider: Provider;
  readonly model: string | undefined;
}

/**
 * Each call of this moves the rotation of keys on. A provider that may still be failing goes last while one call finds out.
 *
 * @param model to be served by; `undefined` for what costs no tokens, and isn't failed over
 */
export function waysOf(roads: Roads, provider: Provider, model: string | undefined, now: number): readonly CallWay[] {
  const ways = serversOf(roads, provider, model).flatMap((server) => waysBy(roads, server, now));
  const isDoubtful = ({ provider }: CallWay) => roads.health.isDoubtful(provider.name);
  return ways.some(isDoubtful) ? [...ways.filter((way) => !isDoubtful(way)), ...ways.filter(isDoubtful)] : ways;
}

function serversOf({ providers, standIns }: Roads, provider: Provider, model: string | undefined): readonly Server[] {
  const own = { provider, model };
  if (model === undefined) return [own];
  const others = (standIns.get(provider.name) ?? []).flatMap(({ provider: name, models }) => {
    const standIn = providers.get(name);
    const its = models === undefined ? model : Object.hasOwn(models, model) ? models[model] : undefined;
    return standIn === undefined || its === undefined ? [] : [{ provider: standIn, model: its }];
  });
  return [own, ...others];
}

function waysBy(roads: Roads, { provider, model }: Server, now: number): readonly CallWay[] {
  const family = model === undefined ? NO_FAMILY : provider.family(model);
  const serves = (key: KeyOptions) => isHere(roads, key) && roads.health.out(key, now) === undefined;
  const keys = offerKeys(poolOf(roads, provider.name), serves);
  const allowed = keys.filter((key) => model === undefined || !roads.health.isForbidden(key, model, now));
  // If no key is allowed the model, the provider itself answers so.
  return (allowed.length > 0 ? allowed : keys).map((key) => ({
    name: `${provider.name}/${key.name}`,
    provider,
    key,
    model,
    family,
  }));
}

function isHere({ environment }: Roads, key: KeyOptions): boolean {
  return environment === undefined || key.environment === undefined || key.environment === environment;
}

/** Why there is no way, and when there is one again. */
export function noWay(roads: Roads, provider: Provider, model: string | undefined, now: number): OwnRefusal {
  const out = serversOf(roads, provider, model).flatMap((server) =>
    poolOf(roads, server.provider.name)
      .keys.filter((key) => !key.isLeaving && isHere(roads, key))
      .flatMap((key) => roads.health.out(key, now) ?? []),
  );
  const until = Math.min(...out.map(({ until }) => until));
  return {
    status: 503,
    title: 'No key in service',
    detail: NO_KEY,
    reason: 'no-key',
    retryAfterMs: Number.isFinite(until) ? until - now : undefined,
    canRetry: out.length > 0,
  };
}

export function poolOf({ pools }: Roads, provider: string): KeyPool {
  return pools.get(provider) as KeyPool;
}

/** The key of a way of this name, as it is now. */
export function keyOf({ pools }: Roads, way: string): PooledKey | undefined {
  const [provider, name] = way.split('/');
  return pools.get(provider)?.keys.find((key) => key.name === name && !key.isLeaving);
}
