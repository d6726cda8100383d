/**
 * Who has been idle for a second asks whether Redis still knows what it has answered: also once a gate has closed the store, for
 * others may share it.
 */

const PROBE_MS = 1_000;

export interface Probes {
  /** Goes on for as long as they are needed. Keeps no process from its end. */
  begin(): void;
  /** Something is asked that asks that, too. */
  noteUse(): void;
}

/** @param isNeeded looked at each time */
export function createProbes(isNeeded: () => boolean, ask: () => void): Probes {
  let timer: NodeJS.Timeout | undefined;
  let isUnused = true;

  function probe(): void {
    if (!isNeeded()) {
      clearInterval(timer);
      timer = undefined;
      return;
    }
    if (isUnused) ask();
    isUnused = true;
  }

  return {
    begin() {
      timer ??= setInterval(probe, PROBE_MS).unref();
    },
    noteUse() {
      isUnused = false;
    },
  };
}
