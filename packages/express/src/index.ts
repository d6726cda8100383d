/** Tollgate in an Express app: reads what Express knows, writes refusals, passes on everything else. */
import { IncomingMessage } from 'node:http';
import {
  type Admission,
  currentAdmission,
  type May,
  type Refusal,
  runWithAdmission,
  type Tollgate,
  TollgateError,
} from '@tollgate/core';
import {
  type Adapter,
  admissionOf,
  asError,
  type Conduct,
  type ConductOptions,
  conductOf,
  createConduct,
  type Fact,
  FREE,
  isPromise,
  makeToll,
  type Passage,
  problemBody,
  type TierName,
  type Toll,
  type TollOptions,
} from '@tollgate/core/http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

declare global {
  namespace Express {
    interface Request {
      /** Of this request, once it has passed a toll. */
      admission?: Admission | undefined;
    }
  }
}

export interface TollgateOptions extends ConductOptions<Request> {
  /** Answers a refused request in place of problem+json. Status and headers are set already. */
  refuse?: (refusal: Refusal, req: Request, res: Response, next: NextFunction) => unknown;
}

/** A route's annotation: a handler that admits where it stands, and says what it is. */
export interface TollHandler extends RequestHandler {
  readonly toll: Readonly<TollOptions<Request> & { tier: Fact<Request, TierName> | 'free' }>;
}

/** A gate's conduct, and how it answers where it refuses. */
type ExpressConduct = Conduct<Request, Response> & { readonly refuse: TollgateOptions['refuse'] };

/**
 * Puts a gate in front of all that is mounted after it. Mount it after CORS, and before or after authentication as
 * `identify` needs; tolls admit where they stand.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function tollgate(gate: Tollgate, { refuse, ...options }: TollgateOptions = {}): RequestHandler {
  const conduct: ExpressConduct = Object.assign(createConduct(gate, adapter, options), { refuse });
  return (req, res, next) => {
    showAdmissions(req);
    answer(() => conduct.enter(req, res), req, res, next);
  };
}

/**
 * Says what a route, or all routes of a router, cost. Where several meet, the last one holds and nothing is charged twice.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function toll(tier: Fact<Request, TierName>, options: TollOptions<Request> = {}): TollHandler {
  return handler(makeToll(tier, options), { ...options, tier });
}

/** Exempts a route from tolls before it and from the default tier. */
toll.free = handler(FREE, { tier: 'free' });

function handler(annotation: Toll<Request>, metadata: TollHandler['toll']): TollHandler {
  const pay: RequestHandler = (req, res, next) =>
    answer(() => conductOf<Request, Response>(req).pass(req, res, annotation), req, res, next);
  return Object.assign(pay, { toll: Object.freeze(metadata) });
}

/** Calls `next` once: with what went wrong before the route, or without anything to reach it. */
function answer(pass: () => May<Passage>, req: Request, res: Response, next: NextFunction): void {
  const fail = (thrown: unknown) => next(asError(thrown));
  let passage: May<Passage>;
  try {
    passage = pass();
  } catch (thrown) {
    fail(thrown);
    return;
  }
  if (isPromise(passage)) passage.then((passed) => proceed(passed, req, res, next, fail), fail);
  else proceed(passage, req, res, next, fail);
}

function proceed(
  passage: Passage,
  req: Request,
  res: Response,
  next: NextFunction,
  fail: (thrown: unknown) => void,
): void {
  if (passage === 'gone') return;
  const admission = admissionOf(req);
  if (passage !== undefined && !passage.admitted) {
    runWithAdmission(undefined, () => refuse(passage.refusal, req, res, next)).catch(fail);
  } else if (admission === currentAdmission()) next();
  else runWithAdmission(admission, next);
}

async function refuse(refusal: Refusal, req: Request, res: Response, next: NextFunction): Promise<void> {
  if (res.headersSent) {
    throw new TollgateError('TOLLGATE_TOO_LATE', `Refused after the response had begun: ${refusal.detail}`);
  }
  res.status(refusal.status);
  const conduct = conductOf(req) as ExpressConduct;
  if (conduct.refuse) await conduct.refuse(refusal, req, res, next);
  else res.setHeader('Content-Type', 'application/problem+json').end(JSON.stringify(problemBody(refusal)));
}

/** What requests inherit from, where it shows their admissions. */
const shown = new WeakSet<object>();

/**
 * Gives requests their `admission`, by way of what they inherit from: Express gives every request a shape of its own, and
 * a property that is added there takes longer than the decision. A request that isn't Express's is given one of its own.
 */
function showAdmissions(req: Request): void {
  const parent: object = Object.getPrototypeOf(req);
  if (shown.has(parent)) return;
  const property = { configurable: true, enumerable: true, get: admissionOfThis, set: setAdmission };
  if (parent === IncomingMessage.prototype || !(req instanceof IncomingMessage)) {
    Object.defineProperty(req, 'admission', property);
    return;
  }
  // The app's prototype inherits from Express's, which inherits from Node's: the middle one serves mounted apps as well.
  let express = parent;
  for (let next = express; next !== IncomingMessage.prototype; next = Object.getPrototypeOf(next)) express = next;
  Object.defineProperty(express, 'admission', property);
  shown.add(parent);
}

function admissionOfThis(this: object): Admission | undefined {
  return admissionOf(this);
}

/** Apps may put something else in its place, as tests do. It stays there: tolls no longer show theirs. */
function setAdmission(this: object, value: unknown): void {
  Object.defineProperty(this, 'admission', { configurable: true, enumerable: true, writable: true, value });
}

const adapter: Adapter<Request, Response> = {
  method: (req) => req.method,
  ip: (req) => req.ip,
  // Without the path that its router is mounted on: where that has parameters, it is the client's choice.
  route: (req) => req.route && String(req.route.path),
  proxyTrust(req) {
    const trust: unknown = req.app.get('trust proxy');
    return trust === true ? 'all' : trust ? 'some' : 'none';
  },
  header: (req, name) => req.headers[name],
  setHeaders(res, headers) {
    if (headers.length === 0 || res.headersSent) return;
    for (const [name, value] of headers) res.setHeader(name, value);
  },
  isClosed: (res) => res.closed,
  onClose(res, listener) {
    res.on('close', () => listener({ status: res.statusCode, finished: res.writableFinished }));
  },
};
