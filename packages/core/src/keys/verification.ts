/** What comes of a key that is shown, and who says so: the seam to HTTP. */
import type { May } from '../request.js';
import type { ApiKey } from './key.js';

export type Verification = Verified | NotVerified;

export interface Verified {
  readonly key: ApiKey;
}

export interface NotVerified {
  readonly key: undefined;
  /**
   * `unauthenticated`: no key was shown, or none that is taken. `forbidden`: it is of another environment. `locked-out`: so
   * many bad ones came from there that no other is looked up. `store-down`: it can't be told.
   */
  readonly refused: 'unauthenticated' | 'forbidden' | 'locked-out' | 'store-down';
  /** For logs and metrics: nobody who shows a key is to learn it. */
  readonly why: KeyFault;
  /** Whose text was shown; `undefined` where it is none of a key that there is. */
  readonly found: ApiKey | undefined;
  /** When it may be tried again, where that is a matter of time. */
  readonly retryAfterMs: number | undefined;
}

/**
 * What is wrong with what was shown as a key. `missing`: nothing was shown. `malformed`: its form or its checksum is none of a key,
 * or two were shown. `unknown`: there is no such key. `environment`: it is of another one. `locked-out`: nobody has looked.
 */
export type KeyFault =
  | 'missing'
  | 'malformed'
  | 'unknown'
  | 'expired'
  | 'revoked'
  | 'environment'
  | 'locked-out'
  | 'store-down';

/** Who knows keys by their texts: a key ring. */
export interface Authenticator {
  /** It matters from where keys are shown. */
  readonly isGuarded: boolean;
  /**
   * Says whose key a text is; at once where that is known here. Never fails.
   *
   * @param text what was shown as a key, `undefined` where nothing was
   * @param from who showed it, such as an address: with a guard, bad keys are counted by it
   */
  verify(text: string | undefined, from?: string): May<Verification>;
}
