/** Limits and budgets of a key's own, which are limits and budgets like others, counted by its identity. */
import { budget, createTollgate, memoryStore, slidingWindow, tokenBucket } from '@tollgate/core';
import { keyRing, type Verification } from '@tollgate/core/keys';
import { manualClock } from '@tollgate/core/testing';
import { recordWarnings } from '../helpers/http-warnings.js';

describe('a key’s own limits', () => {
  recordWarnings();

  function setUp() {
    const clock = manualClock();
    const store = memoryStore();
    const keys = keyRing({ store, clock, limits: { spend: '$1', calls: 2, refill: '1/h' } });
    const gate = createTollgate({
      limits: [
        slidingWindow({ name: 'calls', by: 'key', unit: 'requests', limit: keys.limit('calls'), window: '1h' }),
        tokenBucket({ name: 'burst', by: 'key', capacity: 1_000, refill: keys.limit('refill') }),
      ],
      budgets: [budget({ name: 'spend', by: 'key', limit: keys.limit('spend'), per: 'month' })],
      prices: { m: { input: '$1/M', output: '$1/M' } },
      store,
      clock,
    });
    const subjectOf = async (text: string) => {
      const { key } = await (keys.verify(text) as Verification);
      return key?.subject;
    };
    const ask = async (text: string, usd: `$${number}`) => {
      const decision = await gate.admit({ subject: await subjectOf(text), permits: 1, usd });
      return decision.admitted ? 'admitted' : decision.refusal.layer;
    };
    return { keys, gate, ask, subjectOf, clock };
  }

  it('hold in place of those that the ring names, which hold for all others', async () => {
    const { keys, ask } = setUp();
    const plain = (await keys.create({ service: 'search' })).reveal();
    const own = (await keys.create({ service: 'search', limits: { spend: '$5', calls: 3 } })).reveal();
    expect([await ask(plain, '$1.01'), await ask(plain, '$1'), await ask(plain, '$0')]).toEqual([
      'spend',
      'admitted',
      'admitted',
    ]);
    expect(await ask(plain, '$0')).toBe('calls');
    expect([await ask(own, '$5.01'), await ask(own, '$5'), await ask(own, '$0')]).toEqual([
      'spend',
      'admitted',
      'admitted',
    ]);
    expect([await ask(own, '$0'), await ask(own, '$0')]).toEqual(['admitted', 'calls']);
  });

  it('hold as soon as they are changed', async () => {
    const { keys, ask } = setUp();
    const { key, reveal } = await keys.create({ service: 'search' });
    expect(await ask(reveal(), '$2')).toBe('spend');
    await keys.update(key.id, { limits: { spend: '$2' } });
    expect(await ask(reveal(), '$2')).toBe('admitted');
  });

  it('are one with its successor’s: what was spent before a rotation stays spent', async () => {
    const { keys, ask, gate, subjectOf } = setUp();
    const old = await keys.create({ service: 'search', limits: { spend: '$3', calls: 100 } });
    expect(await ask(old.reveal(), '$1')).toBe('admitted');
    const next = await keys.rotate(old.key.id);
    expect([await ask(next.reveal(), '$1'), await ask(old.reveal(), '$1')]).toEqual(['admitted', 'admitted']);
    expect([await ask(next.reveal(), '$0.01'), await ask(old.reveal(), '$0.01')]).toEqual(['spend', 'spend']);
    const { budgets } = await gate.inspect((await subjectOf(next.reveal())) ?? {});
    expect(budgets).toMatchObject([{ used: 3e9, limit: 3e9 }]);
  });

  it('who shows no key has what the ring names, all together', async () => {
    const { gate } = setUp();
    const ask = async () => (await gate.admit({ permits: 1 })).admitted;
    expect([await ask(), await ask(), await ask()]).toEqual([true, true, false]);
  });

  it('of a name that the ring does not have is an error', () => {
    const { keys } = setUp();
    for (const name of ['speed', '__proto__', 'constructor']) {
      expect(() => keys.limit(name as 'spend')).toThrow(`limit: got '${name}'`);
    }
  });

  it('named like what objects inherit are none', () => {
    const keys = keyRing({ store: memoryStore(), limits: { constructor: 5 } });
    expect(keys.limit('constructor')({ limits: {} })).toBe(5);
    expect(keys.limit('constructor')({ limits: JSON.parse('{ "__proto__": 9 }') })).toBe(5);
  });
});
