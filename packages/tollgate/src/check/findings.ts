/** What in a configuration is valid, and yet may surprise. */
import { type AdmitRequest, createTollgate, memoryStore, type Tollgate, type TollgateConfig } from '@tollgate/core';
import { parseCount, parseDuration, parseRate } from '@tollgate/core/options';
import { manualClock } from '@tollgate/core/testing';
import { duration } from '../output.js';
import { costly } from './costly.js';
import { type Finding, trialOf } from './finding.js';
import { amountFor, amountsOf, isByPlan, type Layer, plansOf } from './plans.js';

/** A layer of the configuration, and where it stands. */
interface Place {
  readonly path: string;
  readonly layer: Layer;
}

/** Dimensions by which somebody is counted apart from others. */
const WHO = new Set(['user', 'tenant', 'key', 'ip']);

const SECOND_MS = 1000;
const DAY_MS = 86_400_000;
/** How long most proxies and browsers wait for an answer to begin. */
const PATIENCE_MS = 60_000;

/**
 * Looks at a configuration as requests will meet it. Asks no store, and tells nobody.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the configuration
 */
export async function findings(config: TollgateConfig): Promise<readonly Finding[]> {
  const gate = createTollgate({ ...config, store: memoryStore(), clock: manualClock(), alerts: { log: false } });
  const places = placesOf(config);
  try {
    return [
      ...nothingEnforced(places),
      ...nobodyApart(places),
      ...(await costly(gate, config)),
      ...places.flatMap(unknownPlans),
      ...places.flatMap(slowBucket),
      ...places.flatMap(shortWindow),
      ...places.flatMap(openBudget),
      ...unpricedBudgets(config),
      ...degradingNothing(config),
      ...(await risingLadders(gate, config)),
      ...untoldAlerts(config),
      ...longWaits(config),
      ...ownMemory(config),
    ];
  } finally {
    await gate.close();
  }
}

function placesOf({ limits = [], budgets = [] }: TollgateConfig): readonly Place[] {
  return [
    ...limits.map((layer, i) => ({ path: `limits[${i}]`, layer })),
    ...budgets.map((layer, i) => ({ path: `budgets[${i}]`, layer })),
  ];
}

function nothingEnforced(places: readonly Place[]): Finding[] {
  if (places.length === 0)
    return [{ path: 'limits', text: 'There are no limits and no budgets: everything is admitted.' }];
  if (!places.every(({ layer }) => layer.mode === 'shadow')) return [];
  return [{ path: 'limits', text: "Nothing is ever refused: all limits and budgets have mode 'shadow'." }];
}

function nobodyApart(places: readonly Place[]): Finding[] {
  if (places.length === 0 || places.some(({ layer }) => dimensions(layer).some((one) => WHO.has(one)))) return [];
  const text =
    "One client can use up everything: no limit counts a user, tenant, key or ip apart. Add one, such as by: 'user'.";
  return [{ path: 'limits', text }];
}

function dimensions({ by }: Layer): readonly string[] {
  return by === undefined ? [] : typeof by === 'string' ? [by] : by;
}

function unknownPlans({ path, layer }: Place): Finding[] {
  const told = new Set<string>();
  return Object.entries(amountsOf(layer)).flatMap(([field, amount]) => {
    const plans = plansOf([amount]).join(', ');
    if (!isByPlan(amount) || 'default' in amount || told.has(plans)) return [];
    told.add(plans);
    const text = `A request without a plan, or with one that is not ${plans}, fails with TOLLGATE_UNKNOWN_PLAN. Add a 'default' unless that is meant.`;
    return [{ path: `${path}.${field}`, text }];
  });
}

function slowBucket({ path, layer }: Place): Finding[] {
  if (layer.kind !== 'tokenBucket') return [];
  const { capacity, refill } = layer;
  return plansOf([capacity, refill]).flatMap((plan) => {
    const fullMs = (parseCount(amountFor(capacity, plan)) ?? 0) / (parseRate(amountFor(refill, plan)) ?? Infinity);
    if (fullMs <= DAY_MS) return [];
    const whose = plan === undefined ? '' : ` of plan '${plan}'`;
    const text = `Whoever has used it up${whose} waits ${duration(fullMs)} until it is full again.`;
    return [{ path: `${path}.refill`, text }];
  });
}

