/** Tollgate in an Express app: reads what Express knows, writes refusals, passes on everything else. */
import { type Admission, type May, type Refusal, runWithAdmission, type Tollgate, TollgateError } from '@tollgate/core';
import {
  type Adapter,
  type ConductOptions,
  createConduct,
  type Fact,
  FREE,
  makeToll,
  type Passage,
  passToll,
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
      admission?: Admission;
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

// One name for both builds of this file, which may meet in one process.
const REFUSE = Symbol.for('tollgate.express.refuse');

type Entered = Request & { [REFUSE]?: TollgateOptions['refuse'] };

/**
 * Puts a gate in front of all that is mounted after it. Mount it after CORS, and before or after authentication as
 * `identify` needs; tolls admit where they stand.
 *
 * @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options
 */
export function tollgate(gate: Tollgate, { refuse, ...options }: TollgateOptions = {}): RequestHandler {
  const conduct = createConduct(gate, adapter, options);
  return (req, res, next) => {
    (req as Entered)[REFUSE] = refuse;
    const passage = conduct.enter(req);
    if (passage === undefined) next();
    else answer(passage, req, res, next);
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
  const pay: RequestHandler = (req, res, next) => answer(passToll(req, annotation), req, res, next);
  return Object.assign(pay, { toll: Object.freeze(metadata) });
}

/** Calls `next` once: with what went wrong before the route, or without anything to reach it. */
async function answer(passing: May<Passage>, req: Request, res: Response, next: NextFunction): Promise<void> {
  let passage: Passage;
  try {
    passage = await passing;
    if (passage !== undefined && passage !== 'gone' && !passage.admitted)
      return await refuse(passage.refusal, req, res, next);
  } catch (error) {
    return next(error);
  }
  if (passage === 'gone') return;
  if (passage === undefined) return next();
  req.admission = passage.admission;
  runWithAdmission(passage.admission, next);
}

async function refuse(refusal: Refusal, req: Request, res: Response, next: NextFunction): Promise<void> {
  if (res.headersSent) {
    throw new TollgateError('TOLLGATE_TOO_LATE', `Refused after the response had begun: ${refusal.detail}`);
  }
  res.status(refusal.status);
  const custom = (req as Entered)[REFUSE];
  if (custom) await custom(refusal, req, res, next);
  else res.setHeader('Content-Type', 'application/problem+json').end(JSON.stringify(problemBody(refusal)));
}

const adapter: Adapter<Request> = {
  method: (req) => req.method,
  ip: (req) => req.ip,
  route: (req) => (req.route ? `${req.method} ${req.baseUrl}${req.route.path}` : undefined),
  proxyTrust(req) {
    const trust: unknown = req.app.get('trust proxy');
    return trust === true ? 'all' : trust ? 'some' : 'none';
  },
  header: (req, name) => req.headers[name],
  setHeader(req, name, value) {
    if (!responseTo(req).headersSent) responseTo(req).setHeader(name, value);
  },
  isClosed: (req) => responseTo(req).closed,
  onClose(req, listener) {
    const res = responseTo(req);
    res.once('close', () => listener({ status: res.statusCode, finished: res.writableFinished }));
  },
};

/** Express gives every request its response. */
function responseTo(req: Request): Response {
  return req.res as Response;
}
