/** Admissions that a store keeps as records, until whoever is the first to claim one settles it. */
import type { Records } from '../store/store.js';

/** Stands in place of what is kept, with by whom it was claimed. What is kept is JSON, and begins otherwise. */
const CLAIMED = '!';

interface Place {
  readonly collection: string;
  readonly name: string;
}

/** Keeps one, unless it has been claimed. Where it fails, it may have been kept. */
export async function keep(records: Records, place: Place, text: string, ttlMs: number, now: number): Promise<void> {
  let was: string | undefined;
  do {
    if (await records.put({ ...place, was, text, ttlMs }, now)) return;
    was = await records.get(place.collection, place.name, now);
  } while (was === undefined || !isClaimed(was));
}

export function isClaimed(text: string): boolean {
  return text.startsWith(CLAIMED);
}

/**
 * Claims one. Who asks again is told the same.
 *
 * @param by of whom nobody else has the name
 * @param ttlMs for how long it is claimed: longer than anybody may ask
 * @param mayBar claims it also where it is not kept, so that it can no longer be kept
 */
export async function claim(
  records: Records,
  place: Place,
  by: string,
  ttlMs: number,
  mayBar: boolean,
  now: number,
): Promise<'claimed' | 'lost' | 'unknown'> {
  const text = CLAIMED + by;
  for (;;) {
    const was = await records.get(place.collection, place.name, now);
    if (was === text) return 'claimed';
    if (was === undefined && !mayBar) return 'unknown';
    if (was !== undefined && isClaimed(was)) return 'lost';
    if (await records.put({ ...place, was, text, ttlMs }, now)) return 'claimed';
  }
}