function shortWindow({ path, layer }: Place): Finding[] {
  const ms = 'window' in layer ? parseDuration(layer.window) : undefined;
  if (ms === undefined || ms >= SECOND_MS) return [];
  const text = `It is ${duration(ms)} (a bare number is milliseconds). Clients are told whole seconds, so whoever is refused comes back later than there is room.`;
  return [{ path: `${path}.window`, text }];
}

function openBudget({ path, layer }: Place): Finding[] {
  if (layer.kind !== 'budget' || layer.onStoreError !== 'open') return [];
  const text = 'While the store is down, spending has no bound: nobody counts it.';
  return [{ path: `${path}.onStoreError`, text }];
}

function unpricedBudgets({ budgets = [], prices }: TollgateConfig): Finding[] {
  if (budgets.length === 0 || prices !== undefined) return [];
  return [
    {
      path: 'prices',
      text: 'There are none, so budgets count only requests that say `usd` themselves; others fail where they name a model or have text.',
    },
  ];
}

function degradingNothing({ budgets = [], ladders = [] }: TollgateConfig): Finding[] {
  if (ladders.length > 0) return [];
  const text = 'There are no ladders, so there is no cheaper model to turn to: it does nothing.';
  return budgets.flatMap(({ degradeAt = [] }, i) =>
    degradeAt.length > 0 ? [{ path: `budgets[${i}].degradeAt`, text }] : [],
  );
}

/** A rung that costs as much as the one before it. */
async function risingLadders(gate: Tollgate, config: TollgateConfig): Promise<Finding[]> {
  const { ladders = [], budgets = [] } = config;
  if (budgets.length === 0) return [];
  const found: Finding[] = [];
  for (const [i, ladder] of ladders.entries()) {
    const prices = await Promise.all(ladder.map((model) => priceOf(gate, { ...trialOf(gate, config), model })));
    for (let rung = 1; rung < ladder.length; rung++) {
      const [before, price] = [prices[rung - 1], prices[rung]];
      if (before === undefined || price === undefined || price < before) continue;
      const text = `'${ladder[rung]}' costs no less than '${ladder[rung - 1]}' before it: whoever is sent there saves nothing.`;
      found.push({ path: `ladders[${i}][${rung}]`, text });
    }
  }
  return found;
}

/** What a common request costs with its model; `undefined` where that isn't known. */
async function priceOf(gate: Tollgate, asked: AdmitRequest): Promise<number | undefined> {
  try {
    const estimate = { inputTokens: 10_000, outputTokens: 1000 };
    const { layers } = await gate.explain({ ...asked, permits: 0, degrade: false, estimate });
    return layers.find(({ unit }) => unit === 'usd')?.cost;
  } catch {
    return undefined;
  }
}

function untoldAlerts({ budgets = [], alerts }: TollgateConfig): Finding[] {
  if (alerts?.log !== false || alerts.webhook !== undefined) return [];
  if (!budgets.some(({ alertAt = [] }) => alertAt.length > 0)) return [];
  return [
    {
      path: 'alerts',
      text: "They reach only listeners to 'budget.threshold': there is no webhook, and nothing is logged.",
    },
  ];
}

function longWaits({ queue }: TollgateConfig): Finding[] {
  const wait = queue?.maxWait;
  const ms = parseDuration(typeof wait === 'object' ? wait.interactive : wait) ?? 0;
  if (ms <= PATIENCE_MS) return [];
  const text = `Most proxies and browsers give up before ${duration(ms)}, so such a wait is in vain.`;
  return [{ path: 'queue.maxWait', text }];
}

function ownMemory({ store }: TollgateConfig): Finding[] {
  if (store !== undefined) return [];
  const text =
    'Usage is kept in memory: each process counts for itself, and a restart forgets. For several, use redisStore.';
  return [{ path: 'store', text }];
}
