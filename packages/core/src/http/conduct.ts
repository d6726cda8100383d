/**
 * How a gate is conducted over HTTP, the same for every framework: who is it, what does it cost, is it admitted, what
 * is the client told, how did it end. What differs between frameworks is in their {@link Adapter}.
 */
import type { Admission, Decision } from '../admission.js';
import { type ClosedError, wrongValue } from '../errors.js';
import type { Tollgate } from '../gate.js';
import type { ApiKey } from '../keys/key.js';
import { lackedScope } from '../keys/scopes.js';
import { type AdmitRequest, andThen, isPromise, type May, type Subject } from '../request.js';
import { isRecord } from '../schema.js';
import { A_SUBJECT } from '../subject.js';
import type { Adapter } from './adapter.js';
import { addressKey } from './address.js';
import { createAuthentication } from './authentication.js';
import { clientErrorOf } from './client-error.js';
import { type ConductOptions, checkOptions } from './conduct-options.js';
import { finisher } from './ending.js';
import { type Conduct, type Exchange, enterGate, exchangeOf, type Passage } from './exchange.js';
import { scopeRefusal } from './key-problem.js';
import { abortOnClose } from './leaving.js';
import { closedRefusal, type Refusal } from './problem.js';
import { proxyWatch } from './proxy.js';
import { createResponseHeaders } from './response-headers.js';
import { makeToll, type Toll, type TollFacts } from './toll.js';

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options */
export function createConduct<R extends object, S, F>(
  gate: Tollgate,
  adapter: Adapter<R, S>,
  options: ConductOptions<R, F> = {},
): Conduct<R, S, F> {
  checkOptions(gate, options);
  const { authenticate, identify, defaultTier, skip, headers = 'draft', refundOn, ipv6Prefix = 56, refuse } = options;
  const defaultToll = defaultTier === undefined ? undefined : makeToll<R>(defaultTier);
  const finish = finisher(refundOn);
  const told = createResponseHeaders(gate, adapter, headers);
  const countsIp = gate.dimensions.has('ip');
  const countsRoute = gate.dimensions.has('route');
  const watchProxy = proxyWatch(adapter, countsIp ? "Limits count by 'ip'" : 'Bad API keys are counted by address');
  const refusalOfKey = authenticate && createAuthentication(gate, adapter, authenticate, addressOf);

  // Where neither the app nor the store promises anything, and no fact is a function, a request is admitted without a
  // promise and without a closure: one costs more than all the rest.

  function pass(request: R, response: S, toll: Toll<R>): May<Passage> {
    const exchange = exchangeOf(request);
    if (isFree(request)) return undefined;
    if (toll.free) return exchange.admission && exempt(response, exchange, exchange.admission);
    if (skip === undefined) return identifyFor(request, response, exchange, toll);
    return andThen(skip(request), (skipped) => (skipped ? undefined : identifyFor(request, response, exchange, toll)));
  }

  /** What browsers ask before they ask: it shows no key, so where keys are asked for it doesn't come as far. */
  function isFree(request: R): boolean {
    return refusalOfKey === undefined && adapter.method(request) === 'OPTIONS';
  }

  function identifyFor(request: R, response: S, exchange: Exchange, toll: Toll<R>): May<Passage> {
    const identified = identify?.(request, exchange.key);
    return isPromise(identified)
      ? andThen(identified, (identified) => askFor(request, response, exchange, toll, identified))
      : askFor(request, response, exchange, toll, identified);
  }

  function askFor(
    request: R,
    response: S,
    exchange: Exchange,
    toll: Toll<R>,
    identified: Subject | undefined,
  ): May<Passage> {
    const subject = subjectOf(request, identified, exchange.key);
    // What no route of its own stands for is not known to be meant for a model.
    const body = gate.countsTokens && toll !== defaultToll ? adapter.body(request) : undefined;
    const facts = toll.facts(request);
    return isPromise(facts)
      ? andThen(facts, (facts) => admit(request, response, exchange, toll, subject, facts, body))
      : admit(request, response, exchange, toll, subject, facts, body);
  }

  function admit(
    request: R,
    response: S,
    exchange: Exchange,
    toll: Toll<R>,
    subject: Subject | undefined,
    facts: TollFacts,
    body: unknown,
  ): May<Passage> {
    if (adapter.isClosed(response)) return 'gone';
    const { admission, key } = exchange;
    const route = facts.route ?? (countsRoute ? routeOf(request) : undefined);
    // A default tier knows neither feature nor model: the route's own toll does.
    if (key !== undefined && toll !== defaultToll) {
      const lacked = lackedScope(key.scopes, facts);
      if (lacked !== undefined) return forbid(request, response, exchange, key, lacked);
    }
    const leaving = gate.hasLine && admission === undefined ? new AbortController() : undefined;
    const asked = requestOf(facts, subject, route);
    let decision: May<Decision>;
    try {
      decision = gate.decide(asked, {
        signal: leaving?.signal,
        extending: admission,
        body,
        needsModel: toll.open.includes('model'),
        layers: headers !== false,
      });
    } catch (error) {
      return refuseIfClosed(response, exchange, clientErrorOf(gate, toll, facts, error));
    }
    if (!isPromise(decision)) return keep(response, exchange, decision);
    if (leaving !== undefined) abortOnClose(adapter, response, decision, leaving);
    return keepLater(response, exchange, decision);
  }

  async function keepLater(response: S, exchange: Exchange, deciding: Promise<Decision>): Promise<Passage> {
    let decision: Decision;
    try {
      decision = await deciding;
    } catch (error) {
      // Mostly since the admission that was to be changed has been settled, as the response closed meanwhile.
      if (adapter.isClosed(response)) return leave(exchange);
      return refuseIfClosed(response, exchange, error);
    }
    if (!decision.admitted || !adapter.isClosed(response)) return keep(response, exchange, decision);
    exchange.admission = decision.admission;
    return leave(exchange);
  }

  /** A gate that has been closed is no fault of the app's: whoever waited, or comes, is told to come again. */
  async function refuseIfClosed(response: S, exchange: Exchange, error: unknown): Promise<Passage> {
    const { code, id } = (error ?? {}) as Partial<ClosedError>;
    if (code !== 'TOLLGATE_CLOSED' || id === undefined) throw error;
    await release(exchange);
    return keep(response, exchange, { admitted: false, refusal: closedRefusal(id) });
  }

  /** Keeps what was decided, and tells the client how it stands. */
  function keep(response: S, exchange: Exchange, decision: Decision): May<Passage> {
    told.forgetModel(response, exchange);
    exchange.admission = decision.admitted ? decision.admission : undefined;
    if (decision.admitted) watch(response, exchange);
    const telling = told.tell(response, exchange, decision);
    return isPromise(telling) ? andThen(telling, () => decision) : decision;
  }

  /** What a key says holds, whatever else is known of who shows it. */
  function subjectOf(request: R, identified: Subject | undefined, key: ApiKey | undefined): Subject | undefined {
    if (identified !== undefined && !isRecord(identified)) {
      throw wrongValue('TOLLGATE_REQUEST_INVALID', 'identify', identified, A_SUBJECT);
    }
    const known = identified === undefined ? key?.subject : identified;
    const subject = key === undefined || known === key.subject ? known : { ...known, ...key.subject };
    if (!countsIp || subject?.ip !== undefined) return subject;
    const ip = addressOf(request);
    return Object.assign({ ip }, subject, { ip });
  }

  function addressOf(request: R): string | undefined {
    watchProxy(request);
    return addressKey(adapter.ip(request), ipv6Prefix);
  }

  /** HEAD runs the route of GET. */
  function routeOf(request: R): string | undefined {
    const pattern = adapter.route(request);
    const method = adapter.method(request);
    return pattern === undefined ? undefined : `${method === 'HEAD' ? 'GET' : method} ${pattern}`;
  }

  /** Sees to it that the admission is settled when the response ends. */
  function watch(response: S, exchange: Exchange): void {
    if (!exchange.watched) adapter.onClose(response, (end) => finish(exchange, end));
    exchange.watched = true;
  }

  /** Gives back what was charged on the way here, and says so to the client. */
  async function exempt(response: S, exchange: Exchange, admission: Admission): Promise<undefined> {
    told.forgetModel(response, exchange);
    await release(exchange);
    if (headers !== false) told.tellLayers(response, exchange, await admission.layers());
  }

  async function forbid(
    request: R,
    response: S,
    exchange: Exchange,
    key: ApiKey,
    lacked: 'feature' | 'model',
  ): Promise<Passage> {
    const refusal = scopeRefusal(lacked);
    const from = authenticate?.isGuarded ? addressOf(request) : undefined;
    gate.keyRefused({ refusal, why: lacked, key, from });
    await release(exchange);
    return keep(response, exchange, { admitted: false, refusal });
  }

  async function leave(exchange: Exchange): Promise<Passage> {
    await release(exchange);
    return 'gone';
  }

  async function release(exchange: Exchange): Promise<void> {
    await exchange.admission?.settle({ outcome: 'ignored' });
    exchange.admission = undefined;
  }

  function payDefault(request: R, response: S, hasToll: boolean): May<Passage> {
    return hasToll ? undefined : defaultToll && pass(request, response, defaultToll);
  }

  /** @param refusalFor what refuses the request for its key */
  function enterWithKey(
    request: R,
    response: S,
    exchange: Exchange,
    hasToll: boolean,
    refusalFor: (request: R, exchange: Exchange) => May<Refusal | undefined>,
  ): May<Passage> {
    const decide = (refusal: Refusal | undefined) =>
      refusal === undefined
        ? payDefault(request, response, hasToll)
        : keep(response, exchange, { admitted: false, refusal });
    if (skip === undefined) return andThen(refusalFor(request, exchange), decide);
    return andThen(skip(request), (skipped) => (skipped ? undefined : andThen(refusalFor(request, exchange), decide)));
  }

  const conduct: Conduct<R, S, F> = {
    refuse,
    pass,
    enter(request, response, hasToll = false) {
      const exchange = enterGate(request, gate, conduct);
      return refusalOfKey === undefined
        ? payDefault(request, response, hasToll)
        : enterWithKey(request, response, exchange, hasToll, refusalOfKey);
    },
  };
  return conduct;
}

/** All that a toll can say of a request, so that nothing new is forgotten here. */
type Asked = { [F in Exclude<keyof Required<AdmitRequest>, 'provider' | 'ways'>]: AdmitRequest[F] };

/** Field by field: of what is spread the engine makes a new shape for each request, and all that reads it is slow. */
function requestOf(facts: TollFacts, subject: Subject | undefined, route: string | undefined): Asked {
  const { tier, permits, feature, priority, maxWait, whenShed, model, floor, degrade, estimate, usd } = facts;
  return { subject, tier, permits, feature, route, priority, maxWait, whenShed, model, floor, degrade, estimate, usd };
}
