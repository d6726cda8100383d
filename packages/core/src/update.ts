/** Changes to a running gate's configuration, as a configuration that is then checked like any other. */
import { type Budget, DEFAULT_TIERS, type Limit, type TollgateChange, type TollgateConfig } from './config.js';
import { configError, NOT_SHOWN, type Problem, TollgateError } from './errors.js';
import { isRecord } from './schema.js';
import { type CheckedConfig, validate } from './validate.js';

/** What a limit or budget may change; all else decides how usage is counted, and would make what is counted meaningless. */
const CHANGEABLE = {
  slidingWindow: ['limit', 'mode', 'onStoreError'],
  tokenBucket: ['capacity', 'refill', 'mode', 'onStoreError'],
  budget: ['limit', 'reserve', 'degradeAt', 'alertAt', 'mode', 'onStoreError'],
};

/** A configuration as it was given, and as it was read. */
export interface Changed {
  readonly source: TollgateConfig;
  readonly checked: CheckedConfig;
}

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem: what is wrong, not there, or can't change */
export function changed(config: TollgateConfig, change: TollgateChange): Changed {
  const problems: Problem[] = [];
  const { tiers, prices, limits, budgets, ...others } = recordAt('change', change, A_CHANGE, problems);
  for (const field of Object.keys(others)) {
    problems.push({
      path: field,
      value: NOT_SHOWN,
      expected: 'only tiers, prices, limits and budgets to change; for anything else make a new gate',
    });
  }
  const source = {
    ...config,
    tiers: {
      ...(config.tiers ?? DEFAULT_TIERS),
      ...recordAt('tiers', tiers, 'a map from tiers to what they cost', problems),
    },
    prices: prices ?? config.prices,
    limits: changedLayers('limits', config.limits ?? [], limits, problems),
    budgets: changedLayers('budgets', config.budgets ?? [], budgets, problems),
  } as TollgateConfig;
  try {
    const checked = validate(source);
    if (problems.length === 0) return { source, checked };
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    problems.push(...error.problems.map((problem) => byName(problem, source)));
  }
  throw configError(problems);
}

const A_CHANGE = 'an object with tiers, prices, limits or budgets';

function changedLayers<Layer extends Limit | Budget>(
  field: 'limits' | 'budgets',
  layers: readonly Layer[],
  change: unknown,
  problems: Problem[],
): Layer[] {
  const changes = new Map<string, object>();
  for (const [name, value] of Object.entries(recordAt(field, change, 'a map from names to changes', problems))) {
    const layer = layers.find((layer) => layer.name === name);
    const names = layers.map((layer) => `'${layer.name}'`).join(', ') || 'none, as there are none';
    if (layer) changes.set(name, changesOf(`${field}.${name}`, layer.kind, value, problems));
    else
      problems.push({ path: `${field}.${name}`, value: NOT_SHOWN, expected: `one of the gate's ${field}: ${names}` });
  }
  return layers.map((layer) => ({ ...layer, ...changes.get(layer.name) }));
}

/** The fields that change. */
function changesOf(path: string, kind: keyof typeof CHANGEABLE, change: unknown, problems: Problem[]): object {
  const changeable = CHANGEABLE[kind];
  const fields = recordAt(path, change, `an object with some of ${changeable.join(', ')}`, problems);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  for (const [field] of given) {
    if (changeable.includes(field)) continue;
    const expected = `only ${changeable.join(', ')} to change; for anything else make a new gate`;
    problems.push({ path: `${path}.${field}`, value: NOT_SHOWN, expected });
  }
  return Object.fromEntries(given.filter(([field]) => changeable.includes(field)));
}

function recordAt(path: string, value: unknown, expected: string, problems: Problem[]): Record<string, unknown> {
  if (isRecord(value)) return value;
  if (value !== undefined || path === 'change') problems.push({ path, value, expected });
  return {};
}

/** A change names its layers; the configuration that is checked has them in lists. */
function byName(problem: Problem, { limits = [], budgets = [] }: TollgateConfig): Problem {
  const names = { limits, budgets };
  const path = problem.path.replace(
    /^(limits|budgets)\[(\d+)\]/,
    (_, field: keyof typeof names, i) => `${field}.${names[field][Number(i)].name}`,
  );
  return { ...problem, path };
}
