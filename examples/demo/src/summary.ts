/** Everything that the demo knows at one moment, as plain data: what the view draws and `--json` prints. */
import type { BudgetState, Dimension, LayerState, Subject, Unit } from '@tollgate/core';
import { type BudgetSummary, compare } from './books.js';
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

/** How many requests each model served. */
export type Served = Record<string, number>;

export interface UserSummary extends Totals {
  user: string;
  tenant: string;
  plan: string;
  features: Record<string, Totals>;
  models: Served;
  /** The rung of the ladder that the user was on last. */
  rung: string | undefined;
}

export interface Summary extends Totals {
  seed: number;
  seconds: number;
  reasons: Tally['reasons'];
  layers: LayerSummary[];
  users: UserSummary[];
  features: (Totals & { feature: string })[];
  plans: (Totals & { plan: string; models: Served })[];
  models: Served;
  /** `unattended`: those whose estimate stands, as the app left it at that. */
  settled: Tally['settled'] & { unattended: number };
  tokens: Pick<Tally, 'estimated' | 'actual'>;
  clients: LoadCount;
  provider: ProviderCount;
  budgets: BudgetSummary[];
  /** Every budget agrees with the provider's bill. Until all requests have been settled none need to. */
  agrees: boolean;
  recentRefusals: readonly SeenRefusal[];
}

/** What is running, and what is counted there. */
export interface Demo {
  readonly gate: Gate;
  readonly users: readonly User[];
  readonly features: readonly string[];
  readonly models: readonly string[];
  readonly ladder: readonly string[];
  readonly tally: Tally;
  readonly load: Load;
  readonly provider: Provider;
  readonly seed: number;
  readonly startedAt: number;
}

export async function summarise(demo: Demo): Promise<Summary> {
  const { tally, features, load, provider, seed, startedAt } = demo;
  const users = demo.users.map((user) => userSummary(demo, user));
  const all = totals(users);
  const { limits, budgets } = await states(demo);
  const layers = nearest([...limits, ...budgets]).map(({ layer, by, unit, mode, key, used, limit }) => {
    const refused = tally.refusedBy.get(layer) ?? 0;
    const overBudget = unit === 'usd' ? refused : 0;
    const passed = { requests: all.requests, admitted: all.requests - refused, refused, overBudget };
    return { layer, by, unit, mode, ...passed, nearest: { key, used, limit } };
  });
  const compared = compare(budgets, provider.bill);
  const { succeeded, failed, ignored } = tally.settled;
  const unattended = all.admitted - succeeded - failed - ignored - load.count.inFlight;
  return {
    seed,
    seconds: Math.round((Date.now() - startedAt) / 100) / 10,
    ...all,
    reasons: { ...tally.reasons },
    layers,
    users,
    features: features.map((feature) => ({ feature, ...totals(users.map((user) => user.features[feature])) })),
    plans: [...new Set(users.map(({ plan }) => plan))].map((plan) => {
      const members = users.filter((user) => user.plan === plan);
      return { plan, ...totals(members), models: served(demo, members) };
    }),
    models: served(demo, users),
    settled: { succeeded, failed, ignored, unattended },
    tokens: { estimated: { ...tally.estimated }, actual: { ...tally.actual } },
    clients: structuredClone(load.count),
    provider: { ...provider.count },
    budgets: compared,
    agrees: compared.every(({ agrees }) => agrees),
    recentRefusals: load.recent(),
  };
}

function userSummary(demo: Demo, { user, tenant, plan }: User): UserSummary {
  const { tally, features, ladder } = demo;
  const cells = features.map((feature) => totals([tally.users.get(user)?.get(feature)]));
  const byFeature = Object.fromEntries(features.map((feature, i) => [feature, cells[i]]));
  const rung = [...(tally.models.get(user)?.keys() ?? [])].findLast((model) => ladder.includes(model));
  return { user, tenant, plan, ...totals(cells), features: byFeature, models: served(demo, [{ user }]), rung };
}

function served({ tally, models }: Demo, users: readonly { user: string }[]): Served {
  const count = (model: string) => users.reduce((sum, { user }) => sum + (tally.models.get(user)?.get(model) ?? 0), 0);
  return Object.fromEntries(models.map((model) => [model, count(model)]));
}

function totals(counts: readonly (Counts | undefined)[]): Totals {
  const sum = (count: keyof Counts) => counts.reduce((sum, one) => sum + (one?.[count] ?? 0), 0);
  const [admitted, refused, overBudget] = [sum('admitted'), sum('refused'), sum('overBudget')];
  return { requests: admitted + refused, admitted, refused, overBudget };
}

/** Every limit and budget, as it stands for each that it counts. */
async function states({ gate, users, features, models }: Demo) {
  const facts = [...features.map((feature) => ({ feature })), ...models.map((model) => ({ model }))];
  const subjects: Subject[] = users.map(({ user, tenant, plan }) => ({ user, tenant, plan }));
  const found = await Promise.all(subjects.flatMap((subject) => facts.map((fact) => gate.inspect(subject, fact))));
  return {
    limits: found.flatMap(({ limits }) => limits),
    budgets: once(found.flatMap(({ budgets }) => budgets)),
  };
}

/** In the order of the gate's configuration. */
function once(budgets: readonly BudgetState[]): BudgetState[] {
  const byKey = new Map(budgets.map((budget) => [JSON.stringify([budget.layer, ...budget.key]), budget]));
  const names = [...new Set(budgets.map(({ layer }) => layer))];
  return names.flatMap((name) => [...byKey.values()].filter(({ layer }) => layer === name));
}

/** Every layer, as it stands for whoever is nearest its limit. */
function nearest(states: readonly LayerState[]): LayerState[] {
  const found = new Map<string, LayerState>();
  for (const state of states) {
    const best = found.get(state.layer);
    if (!best || state.used / state.limit > best.used / best.limit) found.set(state.layer, state);
  }
  return [...found.values()];
}
