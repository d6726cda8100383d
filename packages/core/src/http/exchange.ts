/** What is known of a request at the gates that it has entered. */
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

/** On requests, under a name that both builds of this file know: they may meet in one process. */
const EXCHANGE = Symbol.for('tollgate.exchange');

interface Entered {
  /** At the gate that was entered last. */
  [EXCHANGE]?: Exchange | undefined;
}

const NO_FIELDS: Fields = [];

/** Lets a gate, entered before or not, be the one that a request has entered last. */
export function enterGate(request: object, gate: Tollgate, conduct: Conduct<never, never>): Exchange {
  const entered = request as Entered;
  const before = entered[EXCHANGE];
  const exchange = leave(entered, gate) ?? {
    gate,
    conduct,
    admission: undefined,
    key: before?.key,
    authenticator: before?.authenticator,
    watched: false,
    told: NO_FIELDS,
    outer: undefined,
  };
  exchange.conduct = conduct;
  exchange.outer = entered[EXCHANGE];
  entered[EXCHANGE] = exchange;
  return exchange;
}

/** Takes out the exchange with a gate, if there is one. */
function leave(entered: Entered, gate: Tollgate): Exchange | undefined {
  const last = entered[EXCHANGE];
  if (last?.gate === gate) {
    entered[EXCHANGE] = last.outer;
    return last;
  }
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
  return (request as Entered)[EXCHANGE]?.admission;
}

/** The same, as what requests inherit: a getter of their `admission`. */
export function admissionOfThis(this: object): Admission | undefined {
  return admissionOf(this);
}

/** The API key that a request has shown; `undefined` where none was asked for. */
export function apiKeyOf(request: object): ApiKey | undefined {
  return (request as Entered)[EXCHANGE]?.key;
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
  const exchange = (request as Entered)[EXCHANGE];
  if (exchange !== undefined) return exchange;
  throw new TollgateError(
    'TOLLGATE_NO_GATE',
    'A route with a toll was reached by a request that had entered no gate. Put tollgate(gate) before the route.',
  );
}
