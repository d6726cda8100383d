/**
 * When a budget will be exhausted if spending goes on at its present burn: what has been spent since the period began,
 * per time passed. Money is in nano-dollars, time in milliseconds since 1970.
 *
 * @param spent what counts against the limit; at or above it the budget is exhausted already, which is `now`
 * @param startsAt when the period began
 * @param resetsAt when it ends
 * @returns a whole number of milliseconds before `resetsAt`; `undefined` where the budget lasts until then, where
 *   nothing is spent, and where no time has passed that a burn could be told from
 */
export function exhaustsAt(
  spent: number,
  limit: number,
  startsAt: number,
  resetsAt: number,
  now: number,
): number | undefined {
  if (spent >= limit) return now;
  const passed = now - startsAt;
  if (spent <= 0 || passed <= 0) return undefined;
  const at = Math.ceil(now + ((limit - spent) / spent) * passed);
  return at < resetsAt ? at : undefined;
}
