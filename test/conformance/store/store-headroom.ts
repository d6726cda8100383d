/** What every store promises of headroom: what was said of it holds, for whom it was said and for no one else. */
import type { Entry, Meter, Rule } from '@tollgate/core';
import type { Keyed } from '../../helpers/oracle-store.js';
import { charge, START, WINDOW } from './charges.js';
import type { Bench } from './store-budgets.js';

/** A power of two, so that what comes back is exact in doubles. */
export const HEADROOM: Extract<Rule, { kind: 'headroom' }> = { kind: 'headroom', ms: 10 * 2 ** 10, perMs: 2 ** -10 };

const SECOND = 2 ** 10;

/** @param bench of the test that runs */
export function keepsHeadroom(bench: () => Bench): void {
  const some = (cost = 1, user = 'ann', limit = 10): Keyed =>
    charge(bench().meters.headroom, HEADROOM, [user], cost, limit);
  const level = async (now: number, user = 'ann') => (await bench().used(now, some(0, user)))[0];

  interface Said {
    readonly used?: number;
    readonly shutMs?: number;
    readonly rule?: typeof HEADROOM;
  }

  async function observe(now: number, entry: Entry | undefined, { used, shutMs, rule = HEADROOM }: Said, user = 'ann') {
    const { meters, store } = bench();
    const meter: Meter = meters.headroom;
    const limit = rule.perMs * rule.ms;
    const who = [undefined, user];
    return await store.observe?.([{ meter, who, rule, entry, used, limit, shutMs }], now);
  }

  describe('headroom', () => {
    it('is taken up to the limit and comes back by time, settled or not', async () => {
      const { take, takeAny } = bench();
      await take(START, some(6));
      await take(START, some(4));
      expect(await takeAny(START, [some(2)])).toMatchObject({ refused: [[{ used: 10, waitMs: 2 * SECOND }]] });
      expect(await level(START + 3 * SECOND)).toBe(7);
      await take(START + 3 * SECOND, some(3));
      expect(await level(START + 13 * SECOND)).toBe(0);
    });

    it('is settled by the difference, down to nothing', async () => {
      const { take, store } = bench();
      const [first] = (await take(START, some(8))).receipt;
      await store.settle([first], [3], START);
      expect(await level(START)).toBe(3);
      await store.settle([first], [5], START + SECOND);
      expect(await level(START + SECOND)).toBe(4);
      await store.settle([first], [0], START + 3 * SECOND);
      expect(await level(START + 3 * SECOND)).toBe(0);
      expect(first.cost).toBe(3);
    });

    it('is raised to what was said and what was charged since, at once and up to the limit', async () => {
      const { take } = bench();
      const [first] = (await take(START, some(1))).receipt;
      await take(START, some(1));
      expect(await observe(START, first, { used: 5 })).toBe(false);
      expect(await level(START)).toBe(6);
      await observe(START, first, { used: 10 });
      expect(await level(START)).toBe(10);
    });

    it('is lowered by half of the difference, and of what was charged at most, and says that it has room', async () => {
      const { take } = bench();
      const [first] = (await take(START, some(8))).receipt;
      expect(await observe(START, first, { used: 0 })).toBe(true);
      expect(await level(START)).toBe(4);
      expect(await observe(START, first, { used: 4 })).toBe(false);
      expect(await observe(START + SECOND, first, { used: 1 })).toBe(true);
      expect(await level(START + SECOND)).toBe(2);
      const [second] = (await take(START + SECOND, some(1))).receipt;
      expect(await observe(START + SECOND, second, { used: 0 })).toBe(true);
      expect(await level(START + SECOND)).toBe(2.5);
      expect(await observe(START + SECOND, undefined, { used: 0 })).toBe(false);
    });

    it('stands still while it is shut', async () => {
      const { take, takeAny } = bench();
      const [first] = (await take(START, some(8))).receipt;
      await observe(START, first, { used: 10, shutMs: 20 * SECOND });
      expect(await takeAny(START + SECOND, [some(2)])).toMatchObject({ refused: [[{ waitMs: 21 * SECOND }]] });
      await observe(START + 10 * SECOND, first, { shutMs: 0 });
      expect(await level(START + 10 * SECOND)).toBe(10);
      expect(await level(START + 12 * SECOND)).toBe(8);
    });

    it('passes nothing while it is shut, and a shorter one does not end a longer one', async () => {
      const { take, takeAny } = bench();
      const [first] = (await take(START, some(1))).receipt;
      expect(await observe(START, first, { shutMs: 5_000 })).toBe(false);
      await observe(START, first, { shutMs: 1_000 });
      expect(await takeAny(START + 1, [some(0)])).toMatchObject({ refused: [[{ used: 10, waitMs: 4_999 }]] });
      await take(START + 1, some(10, 'bob'));
      expect(await takeAny(START + 4_999, [some(1)])).toMatchObject({ refused: [[{ waitMs: 1 }]] });
      await take(START + 5_000, some(1));
    });

    it('opens where it is said to', async () => {
      const { take } = bench();
      await observe(START, undefined, { shutMs: 60_000 });
      expect(await observe(START + 1, undefined, { shutMs: 0 })).toBe(true);
      await take(START + 1, some(10));
    });

    it('is shut without a limit, too', async () => {
      const { take, takeAny } = bench();
      const endless = { ...HEADROOM, perMs: Number.POSITIVE_INFINITY };
      await observe(START, undefined, { shutMs: 1_000, rule: endless });
      const { meters } = bench();
      const free = charge(meters.headroom, endless, ['ann'], 5, Number.POSITIVE_INFINITY);
      expect(await takeAny(START + 1, [free])).toMatchObject({ refused: [[{ waitMs: 999 }]] });
      await take(START + 1_000, free);
    });

    it('is kept where somebody who knows of no limit shuts or opens it', async () => {
      const { take } = bench();
      await take(START, some(8));
      await observe(START, undefined, { shutMs: 0, rule: { ...HEADROOM, perMs: Number.POSITIVE_INFINITY } });
      expect(await level(START + SECOND)).toBe(7);
    });

    it('is known of a key that nothing was charged for, and of that alone', async () => {
      await observe(START, undefined, { used: 7 });
      expect([await level(START), await level(START, 'bob')]).toEqual([7, 0]);
    });

    it('stands in one record with limits by other rules', async () => {
      const { take, meters, used } = bench();
      const window = (cost: number) => charge(meters.window, WINDOW, ['ann'], cost, 100);
      const { receipt } = await take(START, window(5), some(2));
      // As many parts of the window as there are, which takes a larger record.
      for (let at = START; at < START + 1_000; at += 100) await take(at, window(1));
      await observe(START + 1_000, receipt[1], { used: 9 });
      expect(await used(START + 1_000, window(0), some(0))).toEqual([15, 9]);
    });

    it('chooses among alternatives, and each has its own', async () => {
      const { take, takeAny } = bench();
      await observe(START, undefined, { shutMs: 1_000 });
      expect(await takeAny(START, [some(1)], [some(1, 'bob')])).toMatchObject({ taken: 1 });
      await take(START, some(1, 'bob'));
      expect(await level(START, 'bob')).toBe(2);
    });
  });
}
