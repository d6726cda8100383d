/** Changes to a running gate's configuration, as a configuration that is then checked like any other. */
import type { Budget, Limit } from '../config/layers.js';
import { type CheckedConfig, validate } from '../config/validate.js';
import { DEFAULT_TIERS, type TollgateChange, type TollgateConfig } from '../config.js';
import { configError, NOT_SHOWN, type Problem, TollgateError } from '../errors.js';
import { isAdaptive } from '../line/concurrency-options.js';
import type { QueueOptions } from '../line/queue-options.js';
import { isRecord } from '../schema.js';

/** What may change; all else decides how usage is counted or who waits, and would make meaningless what is there. */
const CHANGEABLE = {
  slidingWindow: ['limit', 'mode', 'onStoreError'],
  tokenBucket: ['capacity', 'refill', 'mode', 'onStoreError'],
  concurrency: ['limit', 'mode', 'onStoreError'],
  headroom: ['limit', 'mode', 'onStoreError'],
  flexible: ['mode'],
  budget: ['limit', 'reserve', 'degradeAt', 'alertAt', 'mode', 'onStoreError'],
  queue: ['concurrency', 'maxDepth', 'maxDepthEach', 'maxWait', 'weights'],
};

/** A configuration as it was given, and as it was read. */
export interface Changed {
  readonly source: TollgateConfig;
  readonly checked: CheckedConfig;
}

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem: what is wrong, not there, or can't change */
export function changed(config: TollgateConfig, change: TollgateChange): Changed {
  const problems: Problem[] = [];
  const { tiers, prices, limits, budgets, queue, ...others } = recordAt('change', change, A_CHANGE, problems);
  for (const field of Object.keys(others)) {
    problems.push({
      path: field,
      value: NOT_SHOWN,
      expected: 'only tiers, prices, limits, budgets and queue to change; for anything else make a new gate',
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
    ...changedQueue(config.queue, queue, problems),
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

const A_CHANGE = 'an object with tiers, prices, limits, budgets or queue';

function changedQueue(
  queue: QueueOptions | undefined,
  change: unknown,
  problems: Problem[],
): Pick<TollgateConfig, 'queue'> {
  if (change === undefined) return {};
  if (queue === undefined) {
    const expected = 'no such change, as the gate has no queue; make a new one that does';
    problems.push({ path: 'queue', value: change, expected });
    return {};
  }
  const changes = changesOf('queue', 'queue', change, problems);
  checkFixed('queue.concurrency', queue.concurrency, changes.concurrency, problems);
  return { queue: { ...queue, ...changes } };
}

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
    const path = `${field}.${name}`;
    if (layer) {
      const fields = changesOf(path, layer.kind, value, problems);
      if (layer.kind === 'concurrency') checkFixed(`${path}.limit`, layer.limit, fields.limit, problems);
      changes.set(name, fields);
    } else problems.push({ path, value: NOT_SHOWN, expected: `one of the gate's ${field}: ${names}` });
  }
  return layers.map((layer) => ({ ...layer, ...changes.get(layer.name) }));
}

/** The fields that change. */
function changesOf(
  path: string,
  kind: keyof typeof CHANGEABLE,
  change: unknown,
  problems: Problem[],
): Record<string, unknown> {
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

/** How many slots there are can change where it is said; where it follows what is borne, that goes on. */
function checkFixed(path: string, present: unknown, next: unknown, problems: Problem[]): void {
  if (next === undefined || (present !== undefined && !isAdaptive(present) && !isAdaptive(next))) return;
  const expected =
    present === undefined
      ? 'no such change, as there is none yet; for one make a new gate'
      : 'a fixed limit to change into another; from or to an adaptive one make a new gate';
  problems.push({ path, value: next, expected });
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
