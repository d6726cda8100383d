/** How an upstream stands, for dashboards and logs. There is no secret in it. */
import type { BudgetState, LineState } from '@tollgate/core';
import type { HeadroomGate, KeyHeadroom } from './headroom/headroom.js';
import type { Health } from './health/health.js';
import type { WhyOut } from './health/health-of-keys.js';
import type { PooledKey } from './keys/pool.js';
import type { Roads } from './ways.js';

export interface UpstreamState {
  readonly providers: readonly ProviderState[];
  /** Calls that wait for headroom. */
  readonly line: LineState | undefined;
}

export interface ProviderState {
  readonly name: string;
  /** Until when nothing is sent to it, in milliseconds since 1970; `undefined` where it doesn't cool. */
  readonly coolingUntil: number | undefined;
  readonly keys: readonly KeyState[];
}

export interface KeyState extends Pick<KeyHeadroom, 'families'> {
  readonly name: string;
  readonly environment: string | undefined;
  /** `leaving`: it was taken away, and is here for calls that are under way. */
  readonly state: 'in service' | 'leaving' | WhyOut;
  /** When it is tried again, in milliseconds since 1970; `undefined` where it isn't out of service. */
  readonly outUntil: number | undefined;
  /** Calls that are under way with it in this process. */
  readonly inFlight: number;
  /** Of its daily budget, all processes together; `undefined` where it has none. */
  readonly budget: BudgetState | undefined;
}

export async function inspectUpstream(roads: Roads, headroom: HeadroomGate, now: number): Promise<UpstreamState> {
  const providers = await Promise.all(
    [...roads.pools].map(async ([name, { keys }]) => {
      const until = roads.health.coolingUntil(name);
      return {
        name,
        coolingUntil: until > now ? until : undefined,
        keys: await Promise.all(keys.map((key) => keyState(name, key, roads.health, headroom, now))),
      };
    }),
  );
  return { providers, line: await headroom.line() };
}

async function keyState(
  provider: string,
  key: PooledKey,
  health: Health,
  headroom: HeadroomGate,
  now: number,
): Promise<KeyState> {
  const { name, environment, inFlight, isLeaving, dailyBudget } = key;
  const out = health.out(key, now);
  const { families, spent } = await headroom.inspect(provider, `${provider}/${name}`);
  return {
    name,
    environment,
    state: isLeaving ? 'leaving' : (out?.why ?? 'in service'),
    outUntil: out?.until,
    inFlight,
    families,
    budget: dailyBudget === undefined ? undefined : spent,
  };
}
