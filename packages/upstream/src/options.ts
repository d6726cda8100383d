/** What `createUpstream` takes. */
import type { Tollgate } from '@tollgate/core';
import type { Provider } from './providers/provider.js';
import type { StandIn } from './ways.js';

export interface UpstreamOptions {
  /** Whose admissions pay, and in whose store is kept what providers have left. */
  readonly gate: Tollgate;
  readonly providers: readonly Provider[];
  /** Who stands in for a provider that has no room or no answer, in their order. Nobody unless given. */
  readonly failover?: { readonly [provider: string]: readonly StandIn[] } | undefined;
  /** Puts the cheaper model that an admission is served by into the bodies of its calls. `false` unless given. */
  readonly degrade?: boolean | undefined;
  /** What sends; the global fetch unless given. */
  readonly fetch?: typeof globalThis.fetch | undefined;
}
