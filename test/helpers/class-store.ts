/** A store as who writes a class would have it: its methods stand in its prototype. */
import { memoryStore, type Store } from '@tollgate/core';
import { sharedHub } from './shared-hub.js';

export class ClassStore implements Store {
  readonly #memory = memoryStore();
  readonly shared = sharedHub().join();
  isClosed = false;
  take(...how: Parameters<Store['take']>) {
    return this.#memory.take(...how);
  }
  settle(...how: Parameters<Store['settle']>) {
    return this.#memory.settle(...how);
  }
  peek(...how: Parameters<Store['peek']>) {
    return this.#memory.peek(...how);
  }
  close() {
    this.isClosed = true;
  }
}
