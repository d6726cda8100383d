/** What every store promises at the seam, whatever it keeps its records in. */
import { createTollgate, type Store, slidingWindow, type Taken, type Usage } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import type { Keyed } from '../../helpers/oracle-store.js';
import { alternativeOf, BUCKET, COARSE, charge, keyedOf, makeMeters, START, WINDOW } from './charges.js';
import { keepsBudgets } from './store-budgets.js';
import { keepsHeadroom } from './store-headroom.js';
import { agreesWithPlainLists } from './store-histories.js';
import { keepsRecords } from './store-records.js';
import { keepsSlots } from './store-slots.js';

/** @param isExact all figures are, and not only what they decide */
export function storeContract(name: string, makeStore: () => Store | Promise<Store>, isExact = true): void {
  describe(`${name} as a store`, () => {
    let store: Store;
    let meters: ReturnType<typeof makeMeters>;
    beforeEach(async () => {
      store = await makeStore();
      meters = makeMeters();
    });
    afterEach(() => store.close());

    const takeAny = (now: number, ...alternatives: readonly (readonly Keyed[])[]) =>
      store.take(
        {
          alternatives: alternatives.map((charges, i) => alternativeOf(charges, `${i}`)),
        },
        now,
      );

    async function take(now: number, ...charges: readonly Keyed[]): Promise<Taken> {
      const result = await takeAny(now, charges);
      if ('refused' in result) throw new Error('expected it to be taken');
      return result;
    }

    const peek = (now: number, ...charges: readonly Keyed[]) => {
      const { who, bills } = alternativeOf(charges);
      return store.peek(who, bills, now);
    };

    const used = async (now: number, ...charges: readonly Keyed[]) =>
      (await peek(now, ...charges)).map((usage) => usage.used);

    describe('take', () => {
      it('charges all of it and gives a receipt of it', async () => {
        const key = ['ann'];
        const charges = [charge(meters.window, WINDOW, key, 3), charge(meters.bucket, BUCKET, key, 4)];
        const { taken, receipt, shadowRefused } = await take(START, ...charges);
        expect([taken, shadowRefused]).toEqual([0, []]);
        expect(receipt).toMatchObject([
          { charge: charges[0].charge, cost: 3, place: expect.any(Number) },
          { charge: charges[1].charge, cost: 4, place: expect.any(Number) },
        ]);
        expect(receipt.map(keyedOf)).toEqual(charges);
        expect(await used(START, ...charges)).toEqual([3, 4]);
      });

      it('takes a request that no limit meets', async () => {
        expect(await take(START)).toMatchObject({ taken: 0, receipt: [] });
      });

      it('refuses all of it where one charge does not fit, says what each meter says, and charges nothing', async () => {
        const key = ['ann'];
        await take(START, charge(meters.window, WINDOW, key, 8), charge(meters.bucket, BUCKET, key, 1));
        const charges = [charge(meters.window, WINDOW, key, 3), charge(meters.bucket, BUCKET, key, 3)];
        const result = await takeAny(START, charges);
        expect(result).toMatchObject({
          refused: [
            [
              { used: 8, waitMs: 1_100 },
              { used: 1, waitMs: 0 },
            ],
          ],
        });
        expect(await used(START, ...charges)).toEqual([8, 1]);
      });

      it('says never of a cost above the limit', async () => {
        const result = await takeAny(START, [charge(meters.window, WINDOW, ['ann'], 11)]);
        expect(result).toMatchObject({ refused: [[{ used: 0, waitMs: Number.POSITIVE_INFINITY }]] });
      });

      it('fills a limit to the last unit, and admits zero cost then', async () => {
        await take(START, charge(meters.window, WINDOW, ['ann'], 10));
        await take(START, charge(meters.window, WINDOW, ['ann'], 0));
        expect(await takeAny(START, [charge(meters.window, WINDOW, ['ann'], 0.5)])).toHaveProperty('refused');
        await take(START, charge(meters.window, WINDOW, ['ann'], 1e15, Number.POSITIVE_INFINITY));
      });

      it('takes the first alternative that fits, and says of each why not where none does', async () => {
        const at = (user: string, cost: number) => [charge(meters.window, WINDOW, [user], cost)];
        await take(START, ...at('ann', 9));
        await take(START, ...at('bob', 5));
        expect(await takeAny(START, at('ann', 2), at('bob', 6), at('cy', 4), at('dan', 1))).toMatchObject({ taken: 2 });
        for (const [user, cost] of Object.entries({ ann: 9, bob: 5, cy: 4, dan: 0 })) {
          expect(await used(START, ...at(user, 0))).toEqual([cost]);
        }
        const result = await takeAny(START, at('ann', 2), at('bob', 6));
        expect(result).toMatchObject({ refused: [[{ used: 9 }], [{ used: 5 }]] });
      });

      it('counts keys apart, and combinations of values', async () => {
        const values = ['a', 'b', 'a/b', '', undefined, '__proto__', 'undefined'];
        const keys = values.flatMap((user) => values.map((feature) => [user, feature]));
        for (const [i, key] of keys.entries()) await take(START, charge(meters.coarse, COARSE, key, i, 100));
        for (const [i, key] of keys.entries()) {
          expect(await used(START, charge(meters.coarse, COARSE, [...key], 0))).toEqual([i]);
        }
      });

      it('takes a time that goes back as the latest that it knows', async () => {
        const one = charge(meters.window, WINDOW, ['ann'], 5);
        await take(START, one);
        await take(START - 60_000, one);
        expect(await takeAny(START - 60_000, [one])).toMatchObject({ refused: [[{ used: 10, waitMs: 1_100 }]] });
        expect(await used(START + 1_099, one)).toEqual([10]);
        expect(await used(START + 1_100, one)).toEqual([0]);
      });
    });

    describe('take that tells', () => {
      it('says what its meters say then, also those on trial that it did not fit', async () => {
        const key = ['ann'];
        const charges = [
          charge(meters.window, WINDOW, key, 3),
          charge(meters.bucket, BUCKET, key, 4),
          charge(meters.coarse, COARSE, key, 11, 10, true),
        ];
        const result = await store.take({ alternatives: [alternativeOf(charges)], tells: true }, START);
        expect(result).toMatchObject({ usages: [{ used: 3, waitMs: 0 }, { used: 4 }, { used: 0 }] });
        expect(result).toHaveProperty('usages', await peek(START, ...charges));
        expect(await take(START, ...charges.slice(0, 1))).not.toHaveProperty('usages.length');
      });
    });

    describe('shadow charges', () => {
      it('are made where they fit, and never refuse', async () => {
        const key = ['ann'];
        const shadow = (cost: number) => charge(meters.window, WINDOW, key, cost, 10, true);
        const real = (cost: number) => charge(meters.bucket, BUCKET, key, cost, 100);
        expect(await take(START, shadow(8), real(8))).toMatchObject({ shadowRefused: [] });
        const second = await take(START, shadow(3), real(3));
        expect(second.shadowRefused).toMatchObject([{ ...shadow(3), used: 8, waitMs: 1_100 }]);
        expect(second.receipt).toMatchObject([{ charge: real(3).charge, cost: 3 }]);
        expect(second.receipt).toHaveLength(1);
        expect(await used(START, shadow(0), real(0))).toEqual([8, 11]);
        expect(await take(START, shadow(2), real(0))).toMatchObject({ shadowRefused: [] });
      });

      it('are not made where another charge refuses', async () => {
        const charges = [
          charge(meters.window, WINDOW, ['ann'], 1, 10, true),
          charge(meters.bucket, BUCKET, ['ann'], 11),
        ];
        expect(await takeAny(START, charges)).toHaveProperty('refused');
        expect(await used(START, ...charges)).toEqual([0, 0]);
      });
    });

    describe('settle', () => {
      const pair = (cost: number, limit = 100) => [
        charge(meters.window, WINDOW, ['ann'], cost, limit),
        charge(meters.bucket, BUCKET, ['ann'], cost, limit),
      ];

      it.each([[0], [4], [10], [25]])(
        'puts %i in place of the estimate of 10, and brings the entries up to date',
        async (actual) => {
          const { receipt } = await take(START, ...pair(10));
          await take(START, ...pair(7));
          await store.settle(receipt, [actual, actual], START);
          expect(receipt.map(({ cost }) => cost)).toEqual([actual, actual]);
          expect(await used(START, ...pair(0))).toEqual([actual + 7, actual + 7]);
        },
      );

      it('never refuses: overage is booked above the limit, and blocks', async () => {
        const { receipt } = await take(START, ...pair(5, 10));
        await store.settle(receipt, [50, 50], START);
        expect(await used(START, ...pair(0))).toEqual([50, 50]);
        expect(await takeAny(START, pair(1, 10))).toHaveProperty('refused');
      });

      it('corrects a second time from what the first came to', async () => {
        const { receipt } = await take(START, charge(meters.window, WINDOW, ['ann'], 10, 100));
        for (const actual of [4, 9, 9, 30, 2]) {
          await store.settle(receipt, [actual], START);
          expect(await used(START, charge(meters.window, WINDOW, ['ann'], 0))).toEqual([actual]);
        }
      });

      it('lowers overage by no more than it came to, nor anything of others', async () => {
        const ann = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost, 100);
        await take(START, ann(20));
        const { receipt } = await take(START, ann(10));
        await store.settle(receipt, [15], START + 500);
        await store.settle(receipt, [2], START + 600);
        const [left] = await used(START + 1_099, ann(0));
        expect(left).toBeGreaterThanOrEqual(22);
        expect(left).toBeLessThanOrEqual(25);
      });

      it('keeps what is left of an admission that goes on, to be given back at its end', async () => {
        const { receipt } = await take(START, ...pair(10));
        await store.settle(receipt, [4, 4], START, true);
        expect(await used(START, ...pair(0))).toEqual([4, 4]);
        await store.settle(receipt, [0, 0], START);
        expect(await used(START, ...pair(0))).toEqual([0, 0]);
      });

      it('corrects one meter at two keys at once', async () => {
        const [ann, bob] = ['ann', 'bob'].map((user) => (cost: number) => charge(meters.window, WINDOW, [user], cost));
        const receipts = [await take(START, ann(4)), await take(START, bob(4))].flatMap(({ receipt }) => receipt);
        await store.settle(receipts, [1, 6], START);
        expect(receipts.map(({ cost }) => cost)).toEqual([1, 6]);
        expect([await used(START, ann(0)), await used(START, bob(0))]).toEqual([[1], [6]]);
      });

      it('of what has left the window gives nothing back, and charges overage now', async () => {
        const ann = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost, 100);
        const [{ receipt: low }, { receipt: high }] = [await take(START, ann(10)), await take(START, ann(10))];
        const later = START + 1_100;
        await take(later, ann(7));
        await store.settle(low, [0], later);
        expect([low[0].cost, await used(later, ann(0))]).toEqual([10, [7]]);
        await store.settle(high, [16], later);
        expect(await used(later, ann(0))).toEqual([13]);
      });

      it('charges nothing a second time that could not be given back', async () => {
        const { receipt } = await take(START, ...pair(10));
        const later = START + 86_400_000;
        await take(later, ...pair(7));
        for (const actual of [2, 5, 10]) {
          await store.settle(receipt, [actual, actual], later);
          expect(receipt.map(({ cost }) => cost)).toEqual([10, 10]);
          expect(await used(later, ...pair(0))).toEqual([7, 7]);
        }
        await store.settle(receipt, [11, 12], later);
        expect(receipt.map(({ cost }) => cost)).toEqual([11, 12]);
        expect(await used(later, ...pair(0))).toEqual([8, 9]);
      });

      it('of a record long forgotten gives nothing back, and charges overage now', async () => {
        const receipts = [(await take(START, ...pair(10))).receipt, (await take(START, ...pair(10))).receipt];
        const later = START + 86_400_000;
        for (let i = 0; i < 50; i++) await take(later, charge(meters.window, WINDOW, [`user-${i}`], 1));
        await store.settle(receipts[0], [3, 3], later);
        await store.settle(receipts[0], [9, 9], later);
        expect(receipts[0].map(({ cost }) => cost)).toEqual([10, 10]);
        expect(await used(later, ...pair(0))).toEqual([0, 0]);
        await store.settle(receipts[1], [12, 13], later);
        expect(await used(later, ...pair(0))).toEqual([2, 3]);
      });
    });

    describe('peek', () => {
      it('says what it would say to a take, and charges nothing', async () => {
        const ann = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost);
        expect(await peek(START, ann(5))).toEqual([{ ...ann(5), used: 0, waitMs: 0, refillMs: 0 }]);
        await take(START, ann(6));
        const usage: Usage = { ...ann(5), used: 6, waitMs: 1_100, refillMs: 1_100 };
        for (let i = 0; i < 3; i++) expect(await peek(START, ann(5))).toEqual([usage]);
        expect(await takeAny(START, [ann(5)])).toEqual({ refused: [[usage]] });
      });
    });

    describe('several meters', () => {
      it('of one scope keep to themselves, also one that is met later than its key', async () => {
        const [window, bucket] = [charge(meters.window, WINDOW, ['ann'], 3), charge(meters.bucket, BUCKET, ['ann'], 4)];
        await take(START, window);
        await take(START, window, bucket);
        expect(await used(START, window, bucket)).toEqual([6, 4]);
        await take(START, bucket);
        expect(await used(START, bucket, window)).toEqual([8, 6]);
      });

      it('of two scopes are charged together', async () => {
        const charges = [
          charge(meters.window, WINDOW, ['ann'], 6),
          charge(meters.coarse, COARSE, ['ann', 'chat'], 3),
          charge(meters.other, BUCKET, ['ann', 'chat'], 2),
        ];
        await take(START, ...charges);
        expect(await takeAny(START, charges)).toMatchObject({ refused: [[{ used: 6 }, { used: 3 }, { used: 2 }]] });
        expect(await used(START, ...charges)).toEqual([6, 3, 2]);
      });
    });

    keepsBudgets(() => ({ store, meters, take, takeAny, used }));
    keepsSlots(() => ({ store, meters, take, takeAny, used }));
    keepsHeadroom(() => ({ store, meters, take, takeAny, used }));
    keepsRecords(() => store);

    it('serves two gates, each with its own usage', async () => {
      const limits = [slidingWindow({ name: 'user', by: 'user', limit: 1, window: '1m' })];
      const [a, b] = ['a', 'b'].map((name) => createTollgate({ name, store, limits, clock: manualClock(START) }));
      const subject = { user: 'ann' };
      for (const gate of [a, b]) {
        expect((await gate.admit({ subject, permits: 1 })).admitted).toBe(true);
        expect((await gate.admit({ subject, permits: 1 })).admitted).toBe(false);
      }
    });

    if (!isExact) return;
    it('agrees with plain lists of charges over random histories', () => agreesWithPlainLists(makeStore), 120_000);
  });
}
