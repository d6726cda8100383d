/** What the rows of the behaviours' table are made of. */
import { memoryStore, type Store } from '@tollgate/core';
import type { SendOptions } from '../../helpers/http-server.js';
import type { Bench, Open } from './workbench.js';

/** A promise to apps that come from another rate limiter, and what shows that it holds. */
export type Behaviour = readonly [promise: string, holds: (open: Open) => Promise<void>];

/** The statuses that requests to `/` have, one after the other. */
export async function answersTo({ send }: Bench, asks: readonly SendOptions[]): Promise<number[]> {
  const statuses: number[] = [];
  for (const ask of asks) statuses.push((await send('/', ask)).status);
  return statuses;
}

/** A store that answers later. */
export function laterStore(): Store {
  const memory = memoryStore();
  return {
    take: async (request, now) => memory.take(request, now),
    settle: async (entries, actual, now) => memory.settle(entries, actual, now),
    peek: async (who, bills, now) => memory.peek(who, bills, now),
    close: memory.close,
  };
}

/** A store that fails while it is `down`. */
export function failingStore(): Store & { down: boolean } {
  const memory = memoryStore();
  const answer = <T>(ask: () => T): T => {
    if (store.down) throw new Error('the store is down');
    return ask();
  };
  const store = {
    down: false,
    take: (request, now) => answer(() => memory.take(request, now)),
    settle: (entries, actual, now) => answer(() => memory.settle(entries, actual, now)),
    peek: (who, bills, now) => answer(() => memory.peek(who, bills, now)),
    close: memory.close,
  } satisfies Store & { down: boolean };
  return store;
}
