/**
 * How a gate is conducted over HTTP, the same for every framework: who is it, what does it cost, is it admitted, what
 * is the client told, how did it end. What differs between frameworks is in their {@link Adapter}.
 */
import { z } from 'zod';
import type { Admission, Decision } from '../admission.js';
import { showThrown, warn, wrongValue } from '../errors.js';
import type { Tollgate } from '../gate.js';
import { isPromise, type May, type Subject, then } from '../request.js';
import { check, isRecord, optionalFunction } from '../schema.js';
import { A_SUBJECT } from '../subject.js';
import type { Adapter, ResponseEnd } from './adapter.js';
import { addressKey } from './address.js';
import { type Conduct, type Exchange, exchangeOf, exchanges, type Passage } from './exchange.js';
import { abortOnClose, clientGone } from './leaving.js';
import { retryHeaders } from './problem.js';
import { proxyWatch } from './proxy.js';
import { type HeaderStyle, rateLimitHeaders } from './rate-limit-headers.js';
import { makeToll, type TierName, type Toll, type TollFacts } from './toll.js';

/** Options that all adapters share. `F` is how the app answers refusals in a framework. */
export interface ConductOptions<R, F = never> {
  /**
   * On whose behalf a request comes. Where it fails, the request fails as the app's own error. Unless given, callers are
   * told apart by nothing but their address, where limits count by `ip`.
   */
  identify?: (request: R) => May<Subject | undefined>;
  /** What a route without an annotation costs, whatever its body says. Free unless given. */
  defaultTier?: TierName;
  /** Requests to let pass uncharged. */
  skip?: (request: R) => May<boolean>;
  /**
   * `draft` for `RateLimit`, `legacy` for `X-RateLimit-*`, `both`, or `false` for neither, nor for the model that serves;
   * `Retry-After` is sent in any case. `draft` unless given.
   */
  headers?: HeaderStyle;
  /**
   * Responses that give back all that was charged, unless the handler settles. None unless given, else clients could spend
   * by provoking errors.
   */
  refundOn?: (end: ResponseEnd) => boolean;
  /** Bits of an IPv6 address that tell callers apart, from 32 to 128. 56 unless given. */
  ipv6Prefix?: number;
  /** Answers a refused request in place of problem+json. Status and headers are set already. */
  refuse?: F;
}

const NONE: readonly Exchange[] = [];

const MODEL_HEADER = 'Tollgate-Model';

const A_PREFIX = 'a whole number from 32 to 128';

