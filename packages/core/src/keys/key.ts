/** API keys as they are known and as they are kept. Of its text neither has more than a hash. */
import type { Subject } from '../request.js';
import type { Digests } from './key-text.js';

/** What a key may be used for. What is left out is not restricted; a `*` at the end of a text stands for any ending. */
export interface KeyScopes {
  /**
   * Methods and paths as clients ask for them: `'POST /chat'`, `'GET /chats/:id'` for any one segment, `'* /v1/*'` for all methods
   * and any ending. They hold for all that comes to the gate, whether or not a toll stands there; upper and lower case matter.
   */
  readonly routes?: readonly string[] | undefined;
  /** Of tolls: a route without one has no feature and no model, and is open to whom `routes` let in. */
  readonly features?: readonly string[] | undefined;
  /** Models that may be asked for, as the toll says. Which cheaper ones may serve then is up to the subject's `floor` and `degrade`. */
  readonly models?: readonly string[] | undefined;
}

/** All there is to know of a key but its text, which is shown once, as it is made. Times are in milliseconds since 1970. */
export interface ApiKey {
  /** Stands in the key's text, and is no secret. */
  readonly id: string;
  /** What it is counted as: the id of the first of those that were rotated into each other. */
  readonly identity: string;
  /** What uses it. */
  readonly service: string;
  readonly environment: string;
  /** On whose behalf requests come that show it: `key` is its identity, `limits` are those of its own. */
  readonly subject: Subject;
  readonly scopes: KeyScopes;
  readonly createdAt: number;
  /** It is taken until then, and not any more. */
  readonly expiresAt: number;
  readonly revokedAt: number | undefined;
  /** The id of the key that takes its place, once it has been rotated. */
  readonly successor: string | undefined;
}

export interface ListedKey extends ApiKey {
  /** How many requests have shown it. What others have counted in the last half minute may not be in it yet. */
  readonly uses: number;
  readonly lastUsedAt: number | undefined;
}

/** A key as the store has it, as JSON. */
export interface KeptKey {
  readonly id: string;
  /** Base64. */
  readonly digest: string;
  readonly identity: string;
  readonly service: string;
  readonly environment: string;
  readonly subject: Subject;
  readonly limits: Readonly<Record<string, string | number>>;
  readonly scopes: KeyScopes;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly revokedAt?: number;
  readonly successor?: string;
}

/** A key that can be compared with. */
export interface KnownKey {
  readonly digests: Digests;
  /** What is answered to who shows it: each time the same. */
  readonly verified: { readonly key: ApiKey };
}

export function knownKey(kept: KeptKey): KnownKey {
  return { digests: { kept: Buffer.from(kept.digest, 'base64'), plain: undefined }, verified: { key: keyOf(kept) } };
}

export function keyOf(kept: KeptKey): ApiKey {
  const { id, identity, service, environment, limits, scopes, createdAt, expiresAt, revokedAt, successor } = kept;
  const own = Object.keys(limits).length > 0 ? { limits: Object.freeze(limits) } : {};
  const subject: Subject = Object.freeze({ ...kept.subject, ...own, key: identity });
  return Object.freeze({
    id,
    identity,
    service,
    environment,
    subject,
    scopes: Object.freeze(scopes),
    createdAt,
    expiresAt,
    revokedAt,
    successor,
  });
}

export function isLive({ expiresAt, revokedAt }: ApiKey, now: number): boolean {
  return revokedAt === undefined && now < expiresAt;
}
