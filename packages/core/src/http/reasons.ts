/** Why a request is refused, of all that its meters said. */
import type { Usage } from '../meters/meter.js';

/** Milliseconds until an alternative fits: the longest that takes of what refuses it. */
export function waitOf(usages: readonly Usage[]): number {
  return reasons(usages).reduce((longest, { waitMs }) => Math.max(longest, waitMs), 0);
}

/** What refuses: what a request would only have to wait for in the line is a reason where there is no other. */
export function reasons(usages: readonly Usage[]): readonly Usage[] {
  const full = usages.filter(({ charge, waitMs }) => !charge.shadow && waitMs > 0);
  const refusing = full.filter(
    ({ charge, waitMs }) => charge.whenFull === 'refuse' || waitMs === Number.POSITIVE_INFINITY,
  );
  return refusing.length > 0 ? refusing : full;
}
