/** Whether a text is a key that is taken. What can be told without the store is told at once. */
import type { Clock } from '../clock.js';
import { showThrown, warn } from '../errors.js';
import { isPromise, type May } from '../request.js';
import type { Guard } from './guard.js';
import { isLive, type KnownKey } from './key.js';
import { idIn, isTextOf } from './key-text.js';
import type { Lookup } from './lookup.js';
import type { Uses } from './uses.js';
import type { Authenticator, NotVerified, Verification } from './verification.js';

interface Site {
  readonly lookup: Lookup;
  readonly uses: Uses;
  readonly guard: Guard | undefined;
  readonly pepper: string | undefined;
  readonly environment: string;
  readonly clock: Clock;
}

/** One answer for every kind of bad key. */
const BAD: NotVerified = { key: undefined, refused: 'unauthenticated', retryAfterMs: undefined };

const FORBIDDEN: NotVerified = { key: undefined, refused: 'forbidden', retryAfterMs: undefined };

const STORE_DOWN: NotVerified = { key: undefined, refused: 'store-down', retryAfterMs: 5_000 };

/** Of all whose whereabouts aren't known. */
const NOWHERE = '-';

export function createVerifier({ lookup, uses, guard, pepper, environment, clock }: Site): Authenticator {
  let hasFailed = false;

  function verify(text: string | undefined, from = NOWHERE): May<Verification> {
    // Who shows nothing doesn't guess.
    if (typeof text !== 'string') return BAD;
    const id = idIn(text);
    if (id === undefined) return bad(from);
    const now = clock.now();
    const known = recall(id, now);
    if (known !== undefined) return judge(known, text, from, now);
    return guard === undefined || lookup.isKey(id) ? ask(id, text, from, now) : askBehind(guard, id, text, from, now);
  }

  function recall(id: string, now: number): KnownKey | null | undefined {
    try {
      return lookup.recall(id, now);
    } catch {
      // It fails again when it is asked, where that is seen to.
      return undefined;
    }
  }

  /** The store is spared what a locked-out guesser asks; a key that is known here is taken whoever else is at that address. */
  async function askBehind(guard: Guard, id: string, text: string, from: string, now: number): Promise<Verification> {
    const lockedMs = await guard.lockedFor(from);
    return lockedMs === undefined ? ask(id, text, from, now) : lockedOut(lockedMs);
  }

  function ask(id: string, text: string, from: string, now: number): May<Verification> {
    try {
      const asked = lookup.ask(id, now);
      if (!isPromise(asked)) return judge(asked, text, from, now);
      return asked.then((known) => {
        hasFailed = false;
        return judge(known, text, from, now);
      }, failed);
    } catch (error) {
      return failed(error);
    }
  }

  function judge(known: KnownKey | null, text: string, from: string, now: number): May<Verification> {
    if (known === null || !isTextOf(known.digests, text, pepper)) return bad(from);
    const { key } = known.verified;
    if (!isLive(key, now)) return bad(from);
    if (key.environment !== environment) return FORBIDDEN;
    uses.count(key, now);
    return known.verified;
  }

  function bad(from: string): May<Verification> {
    if (guard === undefined) return BAD;
    return guard.count(from).then((lockedMs) => (lockedMs === undefined ? BAD : lockedOut(lockedMs)));
  }

  function failed(error: unknown): NotVerified {
    if (!hasFailed) warn('TOLLGATE_STORE_FAILED', `API keys can't be looked up: ${showThrown(error)}`);
    hasFailed = true;
    return STORE_DOWN;
  }

  return { isGuarded: guard !== undefined, verify };
}

function lockedOut(retryAfterMs: number): NotVerified {
  return { key: undefined, refused: 'locked-out', retryAfterMs: Math.max(1, retryAfterMs) };
}
