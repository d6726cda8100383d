/** Keys for clients: made, shown to be right, rotated, changed and revoked, over the records of a store. */
import { NOT_SHOWN, problemsError, showThrown, TollgateError, warn, wrongValue } from '../errors.js';
import type { Subject } from '../request.js';
import { checkRing, keyReader } from './check-keys.js';
import { warnOfFew, watchFew } from './few.js';
import { createGuard } from './guard.js';
import { type ApiKey, isLive, type KeptKey, keyOf, type ListedKey } from './key.js';
import type { KeyChange, KeyLimit, KeyLimits, KeyRingOptions, LimitLike, NewKey, Rotation } from './key-options.js';
import { digestOf, isId, newText } from './key-text.js';
import { directLookup, KEYS, sharedLookup } from './lookup.js';
import { createUses } from './uses.js';
import type { Authenticator } from './verification.js';
import { createVerifier } from './verifier.js';

/** A key that has just been made. */
export interface IssuedKey {
  readonly key: ApiKey;
  /** Its text, for whom it is made. It is kept nowhere: what is not told now can't be told later. */
  reveal(): string;
}

/**
 * Keys of clients. What is changed by one is seen by all rings that share the store, within a second where they are in
 * several processes; where that can't be told, within half a minute.
 *
 * Its promises reject with what the store fails with, `TOLLGATE_KEY_INVALID` for what a key can't be, and
 * `TOLLGATE_UNKNOWN_KEY`.
 */
export interface KeyRing<L extends KeyLimits = KeyLimits> extends Authenticator {
  create(key: NewKey<L>): Promise<IssuedKey>;
  /**
   * Makes a key that takes the place of another: of the same identity, so that what it has used and spent stays counted, and
   * with all that it is, but for its text. Both are taken until the overlap is over. A key is rotated once: then its
   * successor is. One that has expired, or is revoked, may be rotated too, and stays so. Where the store fails midway, the successor
   * is revoked if it can be; should the old key name it already, rotate that one.
   */
  rotate(id: string, options?: Rotation): Promise<IssuedKey>;
  /** It is taken no more, for good. Calling it again tells all others again. */
  revoke(id: string): Promise<ApiKey>;
  /**
   * What is left out stays as it is. A key that has been rotated and its successor are changed apart. `expiresIn` revives nothing:
   * it is refused for a key that has expired, is revoked or has been rotated.
   */
  update(id: string, change: KeyChange<L>): Promise<ApiKey>;
  /** All keys, oldest first; those that have expired, for thirty days after. */
  list(): Promise<readonly ListedKey[]>;
  /**
   * What a key has of a limit that the ring names, as a function of the subject: for `limit`, `capacity` or `refill` of limits
   * and budgets, such as `budget({ name: 'key', by: 'key', limit: keys.limit('spend'), per: 'day' })`.
   */
  limit<N extends keyof L & string>(name: N): (subject: Subject) => LimitLike<L[N]>;
  /** Tells the store what was counted, and listens no more. The store stays open. */
  close(): Promise<void>;
}

/** How long a key is kept when it has expired, so that it can be listed, and rotated. */
const KEEP_MS = 30 * 86_400_000;

/** So often others may change a key while it is being changed. */
const TRIES = 10;

/** No gate has such a name. */
const CHANNEL = 'tollgate/keys';

