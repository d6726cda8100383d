/** The signal of an admission: it aborts where its client leaves, its slot is lost, or whoever has it says so. */

/** A signal, and what aborts it. */
export interface Abortable {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** @param caller what aborts it besides */
export function abortable(caller: AbortSignal | undefined): Abortable {
  const controller = new AbortController();
  const signal = caller ? AbortSignal.any([caller, controller.signal]) : controller.signal;
  return { signal, abort: (reason) => controller.abort(reason) };
}
