/** Delays before retries, in milliseconds. */

/** The longest delay that a provider is believed: after that it is asked again. */
export const LONGEST_SAID_MS = 300_000;

/** The first delay, doubled each time up to the longest. */
export function doubled({ first, longest }: { first: number; longest: number }, times: number): number {
  return Math.min(longest, first * 2 ** (times - 1));
}