/** @throws TollgateError `TOLLGATE_CONFIG_INVALID` with every problem of the options */
export function keyRing<const L extends KeyLimits = Record<never, never>>(options: KeyRingOptions<L>): KeyRing<L> {
  const { store, clock, pepper, environment, maxExpiry, limits, guard: limiter, staleFor } = checkRing(options);
  const { records, shared } = store;
  const lookup = shared === undefined ? directLookup(records) : sharedLookup(records, shared, CHANNEL, staleFor, clock);
  const uses = createUses(records, clock, KEEP_MS);
  const guard = limiter && createGuard(limiter, clock);
  const read = keyReader({ environment, maxExpiry, limits });
  const fewWarned = new Set<string>();

  async function keep(kept: KeptKey, was: string | undefined): Promise<boolean> {
    const now = clock.now();
    const ttlMs = Math.max(1, kept.expiresAt + KEEP_MS - now);
    const isPut = await records.put({ collection: KEYS, name: kept.id, was, text: JSON.stringify(kept), ttlMs }, now);
    lookup.forget(kept.id);
    return isPut;
  }

  /** What is new is known to nobody, so nobody has to be told of it. */
  async function issue(what: Omit<KeptKey, 'id' | 'digest' | 'identity'>, identity?: string): Promise<IssuedKey> {
    const { id, text } = newText(what.environment);
    const kept = { id, digest: digestOf(text, pepper), identity: identity ?? id, ...what };
    if (!(await keep(kept, undefined))) throw new TollgateError('TOLLGATE_STORE_FAILED', 'A new key could not be put.');
    return { key: keyOf(kept), reveal: () => text };
  }

  /** @throws TollgateError `TOLLGATE_UNKNOWN_KEY` */
  async function find(id: string): Promise<{ readonly kept: KeptKey; readonly text: string }> {
    if (!isId(id)) {
      const expected = "a key's id, the 12 characters after tg_live_ or tg_test_";
      throw wrongValue('TOLLGATE_UNKNOWN_KEY', 'id', NOT_SHOWN, expected);
    }
    const text = await records.get(KEYS, id, clock.now());
    if (text === undefined) throw wrongValue('TOLLGATE_UNKNOWN_KEY', 'id', id, 'the id of a key that there is');
    return { kept: JSON.parse(text), text };
  }

  /** Changes what is kept, whatever others change at the same time. */
  async function change(id: string, step: (kept: KeptKey) => KeptKey): Promise<ApiKey> {
    for (let tries = 0; tries < TRIES; tries++) {
      const { kept, text } = await find(id);
      const changed = step(kept);
      if (await keep(changed, text)) return keyOf(changed);
    }
    throw new TollgateError('TOLLGATE_STORE_FAILED', `Key ${id} is being changed by others all the time.`);
  }

  async function tell(id: string): Promise<void> {
    await shared?.publish(CHANNEL, id, 0);
  }

  async function revoke(id: string): Promise<ApiKey> {
    const key = await change(id, (kept) => ({ ...kept, revokedAt: kept.revokedAt ?? clock.now() }));
    await tell(id);
    return key;
  }

  async function readAll(now: number): Promise<readonly ApiKey[]> {
    const kept = await records.list(KEYS, now);
    const keys = [...kept.values()].map((text) => keyOf(JSON.parse(text)));
    warnOfFew(keys, now, fewWarned);
    return keys.sort((a, b) => a.createdAt - b.createdAt);
  }

  const readNow = () => readAll(clock.now());
  const few = watchFew(readNow, clock);

  void readNow().catch(() => {});
  return {
    ...createVerifier({ lookup, uses, guard, pepper, environment, clock }),
    async create(options) {
      const { service, environment, subject = {}, scopes = {}, limits = {}, expiresIn } = read.key(options);
      const createdAt = clock.now();
      const expiresAt = createdAt + expiresIn;
      const issued = await issue({ service, environment, subject, scopes, limits, createdAt, expiresAt });
      few.changed();
      return issued;
    },
    async rotate(id, options = {}) {
      const { overlap, expiresIn } = read.rotation(options);
      const { kept: old } = await find(id);
      assertNotRotated({ id, successor: old.successor });
      const now = clock.now();
      const { service, environment, subject, scopes, limits, identity } = old;
      // First, so that there is never an end without a successor: one that nobody was told of does no harm.
      const issued = await issue(
        { service, environment, subject, scopes, limits, createdAt: now, expiresAt: now + expiresIn },
        identity,
      );
      const successor = issued.key.id;
      const step = (kept: KeptKey): KeptKey => {
        const expiresAt = Math.min(kept.expiresAt, now + overlap);
        return kept.successor === undefined ? { ...kept, successor, expiresAt } : kept;
      };
      const rotated = await change(id, step).catch(async (error) => {
        // Nobody has its text, and the old one may name it.
        await revoke(successor).catch(() => {});
        throw error;
      });
      if (rotated.successor !== successor) {
        await revoke(successor);
        assertNotRotated(rotated);
      }
      await tell(id).catch((error) => {
        warn('TOLLGATE_NOT_SHARED', `Others may learn late that key ${id} was rotated: ${showThrown(error)}`);
      });
      return issued;
    },
    async revoke(id) {
      const key = await revoke(id);
      few.changed();
      return key;
    },
    async update(id, options) {
      const { expiresIn, ...changes } = read.change(options);
      const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined));
      const key = await change(id, (kept) => {
        if (expiresIn === undefined) return { ...kept, ...given };
        const now = clock.now();
        assertStays(keyOf(kept), now, options.expiresIn);
        return { ...kept, ...given, expiresAt: now + expiresIn };
      });
      await tell(id);
      return key;
    },
    async list() {
      await uses.flush();
      const now = clock.now();
      const [keys, used] = await Promise.all([readAll(now), uses.list(now)]);
      return keys.map((key) => ({ ...key, uses: 0, lastUsedAt: undefined, ...used.get(key.id) }));
    },
    limit(name) {
      const otherwise: KeyLimit | undefined = Object.hasOwn(limits, name) ? limits[name] : undefined;
      if (otherwise === undefined) {
        throw wrongValue('TOLLGATE_CONFIG_INVALID', 'limit', name, 'a limit that the ring names under `limits`');
      }
      return ({ limits: own = {} }) => (Object.hasOwn(own, name) ? own[name] : otherwise) as LimitLike<L[typeof name]>;
    },
    async close() {
      await few.close();
      lookup.close();
      await uses.close();
    },
  };
}

/** @throws TollgateError `TOLLGATE_KEY_INVALID` for a key whose end has come, or is set by its rotation */
function assertStays(key: ApiKey, now: number, expiresIn: unknown): void {
  if (isLive(key, now) && key.successor === undefined) return;
  const expected =
    'nothing for a key that has expired, is revoked or has been rotated, which no change revives; rotate it';
  throw problemsError('TOLLGATE_KEY_INVALID', 'The change', [{ path: 'expiresIn', value: expiresIn, expected }]);
}

/** @throws TollgateError `TOLLGATE_KEY_INVALID` */
function assertNotRotated({ id, successor }: Pick<ApiKey, 'id' | 'successor'>): void {
  if (successor === undefined) return;
  const expected = `a key that has not been rotated; this one has, so rotate its successor ${successor}`;
  throw problemsError('TOLLGATE_KEY_INVALID', 'The key', [{ path: 'id', value: id, expected }]);
}
