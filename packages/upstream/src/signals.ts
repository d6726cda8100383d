/** The signals that abort a call. A caller's may outlive it by far, so no listener is left behind. */

export interface Heeding {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
  /** Stops listening to them. */
  release(): void;
}

/** A signal that aborts as soon as one of these does, or by itself. */
export function heeding(signals: readonly (AbortSignal | undefined)[]): Heeding {
  const controller = new AbortController();
  const abort = (reason: unknown) => {
    release();
    controller.abort(reason);
  };
  const releases = signals.map((signal) => onAbort(signal, abort));
  function release(): void {
    for (const each of releases) each();
  }
  const aborted = signals.find((signal) => signal?.aborted);
  if (aborted !== undefined) abort(aborted.reason);
  return { signal: controller.signal, abort, release };
}

/** Resolves or rejects as the promise does; rejects with the signal's reason if that aborts first. */
export function unlessAborted<T>(promise: T | Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    const release = onAbort(signal, reject);
    Promise.resolve(promise).then(resolve, reject).finally(release);
  });
}

/** Calls `listener` with the reason when the signal aborts, unless it has already. Returns a function that removes it. */
export function onAbort(signal: AbortSignal | undefined, listener: (reason: unknown) => void): () => void {
  const told = () => listener(signal?.reason);
  signal?.addEventListener('abort', told, { once: true });
  return () => signal?.removeEventListener('abort', told);
}
