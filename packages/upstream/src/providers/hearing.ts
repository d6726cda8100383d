/**
 * What providers make of answers. Their functions may be an app's own: one that throws has said nothing, which is warned of. The
 * call was sent, and is neither to be sent again nor to be free for that.
 */
import { warn } from '@tollgate/core/options';
import type { Answer, Failure, Provider, Reading } from './provider.js';

export function readingsIn(provider: Provider, answer: Answer, now: number): readonly Reading[] {
  return hear(provider, 'readings', answer, now) ?? [];
}

export function failureIn(provider: Provider, answer: Answer, now: number): Failure | undefined {
  return hear(provider, 'failure', answer, now);
}

function hear<F extends 'readings' | 'failure'>(
  provider: Provider,
  what: F,
  answer: Answer,
  now: number,
): ReturnType<Provider[F]> | undefined {
  try {
    return provider[what](answer, now) as ReturnType<Provider[F]>;
  } catch (error) {
    const shown = error instanceof Error ? error.message : error;
    warn('TOLLGATE_LISTENER_FAILED', `'${what}' of provider '${provider.name}' failed: ${shown}`);
    return undefined;
  }
}
