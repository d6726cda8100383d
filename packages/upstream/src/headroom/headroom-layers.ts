/** The limits of providers, as layers of the gate that counts them: what each key has left, and what shuts it. */
import { type Dimension, headroom, type Limit, type Observation, type Subject, type Whom } from '@tollgate/core';
import { type HeadroomUnit, type HeadroomWindow, type Reading, UNITS, WINDOWS } from '../providers/provider.js';
import type { CallWay } from '../way.js';
import type { KnownLimits, LimitsOf } from './limits.js';

export type Shut = 'family' | 'key' | 'provider';

/** A dimension of this gate alone: the models that share limits. */
export const FAMILY = 'family' as Dimension;
const DURATIONS = { second: '1s', minute: '1m', day: '1d' } as const;

/** The layer of the calls that a provider has at once. */
export const SLOTS = 'slots';
/** The layer by which a provider is shut while it cools. */
export const COOLING = 'provider';
/** By which layer each is shut. That of the family is there whether its limit is known or not. */
export const SHUTS: Readonly<Record<Shut, string>> = {
  family: layerName('requests', 'minute'),
  key: 'key',
  provider: COOLING,
};
const REFILLED_SOON = ['second', 'minute'] as const;
const UNLIMITED = Number.POSITIVE_INFINITY;
/**
 * The part of a limit that is left alone: calls overtake each other on their way, so that what is let out by the limit may
 * arrive a little above it.
 */
const MARGIN = 0.02;

/** All of them: by what providers are shut, and by what they limit. */
export function headroomLayers(known: KnownLimits): readonly Limit[] {
  return [
    headroom({ name: SHUTS.provider, by: 'provider', unit: 'requests', window: '1m', limit: UNLIMITED }),
    headroom({ name: SHUTS.key, by: 'key', unit: 'requests', window: '1m', limit: UNLIMITED }),
    ...UNITS.flatMap((unit) => WINDOWS.map((window) => layerOf(known, unit, window))),
  ];
}

function layerOf(known: KnownLimits, unit: HeadroomUnit, window: HeadroomWindow): Limit {
  const name = layerName(unit, window);
  const unknown = name === SHUTS.family ? UNLIMITED : undefined;
  const limit = (whom: Whom) => {
    const limit = known.of(whoseIn(whom), unit, window);
    return limit === undefined ? unknown : limit - marginOf(limit);
  };
  return headroom({ name, by: ['key', FAMILY], unit, window: DURATIONS[window], limit });
}

function marginOf(limit: number): number {
  return Math.floor(limit * MARGIN);
}

/** What was told of a limit, less what is left alone of it. */
export function heldBack({ unit, window, limit, remaining }: Reading, known: number | undefined): Observation {
  const margin = marginOf(limit ?? known ?? 0);
  return {
    layer: layerName(unit, window),
    limit: limit && limit - margin,
    remaining: remaining && Math.max(0, remaining - margin),
  };
}

/**
 * What a refusal says of the limits that are known: nothing passes for so long, and where it tells of none that is left,
 * nothing is. So those who wait are let out little by little then. Of a day's limit it says nothing: that takes a day to come back.
 */
export function usedUp(
  known: KnownLimits,
  whose: LimitsOf,
  told: readonly Observation[],
  shutMs: number,
): readonly Observation[] {
  const limits = UNITS.flatMap((unit) => REFILLED_SOON.map((window) => ({ unit, window })));
  return limits.flatMap(({ unit, window }) => {
    if (known.of(whose, unit, window) === undefined) return [];
    const layer = layerName(unit, window);
    const isTold = told.some((one) => one.layer === layer && one.remaining !== undefined);
    return [{ layer, shutMs, remaining: isTold ? undefined : 0 }];
  });
}

/** What a provider tells, or who reads it, may be wrong: no call fails for that. */
export function isReading({ unit, window, limit, remaining }: Reading): boolean {
  const isCount = (value: number | undefined) =>
    value === undefined || (value >= 0 && value <= Number.MAX_SAFE_INTEGER);
  return UNITS.includes(unit) && WINDOWS.includes(window) && limit !== 0 && isCount(limit) && isCount(remaining);
}

/** Such as `tokens-per-minute`. */
function layerName(unit: HeadroomUnit, window: HeadroomWindow): string {
  return `${unit}-per-${window}`;
}

/** The unit and window that a layer's name tells. */
export function limitNamed(layer: string): [HeadroomUnit, HeadroomWindow] {
  return layer.split('-per-') as [HeadroomUnit, HeadroomWindow];
}

/** A key's name is one in its provider; the way's, in all of them. */
export function subjectOf({ name, family }: CallWay): Subject {
  return { key: name, [FAMILY]: family };
}

function whoseIn(whom: Whom): LimitsOf {
  const { provider, key, [FAMILY]: family } = whom;
  return { provider: String(provider), way: String(key), family: String(family) };
}
