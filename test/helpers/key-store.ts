/** A store that processes share, in this one, as a ring of keys needs it: it counts what it is asked, and can fail. */
import { memoryStore, type Records, type Store } from '@tollgate/core';
import { type Hub, type HubState, sharedHub } from './shared-hub.js';

export interface KeyStore {
  /** As one more process has it. */
  join(): Store;
  /** How often a record was read by its name. */
  readonly reads: number;
  /** What it fails with, while it does. */
  error: Error | undefined;
  readonly hub: Hub;
  /** Of how what is told goes. */
  readonly telling: HubState;
  /** As they are kept. */
  readonly records: Records;
}

export function keyStore(): KeyStore {
  const memory = memoryStore();
  const records = memory.records as Records;
  const telling: HubState = {};
  const hub = sharedHub(telling);
  const state = {
    reads: 0,
    error: undefined as Error | undefined,
    hub,
    telling,
    records,
    join: (): Store => ({
      ...memory,
      shared: hub.join(),
      records: {
        async get(...how) {
          state.reads++;
          if (state.error) throw state.error;
          return records.get(...how);
        },
        async put(...how) {
          if (state.error) throw state.error;
          return records.put(...how);
        },
        async list(...how) {
          if (state.error) throw state.error;
          return records.list(...how);
        },
      },
    }),
  };
  return state;
}
