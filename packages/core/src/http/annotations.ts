/** Annotations that are data, as where a framework keeps a config for each route, and not code of their own. */
import { oneOfNames, type Problem, show, TollgateError } from '../errors.js';
import type { Tollgate } from '../gate.js';
import { isRecord } from '../schema.js';
import { type Fact, FREE, makeToll, type TierName, type Toll, type TollOptions } from './toll.js';

/** What a route costs, as data. */
export interface Annotation<R> extends TollOptions<R> {
  tier: Fact<R, TierName>;
}

/**
 * Reads annotations for a gate, each object once. `undefined` where there is none.
 *
 * The function throws a TollgateError `TOLLGATE_CONFIG_INVALID` with every problem, tiers that the gate lacks included.
 */
export function annotationReader<R>(gate: Tollgate) {
  const tolls = new WeakMap<object, Toll<R>>();
  return (annotation: Annotation<R> | 'free' | undefined, method: string | readonly string[], url = '') => {
    if (annotation === undefined) return undefined;
    if (annotation === 'free') return FREE;
    const toll = tolls.get(annotation) ?? readToll(annotation, gate.tiers, `config.toll of ${method} ${url}`);
    tolls.set(annotation, toll);
    return toll;
  };
}

function readToll<R>(annotation: Annotation<R>, tiers: ReadonlySet<string>, where: string): Toll<R> {
  if (!isRecord(annotation)) {
    const expected = "'free', or what the route costs, such as { tier: 'large' }";
    throw wrong(where, [{ path: 'toll', value: annotation, expected }]);
  }
  const { tier, ...options } = annotation;
  const problems: Problem[] = [];
  if (tier && typeof tier === 'string' && !tiers.has(tier)) {
    problems.push({ path: 'tier', value: tier, expected: oneOfNames(tiers) });
  }
  try {
    const toll = makeToll(tier, options as TollOptions<R>);
    if (problems.length === 0) return toll;
  } catch (error) {
    if (!(error instanceof TollgateError)) throw error;
    problems.push(...error.problems);
  }
  throw wrong(where, problems);
}

function wrong(where: string, problems: readonly Problem[]): TollgateError {
  const all = problems.map(({ path, value, expected }) => `${path}: got ${show(value)}; expected ${expected}`);
  return new TollgateError('TOLLGATE_CONFIG_INVALID', `${where}: ${all.join('. ')}.`, problems);
}
