/** How a provider limits its clients: token buckets or fixed windows, for each key and model. */

export type Unit = 'requests' | 'tokens' | 'inputTokens' | 'outputTokens';

/** What a key may use of a model. What is left out has no limit. */
export interface Limits extends Partial<Readonly<Record<Unit, number>>> {
  /** Milliseconds that the numbers are for; a minute unless given. */
  readonly perMs?: number | undefined;
  /** `bucket`, unless given, refills all the time; `window` starts anew when the time is a multiple of `perMs`. */
  readonly rule?: 'bucket' | 'window' | undefined;
}

/** How a limit stands. */
export interface Standing {
  readonly unit: Unit;
  readonly limit: number;
  readonly remaining: number;
  /** Until all of it is there again. */
  readonly resetMs: number;
}

export type Cost = Readonly<Record<Unit, number>>;

export interface Limiters {
  /** Draws all of `cost`, or nothing where a limit lacks room: which one, and the milliseconds until it has it. */
  draw(cost: Cost, now: number): { readonly unit: Unit; readonly waitMs: number } | undefined;
  /**
   * Draws what turned out later, or gives back what is below zero. Limits may end up overdrawn.
   *
   * @param since when the call drew: a window that has ended since gets nothing back
   */
  correct(cost: Partial<Cost>, since: number, now: number): void;
  standings(now: number): Standing[];
}

interface Level {
  readonly unit: Unit;
  readonly limit: number;
  remaining: number;
  at: number;
}

const UNITS: readonly Unit[] = ['requests', 'tokens', 'inputTokens', 'outputTokens'];

export function createLimiters({ perMs = 60_000, rule = 'bucket', ...limits }: Limits, start: number): Limiters {
  const levels = UNITS.flatMap((unit): Level[] => {
    const limit = limits[unit];
    return limit === undefined ? [] : [{ unit, limit, remaining: limit, at: start }];
  });

  function refresh(now: number): void {
    for (const level of levels) {
      const { limit, remaining, at } = level;
      if (rule === 'bucket') level.remaining = Math.min(limit, remaining + ((now - at) * limit) / perMs);
      else if (Math.floor(now / perMs) > Math.floor(at / perMs)) level.remaining = limit;
      level.at = now;
    }
  }

  function untilRoom({ limit, remaining }: Level, cost: number, now: number): number {
    return rule === 'bucket' ? ((cost - remaining) * perMs) / limit : perMs - (now % perMs);
  }

  return {
    draw(cost, now) {
      refresh(now);
      const lacking = levels
        .filter(({ unit, remaining }) => !hasRoom(remaining, cost[unit]))
        .map((level) => ({ unit: level.unit, waitMs: untilRoom(level, cost[level.unit], now) }))
        .sort((a, b) => b.waitMs - a.waitMs);
      if (lacking.length > 0) return lacking[0];
      for (const level of levels) level.remaining -= cost[level.unit];
      return undefined;
    },
    correct(cost, since, now) {
      refresh(now);
      const isOver = rule === 'window' && Math.floor(since / perMs) !== Math.floor(now / perMs);
      for (const level of levels) {
        const more = cost[level.unit] ?? 0;
        level.remaining = Math.min(level.limit, level.remaining - (isOver ? Math.max(0, more) : more));
      }
    },
    standings(now) {
      refresh(now);
      return levels.map((level) => {
        const { unit, limit, remaining } = level;
        const resetMs = remaining < limit ? Math.ceil(untilRoom(level, limit, now)) : 0;
        return { unit, limit, remaining: Math.max(0, Math.floor(remaining)), resetMs };
      });
    },
  };
}

/** What costs nothing yet needs room all the same: an answer, whose length nobody knows, isn't begun by who has none left. */
function hasRoom(remaining: number, cost: number): boolean {
  return remaining > 0 && remaining >= cost - 1e-9;
}
