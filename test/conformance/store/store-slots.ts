/** What every store promises of slots: each comes back once, by being settled or by its lease. */
import type { Keyed } from '../../helpers/oracle-store.js';
import { charge, SLOTS, START, WINDOW } from './charges.js';
import type { Bench } from './store-budgets.js';

const LEASE = 1_000;

/** @param bench of the test that runs */
export function keepsSlots(bench: () => Bench): void {
  const slot = (cost = 1, limit = 3, user = 'ann'): Keyed => charge(bench().meters.slots, SLOTS, [user], cost, limit);
  const inUse = async (now: number) => (await bench().used(now, slot(0)))[0];

  describe('slots', () => {
    it('are taken up to the limit, come back when they are settled, and not again', async () => {
      const { store, take, takeAny } = bench();
      const [{ receipt: first }] = [await take(START, slot()), await take(START, slot()), await take(START, slot())];
      expect(await takeAny(START, [slot()])).toMatchObject({ refused: [[{ used: 3, waitMs: expect.any(Number) }]] });
      await take(START, slot(1, 3, 'bob'));
      for (let i = 0; i < 3; i++) await store.settle(first, [0], START + i);
      expect(first).toMatchObject([{ cost: 0 }]);
      expect(await inUse(START + 2)).toBe(2);
      await take(START + 2, slot());
      expect(await inUse(START + 2)).toBe(3);
    });

    it('come back by themselves when their lease ends, as told to who is refused', async () => {
      const { store, take, takeAny } = bench();
      const now = START + 300;
      const { receipt } = await take(now, slot(3));
      expect(await takeAny(now + LEASE, [slot()])).toMatchObject({
        refused: [[{ used: 3, waitMs: START + 2 * LEASE - (now + LEASE) }]],
      });
      expect([await inUse(START + 2 * LEASE - 1), await inUse(START + 2 * LEASE)]).toEqual([3, 0]);
      await take(START + 2 * LEASE, slot(2));
      await store.settle(receipt, [0], START + 2 * LEASE);
      expect(await inUse(START + 2 * LEASE)).toBe(2);
    });

    it('that are fewer for a while let others wait, and those that can never be refuse for good', async () => {
      const { store, take, takeAny } = bench();
      const resting = (cost: number, limit: number): Keyed => {
        const { charge, key } = slot(cost, limit);
        return { charge: { ...charge, whole: 3 }, key };
      };
      expect(await takeAny(START, [resting(1, 0)])).toMatchObject({ refused: [[{ used: 0, waitMs: 1 }]] });
      await take(START, slot(2));
      const { receipt } = await take(START + LEASE, slot(1));
      await store.settle(receipt, [0], START + LEASE);
      expect(await takeAny(START + LEASE, [resting(1, 0)])).toMatchObject({ refused: [[{ used: 2, waitMs: LEASE }]] });
      expect(await takeAny(START + 2 * LEASE, [resting(3, 1)])).toMatchObject({ refused: [[{ used: 0, waitMs: 1 }]] });
      expect(await takeAny(START + 2 * LEASE, [resting(4, 1)])).toMatchObject({
        refused: [[{ waitMs: Number.POSITIVE_INFINITY }]],
      });
    });

    it('stand in one record with limits by other rules, and are kept while those drain', async () => {
      const { store, meters, take, used } = bench();
      const window = (cost: number, user = 'ann') => charge(meters.window, WINDOW, [user], cost, 100);
      const { receipt } = await take(START, window(5), slot(2));
      // As many parts of the window as there are, which takes a larger record.
      for (let at = START; at < START + 1_000; at += 100) await take(at, window(1));
      expect(await used(START + 999, window(0), slot(0))).toEqual([15, 2]);
      for (let i = 0; i < 25; i++) await take(START + 1_999, window(1, `user-${i}`));
      expect(await inUse(START + 1_999)).toBe(2);
      await store.settle(receipt, [5, 0], START + 1_999);
      expect(await inUse(START + 1_999)).toBe(0);
    });
  });
}
