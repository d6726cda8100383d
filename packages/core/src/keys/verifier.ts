/** Whether a text is a key that is taken. What can be told without the store is told at once. */
import type { Clock } from '../clock.js';
import { showThrown, warn } from '../errors.js';
import { isPromise, type May } from '../request.js';
import type { Guard } from './guard.js';
import { type ApiKey, isLive, type KnownKey } from './key.js';
import { idIn, isTextOf } from './key-text.js';
import type { Lookup } from './lookup.js';
import type { Uses } from './uses.js';
import type { Authenticator, KeyFault, NotVerified, Verification } from './verification.js';

interface Site {
  readonly lookup: Lookup;
  readonly uses: Uses;
  readonly guard: Guard | undefined;
  readonly pepper: string | undefined;
  readonly environment: string;
  readonly clock: Clock;
}

/** What a client makes of it is the same for every kind of bad key. */
function badFor(why: KeyFault, found?: ApiKey): NotVerified {
  return { key: undefined, refused: 'unauthenticated', why, found, retryAfterMs: undefined };
}

const MISSING = badFor('missing');
const MALFORMED = badFor('malformed');
const UNKNOWN = badFor('unknown');

const STORE_DOWN: NotVerified = {
  key: undefined,
  refused: 'store-down',
  why: 'store-down',
  found: undefined,
  retryAfterMs: 5_000,
};

/** Of all whose whereabouts aren't known. */
const NOWHERE = '-';

export function createVerifier({ lookup, uses, guard, pepper, environment, clock }: Site): Authenticator {
  let hasFailed = false;

  function verify(text: string | undefined, from = NOWHERE): May<Verification> {
    // Who shows nothing doesn't guess.
    if (typeof text !== 'string') return MISSING;
    const id = idIn(text);
    if (id === undefined) return bad(from, MALFORMED);
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
    if (known === null || !isTextOf(known.digests, text, pepper)) return bad(from, UNKNOWN);
    const { key } = known.verified;
    if (!isLive(key, now)) return bad(from, badFor(key.revokedAt === undefined ? 'expired' : 'revoked', key));
    if (key.environment !== environment) {
      return { key: undefined, refused: 'forbidden', why: 'environment', found: key, retryAfterMs: undefined };
    }
    uses.count(key, now);
    return known.verified;
  }

  function bad(from: string, answer: NotVerified): May<Verification> {
    if (guard === undefined) return answer;
    return guard.count(from).then((lockedMs) => (lockedMs === undefined ? answer : lockedOut(lockedMs)));
  }

  function failed(error: unknown): NotVerified {
    if (!hasFailed) warn('TOLLGATE_STORE_FAILED', `API keys can't be looked up: ${showThrown(error)}`);
    hasFailed = true;
    return STORE_DOWN;
  }

  return { isGuarded: guard !== undefined, verify };
}

function lockedOut(retryAfterMs: number): NotVerified {
  const why = 'locked-out';
  return { key: undefined, refused: why, why, found: undefined, retryAfterMs: Math.max(1, retryAfterMs) };
}
