/**
 * How a gate is conducted over HTTP, the same for every framework: who is it, what does it cost, is it admitted, what
 * is the client told, how did it end. What differs between frameworks is in their {@link Adapter}.
 */
import type { Admission, Decision } from '../admission.js';
import { showThrown, warn, wrongValue } from '../errors.js';
import type { Tollgate } from '../gate.js';
import type { LayerState } from '../meters/layer-state.js';
import { type AdmitRequest, isPromise, type May, type Subject, then } from '../request.js';
import { isRecord } from '../schema.js';
import { A_SUBJECT } from '../subject.js';
import type { Adapter, ResponseEnd } from './adapter.js';
import { addressKey } from './address.js';
import { type ConductOptions, checkOptions } from './conduct-options.js';
import { type Conduct, type Exchange, enterGate, exchangeOf, type Passage } from './exchange.js';
import { abortOnClose, clientGone } from './leaving.js';
import { retryHeaders } from './problem.js';
import { proxyWatch } from './proxy.js';
import { besideOthers, type Fields, rateLimitHeaders } from './rate-limit-headers.js';
import { makeToll, type Toll, type TollFacts } from './toll.js';

const MODEL_HEADER = 'tollgate-model';

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options */
export function createConduct<R extends object, S, F>(
  gate: Tollgate,
  adapter: Adapter<R, S>,
  options: ConductOptions<R, F> = {},
): Conduct<R, S, F> {
  checkOptions(gate, options);
  const { identify, defaultTier, skip, headers = 'draft', refundOn, ipv6Prefix = 56, refuse } = options;
  const defaultToll = defaultTier === undefined ? undefined : makeToll<R>(defaultTier);
  const countsIp = gate.dimensions.has('ip');
  const countsRoute = gate.dimensions.has('route');
  const watchProxy = proxyWatch(adapter);

  // Where neither the app nor the store promises anything, and no fact is a function, a request is admitted without a
  // promise and without a closure: one costs more than all the rest.

  function pass(request: R, response: S, toll: Toll<R>): May<Passage> {
    const exchange = exchangeOf(request);
    if (adapter.method(request) === 'OPTIONS') return undefined;
    if (toll.free) return exchange.admission && exempt(response, exchange, exchange.admission);
    if (skip === undefined) return identifyFor(request, response, exchange, toll);
    return then(skip(request), (skipped) => (skipped ? undefined : identifyFor(request, response, exchange, toll)));
  }

  function identifyFor(request: R, response: S, exchange: Exchange, toll: Toll<R>): May<Passage> {
    const identified = identify?.(request);
    return isPromise(identified)
      ? then(identified, (identified) => askFor(request, response, exchange, toll, identified))
      : askFor(request, response, exchange, toll, identified);
  }

  function askFor(
    request: R,
    response: S,
    exchange: Exchange,
    toll: Toll<R>,
    identified: Subject | undefined,
  ): May<Passage> {
    const subject = subjectOf(request, identified);
    // What no route of its own stands for is not known to be meant for a model.
    const body = gate.countsTokens && toll !== defaultToll ? adapter.body(request) : undefined;
    const facts = toll.facts(request);
    return isPromise(facts)
      ? then(facts, (facts) => admit(request, response, exchange, subject, facts, body))
      : admit(request, response, exchange, subject, facts, body);
  }

  function admit(
    request: R,
    response: S,
    exchange: Exchange,
    subject: Subject | undefined,
    facts: TollFacts,
    body: unknown,
  ): May<Passage> {
    if (adapter.isClosed(response)) return 'gone';
    const route = facts.route ?? (countsRoute ? routeOf(request) : undefined);
    const { admission } = exchange;
    const leaving = gate.hasLine && admission === undefined ? new AbortController() : undefined;
    const asked = requestOf(facts, subject, route);
    const decision = gate.decide(asked, {
      signal: leaving?.signal,
      extending: admission,
      body,
      layers: headers !== false,
    });
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
      throw error;
    }
    if (!decision.admitted || !adapter.isClosed(response)) return keep(response, exchange, decision);
    exchange.admission = decision.admission;
    return leave(exchange);
  }

  /** Keeps what was decided, and tells the client how it stands. */
  function keep(response: S, exchange: Exchange, decision: Decision): May<Passage> {
    forgetModel(response, exchange);
    exchange.admission = decision.admitted ? decision.admission : undefined;
    if (decision.admitted) watch(response, exchange);
    const telling = tell(response, exchange, decision);
    return isPromise(telling) ? then(telling, () => decision) : decision;
  }

  function subjectOf(request: R, identified: Subject | undefined): Subject | undefined {
    if (identified !== undefined && !isRecord(identified)) {
      throw wrongValue('TOLLGATE_REQUEST_INVALID', 'identify', identified, A_SUBJECT);
    }
    if (!countsIp || identified?.ip !== undefined) return identified;
    watchProxy(request);
    const ip = addressKey(adapter.ip(request), ipv6Prefix);
    return Object.assign({ ip }, identified, { ip });
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
    forgetModel(response, exchange);
    await release(exchange);
    if (headers !== false) setHeaders(response, exchange, rateLimitHeaders(await admission.layers(), headers));
  }

  async function leave(exchange: Exchange): Promise<Passage> {
    await release(exchange);
    return 'gone';
  }

  async function release(exchange: Exchange): Promise<void> {
    await exchange.admission?.settle({ outcome: 'ignored' });
    exchange.admission = undefined;
  }

  /** Provisional, since the handler may know better and say so later. */
  function finish({ admission }: Exchange, end: ResponseEnd): void {
    if (!admission) return;
    if (!end.finished) admission.abort(clientGone());
    try {
      const concluding = admission.conclude({ outcome: outcomeOf(end) });
      if (isPromise(concluding)) concluding.then(undefined, (error) => warnOfUnsettled(admission, error));
    } catch (error) {
      warnOfUnsettled(admission, error);
    }
  }

  function outcomeOf(end: ResponseEnd): 'succeeded' | 'failed' | 'ignored' {
    const kept = end.finished && end.status < 500 ? 'succeeded' : 'failed';
    try {
      return refundOn?.(end) ? 'ignored' : kept;
    } catch (error) {
      warn('TOLLGATE_SETTLE_FAILED', `refundOn threw, so nothing is given back: ${showThrown(error)}`);
      return kept;
    }
  }

  function tell(response: S, exchange: Exchange, decision: Decision): May<void> {
    if (!decision.admitted) {
      const { refusal } = decision;
      setHeaders(response, exchange, [...rateLimitHeaders(refusal.layers, headers), ...retryHeaders(refusal)]);
    } else if (headers !== false) {
      const { admission } = decision;
      const layers = decision.layers ?? admission.layers();
      if (isPromise(layers)) return layers.then((layers) => tellOf(response, exchange, admission, layers));
      tellOf(response, exchange, admission, layers);
    }
  }

  /** Where the caller stands and, of a ladder, which model was chosen. */
  function tellOf(response: S, exchange: Exchange, { model }: Admission, layers: readonly LayerState[]): void {
    const fields = rateLimitHeaders(layers, headers);
    if (model !== undefined && gate.ladderModels.has(model)) fields.push([MODEL_HEADER, model]);
    setHeaders(response, exchange, fields);
  }

  /** What an earlier toll has told of the model holds no longer. */
  function forgetModel(response: S, { watched }: Exchange): void {
    if (watched && !adapter.isBegun(response)) adapter.removeHeader(response, MODEL_HEADER);
  }

  /** Whoever begins a response before the toll does without. */
  function setHeaders(response: S, exchange: Exchange, fields: Fields): void {
    if (fields.length === 0 || adapter.isBegun(response)) return;
    for (let i = 0; i < fields.length; i++) {
      const [name, value] = fields[i];
      adapter.setHeader(response, name, besideOthers(adapter.getHeader(response, name), exchange.told, name, value));
    }
    exchange.told = fields;
  }

  const conduct: Conduct<R, S, F> = {
    refuse,
    pass,
    enter(request, response, hasToll = false) {
      enterGate(request, gate, conduct);
      return hasToll ? undefined : defaultToll && pass(request, response, defaultToll);
    },
  };
  return conduct;
}

function warnOfUnsettled({ id }: Admission, error: unknown): void {
  warn('TOLLGATE_SETTLE_FAILED', `Admission ${id} could not be settled: ${showThrown(error)}`);
}

/** All that a toll can say of a request, so that nothing new is forgotten here. */
type Asked = { [F in Exclude<keyof Required<AdmitRequest>, 'provider' | 'ways'>]: AdmitRequest[F] };

/** Field by field: of what is spread the engine makes a new shape for each request, and all that reads it is slow. */
function requestOf(facts: TollFacts, subject: Subject | undefined, route: string | undefined): Asked {
  const { tier, permits, feature, priority, maxWait, whenShed, model, floor, degrade, estimate, usd } = facts;
  return { subject, tier, permits, feature, route, priority, maxWait, whenShed, model, floor, degrade, estimate, usd };
}
