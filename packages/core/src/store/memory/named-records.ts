/** What is kept by name, in this process. */
import type { Records } from '../store.js';

interface Kept {
  readonly text: string;
  readonly endsAt: number;
}

/** What has ended is dropped as new is put: as often as there are records, so that it costs each of them little. */
interface Collection {
  readonly kept: Map<string, Kept>;
  puts: number;
}

export function createNamedRecords(): Records {
  const collections = new Map<string, Collection>();

  function collectionOf(name: string): Collection {
    const known = collections.get(name) ?? { kept: new Map(), puts: 0 };
    collections.set(name, known);
    return known;
  }

  function get(collection: string, name: string, now: number): string | undefined {
    const kept = collections.get(collection)?.kept.get(name);
    return kept === undefined || now >= kept.endsAt ? undefined : kept.text;
  }

  return {
    get,
    put({ collection, name, was, text, ttlMs }, now) {
      if (get(collection, name, now) !== was) return false;
      const into = collectionOf(collection);
      if (++into.puts > into.kept.size) {
        dropEnded(into.kept, now);
        into.puts = 0;
      }
      into.kept.set(name, { text, endsAt: now + ttlMs });
      return true;
    },
    list(collection, now) {
      const { kept } = collectionOf(collection);
      dropEnded(kept, now);
      return new Map([...kept].map(([name, { text }]) => [name, text]));
    },
  };
}

function dropEnded(kept: Map<string, Kept>, now: number): void {
  for (const [name, { endsAt }] of kept) if (now >= endsAt) kept.delete(name);
}
