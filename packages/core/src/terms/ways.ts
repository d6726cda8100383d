/** Ways to serve a request, such as a provider and a key each: what is asked of the gate where one of them serves it. */
import { type TollgateError, wrongValue } from '../errors.js';
import type { AdmitRequest, Way } from '../request.js';
import { isRecord } from '../schema.js';
import { checkSubject } from '../subject.js';
import type { Ladders } from './ladders.js';

/** A request as one of its ways would serve it. */
export interface Served {
  readonly way: string;
  readonly request: AdmitRequest;
}

/**
 * The request by each of its ways, in their order: what a way says goes before what the request does.
 *
 * @throws TollgateError `TOLLGATE_REQUEST_INVALID` for ways that are none, or not told apart; for a subject that is none; and
 *   for a model of a ladder, since that has ways of its own
 */
export function servedBy(ladders: Ladders, request: AdmitRequest, ways: readonly Way[]): readonly Served[] {
  checkSubject(request.subject);
  if (!Array.isArray(ways) || ways.length === 0) throw wrong('ways', ways, 'a list of at least one way, best first');
  const names = new Set<string>();
  return ways.map((way: unknown, i) => {
    const at = `ways[${i}]`;
    if (!isWay(way)) throw wrong(at, way, "an object with a name, such as { name: 'prod-1', provider: 'openai' }");
    if (names.has(way.name)) throw wrong(`${at}.name`, way.name, 'a name of its own: another way has this one');
    names.add(way.name);
    checkSubject(way.subject, `${at}.subject`);
    checkModel(ladders, way.model === undefined ? 'model' : `${at}.model`, way.model ?? request.model);
    return { way: way.name, request: serve(request, way) };
  });
}

function isWay(way: unknown): way is Way {
  return isRecord(way) && typeof way.name === 'string' && way.name !== '';
}

function serve(request: AdmitRequest, way: Way): AdmitRequest {
  const { provider, model, feature, route, subject } = request;
  return {
    ...request,
    provider: way.provider ?? provider,
    model: way.model ?? model,
    feature: way.feature ?? feature,
    route: way.route ?? route,
    subject: way.subject === undefined ? subject : { ...subject, ...way.subject },
  };
}

function checkModel(ladders: Ladders, field: string, model: unknown): void {
  if (model === undefined) return;
  if (typeof model !== 'string' || model === '') throw wrong(field, model, 'a name, or undefined');
  if (ladders.has(model)) throw wrong(field, model, 'a model of no ladder: a request has ways or a ladder, not both');
}

function wrong(field: string, value: unknown, expected: string): TollgateError {
  return wrongValue('TOLLGATE_REQUEST_INVALID', field, value, expected);
}
