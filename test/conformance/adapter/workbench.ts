/** The bench that the contract's tests stand on: an app with a gate and a clock, and a client for it. */
import type { IncomingMessage, Server } from 'node:http';
import { Readable } from 'node:stream';
import {
  type Admission,
  createTollgate,
  type RequestFacts,
  type Subject,
  type Tollgate,
  type TollgateConfig,
  type TollgateEvents,
} from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { closeServers, deferred, listen, type Reply, type SendOptions, send } from '../../helpers/http-server.js';
import type { Annotation, AppSpec, Harness, Route } from './harness.js';

/** A gate's configuration, and the app that it stands in. */
export interface BenchSpec extends Omit<TollgateConfig, 'clock'>, Partial<Omit<AppSpec, 'gate' | 'onError'>> {}

export interface Bench {
  readonly gate: Tollgate;
  readonly clock: ManualClock;
  readonly server: Server;
  /** What reached the app's error handler. */
  readonly errors: unknown[];
  readonly settlements: TollgateEvents['settled'][];
  send(path: string, options?: SendOptions): Promise<Reply>;
  /** What a limit or budget has counted for a subject. */
  used(layer: string, subject?: Subject, facts?: RequestFacts): Promise<number>;
}

export type Open = (spec: BenchSpec) => Promise<Bench>;

export function workbench(harness: Harness): Open {
  afterEach(closeServers);
  return async (spec) => {
    const { options, refuse, trustProxy, parsesBodies, before, outer, earlierHeaders, routes, ...config } = spec;
    const clock = manualClock();
    const gate = createTollgate<string, string, string, string, string>({ ...config, clock });
    const errors: unknown[] = [];
    const settlements: TollgateEvents['settled'][] = [];
    gate.on('settled', (event) => settlements.push(event));
    const onError = (error: unknown) => void errors.push(error);
    const app: AppSpec = { routes: [], ...spec, gate, onError, options: { identify: subjectOf, ...options } };
    const server = await listen(await harness(app), { maxHeaderSize: 1 << 20 });
    return {
      gate,
      clock,
      server,
      errors,
      settlements,
      send: (path, options) => send(server, path, options),
      async used(layer, subject = {}, facts = {}) {
        const { limits, budgets } = await gate.inspect(subject, facts);
        const state = [...limits, ...budgets].find((one) => one.layer === layer);
        if (!state) throw new Error(`nothing called '${layer}' counts ${JSON.stringify({ ...subject, ...facts })}`);
        return state.used;
      },
    };
  };
}

/** Headers that say, for the workbench's `identify`, on whose behalf a request comes: any values, in ASCII. */
export function as(subject: unknown): Record<string, string> {
  const json = JSON.stringify(subject);
  return {
    'x-subject': json.replace(/[\u007f-\uffff]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`),
  };
}

export function subjectOf(req: IncomingMessage): Subject {
  return JSON.parse((req.headers['x-subject'] as string | undefined) ?? '{}');
}

/** The permits that a request says it costs. */
export const byHeader: Annotation = { tier: 'small', permits: (req) => Number(req.headers['x-permits']) };

export function costing(permits: number | string, subject: unknown = { user: 'ann' }): SendOptions {
  return { headers: { ...as(subject), 'x-permits': String(permits) } };
}

export function problemOf(reply: Reply): Record<string, unknown> {
  return JSON.parse(reply.text);
}

export const ok = () => ({ body: 'ok' });

/** A handler that begins to stream, and does not end. `started` resolves to the admission that it has. */
export function streamingHandler(): { readonly started: Promise<Admission>; readonly handler: Route['handler'] } {
  const started = deferred<Admission>();
  return {
    started: started.promise,
    handler({ admission }) {
      started.resolve(admission as Admission);
      const body = new Readable({ read() {} });
      body.push('first');
      return { body };
    },
  };
}
