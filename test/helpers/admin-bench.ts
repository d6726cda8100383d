/** A gate, a ring of keys and an admin surface over them, asked over HTTP. */
import type { IncomingMessage, RequestListener, Server } from 'node:http';
import { budget, createTollgate, memoryStore, slidingWindow, type Tollgate, tokenBucket } from '@tollgate/core';
import { type AdminOptions, createAdmin } from '@tollgate/core/admin';
import { type KeyRing, keyRing } from '@tollgate/core/keys';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { listen, type Reply, type SendOptions, send } from './http-server.js';

interface Asked extends Reply {
  readonly json: ReturnType<typeof JSON.parse>;
}

export interface AdminBench {
  readonly gate: Tollgate;
  readonly keys: KeyRing;
  /** Of both. */
  readonly clock: ManualClock;
  readonly server: Server;
  /** A request of the operator's, unless the headers say otherwise; an object is sent as JSON. */
  ask(method: string, path: string, body?: unknown, options?: SendOptions): Promise<Asked>;
}

export const OPERATOR = { 'x-operator': 'yes' };

export type Serve = (options: AdminOptions<IncomingMessage>) => RequestListener | Promise<RequestListener>;

/** @param serve the surface alone, at `/admin`, unless given */
export async function openAdmin(
  options: Partial<AdminOptions<IncomingMessage>> = {},
  serve: Serve = plain,
): Promise<AdminBench> {
  const clock = manualClock(Date.UTC(2026, 0, 1));
  const store = memoryStore();
  const keys = keyRing({ store, clock, limits: { spend: '$5' } });
  const gate: Tollgate = createTollgate({
    name: 'api',
    limits: [
      tokenBucket({ name: 'user', by: 'user', capacity: 100, refill: '100/h' }),
      slidingWindow({ name: 'plan', by: 'tenant', limit: { free: 20, pro: 200 }, window: '1m' }),
    ],
    budgets: [budget({ name: 'spend', by: 'key', limit: keys.limit('spend'), per: 'day' })],
    queue: { concurrency: 8 },
    prices: { cheap: { input: '$1/M', output: '$1/M' } },
    store,
    clock,
  });
  const authorize = ({ headers }: IncomingMessage) => headers['x-operator'] === 'yes' || undefined;
  const server = await listen(await serve({ gates: [gate], keyRing: keys, authorize, ...options }));
  return {
    gate,
    keys,
    clock,
    server,
    async ask(method, path, body, { headers, ...more } = {}) {
      const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
      const reply = await send(server, path, {
        method,
        ...(text !== undefined && { body: text }),
        headers: { ...OPERATOR, ...headers },
        ...more,
      });
      return {
        ...reply,
        json: reply.headers['content-type']?.includes('json') && reply.text !== '' ? JSON.parse(reply.text) : undefined,
      };
    },
  };
}

function plain(options: AdminOptions<IncomingMessage>): RequestListener {
  const admin = createAdmin(options);
  return async (req, res) => {
    const url = (req.url ?? '').replace(/^\/admin/, '');
    const { status, headers, body } = await admin.answer({ request: req, raw: req, url, body: undefined });
    res.writeHead(status, headers).end(body);
  };
}
