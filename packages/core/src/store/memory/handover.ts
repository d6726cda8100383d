/** Admissions that are kept for whoever settles them: in this process, as all that it keeps. */
import type { Handover, Kept } from '../store.js';

/** The oldest are forgotten where there are more: what they are of stays as it is charged. */
const MOST_KEPT = 10_000;

interface Place {
  /** `undefined` once it was claimed. */
  readonly kept: Kept | undefined;
  readonly by: string | undefined;
  readonly endsAt: number;
}

export function createHandover(): Handover {
  const places = new Map<string, Place>();

  function find(name: string, now: number): Place | undefined {
    const place = places.get(name);
    return place !== undefined && now < place.endsAt ? place : undefined;
  }

  function put(name: string, place: Place): void {
    const [oldest] = places.keys();
    if (places.size >= MOST_KEPT && !places.has(name)) places.delete(oldest);
    places.set(name, place);
  }

  return {
    async keep(name, kept, ttlMs, now) {
      if (find(name, now)?.by === undefined) put(name, { kept, by: undefined, endsAt: now + ttlMs });
    },
    async read(name, _, now) {
      const place = find(name, now);
      return place && (place.kept ?? 'claimed');
    },
    async claim(name, by, unkeptMs, now) {
      const place = find(name, now);
      if (place?.by !== undefined) return place.by === by ? 'claimed' : 'lost';
      if (place === undefined && unkeptMs === undefined) return 'unknown';
      put(name, { kept: undefined, by, endsAt: place?.endsAt ?? now + (unkeptMs ?? 0) });
      return 'claimed';
    },
  };
}
