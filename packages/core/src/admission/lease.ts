/** Leases of slots: what runs on after them does so without a slot, and is told to stop. */
import type { Clock } from '../clock.js';
import { leaseEnd } from '../meters/slots.js';
import type { Receipt } from '../store/store.js';

/**
 * Calls `task` when the first lease of what a receipt holds has ended. Returns what cancels that, safe to call twice.
 *
 * Leases begin and end by the store's clock, which may be behind: none ends before it has lasted for its length.
 *
 * @param since when the first was charged, by the clock given
 * @param receipt what is held now: a change of the admission may give slots back and take others
 */
export function atLeaseEnd(clock: Clock, since: number, receipt: () => Receipt, task: () => void): () => void {
  let cancel = () => {};
  const wait = (): void => {
    const endsAt = endOf(receipt(), since);
    if (endsAt === Number.POSITIVE_INFINITY) return;
    const left = endsAt - clock.now();
    if (left <= 0) task();
    else cancel = clock.after(left, wait);
  };
  wait();
  return () => cancel();
}

function endOf(receipt: Receipt, since: number): number {
  let end = Number.POSITIVE_INFINITY;
  for (const { charge, cost, place } of receipt) {
    const { rule } = charge;
    if (rule.kind !== 'slots' || cost === 0 || charge.shadow) continue;
    end = Math.min(end, Math.max(leaseEnd(rule, place), since + rule.leaseMs));
  }
  return end;
}