const schema = z.strictObject({
  identify: optionalFunction('(request) => subject'),
  defaultTier: z.custom((value) => typeof value === 'string' && value !== '', { error: "a tier's name" }).optional(),
  skip: optionalFunction('(request) => boolean'),
  headers: z.literal(['draft', 'legacy', 'both', false], { error: "'draft', 'legacy', 'both' or false" }).optional(),
  refundOn: optionalFunction('({ status, finished }) => boolean'),
  ipv6Prefix: z.int(A_PREFIX).min(32, A_PREFIX).max(128, A_PREFIX).optional(),
  refuse: optionalFunction('(refusal, request, ...) => answer'),
});

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options */
export function createConduct<R extends object, S, F>(
  gate: Tollgate,
  adapter: Adapter<R, S>,
  options: ConductOptions<R, F> = {},
): Conduct<R, S, F> {
  check(schema, options);
  const { identify, defaultTier, skip, headers = 'draft', refundOn, ipv6Prefix = 56, refuse } = options;
  const defaultToll = defaultTier === undefined ? undefined : makeToll<R>(defaultTier);
  const countsIp = gate.dimensions.has('ip');
  const countsRoute = gate.dimensions.has('route');
  const watchProxy = proxyWatch(adapter);

  // Where neither the app nor the store promises anything, and no fact is a function, a request is admitted without a
  // promise: one costs more than all the rest.

  function pass(request: R, response: S, toll: Toll<R>): May<Passage> {
    const exchange = exchangeOf(request);
    if (adapter.method(request) === 'OPTIONS') return undefined;
    if (toll.free) return exchange.admission && exempt(response, exchange, exchange.admission);
    if (!skip) return identifyFor(request, response, exchange, toll);
    return then(skip(request), (skipped) => (skipped ? undefined : identifyFor(request, response, exchange, toll)));
  }

  function identifyFor(request: R, response: S, exchange: Exchange, toll: Toll<R>): May<Passage> {
    return then(identify?.(request), (identified) => {
      const subject = subjectOf(request, identified);
      // What no route of its own stands for is not known to be meant for a model.
      const body = gate.countsTokens && toll !== defaultToll ? adapter.body(request) : undefined;
      return then(toll.facts(request), (facts) => admit(request, response, exchange, subject, facts, body));
    });
  }

  function admit(
    request: R,
    response: S,
    exchange: Exchange,
    subject: Subject,
    facts: TollFacts,
    body: unknown,
  ): May<Passage> {
    if (adapter.isClosed(response)) return 'gone';
    const route = facts.route ?? (countsRoute ? routeOf(request) : undefined);
    const { admission } = exchange;
    const leaving = gate.hasLine && admission === undefined ? new AbortController() : undefined;
    const decision = gate.decide(
      { ...facts, subject, route },
      { extending: admission, body, ...(leaving && { signal: leaving.signal }) },
    );
    if (!isPromise(decision)) return keep(response, exchange, decision);
    if (leaving) abortOnClose(adapter, response, decision, leaving);
    return decision.then(
      (decision) => {
        if (!decision.admitted || !adapter.isClosed(response)) return keep(response, exchange, decision);
        exchange.admission = decision.admission;
        return leave(exchange);
      },
      (error) => {
        // Mostly since the admission that was to be changed has been settled, as the response closed meanwhile.
        if (adapter.isClosed(response)) return leave(exchange);
        throw error;
      },
    );
  }

  /** Keeps what was decided, and tells the client how it stands. */
  function keep(response: S, exchange: Exchange, decision: Decision): May<Passage> {
    forgetModel(response, exchange);
    exchange.admission = decision.admitted ? decision.admission : undefined;
    if (decision.admitted) watch(response, exchange);
    return then(tell(response, decision), () => decision);
  }

  function subjectOf(request: R, identified: Subject | undefined): Subject {
    if (identified !== undefined && !isRecord(identified)) {
      throw wrongValue('TOLLGATE_REQUEST_INVALID', 'identify', identified, A_SUBJECT);
    }
    if (!countsIp || identified?.ip !== undefined) return identified ?? {};
    watchProxy(request);
    return { ...identified, ip: addressKey(adapter.ip(request), ipv6Prefix) };
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
    if (headers !== false) setHeaders(response, rateLimitHeaders(await admission.layers('own'), headers));
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
    const failed = (error: unknown) =>
      warn('TOLLGATE_SETTLE_FAILED', `Admission ${admission.id} could not be settled: ${showThrown(error)}`);
    if (!end.finished) admission.abort(clientGone());
    try {
      const concluding = admission.conclude({ outcome: outcomeOf(end) });
      if (isPromise(concluding)) concluding.then(undefined, failed);
    } catch (error) {
      failed(error);
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

  function tell(response: S, decision: Decision): May<void> {
    if (!decision.admitted) {
      const { refusal } = decision;
      setHeaders(response, [...rateLimitHeaders(refusal.layers, headers), ...retryHeaders(refusal)]);
    } else if (headers !== false) {
      const { admission } = decision;
      return then(admission.layers('own'), (layers) =>
        setHeaders(response, [...rateLimitHeaders(layers, headers), ...modelHeader(admission)]),
      );
    }
  }

  /** Which model of a ladder was chosen. */
  function modelHeader({ model }: Admission): [name: string, value: string][] {
    return model !== undefined && gate.ladderModels.has(model) ? [[MODEL_HEADER, model]] : [];
  }

  /** What an earlier toll has told of the model holds no longer. */
  function forgetModel(response: S, { watched }: Exchange): void {
    if (watched && !adapter.isBegun(response)) adapter.removeHeader(response, MODEL_HEADER);
  }

  /** Whoever begins a response before the toll does without. */
  function setHeaders(response: S, fields: readonly (readonly [name: string, value: string])[]): void {
    if (fields.length === 0 || adapter.isBegun(response)) return;
    for (const [name, value] of fields) adapter.setHeader(response, name, value);
  }

  const conduct: Conduct<R, S, F> = {
    refuse,
    pass,
    enter(request, response, hasToll = false) {
      const entered = exchanges.get(request) ?? NONE;
      const exchange = entered.find((one) => one.gate === gate) ?? {
        gate,
        conduct,
        admission: undefined,
        watched: false,
      };
      exchange.conduct = conduct;
      exchanges.set(
        request,
        entered.length === 0 ? [exchange] : [...entered.filter((one) => one !== exchange), exchange],
      );
      return hasToll ? undefined : defaultToll && pass(request, response, defaultToll);
    },
  };
  return conduct;
}
