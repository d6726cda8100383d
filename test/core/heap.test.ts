import fc from 'fast-check';
import { add, extract, first, heapBy, reorder } from '../../packages/core/src/line/heap.js';

const byRank = (a: Entry, b: Entry) => a.rank < b.rank;

interface Entry {
  rank: number;
  place: number;
}

const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('add' as const), rank: fc.nat(100), at: fc.constant(0) }) },
    {
      weight: 4,
      arbitrary: fc.record({ do: fc.constantFrom('settle', 'take'), rank: fc.nat(100), at: fc.nat(1000) }),
    },
  ),
  { maxLength: 300, size: 'max' },
);

describe('the heap', () => {
  test('has the least first, whatever is added, moved and taken out', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const heap = heapBy(byRank);
        const list: Entry[] = [];
        for (const step of steps) {
          const at = step.at % list.length;
          if (step.do === 'add') {
            const entry = { rank: step.rank, place: -1 };
            add(heap, entry);
            list.push(entry);
          } else if (list.length > 0 && step.do === 'settle') {
            list[at].rank = step.rank;
            reorder(heap, list[at]);
          } else if (list.length > 0) {
            extract(heap, list[at]);
            list.splice(at, 1);
          }
          expect(heap.entries).toHaveLength(list.length);
          expect(heap.entries.every(({ rank }, i) => i === 0 || heap.entries[(i - 1) >> 1].rank <= rank)).toBe(true);
          for (const entry of list) expect(heap.entries[entry.place]).toBe(entry);
          expect(first(heap)?.rank).toBe(list.map(({ rank }) => rank).sort((a, b) => a - b)[0]);
        }
      }),
      { numRuns: 15 },
    );
  });

  test('fills the hole that one leaves also where the last goes before what was above the hole', () => {
    const heap = heapBy(byRank);
    const entries = [0, 10, 1, 11, 12, 2, 3].map((rank) => ({ rank, place: -1 }));
    for (const entry of entries) add(heap, entry);
    extract(heap, entries[3]);
    expect(heap.entries.map(({ rank }) => rank)).toEqual([0, 3, 1, 10, 12, 2]);
  });
});
