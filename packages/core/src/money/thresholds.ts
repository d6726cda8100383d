import type { Key } from '../meters/meter.js';

/** Which shares of a budget's limit have been told of. */
export interface Thresholds {
  /**
   * The thresholds that `used` has reached and that nobody has been told of, which counts as telling of them. Each is
   * told of once per budget, key and period, also where spending falls and rises again, or the limit is moved. A
   * threshold below one that was told of counts as told of; so does all of a period once a later one has been told of.
   *
   * @param period greater for a later period of the same budget
   * @param thresholds shares of the limit above 0, ascending, such as `[0.5, 0.8, 1]`
   * @param used in the unit of `limit`; where it is 0 nothing is reached, not even of a limit of 0
   */
  reached(
    budget: string,
    key: Key,
    period: number,
    thresholds: readonly number[],
    used: number,
    limit: number,
  ): readonly number[];
}

/** Of a key, the highest threshold told of, and in which period. */
interface Told {
  readonly period: number;
  readonly highest: number;
}

const NONE: readonly number[] = Object.freeze([]);

/**
 * @param maxKeys of how many keys of a budget it is known what was told of: the last that had something to tell. A key
 *   that is forgotten while its period goes on is told of again at its next request, so with more keys than this above
 *   a threshold at once, alerts repeat. A budget's keys displace none of another's.
 */
export function createThresholds(maxKeys = 100_000): Thresholds {
  const budgets = new Map<string, Map<string, Told>>();

  function remember(keys: Map<string, Told>, id: string, told: Told): void {
    // Deleted first, so that a map, which goes by the order of insertion, has those told of longest ago in front.
    keys.delete(id);
    keys.set(id, told);
    if (keys.size > maxKeys) {
      const [oldest] = keys.keys();
      keys.delete(oldest);
    }
  }

  return {
    reached(budget, key, period, thresholds, used, limit) {
      // A quotient and not a product: rounded once, 7 of 100 is exactly what 0.07 is, which 0.07 × 100 is not.
      const share = used / limit;
      if (thresholds.length === 0 || !(share >= thresholds[0])) return NONE;

      const keys = budgets.get(budget) ?? new Map<string, Told>();
      budgets.set(budget, keys);
      const id = JSON.stringify(key);
      const told = keys.get(id);
      if (told !== undefined && told.period > period) return NONE;
      const highest = told?.period === period ? told.highest : 0;
      const news = thresholds.filter((threshold) => threshold > highest && threshold <= share);
      if (news.length === 0) return NONE;
      remember(keys, id, { period, highest: news[news.length - 1] });
      return news;
    },
  };
}
