/** For how long it is waited before something that failed is tried again, in milliseconds. */

/** What is said of when to come back is believed this far: then it is asked again. */
export const LONGEST_SAID_MS = 300_000;

/** The first delay, doubled each time up to the longest. */
export function doubled({ first, longest }: { first: number; longest: number }, times: number): number {
  return Math.min(longest, first * 2 ** (times - 1));
}
