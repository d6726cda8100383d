/** Faults of what clients have chosen: a toll may leave model and floor to them, by a function of the request. */
import { type TollgateError, wrongValue } from '../errors.js';
import type { Tollgate } from '../gate.js';
import type { Toll, TollFacts } from './toll.js';

/**
 * What a gate has thrown at a toll: as it is or, where a function of the request gave a model or floor that can't be, with the
 * status 400 and a message for the client that tells no names, as `http-errors` makes them and Express, Koa and Fastify read
 * them. The `cause` is what was thrown.
 */
export function clientErrorOf<R>(
  { ladderModels }: Tollgate,
  { open }: Toll<R>,
  facts: TollFacts,
  thrown: unknown,
): unknown {
  const { code, problems = [] } = (thrown ?? {}) as Partial<TollgateError>;
  if (code === undefined || problems.length !== 1) return thrown;
  const isKnownFloor = facts.floor !== undefined && ladderModels.has(facts.floor);
  const chosen = chosenBy(problems[0].path, open, isKnownFloor);
  if (chosen === undefined) return thrown;
  const error = wrongValue(code, chosen, facts[chosen], 'a name that is known here', { cause: thrown });
  return Object.assign(error, { status: 400, statusCode: 400, expose: true });
}

function chosenBy(path: string, open: Toll<unknown>['open'], isKnownFloor: boolean): 'model' | 'floor' | undefined {
  if (path === 'floor' && open.includes('floor')) return 'floor';
  // A floor that the app has said is right for the models of its ladder, and wrong with all others.
  const isModel = path === 'model' || (path === 'floor' && isKnownFloor);
  return isModel && open.includes('model') ? 'model' : undefined;
}
