import type { WayTaken } from './events.js';
import type { PooledKey } from './keys/pool.js';
import type { Provider } from './providers/provider.js';

/** The family of requests without a model, such as for the list of models. */
export const NO_FAMILY = '-';

/** One way to have a call answered. */
export interface CallWay {
  /** Tells it from a call's other ways. */
  readonly name: string;
  readonly provider: Provider;
  readonly key: PooledKey;
  /** As this provider names it; `undefined` for what costs no tokens. */
  readonly model: string | undefined;
  /** What the model is counted by. */
  readonly family: string;
}

/** As events tell of it. */
export function takenOf({ provider, key, model }: CallWay): WayTaken {
  return { provider: provider.name, key: key.name, model };
}
