/** Changes to a running gate's configuration, as a configuration that is then checked like any other. */
import { DEFAULT_TIERS, type TierCost, type TollgateChange, type TollgateConfig } from './config.js';
import { configError, type Problem } from './errors.js';

/** What a limit may change; all else decides how usage is counted, and would make what is counted so far meaningless. */
const CHANGEABLE = {
  slidingWindow: ['limit', 'mode', 'onStoreError'],
  tokenBucket: ['capacity', 'refill', 'mode', 'onStoreError'],
};

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` for what is not there or can't change */
export function changed(config: TollgateConfig, change: TollgateChange): TollgateConfig {
  const { tiers = {}, limits = {}, ...others } = change;
  const problems: Problem[] = Object.entries(others).map(([field, value]) => ({
    path: field,
    value,
    expected: 'only tiers and limits to change',
  }));
  for (const [name, fields] of Object.entries(limits)) {
    const limit = config.limits.find((one) => one.name === name);
    const known = config.limits.map((one) => `'${one.name}'`).join(', ');
    if (!limit) {
      problems.push({ path: `limits.${name}`, value: fields, expected: `one of the gate's limits: ${known}` });
      continue;
    }
    for (const [field, value] of Object.entries(fields ?? {})) {
      const changeable: readonly string[] = CHANGEABLE[limit.kind];
      if (changeable.includes(field)) continue;
      const expected = `only ${changeable.join(', ')} to change; for anything else make a new gate`;
      problems.push({ path: `limits.${name}.${field}`, value, expected });
    }
  }
  if (problems.length > 0) throw configError(problems);
  return {
    ...config,
    tiers: { ...(config.tiers ?? DEFAULT_TIERS), ...(tiers as Record<string, TierCost>) },
    limits: config.limits.map((limit) => ({ ...limit, ...limits[limit.name] }) as typeof limit),
  };
}
