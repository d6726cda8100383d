/** What is known of a request at the gates that it has entered. */
import { IncomingMessage } from 'node:http';
import type { Admission, Decision } from '../admission.js';
import { TollgateError } from '../errors.js';
import type { Tollgate } from '../gate.js';
import type { ApiKey } from '../keys/key.js';
import type { Authenticator } from '../keys/verification.js';
import type { May } from '../request.js';
import type { Fields } from './rate-limit-headers.js';
import type { Toll } from './toll.js';

/** What became of a request: `undefined` where it passes free, `gone` where nobody waits for an answer any more. */
export type Passage = Decision | 'gone' | undefined;

/** A gate as it is conducted in one place of an app. */
export interface Conduct<R, S, F = unknown> {
  /** How the app answers refusals. */
  readonly refuse: F | undefined;
  /**
   * Makes this the gate that the request's tolls are paid at from here on; where there is a default tier, pays it.
   *
   * @param hasToll the route is known to have a toll of its own, which is paid at once instead
   */
  enter(request: R, response: S, hasToll?: boolean): May<Passage>;
  /** Admits a request, or changes the admission that it has to what this toll says. */
  pass(request: R, response: S, toll: Toll<R>): May<Passage>;
}

/** A request at a gate: one for each of both, wherever and however often the gate is mounted. */
export interface Exchange {
  readonly gate: Tollgate;
  /** As the gate was entered last. */
  conduct: Conduct<never, never>;
  admission: Admission | undefined;
  /** The API key that the request has shown, here or at a gate before, and to whom. */
  key: ApiKey | undefined;
  authenticator: Authenticator | undefined;
  /** The end of the response is listened for. */
  watched: boolean;
  /** The header fields that the client was told last. */
  told: Fields;
  /** At the gate that was entered before this one. */
  outer: Exchange | undefined;
}

/** Names that all copies of this file know: several may meet in one process. */
const EXCHANGE = Symbol.for('tollgate.exchange');
const EXCHANGES = Symbol.for('tollgate.exchanges');

interface Entered {
  /** At the gate that was entered last. */
  [EXCHANGE]?: Exchange | undefined;
}

/**
 * The same of Node's own requests, beside them: Express gives each a shape of its own, and a property more takes longer
 * than the decision, and makes all that Express looks up afterwards take longer too.
 */
const shared = globalThis as { [EXCHANGES]?: WeakMap<object, Exchange> };
shared[EXCHANGES] ??= new WeakMap();
const exchanges = shared[EXCHANGES];

function lastOf(request: object): Exchange | undefined {
  if (!(request instanceof IncomingMessage)) return (request as Entered)[EXCHANGE];
  // What inherits from a request is that request, as where an app hands on one that it has made of it.
  for (let one: unknown = request; one instanceof IncomingMessage; one = Object.getPrototypeOf(one)) {
    const exchange = exchanges.get(one);
    if (exchange !== undefined) return exchange;
  }
  return undefined;
}

function enter(request: object, exchange: Exchange): void {
  if (request instanceof IncomingMessage) exchanges.set(request, exchange);
  else (request as Entered)[EXCHANGE] = exchange;
}

const NO_FIELDS: Fields = [];

/** Lets a gate, entered before or not, be the one that a request has entered last. */
export function enterGate(request: object, gate: Tollgate, conduct: Conduct<never, never>): Exchange {
  const last = lastOf(request);
  if (last?.gate === gate) {
    last.conduct = conduct;
    return last;
  }
  const exchange = leave(last, gate) ?? {
    gate,
    conduct,
    admission: undefined,
    key: last?.key,
    authenticator: last?.authenticator,
    watched: false,
    told: NO_FIELDS,
    outer: undefined,
  };
  exchange.conduct = conduct;
  exchange.outer = last;
  enter(request, exchange);
  return exchange;
}

/** Takes out the exchange with a gate that was entered before the last, if there is one. */
function leave(last: Exchange | undefined, gate: Tollgate): Exchange | undefined {
  for (let one = last; one?.outer !== undefined; one = one.outer) {
    const { outer } = one;
    if (outer.gate !== gate) continue;
    one.outer = outer.outer;
    return outer;
  }
  return undefined;
}

/** The admission that a request has at the gate it entered last. */
export function admissionOf(request: object): Admission | undefined {
  return lastOf(request)?.admission;
}

/** The same, as what requests inherit: a getter of their `admission`. */
export function admissionOfThis(this: object): Admission | undefined {
  return admissionOf(this);
}

/** The API key that a request has shown; `undefined` where none was asked for. */
export function apiKeyOf(request: object): ApiKey | undefined {
  return lastOf(request)?.key;
}

/** The property `admission` of what requests inherit from. Apps may put something else in its place, as tests do: it stays there. */
export const ADMISSION: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get: admissionOfThis,
  set(value) {
    Object.defineProperty(this, 'admission', { configurable: true, enumerable: true, writable: true, value });
  },
};

/**
 * The conduct of the gate that the request entered last, where its tolls are paid.
 *
 * @throws TollgateError `TOLLGATE_NO_GATE` where it has entered none
 */
export function conductOf<R extends object, S, F = unknown>(request: R): Conduct<R, S, F> {
  return exchangeOf(request).conduct as Conduct<R, S, F>;
}

/** @throws TollgateError `TOLLGATE_NO_GATE` where the request has entered none */
export function exchangeOf(request: object): Exchange {
  const exchange = lastOf(request);
  if (exchange !== undefined) return exchange;
  throw new TollgateError(
    'TOLLGATE_NO_GATE',
    'A route with a toll was reached by a request that had entered no gate. Put tollgate(gate) before the route.',
  );
}
