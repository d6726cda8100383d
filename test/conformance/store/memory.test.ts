import { memoryStore } from '@tollgate/core';
import { billsOf, charge, daily, makeMeters, PERIOD, START } from './charges.js';
import { storeContract } from './store-contract.js';

storeContract('memoryStore()', () => memoryStore());
storeContract('memoryStore() with another bound', () => memoryStore({ maxKeys: 64 }));

describe('memoryStore', () => {
  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('refuses a bound of %p', (maxKeys) => {
    expect(() => memoryStore({ maxKeys })).toThrow(RangeError);
  });

  it('has room for others once the periods of budgets are over', async () => {
    const store = memoryStore({ maxKeys: 4 });
    const { budget } = makeMeters();
    const spend = (at: number, user: string, cost: number) => billsOf([charge(budget, daily(at), [user], cost)]);
    const take = (at: number, user: string, cost: number) =>
      store.take({ sequence: 0, alternatives: [{ name: '', bills: spend(at, user, cost) }] }, at);
    for (const user of ['a', 'b', 'c', 'd']) await take(START, user, 5);
    const now = START + 2 * PERIOD;
    for (const [i, user] of ['e', 'f', 'g', 'h'].entries()) {
      expect(await take(now, user, i + 1)).toMatchObject({ receipt: [{ used: i + 1 }] });
    }
    const used = await Promise.all(['e', 'f', 'g', 'h'].map((user) => store.peek(spend(now, user, 0), now)));
    expect(used.flat()).toMatchObject([{ used: 1 }, { used: 2 }, { used: 3 }, { used: 4 }]);
  });
});
