/** Everything that the demo knows at one moment, as plain data: what the view draws and `--json` prints. */
import type { Dimension, LayerState, Subject, Unit } from '@tollgate/core';
import type { Gate } from './gate.js';
import type { Load, LoadCount, SeenRefusal } from './load.js';
import type { Provider, ProviderCount } from './provider.js';
import type { User } from './scenario.js';
import type { Counts, Tally } from './tally.js';

export interface Totals extends Counts {
  requests: number;
}

export interface LayerSummary extends Totals {
  layer: string;
  by: readonly Dimension[];
  unit: Unit;
  /** In `shadow` mode what is refused here is admitted all the same. */
  mode: 'enforce' | 'shadow';
  /** Whoever is nearest the limit at this moment. */
  nearest: { key: readonly (string | undefined)[]; used: number; limit: number };
}

export interface UserSummary extends Totals {
  user: string;
  tenant: string;
  plan: string;
  features: Record<string, Totals>;
}

export interface Summary extends Totals {
  seed: number;
  seconds: number;
  reasons: Tally['reasons'];
  layers: LayerSummary[];
  users: UserSummary[];
  features: (Totals & { feature: string })[];
  settled: Tally['settled'];
  tokens: Pick<Tally, 'estimated' | 'actual'>;
  clients: LoadCount;
  provider: ProviderCount;
  recentRefusals: readonly SeenRefusal[];
}

/** What is running, and what is counted there. */
export interface Demo {
  readonly gate: Gate;
  readonly users: readonly User[];
  readonly features: readonly string[];
  readonly models: readonly string[];
  readonly tally: Tally;
  readonly load: Load;
  readonly provider: Provider;
  readonly seed: number;
  readonly startedAt: number;
}

export async function summarise(demo: Demo): Promise<Summary> {
  const { tally, features, load, provider, seed, startedAt } = demo;
  const users = demo.users.map(({ user, tenant, plan }) => {
    const cells = features.map((feature) => totals([tally.users.get(user)?.get(feature)]));
    const byFeature = Object.fromEntries(features.map((feature, i) => [feature, cells[i]]));
    return { user, tenant, plan, ...totals(cells), features: byFeature };
  });
  const all = totals(users);
  const layers = (await nearest(demo)).map(({ layer, by, unit, mode, key, used, limit }) => {
    const refused = tally.refusedBy.get(layer) ?? 0;
    const passed = { requests: all.requests, admitted: all.requests - refused, refused };
    return { layer, by, unit, mode, ...passed, nearest: { key, used, limit } };
  });
  return {
    seed,
    seconds: Math.round((Date.now() - startedAt) / 100) / 10,
    ...all,
    reasons: { ...tally.reasons },
    layers,
    users,
    features: features.map((feature) => ({ feature, ...totals(users.map((user) => user.features[feature])) })),
    settled: { ...tally.settled },
    tokens: { estimated: { ...tally.estimated }, actual: { ...tally.actual } },
    clients: structuredClone(load.count),
    provider: { ...provider.count },
    recentRefusals: load.recent(),
  };
}

function totals(counts: readonly (Counts | undefined)[]): Totals {
  const admitted = counts.reduce((sum, one) => sum + (one?.admitted ?? 0), 0);
  const refused = counts.reduce((sum, one) => sum + (one?.refused ?? 0), 0);
  return { requests: admitted + refused, admitted, refused };
}

/** Every layer of the gate, as it stands for whoever is nearest its limit. */
async function nearest({ gate, users, features, models }: Demo): Promise<LayerState[]> {
  const facts = [...features.map((feature) => ({ feature })), ...models.map((model) => ({ model }))];
  const subjects: Subject[] = users.map(({ user, tenant, plan }) => ({ user, tenant, plan }));
  const asked = subjects.flatMap((subject) => facts.map((fact) => gate.inspect(subject, fact)));
  const found = new Map<string, LayerState>();
  for (const state of (await Promise.all(asked)).flatMap(({ limits }) => limits)) {
    const best = found.get(state.layer);
    if (!best || state.used / state.limit > best.used / best.limit) found.set(state.layer, state);
  }
  return [...found.values()];
}
