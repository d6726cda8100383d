/** Where instances wait for what a batch charges or gives back: batch.lua says how that is written. */
import type { Charge, Meter, Who } from '../../meters/meter.js';
import type { Alternative } from '../store.js';
import { createWaitersNames, waitingName } from './keys.js';
import { createNumbers, push, textOf } from './numbers.js';

/** What costs nothing passes by. */
export function isWaitedFor({ whenFull, shadow, cost }: Charge): boolean {
  return whenFull === 'wait' && !shadow && cost > 0;
}

/** The score of what has to wait for its turn anywhere. */
export function turnOf(alternatives: readonly Alternative[], score: number | undefined): number | undefined {
  if (score === undefined) return undefined;
  return alternatives.some(({ bills }) => bills.some(({ charges }) => charges.some(isWaitedFor))) ? score : undefined;
}

/**
 * @param head of all keys
 * @param instance the sender
 */
export function createWaitings(head: string, instance: string) {
  const nameOf = createWaitersNames(head);
  const waiting = waitingName(head);
  let names = new Map<number, string>();

  return {
    note(cell: number, meter: Meter, who: Who): void {
      if (!names.has(cell)) names.set(cell, nameOf(meter, who));
    },
    /** All that was noted since it was asked last. @param before the keys that these come behind, and how many are before those */
    next(
      before: readonly string[],
      first: number,
    ): {
      readonly keys: readonly string[];
      readonly values: readonly string[];
    } {
      if (names.size === 0) return NOTHING;
      const keys = [...new Set(names.values())];
      const numbers = createNumbers();
      for (const [cell, name] of names) {
        push(numbers, cell);
        push(numbers, first + before.length + keys.indexOf(name) + 1);
      }
      names = new Map();
      return { keys: [...keys, waiting], values: [instance, textOf(numbers)] };
    },
  };
}

const NOTHING = { keys: [], values: [] };
