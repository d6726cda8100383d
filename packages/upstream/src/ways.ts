/** The ways that a call can go, best first: the keys of its provider, then those of the providers that stand in for it. */
import type { Health } from './health.js';
import type { KeyOptions } from './keys/key.js';
import type { Provider } from './providers/provider.js';
import type { CallWay } from './way.js';

/** Who stands in for a provider, and by which of its models. */
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
  readonly standIns: ReadonlyMap<string, readonly StandIn[]>;
  /** A provider's keys, in the order in which they are to go this time. */
  keysOf(provider: string): readonly KeyOptions[];
  readonly health: Health;
}

/** @param model what is asked for, or the admission's rung; `undefined` for what costs no tokens, and isn't failed over */
export function waysOf(roads: Roads, provider: Provider, model: string | undefined, now: number): readonly CallWay[] {
  const ways = waysBy(roads, provider, model, now);
  if (model === undefined) return ways;
  for (const { provider: name, models } of roads.standIns.get(provider.name) ?? []) {
    const standIn = roads.providers.get(name);
    const itsModel = models === undefined ? model : models[model];
    if (standIn && itsModel !== undefined) ways.push(...waysBy(roads, standIn, itsModel, now));
  }
  const isDoubtful = ({ provider }: CallWay) => roads.health.isDoubtful(provider.name);
  return ways.some(isDoubtful) ? [...ways.filter((way) => !isDoubtful(way)), ...ways.filter(isDoubtful)] : ways;
}

function waysBy({ keysOf, health }: Roads, provider: Provider, model: string | undefined, now: number): CallWay[] {
  const family = model === undefined ? '' : provider.family(model);
  return keysOf(provider.name)
    .filter((key) => health.outUntil(provider.name, key.name) <= now)
    .map((key) => ({ name: `${provider.name}/${key.name}`, provider, key, model, family }));
}
