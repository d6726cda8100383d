import { type Alternative, memoryStore, type Records, type Taken, type TollgateError } from '@tollgate/core';
import type { Keyed } from '../../helpers/oracle-store.js';
import { alternativeOf, COARSE, charge, daily, makeMeters, PERIOD, START, WINDOW } from './charges.js';
import { storeContract } from './store-contract.js';

storeContract('memoryStore()', () => memoryStore());
storeContract('memoryStore() with another bound', () => memoryStore({ maxKeys: 64 }));

/** The code and the message. */
function refusalOf(options: object): unknown {
  try {
    return memoryStore(options);
  } catch (error) {
    const { code, message } = error as TollgateError;
    return [code, message];
  }
}

describe('memoryStore', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a bound of %p', (maxKeys) => {
    const expected = `memoryStore.maxKeys: got ${maxKeys}; expected a whole number of at least 1`;
    expect(refusalOf({ maxKeys })).toEqual(['TOLLGATE_CONFIG_INVALID', expect.stringContaining(expected)]);
  });

  it('refuses an option that it lacks, misspelt as it may be', () => {
    const expected = 'memoryStore.maxkeys: got a value that is not shown; expected no such field';
    expect(refusalOf({ maxkeys: 5 })).toEqual(['TOLLGATE_CONFIG_INVALID', expect.stringContaining(expected)]);
  });

  it('has room for others once the periods of budgets are over', async () => {
    const store = memoryStore({ maxKeys: 4 });
    const { budget } = makeMeters();
    const spend = (at: number, user: string, cost: number) => alternativeOf([charge(budget, daily(at), [user], cost)]);
    const take = (at: number, user: string, cost: number) => store.take({ alternatives: [spend(at, user, cost)] }, at);
    for (const user of ['a', 'b', 'c', 'd']) await take(START, user, 5);
    const now = START + 2 * PERIOD;
    for (const [i, user] of ['e', 'f', 'g', 'h'].entries()) {
      expect(await take(now, user, i + 1)).toMatchObject({ receipt: [{ used: i + 1 }] });
    }
    const peek = ({ who, bills }: Alternative) => store.peek(who, bills, now);
    const used = await Promise.all(['e', 'f', 'g', 'h'].map((user) => peek(spend(now, user, 0))));
    expect(used.flat()).toMatchObject([{ used: 1 }, { used: 2 }, { used: 3 }, { used: 4 }]);
  });

  describe('finds what was charged again when it is settled', () => {
    function setUp(maxKeys?: number) {
      const store = memoryStore(maxKeys === undefined ? {} : { maxKeys });
      const { window, coarse } = makeMeters();
      const user = (name: string, cost: number) => charge(window, WINDOW, [name], cost, 100);
      const feature = (name: string, cost: number) => charge(coarse, COARSE, ['ann', name], cost, 100);
      const take = (at: number, ...charges: Keyed[]) =>
        (store.take({ alternatives: [alternativeOf(charges)] }, at) as Taken).receipt;
      const used = async (at: number, charge: Keyed) => {
        const { who, bills } = alternativeOf([charge]);
        return (await store.peek(who, bills, at))[0].used;
      };
      return { store, user, feature, take, used };
    }

    it('where its record has become a longer one', async () => {
      const { store, user, take, used } = setUp();
      const receipt = take(START, user('ann', 8));
      for (const at of [START + 100, START + 200]) take(at, user('ann', 1));
      take(START + 200, user('bob', 5));
      await store.settle(receipt, [3], START + 200);
      expect([await used(START + 200, user('ann', 0)), await used(START + 200, user('bob', 0))]).toEqual([5, 5]);
    });

    it('where the settling itself makes it a longer one', async () => {
      const { store, user, take, used } = setUp();
      const receipts = ['ann', 'bob'].map((name) => take(START, user(name, 4)));
      await store.settle(receipts.flat(), [9, 1], START + 100);
      expect([await used(START + 100, user('ann', 0)), await used(START + 100, user('bob', 0))]).toEqual([9, 1]);
      await store.settle(receipts.flat(), [2, 7], START + 100);
      expect([await used(START + 100, user('ann', 0)), await used(START + 100, user('bob', 0))]).toEqual([5, 7]);
    });

    it('where others have the place of its record', async () => {
      const { store, user, feature, take, used } = setUp();
      const receipt = take(START, user('ann', 8), feature('chat', 8));
      const later = START + 100_000;
      const users = Array.from({ length: 20 }, (_, i) => user(`user-${i}`, 5));
      const features = Array.from({ length: 20 }, (_, i) => feature(`feature-${i}`, 5));
      for (const one of [...users, ...features]) take(later, one);
      await store.settle(receipt, [0, 0], later);
      for (const one of [...users, ...features]) expect(await used(later, one)).toBe(5);
      await store.settle(receipt, [11, 10], later);
      expect([await used(later, user('ann', 0)), await used(later, feature('chat', 0))]).toEqual([3, 2]);
      for (const one of [...users, ...features]) expect(await used(later, one)).toBe(5);
    });

    it('where it was counted with others, and where it is counted apart since', async () => {
      const { store, user, take, used } = setUp(1);
      take(START, user('ann', 1));
      const receipts = ['bob', 'cy'].map((name) => take(START, user(name, 4)));
      expect(await used(START, user('dan', 0))).toBe(8);
      await store.settle(receipts[0], [1], START);
      expect(await used(START, user('dan', 0))).toBe(5);
      const later = START + 100_000;
      take(later, user('eve', 2));
      take(later, user('fay', 3));
      await store.settle(receipts[1], [6], later);
      expect([await used(later, user('eve', 0)), await used(later, user('fay', 0))]).toEqual([2, 5]);
    });

    it('after a gate has closed the store, as before: others may count there', async () => {
      const { store, user, feature, take, used } = setUp();
      const receipt = take(START, user('ann', 8), feature('chat', 8));
      await store.close();
      await store.settle(receipt, [9, 3], START);
      expect([await used(START, user('ann', 0)), await used(START, feature('chat', 0))]).toEqual([9, 3]);
    });
  });

  it('drops the records kept by name whose time is over, and lets new ones take their names', async () => {
    const records = memoryStore().records as Records;
    const put = (name: string, ttlMs: number, now: number) =>
      records.put({ collection: 'c', name, was: undefined, text: name, ttlMs }, now);
    await put('a', 10, START);
    await put('b', 20, START);
    expect(await put('a', 10, START + 9)).toBe(false);
    expect(await records.list('c', START + 10)).toEqual(new Map([['b', 'b']]));
    expect(await records.get('c', 'b', START + 20)).toBeUndefined();
    expect(await put('b', 10, START + 20)).toBe(true);
    expect(await records.get('c', 'b', START + 20)).toBe('b');
  });

  it('finds each of the records that begin with the same value, whatever comes in between', async () => {
    const store = memoryStore();
    const { coarse } = makeMeters();
    const names = Array.from({ length: 40 }, (_, i) => `feature-${i}`);
    const way = (name: string, cost: number) => alternativeOf([charge(coarse, COARSE, ['ann', name], cost, 1_000)]);
    for (let round = 1; round <= 3; round++) {
      for (const name of names) await store.take({ alternatives: [way(name, 1)] }, START);
      for (const name of names) {
        for (let again = 0; again < 2; again++) {
          const { who, bills } = way(name, 0);
          expect(await store.peek(who, bills, START)).toMatchObject([{ used: round }]);
        }
      }
    }
  });
});
