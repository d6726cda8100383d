/** Express, either version: as the contract's harness, and as a bench for tests of Express alone. */
import { Readable } from 'node:stream';
import { apiKeyOf, type TollgateOptions, type TollHandler, toll, tollgate } from '@tollgate/express';
import express5, { type ErrorRequestHandler, type Express, type RequestHandler, type Response } from 'express';
import express4 from 'express4';
import { type Annotation, type Answer, bearsStatus, type Harness, type Step } from '../conformance/adapter/harness.js';
import { benchOf, type GateBench, identify, makeGate } from './http-gate.js';
import { listen } from './http-server.js';

export function expressHarness(createApp: typeof express5): Harness {
  return ({
    gate,
    options,
    refuse,
    trustProxy,
    parsesBodies = true,
    before,
    outer,
    earlierHeaders = {},
    routes,
    onError,
  }) => {
    const app = createApp();
    if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
    app.use((_req, res, next) => {
      res.set(earlierHeaders);
      next();
    });
    if (before) app.use(middlewareOf(before));
    if (parsesBodies) app.use(createApp.json({ limit: '8mb' }));
    if (outer) app.use(tollgate(outer.gate ?? gate, outer.options));
    const gateOptions: TollgateOptions = { ...options };
    if (refuse) gateOptions.refuse = async (refusal, _req, res) => respond(res, await refuse(refusal));
    app.use(tollgate(gate, gateOptions));
    for (const { method = 'GET', path, earlierToll, toll, after, handler } of routes) {
      const verb = method.toLowerCase() as 'get' | 'post' | 'options';
      const tolls = [...annotationOf(earlierToll), ...annotationOf(toll)];
      app[verb](path, ...tolls, ...(after ? [middlewareOf(after)] : []), async (req, res, next) => {
        try {
          respond(res, await handler({ req, admission: req.admission, key: apiKeyOf(req) }));
        } catch (error) {
          next(error);
        }
      });
    }
    app.use(errorHandler(onError));
    return app;
  };
}

export function errorHandler(onError: (error: unknown) => void): ErrorRequestHandler {
  return (error, _req, res, next) => {
    onError(error);
    if (res.headersSent || bearsStatus(error)) next(error);
    else res.status(500).type('text').send('app error');
  };
}

function middlewareOf(step: Step): RequestHandler {
  return async (req, res, next) => {
    try {
      await step(req, res);
    } catch (error) {
      next(error);
      return;
    }
    if (!res.writableEnded) next();
  };
}

function annotationOf(annotation: Annotation | 'free' | undefined): TollHandler[] {
  if (annotation === undefined) return [];
  if (annotation === 'free') return [toll.free];
  const { tier, ...options } = annotation;
  return [toll(tier, options)];
}

function respond(res: Response, { status, headers = {}, body = '' }: Answer): void {
  if (status !== undefined) res.status(status);
  res.set(headers);
  if (body instanceof Readable) body.pipe(res);
  else res.send(body);
}

/** Both versions that the adapter serves, for `describe.each`. */
export const EXPRESS = [
  ['Express 4', express4, 4],
  ['Express 5', express5, 5],
] as const;

export interface ExpressBench extends GateBench {
  readonly app: Express;
}

/** An app behind a gate with the usual limits, whose error handler stands last. */
export async function openExpress(
  createApp: typeof express5,
  build: (app: Express) => void,
  options: TollgateOptions = {},
): Promise<ExpressBench> {
  const gate = makeGate();
  const errors: unknown[] = [];
  const app = createApp();
  app.use(tollgate(gate, { identify, ...options }));
  build(app);
  app.use(errorHandler((error) => errors.push(error)));
  return { app, ...benchOf(gate, await listen(app), errors) };
}
