/** Tells adaptive slots what runs in them: how many there are follows how that ends. */
import type { AdaptiveSlots, Plan, Running } from '../meters/charges.js';
import { type Ending, keyIn } from '../meters/meter.js';
import type { Entry, Receipt } from '../store/store.js';

export interface SlotsInUse {
  /** What was charged for adaptive slots begins at `now`. */
  began(receipt: Receipt, plan: Plan, now: number): void;
  /** What began of it ends. Does nothing the second time. */
  ended(receipt: Receipt, ending: Ending, now: number): void;
}

export function createSlotsInUse(): SlotsInUse {
  /** By entry, which an admission keeps for as long as it has the slot. */
  const inUse = new WeakMap<Entry, { readonly slots: AdaptiveSlots; readonly running: Running }>();
  return {
    began(receipt, plan, now) {
      for (const entry of receipt) {
        const { meter } = entry.charge;
        const slots = meter.unit === 'slots' ? plan.layerOf.get(meter)?.adaptive : undefined;
        if (slots !== undefined) inUse.set(entry, { slots, running: slots.began(keyIn(meter.scope, entry.who), now) });
      }
    },
    ended(receipt, ending, now) {
      for (const entry of receipt) {
        const used = inUse.get(entry);
        used?.slots.ended(used.running, ending, now);
      }
    },
  };
}
