/** How urgent requests can be, as the line goes through them. */
import type { Priority } from '../request.js';

/** From the most urgent. */
export const PRIORITIES: readonly Priority[] = ['interactive', 'standard', 'batch', 'background'];

/** Something for each of them. */
export function byPriority<T>(make: () => T): Record<Priority, T> {
  return { interactive: make(), standard: make(), batch: make(), background: make() };
}
