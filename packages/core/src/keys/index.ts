/** `@tollgate/core/keys`: API keys for the clients of an app. */
export type { ApiKey, KeyScopes, ListedKey } from './key.js';
export type { KeyChange, KeyLimit, KeyLimits, KeyRingOptions, LimitLike, NewKey, Rotation } from './key-options.js';
export { type IssuedKey, type KeyRing, keyRing } from './key-ring.js';
export type { Authenticator, KeyFault, NotVerified, Verification, Verified } from './verification.js';
