/** A store that works until it is broken, and again once it is mended. */
import { memoryStore, type Store } from '@tollgate/core';
import { sharedHub } from './shared-hub.js';

export interface BreakableStore extends Store {
  break(): void;
  mend(): void;
  /** How often it was asked to take, and to peek, broken or not. */
  readonly asked: number;
  readonly peeked: number;
  /** How many processes share it. */
  instances: number;
}

/** @param failure throws, or returns a promise that rejects */
export function breakableStore(failure: () => never = fails, instances = 1): BreakableStore {
  const memory = memoryStore();
  let isUp = true;
  let asked = 0;
  let peeked = 0;
  const store: BreakableStore = {
    take(request, now) {
      asked++;
      return isUp ? memory.take(request, now) : failure();
    },
    settle: (entries, actual, now, goesOn) => (isUp ? memory.settle(entries, actual, now, goesOn) : failure()),
    peek(who, bills, now) {
      peeked++;
      return isUp ? memory.peek(who, bills, now) : failure();
    },
    observe: (seen, now) => (isUp ? (memory.observe?.(seen, now) ?? false) : failure()),
    instances,
    shared: { ...sharedHub().join(), instances: () => store.instances },
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
  return store;
}

function fails(): never {
  throw new Error('the store is down');
}
