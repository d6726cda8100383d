/** G9, in the table that keeps the records of one scope: how many keys, slots and values there are. */
import type { Charge, Meter, Who } from '../../packages/core/src/meters/meter.js';
import { book, NO_ROOM } from '../../packages/core/src/meters/rules.js';
import { windowRule } from '../../packages/core/src/meters/window.js';
import { chunkOf, createRecords, isLong, NONE, startOf } from '../../packages/core/src/store/memory/records.js';
import { columnOf, createTable, find, insert, move, type Table } from '../../packages/core/src/store/memory/table.js';
import { createValues } from '../../packages/core/src/store/memory/values.js';

const W = 60_000;
const PART = 6_000;

describe('G9 bounded: the table of one scope', () => {
  const rule = windowRule(W, 10);

  function setUp(maxKeys: number, by: readonly ('user' | 'feature')[] = ['user']) {
    const meter: Meter = { id: 'm', name: 'm', position: 0, unit: 'permits', scope: { by, at: by.map((_, i) => i) } };
    const charge: Charge = { meter, rule, cost: 1, limit: 1e9, whole: 1e9, whenFull: 'refuse', shadow: false };
    const table = createTable(maxKeys, createRecords(by.map(createValues), meter.scope.at), () => {});
    const { records } = table;
    const column = columnOf(table, charge, 0);
    const rowOf = (slot: number) => startOf(records, slot) + (isLong(slot) ? column.inLong : column.inShort);
    const bookAt = (slot: number, now: number) => book(chunkOf(records, slot), rowOf(slot), rule, 1, now, isLong(slot));
    return {
      table,
      records,
      rowOf,
      /** Returns the slot that was charged. */
      charge(key: Who, now: number): number {
        const found = find(table, key, now);
        const slot = found === NONE ? insert(table, key, now) : found;
        if (bookAt(slot, now) !== NO_ROOM) return slot;
        expect(isLong(slot)).toBe(false);
        const moved = move(table, slot);
        expect(bookAt(moved, now)).not.toBe(NO_ROOM);
        return moved;
      },
    };
  }

  function slotsOf({ records: { short, long } }: Table): number {
    return short.slots + long.slots;
  }

  /** How many keys it leads to. */
  function known({ records: { values, latest, index } }: Table): number {
    return (values.length === 1 ? latest : index).filter((cell) => cell !== 0).length;
  }

  it('never has more keys than its bound, nor slots than one more', () => {
    const { table, records, charge } = setUp(100);
    const slots = Array.from({ length: 5_000 }, (_, i) => charge([`k${i}`], 1_000));
    expect(records.keys).toBe(100);
    expect(known(table)).toBe(100);
    expect(records.values[0].known).toBe(100);
    expect(slotsOf(table)).toBe(101);
    expect(new Set(slots.slice(0, 100)).size).toBe(100);
    expect(new Set(slots.slice(100)).size).toBe(1);
    expect(slots.slice(0, 100)).not.toContain(slots[100]);
  });

  it('uses the slots of drained keys again, wiped', () => {
    const { table, records, rowOf, charge } = setUp(100);
    for (let round = 1; round <= 20; round++) {
      const now = round * 10 * W;
      const slots = new Set<number>();
      for (let i = 0; i < 100; i++) {
        const key = [`${round}-${i}`];
        expect(find(table, key, now)).toBe(NONE);
        const slot = insert(table, key, now);
        const start = rowOf(slot);
        expect(chunkOf(records, slot).subarray(start, start + 2)).toEqual(new Float64Array(2));
        expect(charge(key, now)).toBe(slot);
        slots.add(slot);
      }
      expect(slots.size).toBe(100);
      expect(records.keys).toBeLessThanOrEqual(100);
      expect(slotsOf(table)).toBeLessThanOrEqual(101);
    }
  });

  it('gives back both slots of a record that moved to a longer one', () => {
    const { table, records, charge } = setUp(100);
    for (let round = 1; round <= 20; round++) {
      const now = round * 10 * W;
      for (let i = 0; i < 100; i++) {
        const slot = charge([`${round}-${i}`], now);
        expect(isLong(slot)).toBe(false);
        const moved = charge([`${round}-${i}`], now + PART);
        expect(isLong(moved)).toBe(true);
        expect(find(table, [`${round}-${i}`], now + PART)).toBe(moved);
      }
      expect(records.keys).toBeLessThanOrEqual(100);
      expect(known(table)).toBe(records.keys);
      expect(slotsOf(table)).toBeLessThanOrEqual(202);
    }
  });

  it('forgets keys that moved to a longer record, too', () => {
    const { table, charge } = setUp(1_000_000);
    for (let i = 0; i < 10_000; i++) {
      charge([`k${i}`], i * 100);
      if (i >= 60) charge([`k${i - 60}`], i * 100);
    }
    expect(table.records.keys).toBeLessThan(3 * 720);
    expect(table.records.long.slots).toBeLessThan(3 * 720);
  });

  it('forgets drained keys on the way, long before the bound', () => {
    const { table, records, charge } = setUp(1_000_000);
    // Ten new keys a second, each live for 66 s: 660 at a time.
    for (let i = 0; i < 20_000; i++) charge([`k${i}`], i * 100);
    expect(records.keys).toBeLessThan(3 * 660);
    expect(slotsOf(table)).toBeLessThan(3 * 660);
    expect(known(table)).toBe(records.keys);
    expect(records.values[0].known).toBe(records.keys);
  });

  it('forgets the values of a dimension that no key has any more', () => {
    const { table, records, charge } = setUp(1_000_000, ['user', 'feature']);
    for (let i = 0; i < 20_000; i++) charge([`user-${i % 7}`, `feature-${i}`], i * 100);
    const [users, features] = records.values;
    expect(known(table)).toBe(records.keys);
    expect(records.keys).toBeLessThan(3 * 660);
    expect(users.known).toBe(7);
    expect(features.known).toBe(records.keys);
    expect(features.slots.slots).toBeLessThan(3 * 660);
  });

  it('keeps live keys whatever comes and goes', () => {
    const { table, charge } = setUp(50);
    charge(['live'], 0);
    const slot = charge(['live'], PART);
    for (let now = PART; now < 100 * W; now += 1_000) {
      charge([`k${now}`], now);
      if (now % (W / 2) === 0) expect(charge(['live'], now)).toBe(slot);
      expect(find(table, ['live'], now)).toBe(slot);
    }
  });

  it('knows each combination of values apart, and those who lack one as one', () => {
    const { records, charge } = setUp(1_000, ['user', 'feature']);
    const values = [
      undefined,
      '',
      'a',
      'b',
      'a/b',
      '__proto__',
      'constructor',
      'a\u0000b',
      'undefined',
      'x'.repeat(36),
      'x'.repeat(37),
      `${'x'.repeat(36)}y`,
      'x'.repeat(50),
      'é',
      'ab\u00ff',
      'ab\u0101',
      '\u0101\u0102',
      '\ud800',
      'ba',
      'abcde',
      'abcdf',
      '\u0101a',
      '\u0001a',
    ];
    const slots = values.flatMap((user) => values.map((feature) => charge([user, feature], 0)));
    expect(new Set(slots).size).toBe(values.length ** 2);
    expect(records.keys).toBe(values.length ** 2);
    expect(values.flatMap((user) => values.map((feature) => charge([user, feature], 0)))).toEqual(slots);
  });

  it('knows values apart, also where one is forgotten in the moment that it comes back', () => {
    const { charge } = setUp(100, ['user', 'feature']);
    charge(['a', 'old'], 0);
    const charges = () => ['a', 'b', 'c'].map((user) => charge([user, 'new'], 10 * W));
    const slots = charges();
    expect(new Set(slots).size).toBe(3);
    expect(charges()).toEqual(slots);
  });

  it('leads to the same slots as a map would, through all that comes, moves and goes', () => {
    const { table, records, charge } = setUp(1_000_000, ['user', 'feature']);
    const live = new Map<string, { slot: number; last: number }>();
    let seed = 1;
    const random = (below: number) => {
      seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0;
      return (seed >>> 8) % below;
    };
    for (let now = 0; now < 40 * W; now += random(600)) {
      const key = [`u${random(40)}`, `f${random(40)}`];
      const known = live.get(key.join());
      const isLive = known !== undefined && Math.floor(now / PART) - Math.floor(known.last / PART) <= 10;
      if (isLive) expect(find(table, key, now)).toBe(known.slot);
      live.set(key.join(), { slot: charge(key, now), last: now });
    }
    expect(known(table)).toBe(records.keys);
  });
});
