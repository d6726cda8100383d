/** What tests of one framework alone stand on: a gate with limits per user, `ann` who asks, and what that costs her. */
import type { Server } from 'node:http';
import { createTollgate, type Limit, slidingWindow, type Tollgate } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { send } from './http-server.js';

/** Permits and requests, each per user. */
export const COUNTS: readonly Limit[] = [
  slidingWindow({ name: 'user', by: 'user', limit: 100, window: '1m' }),
  slidingWindow({ name: 'calls', by: 'user', unit: 'requests', limit: 100, window: '1m' }),
];

/** The same, and tokens, which are estimated from bodies where nothing else tells. */
export const LIMITS: readonly Limit[] = [
  ...COUNTS,
  slidingWindow({ name: 'tokens', by: 'user', unit: 'tokens', limit: 1000, window: '1m' }),
];

export const identify = () => ({ user: 'ann' });

export function makeGate(limits = LIMITS, clock = manualClock()): Tollgate {
  return createTollgate({ limits, clock });
}

export async function usedByAnn(gate: Tollgate, layer = 'user'): Promise<number> {
  const state = (await gate.inspect(identify())).limits.find((one) => one.layer === layer);
  if (!state) throw new Error(`no limit '${layer}'`);
  return state.used;
}

export interface GateBench {
  readonly gate: Tollgate;
  readonly server: Server;
  /** What reached the app's error handler. */
  readonly errors: unknown[];
  /** What a limit has counted for `ann`, on whose behalf all requests come unless `identify` says otherwise. */
  used(layer?: string): Promise<number>;
  /** What is answered to a request, and what that costs: permits, then requests. */
  cost(path: string, method?: string): Promise<{ text: string; status: number; cost: number[] }>;
}

export function benchOf(gate: Tollgate, server: Server, errors: unknown[]): GateBench {
  const both = async () => [await usedByAnn(gate, 'user'), await usedByAnn(gate, 'calls')];
  return {
    gate,
    server,
    errors,
    used: (layer) => usedByAnn(gate, layer),
    async cost(path, method = 'GET') {
      const before = await both();
      const { text, status } = await send(server, path, { method });
      return { text, status, cost: (await both()).map((one, i) => one - before[i]) };
    },
  };
}

/** The statuses of requests to these paths, one after the other. */
export async function statusesOf(server: Server, paths: readonly string[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const path of paths) statuses.push((await send(server, path)).status);
  return statuses;
}
