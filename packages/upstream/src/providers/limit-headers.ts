/** What headers say of a provider's limits. */
import type { HeadroomUnit, HeadroomWindow, Reading } from './provider.js';
import { readCount, readReset } from './values.js';

/** The names of the headers that tell of one limit. */
export interface LimitHeaders {
  readonly unit: HeadroomUnit;
  readonly window: HeadroomWindow;
  readonly limit?: string;
  readonly remaining?: string;
  /** When it is there again: `12ms`, `6m0s`, seconds, seconds or milliseconds since 1970, or a date of RFC 3339. */
  readonly reset?: string;
}

/**
 * A limit of 0 is a placeholder and says nothing, as does whatever is no number: `-1`, `NaN`, `5, 7`. Of two for one unit and
 * window the tighter counts.
 */
export function readLimits(all: readonly LimitHeaders[], headers: Headers): Reading[] {
  const tightest = new Map<string, Reading>();
  for (const one of all) {
    const reading = readLimit(one, headers);
    if (reading === undefined || reading.limit === 0) continue;
    const at = `${one.unit} ${one.window}`;
    const { remaining = Number.POSITIVE_INFINITY } = tightest.get(at) ?? {};
    if (!tightest.has(at) || (reading.remaining ?? remaining) < remaining) tightest.set(at, reading);
  }
  return [...tightest.values()];
}

/** Likewise, and a limit of 0 is one that nothing fits. */
export function readLimit({ unit, window, ...names }: LimitHeaders, headers: Headers): Reading | undefined {
  const limit = readCount(headerOf(headers, names.limit));
  const remaining = readCount(headerOf(headers, names.remaining));
  if (limit === undefined && remaining === undefined) return undefined;
  const left = remaining === undefined ? {} : { remaining: Math.min(remaining, limit ?? remaining) };
  return { unit, window, ...(limit === undefined ? {} : { limit }), ...left };
}

/** Milliseconds until there is room in every limit of which nothing is left; `undefined` where that isn't told. */
export function readExhaustedReset(all: readonly LimitHeaders[], headers: Headers, now: number): number | undefined {
  const exhausted = all.filter(({ remaining }) => readCount(headerOf(headers, remaining)) === 0);
  const resets = exhausted.map(({ reset }) => readReset(headerOf(headers, reset), now) ?? 0);
  const longest = Math.max(0, ...resets);
  return longest === 0 ? undefined : longest;
}

function headerOf(headers: Headers, name: string | undefined): string | null {
  return name === undefined ? null : headers.get(name);
}
