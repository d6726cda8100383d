/** What processes share by a store, in one process, at once. */
import type { Shared } from '@tollgate/core';

interface Member {
  readonly listeners: Set<(message: string) => void>;
}

/** @param failure of all that is asked, while it is set */
export function sharedHub(failure: { error?: Error } = {}): { join(): Shared } {
  const members: Member[] = [];
  const claimed = new Set<string>();
  const kept: { from: Member; message: string }[] = [];
  const check = () => {
    if (failure.error) throw failure.error;
  };

  return {
    join() {
      const self: Member = { listeners: new Set() };
      members.push(self);
      return {
        instances: () => members.length,
        async claim(name) {
          check();
          const isFirst = !claimed.has(name);
          claimed.add(name);
          return isFirst;
        },
        async publish(message, ttlMs) {
          check();
          if (ttlMs > 0) kept.push({ from: self, message });
          for (const member of members) {
            if (member !== self) for (const listener of member.listeners) listener(message);
          }
        },
        listen(listener) {
          for (const { from, message } of kept) if (from !== self) listener(message);
          self.listeners.add(listener);
          return () => void self.listeners.delete(listener);
        },
      };
    },
  };
}
