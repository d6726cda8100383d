/** Where keys are found by their ids, and how long what was found is taken for true. */
import type { Clock } from '../clock.js';
import { TollgateError } from '../errors.js';
import { createBreaker } from '../ledger/breaker.js';
import { andThen, isPromise, type May } from '../request.js';
import type { Records, Shared } from '../store/store.js';
import { type KeptKey, type KnownKey, knownKey } from './key.js';

/** The collection of keys in the store's records. */
export const KEYS = 'keys';

export interface Lookup {
  /** What is known here without asking: the key, that there is none (`null`), or nothing (`undefined`). */
  recall(id: string, now: number): KnownKey | null | undefined;
  /** It is a key, though the store may have to be asked what has become of it. */
  isKey(id: string): boolean;
  /** Asks the store. Fails where that does, and what was known before is too old. */
  ask(id: string, now: number): May<KnownKey | null>;
  /** It has been changed. */
  forget(id: string): void;
  close(): void;
}

/** So many keys are known at most, and so many ids that are none. What was read longest ago makes room. */
const MOST_KNOWN = 10_000;

/** What has changed is told; should that be lost, it is found after so long. */
const HOLDS_MS = 30_000;

/** An id that is no key is looked up no sooner than this. */
const NONE_HOLDS_MS = 10_000;

/** Where the store failed, it is asked no sooner for a key that is known from before. */
const AGAIN_MS = 5_000;

/** Of a store of this process alone, which can be asked each time: what two rings do there, both see at once. */
export function directLookup(records: Records): Lookup {
  const read = new Map<string, { readonly text: string; readonly known: KnownKey }>();
  let answersLater = false;

  function knownOf(id: string, text: string | undefined): KnownKey | null {
    if (text === undefined) return null;
    const last = read.get(id);
    if (last?.text === text) return last.known;
    const known = readKey(text);
    bound(read);
    read.set(id, { text, known });
    return known;
  }

  return {
    recall(id, now) {
      if (answersLater) return undefined;
      const text = records.get(KEYS, id, now);
      if (!isPromise(text)) return knownOf(id, text);
      answersLater = true;
      text.then(undefined, () => {});
      return undefined;
    },
    isKey: (id) => read.has(id),
    ask: (id, now) => andThen(records.get(KEYS, id, now), (text) => knownOf(id, text)),
    forget() {},
    close() {},
  };
}

interface Found {
  readonly known: KnownKey;
  readonly at: number;
  askAt: number;
}

/**
 * Of a store that processes share: what was read holds until it is told that it has changed.
 *
 * @param channel by which that is told
 * @param staleMs what was read no longer ago than this is taken for true while the store fails
 */
export function sharedLookup(records: Records, shared: Shared, channel: string, staleMs: number, clock: Clock): Lookup {
  const found = new Map<string, Found>();
  /** Apart, so that no flood of ids that are none takes the place of keys. */
  const none = new Map<string, number>();
  const asking = new Map<string, Promise<KnownKey | null>>();
  const breaker = createBreaker();
  const end = shared.listen(channel, forget);

  function forget(id: string): void {
    const last = found.get(id);
    if (last !== undefined) found.set(id, { ...last, at: Number.NEGATIVE_INFINITY, askAt: Number.NEGATIVE_INFINITY });
    none.delete(id);
    // What is being read may be from before the change.
    asking.delete(id);
  }

  function remember(id: string, known: KnownKey | null, at: number): void {
    found.delete(id);
    none.delete(id);
    if (known === null) {
      bound(none);
      none.set(id, at + NONE_HOLDS_MS);
    } else {
      bound(found);
      found.set(id, { known, at, askAt: at + HOLDS_MS });
    }
  }

  /** While the store is left alone it fails at once: whoever shows what is no key must not pile up what it is asked. */
  async function textOf(id: string, now: number): Promise<string | undefined> {
    if (!breaker.mayAsk(now)) throw new TollgateError('TOLLGATE_STORE_FAILED', 'The store has failed several times.');
    try {
      const text = await records.get(KEYS, id, now);
      breaker.succeeded(now);
      return text;
    } catch (error) {
      breaker.failed(clock.now());
      throw error;
    }
  }

  async function read(id: string, now: number, isNewest: () => boolean): Promise<KnownKey | null> {
    try {
      const text = await textOf(id, now);
      const known = text === undefined ? null : readKey(text);
      if (isNewest()) remember(id, known, now);
      return known;
    } catch (error) {
      const last = found.get(id);
      if (last === undefined || now - last.at >= staleMs) throw error;
      last.askAt = now + AGAIN_MS;
      return last.known;
    }
  }

  return {
    recall(id, now) {
      const last = found.get(id);
      if (last !== undefined) return now < last.askAt ? last.known : undefined;
      return now < (none.get(id) ?? 0) ? null : undefined;
    },
    isKey: (id) => found.has(id),
    ask(id, now) {
      const under = asking.get(id);
      if (under !== undefined) return under;
      const reading: Promise<KnownKey | null> = read(id, now, () => asking.get(id) === reading).finally(() => {
        if (asking.get(id) === reading) asking.delete(id);
      });
      asking.set(id, reading);
      return reading;
    },
    forget,
    close: end,
  };
}

function readKey(text: string): KnownKey {
  return knownKey(JSON.parse(text) as KeptKey);
}

/** Makes room for one more. */
function bound(map: Map<string, unknown>): void {
  if (map.size < MOST_KNOWN) return;
  const [oldest] = map.keys();
  map.delete(oldest);
}
