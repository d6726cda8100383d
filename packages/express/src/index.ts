/** Tollgate in an Express app: reads what Express knows, writes refusals, passes on everything else. */
import { IncomingMessage } from 'node:http';
import type { Admission, Refusal, Tollgate } from '@tollgate/core';
import { type AdminOptions, createAdmin } from '@tollgate/core/admin';
import {
  ADMISSION,
  type Adapter,
  answer,
  asError,
  type ConductOptions,
  conductOf,
  createConduct,
  type Fact,
  FREE,
  isOver,
  isSent,
  makeToll,
  onOver,
  problemBody,
  type TierName,
  type Toll,
  type TollOptions,
} from '@tollgate/core/http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

export {
  apiKeyOf,
  type Fact,
  type FeatureName,
  type ModelName,
  type TierName,
  type TollOptions,
} from '@tollgate/core/http';

declare global {
  namespace Express {
    interface Request {
      /** Of this request, once it has passed a toll. */
      admission?: Admission | undefined;
    }
  }
}

/** Answers a refused request in place of problem+json. Status and headers are set already. */
export type Refuse = (refusal: Refusal, req: Request, res: Response, next: NextFunction) => unknown;

export type TollgateOptions = ConductOptions<Request, Refuse>;

/** A route's annotation: a handler that admits where it stands, and says what it is. */
export interface TollHandler extends RequestHandler {
  readonly toll: Readonly<TollOptions<Request> & { tier: Fact<Request, TierName> | 'free' }>;
}

/**
 * Puts a gate in front of all that is mounted after it. Mount it after CORS, and before or after authentication as
 * `identify` needs; tolls admit where they stand.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function tollgate(gate: Tollgate, options: TollgateOptions = {}): RequestHandler {
  const { enter } = createConduct(gate, adapter, options);
  return (req, res, next) => {
    showAdmissions(req);
    answer(adapter, enter, req, res, next);
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
  const pass = (req: Request, res: Response) => conductOf<Request, Response>(req).pass(req, res, annotation);
  const pay: RequestHandler = (req, res, next) => void answer(adapter, pass, req, res, next);
  return Object.assign(pay, { toll: Object.freeze(metadata) });
}

/**
 * What operators may do, for `app.use('/admin', …)`: keys, budgets, limits, lines and upstreams over HTTP, described by
 * `/admin/openapi.json`. Where the app has parsed a body already, that is taken.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options; also without `authorize`
 */
export function tollgateAdmin(options: AdminOptions<Request>): RequestHandler {
  const admin = createAdmin(options);
  return async (req, res) => {
    const { status, headers, body } = await admin.answer({ request: req, raw: req, url: req.url, body: req.body });
    res.status(status).set(headers).end(body);
  };
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
  if (parent === IncomingMessage.prototype || !(req instanceof IncomingMessage)) {
    Object.defineProperty(req, 'admission', ADMISSION);
    return;
  }
  // The app's prototype inherits from Express's, which inherits from Node's: the middle one serves mounted apps as well.
  let express = parent;
  for (let next = express; next !== IncomingMessage.prototype; next = Object.getPrototypeOf(next)) express = next;
  Object.defineProperty(express, 'admission', ADMISSION);
  shown.add(parent);
}

const adapter: Adapter<Request, Response, NextFunction> = {
  method: (req) => req.method,
  url: (req) => req.originalUrl,
  ip: (req) => req.ip,
  // Without the path that its router is mounted on: where that has parameters, it is the client's choice.
  route: (req) => req.route && String(req.route.path),
  proxyTrust(req) {
    const trust: unknown = req.app.get('trust proxy');
    return trust === true ? 'all' : trust ? 'some' : 'none';
  },
  header: (req, name) => req.headers[name],
  rawHeaders: (req) => req.rawHeaders,
  body: (req) => req.body,
  isBegun: (res) => res.headersSent,
  getHeader: (res, name) => res.getHeader(name),
  setHeader: (res, name, value) => void res.setHeader(name, value),
  removeHeader: (res, name) => res.removeHeader(name),
  isClosed: isOver,
  onClose(res, listener) {
    onOver(res, () => listener({ status: res.statusCode, finished: isSent(res) }));
  },
  refuse(refusal, req, res, next) {
    res.status(refusal.status);
    const { refuse } = conductOf<Request, Response, Refuse>(req);
    if (refuse) return refuse(refusal, req, res, next);
    return res.setHeader('Content-Type', 'application/problem+json').end(JSON.stringify(problemBody(refusal)));
  },
  fail: (thrown, next) => next(asError(thrown)),
};
