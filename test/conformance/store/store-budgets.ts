/** What every store promises of budgets: their periods come with the rule, and each key's record has them beside its limits. */
import type { NotTaken, Receipt, Store, Taken } from '@tollgate/core';
import type { Keyed } from '../../helpers/oracle-store.js';
import { BUCKET, COARSE, calendar, charge, daily, type makeMeters, PERIOD, renew, START, WINDOW } from './charges.js';

/** A store under test, and what is done with it. */
export interface Bench {
  readonly store: Store;
  readonly meters: ReturnType<typeof makeMeters>;
  /** Fails the test where it is refused. */
  take(now: number, ...charges: readonly Keyed[]): Promise<Taken>;
  takeAny(now: number, ...alternatives: readonly (readonly Keyed[])[]): Taken | NotTaken | Promise<Taken | NotTaken>;
  used(now: number, ...charges: readonly Keyed[]): Promise<number[]>;
}

/** @param bench of the test that runs */
export function keepsBudgets(bench: () => Bench): void {
  /** Against the budget of `user`, in the period of a time. */
  const spend = (at: number, cost: number, user = 'ann', limit = 10) =>
    charge(bench().meters.budget, daily(at), [user], cost, limit);
  const spent = async (at: number, user = 'ann') => (await bench().used(at, spend(at, 0, user)))[0];

  /** Lets a store that forgets what has drained do so. */
  async function othersCome(now: number): Promise<void> {
    const { take, meters } = bench();
    for (let i = 0; i < 25; i++) {
      await take(now, charge(meters.window, WINDOW, [`user-${now}-${i}`], 1));
      await take(now, charge(meters.coarse, COARSE, [`user-${now}-${i}`, 'chat'], 1));
    }
  }

  describe('a budget', () => {
    it('is spent until its period ends, and says when that is', async () => {
      const { take, takeAny } = bench();
      await take(START, spend(START, 7));
      await take(START + PERIOD - 1, spend(START + PERIOD - 1, 3));
      const late = START + PERIOD - 1_000;
      expect(await takeAny(START + PERIOD - 1, [spend(late, 1)])).toMatchObject({
        refused: [[{ used: 10, waitMs: 1 }]],
      });
      expect(await spent(START + PERIOD - 1)).toBe(10);
      await take(START + PERIOD, spend(START + PERIOD, 10));
      expect(await spent(START + PERIOD)).toBe(10);
    });

    it('may be used in part by one alternative and as a whole by the next', async () => {
      const { take, takeAny } = bench();
      await take(START, spend(START, 6));
      const ways = [[spend(START, 3, 'ann', 8)], [spend(START, 2, 'ann', 10)]];
      expect(await takeAny(START, ...ways)).toMatchObject({ taken: 1, receipt: [{ cost: 2, used: 8 }] });
      expect(await takeAny(START, ...ways)).toMatchObject({ taken: 1, receipt: [{ cost: 2, used: 10 }] });
      expect(await takeAny(START, ...ways)).toMatchObject({ refused: [[{ used: 10 }], [{ used: 10 }]] });
    });

    it('tells in its entries what counts after each, and which period was charged', async () => {
      const { store, take } = bench();
      const place = Math.floor(START / PERIOD);
      const [{ receipt: first }, { receipt: second }] = [
        await take(START, spend(START, 4)),
        await take(START, spend(START, 5)),
      ];
      expect([first[0], second[0]]).toMatchObject([
        { place, cost: 4, used: 4 },
        { place, cost: 5, used: 9 },
      ]);
      await store.settle(first, [1], START);
      expect(first).toMatchObject([{ place, cost: 1, used: 6 }]);
      await store.settle(second, [25], START);
      expect(second).toMatchObject([{ place, cost: 25, used: 26 }]);
    });

    it.each([
      { later: 0, actual: 2, present: 5 },
      { later: 0, actual: 9, present: 12 },
      { later: 1, actual: 2, present: 3 },
      { later: 1, actual: 9, present: 3 },
      { later: 2, actual: 2, present: 3 },
      { later: 2, actual: 9, present: 7 },
      { later: 40, actual: 2, present: 3 },
      { later: 40, actual: 9, present: 7 },
    ])('charged 5 and settled $later periods later for $actual, has $present spent of 3', async (it) => {
      const { store, take } = bench();
      const { receipt } = await take(START, spend(START, 5));
      const now = START + it.later * PERIOD;
      await take(now, spend(now, 3));
      renew(receipt[0], daily(now));
      await store.settle(receipt, [it.actual], now);
      expect(await spent(now)).toBe(it.present);
      const cost = it.later > 1 ? Math.max(5, it.actual) : it.actual;
      expect(receipt).toMatchObject([{ cost, used: it.present, place: Math.floor(START / PERIOD) }]);
    });

    it('gives back nothing of an older period, but what came to the present one as a whole', async () => {
      const { store, take } = bench();
      const [{ receipt: five }, { receipt: nothing }] = [
        await take(START, spend(START, 5)),
        await take(START, spend(START, 0)),
      ];
      const now = START + 3 * PERIOD;
      for (const [entry] of [five, nothing]) renew(entry, daily(now));
      const after: number[][] = [];
      const settle = async (receipt: Receipt, actual: number) => {
        await store.settle(receipt, [actual], now);
        after.push([receipt[0].cost, await spent(now)]);
      };
      for (const actual of [5, 9, 0, 6, 1, 10]) await settle(five, actual);
      for (const actual of [6, 1]) await settle(nothing, actual);
      expect(after).toEqual([
        [5, 0],
        [9, 4],
        [9, 4],
        [9, 4],
        [9, 4],
        [10, 5],
        [6, 11],
        [1, 6],
      ]);
    });

    it('goes on in the period that it knows where a clock is set back', async () => {
      const { store, take, takeAny } = bench();
      await take(START, spend(START, 4));
      const { receipt } = await take(START - 1, spend(START - 1, 5));
      expect(receipt).toMatchObject([{ used: 9, place: Math.floor(START / PERIOD) }]);
      const result = await takeAny(START - 1, [spend(START - 1, 2)]);
      expect(result).toMatchObject({ refused: [[{ used: 9, waitMs: expect.any(Number) }]] });
      expect('refused' in result && result.refused[0][0].waitMs).toBeGreaterThan(0);
      await store.settle(receipt, [1], START - 1);
      expect([await spent(START - 1), await spent(START)]).toEqual([5, 5]);
      expect(await spent(START + PERIOD)).toBe(0);
    });

    it('stands in one record with limits by other rules, each with its own', async () => {
      const { store, meters, take, used } = bench();
      const all = (user: string, at: number, ...[a, b, c]: number[]) => [
        charge(meters.window, WINDOW, [user], a, 100),
        charge(meters.budget, daily(at), [user], b, 100),
        charge(meters.bucket, BUCKET, [user], c, 100),
      ];
      const { receipt } = await take(START, ...all('ann', START, 3, 5, 4));
      await take(START, ...all('bob', START, 30, 50, 40));
      await store.settle(receipt, [1, 2, 6], START);
      expect(await used(START, ...all('ann', START, 0, 0, 0))).toEqual([1, 2, 6]);
      // As many parts of the window as there are, which takes a larger record.
      for (let at = START; at < START + 1_000; at += 100)
        await take(at, charge(meters.window, WINDOW, ['ann'], 1, 100));
      await store.settle(receipt, [1, 7, 6], START + 1_000);
      const [window, budget] = await used(START + 1_000, ...all('ann', START, 0, 0, 0));
      expect([window, budget]).toEqual([11, 7]);
      expect(await used(START, ...all('bob', START, 0, 0, 0))).toEqual([30, 50, expect.any(Number)]);
    });

    it('is kept while its period lasts, though limits beside it have drained and others come', async () => {
      const { store, meters, take, used } = bench();
      const charges = [charge(meters.window, WINDOW, ['ann'], 3), charge(meters.bucket, BUCKET, ['ann'], 4)];
      const { receipt } = await take(START, ...charges, spend(START, 5));
      await store.settle(receipt, [3, 4, 5], START);
      await othersCome(START + PERIOD - 1);
      expect(await used(START + PERIOD - 1, ...charges, spend(START, 0))).toEqual([0, 0, 5]);
      await othersCome(START + PERIOD);
      expect(await used(START + PERIOD, ...charges, spend(START + PERIOD, 0))).toEqual([0, 0, 0]);
    });

    it('whose periods have ended takes no limit beside it along', async () => {
      const { meters, take, used } = bench();
      const short = calendar(1_000);
      const both = (at: number) => [
        charge(meters.coarse, COARSE, ['ann', 'chat'], 3),
        charge(meters.longer, short(at), ['ann', 'chat'], 5),
      ];
      await take(START, ...both(START));
      await othersCome(START + 30_000);
      expect(await used(START + 30_000, ...both(START + 30_000))).toEqual([3, 0]);
    });

    it('of a record long forgotten gives nothing back, and is charged what is found to be above', async () => {
      const { store, take } = bench();
      const [{ receipt: low }, { receipt: high }] = [
        await take(START, spend(START, 4)),
        await take(START, spend(START, 4)),
      ];
      const now = START + 5 * PERIOD;
      await othersCome(now);
      for (const [entry] of [low, high]) renew(entry, daily(now));
      await store.settle(low, [1], now);
      expect(low).toMatchObject([{ cost: 4, used: 0 }]);
      await store.settle(high, [6], now);
      expect(high).toMatchObject([{ cost: 6, used: 2 }]);
      expect(await spent(now)).toBe(2);
    });
  });
}
