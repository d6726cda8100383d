/** Express, either version: as the contract's harness, and as a bench for tests of Express alone. */
import type { Server } from 'node:http';
import { Readable } from 'node:stream';
import { createTollgate, type Limit, slidingWindow, type Tollgate } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { type TollgateOptions, type TollHandler, toll, tollgate } from '@tollgate/express';
import express5, { type ErrorRequestHandler, type Express, type Response } from 'express';
import express4 from 'express4';
import type { Annotation, Answer, Harness } from '../conformance/adapter/harness.js';
import { listen } from './http-server.js';

export function expressHarness(createApp: typeof express5): Harness {
  return ({ gate, options, refuse, trustProxy, earlierHeaders = {}, routes, onError }) => {
    const app = createApp();
    if (trustProxy !== undefined) app.set('trust proxy', trustProxy);
    app.use((_req, res, next) => {
      res.set(earlierHeaders);
      next();
    });
    const gateOptions: TollgateOptions = { ...options };
    if (refuse) gateOptions.refuse = async (refusal, _req, res) => respond(res, await refuse(refusal));
    app.use(tollgate(gate, gateOptions));
    for (const { method = 'GET', path, toll, handler } of routes) {
      const verb = method.toLowerCase() as 'get' | 'post' | 'options';
      app[verb](path, ...annotationOf(toll), async (req, res, next) => {
        try {
          respond(res, await handler({ req, admission: req.admission }));
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
    if (res.headersSent) next(error);
    else res.status(500).type('text').send('app error');
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

export interface ExpressBench {
  readonly app: Express;
  readonly gate: Tollgate;
  readonly server: Server;
  /** What reached the app's error handler, which stands last. */
  readonly errors: unknown[];
  /** What a limit has counted for `ann`, on whose behalf all requests come unless `identify` says otherwise. */
  used(layer?: string): Promise<number>;
}

/** An app behind a gate with the limits `user` (permits), `calls` (requests) and `tokens`, each per user. */
export async function openExpress(
  createApp: typeof express5,
  build: (app: Express) => void,
  options: TollgateOptions = {},
): Promise<ExpressBench> {
  const gate = createTollgate({ limits: LIMITS, clock: manualClock() });
  const errors: unknown[] = [];
  const app = createApp();
  app.use(tollgate(gate, { identify: () => ({ user: 'ann' }), ...options }));
  build(app);
  app.use(errorHandler((error) => errors.push(error)));
  const server = await listen(app);
  return { app, gate, server, errors, used: (layer = 'user') => usedByAnn(gate, layer) };
}

export async function usedByAnn(gate: Tollgate, layer = 'user'): Promise<number> {
  const state = (await gate.inspect({ user: 'ann' })).find((one) => one.layer === layer);
  if (!state) throw new Error(`no limit '${layer}'`);
  return state.used;
}

export const LIMITS: readonly Limit[] = [
  slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' }),
  slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 100, window: '1m' }),
  slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' }),
];
