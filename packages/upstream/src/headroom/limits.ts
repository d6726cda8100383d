/** What is known of the limits of keys: as they are configured, and as answers have told lately. */
import type { Clock } from '@tollgate/core';
import type { HeadroomUnit, HeadroomWindow, Provider, Reading } from '../providers/provider.js';

/** Whose limits: a way's name, and the models that it counts together. */
export interface LimitsOf {
  readonly provider: string;
  readonly way: string;
  readonly family: string;
}

export interface KnownLimits {
  /** The lesser of what is configured and what was told; `undefined` where neither is. */
  of(whose: LimitsOf, unit: HeadroomUnit, window: HeadroomWindow): number | undefined;
  learn(whose: LimitsOf, readings: readonly Reading[]): void;
  /** Forgets what was told. Returns true where that was something. */
  doubt(whose: LimitsOf, unit: HeadroomUnit, window: HeadroomWindow): boolean;
  /** A call of the family has been answered well. */
  served(whose: LimitsOf): void;
  /** The families that a way has served, or has been told limits of. */
  familiesOf(way: string): readonly string[];
}

interface Learned {
  readonly way: string;
  readonly family: string;
  /** By unit and window. */
  readonly limits: Map<string, Told>;
}

interface Told {
  readonly limit: number;
  /** In milliseconds since 1970. */
  readonly at: number;
}

/** Names of models come from clients: beyond this many what was of use longest ago is forgotten, and learned anew. */
const MOST_FAMILIES = 10_000;
/** Longer names are none of a model. */
const LONGEST_NAME = 256;
/** What was told wrong, or has changed, is forgotten unless it is told again. */
const BELIEVED_MS = 600_000;

export function createKnownLimits(providers: ReadonlyMap<string, Provider>, clock: Clock): KnownLimits {
  /** By way and family. */
  const learned = new Map<string, Learned>();

  function limitsOf(whose: LimitsOf): Learned['limits'] {
    const id = idOf(whose);
    const { way, family } = whose;
    const { limits } = learned.get(id) ?? { limits: new Map<string, Told>() };
    if (family.length > LONGEST_NAME) return limits;
    learned.delete(id);
    const [oldest] = learned.keys();
    if (learned.size >= MOST_FAMILIES) learned.delete(oldest);
    learned.set(id, { way, family, limits });
    return limits;
  }

  return {
    of(whose, unit, window) {
      const own = configured(providers.get(whose.provider), whose.family, unit, window);
      const last = learned.get(idOf(whose))?.limits.get(unit + window);
      const told = last !== undefined && clock.now() - last.at < BELIEVED_MS ? last.limit : undefined;
      return own === undefined || told === undefined ? (own ?? told) : Math.min(own, told);
    },
    learn(whose, readings) {
      const told = readings.filter(({ limit }) => limit !== undefined);
      if (told.length === 0) return;
      const limits = limitsOf(whose);
      for (const { unit, window, limit } of told)
        limits.set(unit + window, { limit: limit as number, at: clock.now() });
    },
    doubt: (whose, unit, window) => learned.get(idOf(whose))?.limits.delete(unit + window) ?? false,
    served: (whose) => void limitsOf(whose),
    familiesOf: (way) => [...learned.values()].filter((one) => one.way === way).map(({ family }) => family),
  };
}

function idOf({ way, family }: LimitsOf): string {
  return `${way} ${family}`;
}

function configured(
  provider: Provider | undefined,
  family: string,
  unit: HeadroomUnit,
  window: HeadroomWindow,
): number | undefined {
  const limits = provider?.limits;
  const own = limits !== undefined && Object.hasOwn(limits, family) ? limits[family] : limits?.default;
  return own?.[window]?.[unit];
}
