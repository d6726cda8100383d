/** `@tollgate/core/admin`: what operators may do, for adapters to mount behind an app's own authentication. */
export { type Admin, type AdminOptions, type AdminRequest, createAdmin } from './admin.js';
export type { AdminAnswer } from './answers.js';
export type { AdminGate } from './gates.js';
export type { AdminKeyRing } from './keys.js';
export type { AdminUpstream } from './upstreams.js';
