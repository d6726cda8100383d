import { manualClock } from '@tollgate/core/testing';
import type { KeyOptions } from '@tollgate/upstream';
import fc from 'fast-check';
import { beginCall, createPool, type KeyPool, offerKeys, setKeys } from '../../../packages/upstream/src/keys/pool.js';

const secret = () => 'sk-one';

function keys(...names: string[]): KeyOptions[] {
  return names.map((name) => ({ name, secret }));
}

function namesOf(all: readonly KeyOptions[]): string[] {
  return all.map(({ name }) => name);
}

/** Which key goes first, turn after turn. */
function turns(pool: KeyPool, count: number): string[] {
  return Array.from({ length: count }, () => offerKeys(pool)[0].name);
}

test('keys go first by turns, as often as their weights say, in any stretch of turns', () => {
  const weights = fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 });
  fc.assert(
    fc.property(weights, fc.nat(50), (weights, start) => {
      const pool = createPool(weights.map((weight, i) => ({ name: `${i}`, secret, weight })));
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const stretch = turns(pool, start + total).slice(start);
      const counts = weights.map((_, i) => stretch.filter((name) => name === `${i}`).length);
      expect(counts).toEqual(weights);
    }),
  );
});

test('a heavy key goes first more often, but not all its turns in a row', () => {
  const pool = createPool([{ name: 'heavy', secret, weight: 3 }, ...keys('a', 'b')]);
  expect(turns(pool, 5).join()).not.toMatch(/heavy,heavy,heavy/);
});

test('every key that serves is offered, once, and no other', () => {
  const pool = createPool(keys('a', 'b', 'c'));
  for (let i = 0; i < 7; i++) {
    const offered = namesOf(offerKeys(pool, ({ name }) => name !== 'b'));
    expect(offered.toSorted()).toEqual(['a', 'c']);
  }
  expect(offerKeys(pool, () => false)).toEqual([]);
});

test('a key that comes back to service makes up for nothing', () => {
  const pool = createPool(keys('a', 'b'));
  for (let i = 0; i < 100; i++) offerKeys(pool, ({ name }) => name === 'a');
  const after = turns(pool, 10);
  expect(after.filter((name) => name === 'b')).toHaveLength(5);
  expect(after.join()).not.toMatch(/b,b,b/);
});

test('a key that is replaced serves what is under way, and nothing more', () => {
  const pool = createPool(keys('old', 'other'));
  const [old] = offerKeys(pool);
  const end = beginCall(pool, old);
  setKeys(pool, keys('new', 'other'));
  expect(namesOf(offerKeys(pool)).toSorted()).toEqual(['new', 'other']);
  expect(namesOf(pool.keys)).toContain('old');
  expect(beginCall(pool, old)).toBeUndefined();
  end?.();
  end?.();
  expect(namesOf(pool.keys).toSorted()).toEqual(['new', 'other']);
});

test('a call that is ended twice ends no other', () => {
  const pool = createPool(keys('old'));
  const [old] = pool.keys;
  const [first, second] = [beginCall(pool, old), beginCall(pool, old)];
  setKeys(pool, keys('new'));
  first?.();
  first?.();
  expect(namesOf(pool.keys)).toEqual(['new', 'old']);
  second?.();
  expect(namesOf(pool.keys)).toEqual(['new']);
});

test('a new secret under the old name is another key', async () => {
  const pool = createPool(keys('prod-1'));
  const [old] = offerKeys(pool);
  const end = beginCall(pool, old);
  setKeys(pool, [{ name: 'prod-1', secret: () => 'sk-two' }]);
  const [next] = offerKeys(pool);
  expect([await old.secret(), await next.secret()]).toEqual(['sk-one', 'sk-two']);
  end?.();
  expect(pool.keys).toEqual([next]);
});

test('a key that stays is the same one, with its turns and what it holds', () => {
  const [kept, gone] = keys('kept', 'gone');
  const pool = createPool([kept, gone]);
  const before = pool.keys[0];
  setKeys(pool, [{ ...kept }, ...keys('new')]);
  expect(pool.keys[0]).toBe(before);
});

test('whatever happens, a key is there while it is configured or a call with it is under way, and no longer', () => {
  const names = ['a', 'b', 'c', 'd'];
  const step = fc.oneof(
    fc.record({ set: fc.uniqueArray(fc.constantFrom(...names), { minLength: 1 }) }),
    fc.record({ begin: fc.nat(3) }),
    fc.record({ end: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let configured = ['a', 'b'];
      const pool = createPool(keys(...configured));
      const calls: { readonly name: string; readonly end: () => void }[] = [];
      for (const step of steps) {
        if ('set' in step) {
          configured = step.set;
          setKeys(pool, keys(...configured));
        } else if ('begin' in step) {
          const offered = offerKeys(pool);
          const key = offered[step.begin % offered.length];
          const end = beginCall(pool, key);
          if (end !== undefined) calls.push({ name: key.name, end });
        } else if (calls.length > 0) {
          calls.splice(step.end % calls.length, 1)[0].end();
        }
        expect(namesOf(offerKeys(pool)).toSorted()).toEqual(configured.toSorted());
        expect(new Set(namesOf(pool.keys))).toEqual(new Set([...configured, ...calls.map(({ name }) => name)]));
      }
    }),
  );
});

test('a source is asked once a minute at most', async () => {
  const clock = manualClock(0);
  let asked = 0;
  const source = () => `sk-${++asked}`;
  const [key] = createPool([{ name: 'prod-1', secret: source }], clock).keys;
  expect([await key.secret(), await key.secret()]).toEqual(['sk-1', 'sk-1']);
  clock.set(60_000);
  expect(await key.secret()).toBe('sk-2');
});
