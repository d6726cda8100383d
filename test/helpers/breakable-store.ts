/** A store that works until it is broken, and again once it is mended. */
import { memoryStore, type Store } from '@tollgate/core';

export interface BreakableStore extends Store {
  break(): void;
  mend(): void;
  /** How often it was asked to take, and to peek, broken or not. */
  readonly asked: number;
  readonly peeked: number;
  instances(): number;
}

/** @param failure throws, or returns a promise that rejects */
export function breakableStore(failure: () => never = fails, instances = 1): BreakableStore {
  const memory = memoryStore();
  let isUp = true;
  let asked = 0;
  let peeked = 0;
  return {
    take(request, now) {
      asked++;
      return isUp ? memory.take(request, now) : failure();
    },
    settle: (entries, actual, now, goesOn) => (isUp ? memory.settle(entries, actual, now, goesOn) : failure()),
    peek(who, bills, now) {
      peeked++;
      return isUp ? memory.peek(who, bills, now) : failure();
    },
    instances: () => instances,
    close: memory.close,
    break() {
      isUp = false;
    },
    mend() {
      isUp = true;
    },
    get asked() {
      return asked;
    },
    get peeked() {
      return peeked;
    },
  };
}

function fails(): never {
  throw new Error('the store is down');
}
