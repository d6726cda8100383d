/** Faults of what clients have chosen: where a toll leaves a fact to a function of the request, what that gives may be theirs. */
import { type TollgateError, wrongValue } from '../errors.js';
import type { Toll, TollFacts } from './toll.js';

/** What is wrong with the one may be due to the other: without a tier there are no permits, and a floor is in one model's ladder. */
const DUE_TO: Partial<Record<keyof TollFacts, keyof TollFacts>> = { permits: 'tier', floor: 'model' };

/** Whose right values are names of the app's, which no client is told. */
const OWN_NAMES: readonly (keyof TollFacts)[] = ['tier', 'feature', 'model', 'floor'];

/**
 * What a gate has thrown at a toll: as it is or, where a function of the request gave the wrong value, with the status 400 and a
 * message for the client, as `http-errors` makes them and Express, Koa and Fastify read them. The `cause` is what was thrown.
 */
export function clientErrorOf<R>({ open }: Toll<R>, facts: TollFacts, thrown: unknown): unknown {
  const { code, problems = [] } = (thrown ?? {}) as Partial<TollgateError>;
  if (code === undefined || problems.length !== 1) return thrown;
  const [{ path, value, expected }] = problems;
  const fact = path.split('.', 1)[0] as keyof TollFacts;
  const chosen = [fact, DUE_TO[fact]].find((one) => one !== undefined && open.includes(one));
  if (chosen === undefined) return thrown;
  const [field, given] = chosen === fact ? [path, value] : [chosen, facts[chosen]];
  const right = OWN_NAMES.includes(chosen) ? 'a name that is known here' : expected;
  const error = wrongValue(code, field, given, right, { cause: thrown });
  return Object.assign(error, { status: 400, statusCode: 400, expose: true });
}
