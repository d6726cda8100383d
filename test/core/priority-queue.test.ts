import fc from 'fast-check';
import { inOrder, peek, pop, priorityQueue, push, remove } from '../../packages/core/src/line/priority-queue.js';

interface Entry {
  readonly score: number;
  slot: number;
}

type Command = { readonly do: 'push'; readonly score: number } | { readonly do: 'pop' | 'remove'; readonly at: number };

/** Few scores, so that many are the same, or any at all. */
const scores = fc.oneof(
  fc.integer({ min: 0, max: 5 }),
  fc.integer({ min: -1e15, max: 1e15 }),
  fc.double({ noNaN: true }),
);
const commands = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.record({ do: fc.constant('push' as const), score: scores }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pop' as const), at: fc.constant(0) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), at: fc.nat(1000) }) },
  ),
  { maxLength: 300 },
);

/** The same by a list that is sorted anew each time; sorting is stable, so among equals the first that came stays first. */
function sorted(list: readonly Entry[]): Entry[] {
  return list.toSorted((a, b) => (a.score === b.score ? 0 : a.score < b.score ? -1 : 1));
}

function queueOf(scores: readonly number[]) {
  const queue = priorityQueue<Entry>();
  return { queue, entries: scores.map((score) => added(queue, score)) };
}

function added(queue: ReturnType<typeof priorityQueue<Entry>>, score: number): Entry {
  const entry = { score, slot: -1 };
  entry.slot = push(queue, score, entry);
  return entry;
}

describe('the priority queue', () => {
  test('is in order whatever comes and goes', () => {
    fc.assert(
      fc.property(commands, (steps: readonly Command[]) => {
        const { queue } = queueOf([]);
        let list: Entry[] = [];
        for (const step of steps) {
          if (step.do === 'push') {
            list.push(added(queue, step.score));
          } else if (step.do === 'pop') {
            const [first] = sorted(list);
            expect(pop(queue)).toBe(first);
            list = list.filter((entry) => entry !== first);
          } else if (list.length > 0) {
            const [entry] = list.splice(step.at % list.length, 1);
            expect(remove(queue, entry.slot, entry)).toBe(true);
            expect(remove(queue, entry.slot, entry)).toBe(false);
          }
          expect(peek(queue)).toBe(sorted(list)[0]);
          expect(queue.size).toBe(list.length);
        }
        expect(inOrder(queue)).toEqual(sorted(list));
        for (const entry of sorted(list)) expect(pop(queue)).toBe(entry);
        expect(pop(queue)).toBeUndefined();
      }),
      { numRuns: 500 },
    );
  });

  test('takes out any of many, and none of another queue', () => {
    const { queue, entries } = queueOf(Array.from({ length: 5000 }, (_, i) => (i * 7919) % 1009));
    const { queue: other } = queueOf(Array.from({ length: 5000 }, (_, i) => i));
    for (const entry of entries) expect(remove(other, entry.slot, entry)).toBe(false);
    for (const entry of entries.filter((_, i) => i % 3 !== 0)) expect(remove(queue, entry.slot, entry)).toBe(true);
    const left = sorted(entries.filter((_, i) => i % 3 === 0));
    expect(inOrder(queue)).toEqual(left);
    expect(left.map(() => pop(queue))).toEqual(left);
    expect(other.size).toBe(5000);
  });

  test('is unharmed when what was popped or removed is removed again, its slot being taken by another', () => {
    const { queue, entries } = queueOf([1, 2, 3]);
    const [first, second, third] = entries;
    pop(queue);
    expect(remove(queue, first.slot, first)).toBe(false);
    expect(remove(queue, second.slot, second)).toBe(true);
    const more = [4, 5, 6].map((score) => added(queue, score));
    expect(remove(queue, first.slot, first)).toBe(false);
    expect(remove(queue, second.slot, second)).toBe(false);
    expect(inOrder(queue)).toEqual([third, ...more]);
  });

  test('goes by arrival where scores are the same, also of what came after others had gone', () => {
    const { queue, entries } = queueOf(Array(10).fill(5));
    const out = [0, 1, 2, 3].map(() => pop(queue));
    for (let i = 0; i < 4; i++) entries.push(added(queue, 5));
    while (queue.size > 0) out.push(pop(queue));
    out.forEach((entry, i) => void expect(entry).toBe(entries[i]));
    expect(out).toHaveLength(14);
  });

  test('keeps nothing alive that has gone', () => {
    const { queue, entries } = queueOf([3, 1, 2]);
    pop(queue);
    remove(queue, entries[0].slot, entries[0]);
    expect(queue.values.filter((value) => value !== undefined)).toEqual([entries[2]]);
  });
});
