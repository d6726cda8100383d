/** What is known of the limits of keys: as they are configured, and as answers have told. */
import type { HeadroomUnit, HeadroomWindow, Provider, Reading } from './providers/provider.js';

export const UNITS = ['requests', 'tokens', 'inputTokens', 'outputTokens'] as const satisfies HeadroomUnit[];
export const WINDOWS = ['second', 'minute', 'day'] as const satisfies HeadroomWindow[];

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
  /** The families that a way has had answers for. */
  familiesOf(way: string): readonly string[];
}

interface Learned {
  readonly way: string;
  readonly family: string;
  /** By unit and window. */
  readonly limits: Map<string, number>;
}

/** Names of models come from clients: beyond this many the oldest is forgotten, and learned anew. */
const MOST_FAMILIES = 10_000;

export function createKnownLimits(providers: ReadonlyMap<string, Provider>): KnownLimits {
  /** By way and family. */
  const learned = new Map<string, Learned>();
  return {
    of(whose, unit, window) {
      const own = configured(providers.get(whose.provider), whose.family, unit, window);
      const told = learned.get(idOf(whose))?.limits.get(unit + window);
      return own === undefined || told === undefined ? (own ?? told) : Math.min(own, told);
    },
    learn(whose, readings) {
      const id = idOf(whose);
      const { way, family } = whose;
      const told = learned.get(id) ?? { way, family, limits: new Map() };
      for (const { unit, window, limit } of readings) if (limit !== undefined) told.limits.set(unit + window, limit);
      const [oldest] = learned.keys();
      if (learned.size >= MOST_FAMILIES && !learned.has(id)) learned.delete(oldest);
      learned.set(id, told);
    },
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
