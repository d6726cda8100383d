/** Changes to a running gate's configuration, as a configuration that is then checked like any other. */
import { DEFAULT_TIERS, type TollgateChange, type TollgateConfig } from './config.js';
import { configError, type Problem, type TollgateError } from './errors.js';
import { isRecord } from './schema.js';
import { type CheckedConfig, validate } from './validate.js';

/** What a limit may change; all else decides how usage is counted, and would make what is counted so far meaningless. */
const CHANGEABLE = {
  slidingWindow: ['limit', 'mode', 'onStoreError'],
  tokenBucket: ['capacity', 'refill', 'mode', 'onStoreError'],
};

/** A configuration as it was given, and as it was read. */
export interface Changed {
  readonly source: TollgateConfig;
  readonly checked: CheckedConfig;
}

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem: what is wrong, not there, or can't change */
export function changed(config: TollgateConfig, change: TollgateChange): Changed {
  const problems: Problem[] = [];
  const { tiers, limits, ...others } = recordAt('change', change, 'an object with tiers or limits', problems);
  for (const [field, value] of Object.entries(others)) {
    problems.push({
      path: field,
      value,
      expected: 'only tiers and limits to change; for anything else make a new gate',
    });
  }
  const newTiers = recordAt('tiers', tiers, 'a map from tiers to what they cost', problems);
  const newLimits = recordAt('limits', limits, "a map from limits' names to changes", problems);
  const known = new Map(config.limits.map((limit) => [limit.name, limit]));
  const names = [...known.keys()].map((name) => `'${name}'`).join(', ');
  const changes = new Map<string, object>();
  for (const [name, value] of Object.entries(newLimits)) {
    const limit = known.get(name);
    if (limit) changes.set(name, changesOf(limit, value, problems));
    else problems.push({ path: `limits.${name}`, value, expected: `one of the gate's limits: ${names}` });
  }
  const source = {
    ...config,
    tiers: { ...(config.tiers ?? DEFAULT_TIERS), ...newTiers },
    limits: config.limits.map((limit) => ({ ...limit, ...changes.get(limit.name) })),
  } as TollgateConfig;
  try {
    const checked = validate(source);
    if (problems.length === 0) return { source, checked };
  } catch (error) {
    problems.push(...(error as TollgateError).problems.map((problem) => byName(problem, config)));
  }
  throw configError(problems);
}

/** The fields of a limit that change. */
function changesOf({ name, kind }: TollgateConfig['limits'][number], change: unknown, problems: Problem[]): object {
  const changeable: readonly string[] = CHANGEABLE[kind];
  const fields = recordAt(`limits.${name}`, change, `an object with some of ${changeable.join(', ')}`, problems);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  for (const [field, value] of given) {
    if (changeable.includes(field)) continue;
    const expected = `only ${changeable.join(', ')} to change; for anything else make a new gate`;
    problems.push({ path: `limits.${name}.${field}`, value, expected });
  }
  return Object.fromEntries(given.filter(([field]) => changeable.includes(field)));
}

function recordAt(path: string, value: unknown, expected: string, problems: Problem[]): Record<string, unknown> {
  if (isRecord(value)) return value;
  if (value !== undefined || path === 'change') problems.push({ path, value, expected });
  return {};
}

/** A change names its limits; the configuration that is checked has them in a list. */
function byName(problem: Problem, { limits }: TollgateConfig): Problem {
  return { ...problem, path: problem.path.replace(/^limits\[(\d+)\]/, (_, i) => `limits.${limits[Number(i)].name}`) };
}
