/** How often keys are used, and when last: counted here, and told to the store from time to time rather than each time. */
import type { Clock } from '../clock.js';
import { showThrown, warn } from '../errors.js';
import type { Records } from '../store/store.js';
import type { ApiKey } from './key.js';

export interface Use {
  readonly uses: number;
  readonly lastUsedAt: number;
}

export interface Uses {
  count(key: ApiKey, now: number): void;
  /** Tells the store what has been counted since. What it can't be told is told the next time. */
  flush(): Promise<void>;
  list(now: number): Promise<ReadonlyMap<string, Use>>;
  close(): Promise<void>;
}

/** Beside the keys, so that counting changes no key. */
const USES = 'key-uses';

/** So long at most is counted here alone, and lost in a crash. */
const FLUSH_MS = 30_000;

/** So often others may count between reading and putting; what is left then is told the next time. */
const TRIES = 10;

interface Counted {
  uses: number;
  lastUsedAt: number;
  /** When what is kept of it ends. */
  readonly endsAt: number;
}

/** @param keepMs for which what was counted is kept once a key has expired */
export function createUses(records: Records, clock: Clock, keepMs: number): Uses {
  let counted = new Map<string, Counted>();
  let cancel: (() => void) | undefined;
  let hasFailed = false;

  function count({ id, expiresAt }: ApiKey, now: number): void {
    const known = counted.get(id);
    if (known === undefined) counted.set(id, { uses: 1, lastUsedAt: now, endsAt: expiresAt + keepMs });
    else {
      known.uses++;
      known.lastUsedAt = now;
    }
    cancel ??= clock.after(FLUSH_MS, flush);
  }

  async function flush(): Promise<void> {
    cancel?.();
    cancel = undefined;
    const telling = counted;
    counted = new Map();
    const results = await Promise.allSettled([...telling].map(([id, one]) => add(id, one)));
    const failed = results.find((result) => result.status === 'rejected');
    if (failed && !hasFailed) {
      warn('TOLLGATE_STORE_FAILED', `What API keys were used for can't be kept as yet: ${showThrown(failed.reason)}`);
    }
    hasFailed = failed !== undefined;
  }

  /** Whatever comes of it, what has not been added is counted still. */
  async function add(id: string, one: Counted): Promise<void> {
    let isAdded = false;
    try {
      for (let tries = 0; tries < TRIES && !isAdded; tries++) isAdded = await tryToAdd(id, one);
    } finally {
      if (!isAdded) putBack(id, one);
    }
  }

  async function tryToAdd(name: string, { uses, lastUsedAt, endsAt }: Counted): Promise<boolean> {
    const now = clock.now();
    const was = await records.get(USES, name, now);
    const before: Use = was === undefined ? { uses: 0, lastUsedAt: 0 } : JSON.parse(was);
    const use: Use = { uses: before.uses + uses, lastUsedAt: Math.max(before.lastUsedAt, lastUsedAt) };
    const ttlMs = Math.max(1, endsAt - now);
    return await records.put({ collection: USES, name, was, text: JSON.stringify(use), ttlMs }, now);
  }

  function putBack(id: string, { uses, lastUsedAt, endsAt }: Counted): void {
    const since = counted.get(id);
    counted.set(id, { uses: uses + (since?.uses ?? 0), lastUsedAt: since?.lastUsedAt ?? lastUsedAt, endsAt });
    cancel ??= clock.after(FLUSH_MS, flush);
  }

  return {
    count,
    flush,
    async list(now) {
      const kept = await records.list(USES, now);
      return new Map([...kept].map(([id, text]) => [id, JSON.parse(text) as Use]));
    },
    async close() {
      await flush();
      cancel?.();
    },
  };
}
