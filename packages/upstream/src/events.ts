/** What an upstream tells those who listen: for metrics, logs and alerts. Keys go by their names. */
import { warn } from '@tollgate/core/options';

/** A way to a provider that a call takes. */
export interface WayTaken {
  readonly provider: string;
  /** The key's name. */
  readonly key: string;
  /** `undefined` for what costs no tokens. */
  readonly model: string | undefined;
}

export interface UpstreamEvents {
  /** A call goes out. */
  sent: WayTaken & {
    /** Of the call, from 1: above it an earlier way has failed. */
    readonly attempt: number;
    /** Milliseconds that it waited for headroom. */
    readonly waitedMs: number;
  };
  /** An answer began, whatever it says. */
  answered: WayTaken & { readonly status: number; readonly ms: number };
  /** No answer came: the network failed, the time was up, or there was no secret to send. `why` is for operators, not for clients. */
  unanswered: WayTaken & { readonly why: string; readonly ms: number };
  /** A key has used up a limit (429). */
  throttled: WayTaken & {
    /** Milliseconds for which nothing more is sent with it. */
    readonly restsMs: number;
    /** It was so the last times too: how many in a row. */
    readonly inARow: number;
  };
  /** A key was throttled three times in a row: the limits that are known here can't be right, or others use it too. */
  escalated: WayTaken & { readonly restsMs: number; readonly inARow: number };
  /** A key is taken out of service: it was refused, or nothing more can be had with it. It is tried again at `until`. */
  'key.out': {
    readonly provider: string;
    readonly key: string;
    readonly why: 'exhausted' | 'unauthorized' | 'no secret';
    /** Milliseconds since 1970. */
    readonly until: number;
  };
  /** A key that was out of service serves again. */
  'key.back': { readonly provider: string; readonly key: string };
  /** A provider has failed, or has no room: nothing more is sent to it for a time, and then little by little. */
  'provider.cooling': {
    readonly provider: string;
    readonly why: 'overloaded' | 'broken' | 'unanswered';
    /** Milliseconds since 1970. */
    readonly until: number;
  };
  /** A provider that had cooled answers again. */
  'provider.recovered': { readonly provider: string };
}

export type UpstreamEventName = keyof UpstreamEvents;

export interface UpstreamEmitter {
  /** Calls `listener` at each such event. Returns what ends that, safe to call twice. */
  on<E extends UpstreamEventName>(event: E, listener: (event: UpstreamEvents[E]) => unknown): () => void;
  emit<E extends UpstreamEventName>(event: E, payload: UpstreamEvents[E]): void;
}

export function createUpstreamEmitter(): UpstreamEmitter {
  const listeners = new Map<UpstreamEventName, Set<(payload: never) => unknown>>();
  return {
    on(event, listener) {
      // A function of its own for each registration, so that the same listener can be added twice and ended once.
      const own = (payload: never) => listener(payload);
      const added = listeners.get(event) ?? new Set();
      listeners.set(event, added.add(own));
      return () => void added.delete(own);
    },
    emit(event, payload) {
      for (const listener of listeners.get(event) ?? []) {
        // The call that the event tells of is not to blame for a listener, and goes on.
        const failed = (error: unknown) =>
          warn(
            'TOLLGATE_LISTENER_FAILED',
            `A listener of '${event}' failed: ${error instanceof Error ? error.message : error}`,
          );
        try {
          const done: unknown = listener(payload as never);
          if (done instanceof Promise) done.catch(failed);
        } catch (error) {
          failed(error);
        }
      }
    },
  };
}
