import fc from 'fast-check';
import {
  countAhead,
  type LaneName,
  last,
  lastOf,
  type PriorityQueue,
  peek,
  pop,
  priorityQueue,
  push,
  remove,
} from '../../packages/core/src/line/priority-queue.js';

interface Waiter {
  readonly lane: LaneName;
  readonly score: number;
  arrival: number;
}

const PRIORITIES = ['interactive', 'standard', 'batch', 'background'] as const;

/** Few lanes, so that they are long, or many; few scores, so that many are the same, or any; mostly they rise. */
const lanes = fc.record({
  priority: fc.constantFrom(...PRIORITIES),
  key: fc.oneof({ weight: 4, arbitrary: fc.constantFrom(undefined, 'a') }, { weight: 1, arbitrary: fc.nat(50) }),
});
const scores = fc.oneof(
  { weight: 3, arbitrary: fc.record({ after: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ at: fc.integer({ min: 0, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ at: fc.double({ noNaN: true }) }) },
);
const commands = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('push' as const), lane: lanes, score: scores }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('pop' as const) }) },
    { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), at: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('remove oldest' as const, 'remove newest' as const) }) },
  ),
  { maxLength: 300, size: 'max' },
);

/** What waits, by a list that is sorted anew at each look: stable, so among equals the first that came stays first. */
function sorted(list: readonly Waiter[]): Waiter[] {
  return list.toSorted((a, b) => (a.score === b.score ? 0 : a.score < b.score ? -1 : 1));
}

function inLane(list: readonly Waiter[], { priority, key }: LaneName): Waiter[] {
  return list.filter(({ lane }) => lane.priority === priority && lane.key === key);
}

/** How many of each priority go before a ticket. */
function ahead(list: readonly Waiter[], { score, arrival }: Pick<Waiter, 'score' | 'arrival'>) {
  const before = list.filter((one) => one.score < score || (one.score === score && one.arrival < arrival));
  const count = (priority: string) => before.filter(({ lane }) => lane.priority === priority).length;
  return Object.fromEntries(PRIORITIES.map((priority) => [priority, count(priority)]));
}

function added(queue: PriorityQueue<Waiter>, score: number, lane: LaneName = { priority: 'standard' }): Waiter {
  const waiter = { lane, score, arrival: -1 };
  waiter.arrival = push(queue, lane, score, waiter);
  return waiter;
}

function lanesOf(queue: PriorityQueue<Waiter>) {
  return Object.values(queue.lanes).flatMap((lanes) => [...lanes.values()]);
}

function capacityOf(queue: PriorityQueue<Waiter>): number {
  return lanesOf(queue).reduce((sum, { ring }) => sum + ring.values.length, 0);
}

function sizeOf(queue: PriorityQueue<Waiter>, { priority, key }: LaneName): number {
  return queue.lanes[priority].get(key)?.size ?? 0;
}

/** No ring has more than 8 times the room that it needs or, if that is more, room for 4; and none holds what has left. */
function isTidy(queue: PriorityQueue<Waiter>): boolean {
  const lanes = lanesOf(queue);
  const held = lanes.flatMap(({ ring }) => ring.values.filter((value) => value !== undefined));
  return held.length === queue.size && lanes.every(({ ring, size }) => ring.values.length <= Math.max(4, 8 * size));
}

describe('the priority queue', () => {
  test('is in order whatever comes, goes and gives up', () => {
    fc.assert(
      fc.property(commands, (steps) => {
        const queue = priorityQueue<Waiter>();
        let list: Waiter[] = [];
        let latest = 0;

        function leaves(waiter: Waiter): void {
          expect(remove(queue, waiter.lane, waiter)).toBe(true);
          expect(remove(queue, waiter.lane, waiter)).toBe(false);
          list = list.filter((one) => one !== waiter);
        }

        for (const step of steps) {
          if (step.do === 'push') {
            latest = 'at' in step.score ? step.score.at : latest + step.score.after;
            list.push(added(queue, latest, step.lane));
          } else if (step.do === 'pop') {
            const [first] = sorted(list);
            expect(pop(queue)).toBe(first);
            if (first) expect(remove(queue, first.lane, first)).toBe(false);
            list = list.filter((one) => one !== first);
          } else if (list.length > 0) {
            const at = step.do === 'remove' ? step.at % list.length : step.do === 'remove oldest' ? 0 : -1;
            leaves(list.at(at) as Waiter);
          }
          expect(peek(queue)).toBe(sorted(list)[0]);
          expect(queue.size).toBe(list.length);
          if ('lane' in step) expect(sizeOf(queue, step.lane)).toBe(inLane(list, step.lane).length);
          expect(isTidy(queue)).toBe(true);
          expect(last(queue)).toBe(sorted(list).at(-1));
          expect(lastOf(queue, 'a')).toBe(sorted(list.filter(({ lane }) => lane.key === 'a')).at(-1));
          const ticket = list[Math.floor(list.length / 2)] ?? { score: latest, arrival: Number.POSITIVE_INFINITY };
          expect(countAhead(queue, ticket)).toEqual(ahead(list, ticket));
        }
        for (const waiter of sorted(list)) expect(pop(queue)).toBe(waiter);
        expect(pop(queue)).toBeUndefined();
      }),
      { numRuns: 30 },
    );
  });

  test('takes any of many out of one lane, and none of another', () => {
    const queue = priorityQueue<Waiter>();
    const lane: LaneName = { priority: 'standard' };
    const other: LaneName = { priority: 'standard', key: 'other' };
    const waiters = Array.from({ length: 5000 }, (_, i) => added(queue, (i * 7919) % 1009, lane));
    added(queue, 0, other);
    expect(waiters.some((waiter) => remove(queue, other, waiter))).toBe(false);
    expect(waiters.some((waiter) => remove(queue, { priority: 'batch' }, waiter))).toBe(false);
    const gone = waiters.filter((_, i) => i % 3 !== 0);
    expect(gone.toReversed().every((waiter) => remove(queue, lane, waiter))).toBe(true);
    expect(gone.some((waiter) => remove(queue, lane, waiter))).toBe(false);
    expect(remove(queue, lane, { score: 1e9, arrival: 1e9 })).toBe(false);
    expect(remove(queue, lane, { score: 1, arrival: 1e9 })).toBe(false);
    const left = sorted(waiters.filter((_, i) => i % 3 === 0));
    expect(sizeOf(queue, lane)).toBe(left.length);
    expect(remove(queue, other, left[0])).toBe(false);
    expect(queue.size).toBe(left.length + 1);
    const all = Array.from({ length: queue.size }, () => pop(queue));
    expect(all.filter((one) => one?.lane === lane)).toEqual(left);
  });

  test('goes by arrival where scores are the same, whatever the lanes, also of what came after others had gone', () => {
    const queue = priorityQueue<Waiter>();
    const lane = (i: number) => ({ priority: PRIORITIES[i % 4], key: i % 3 });
    const waiters = Array.from({ length: 40 }, (_, i) => added(queue, 5, lane(7 * i)));
    const out = Array.from({ length: 15 }, () => pop(queue));
    for (let i = 0; i < 20; i++) waiters.push(added(queue, 5, lane(5 * i)));
    while (queue.size > 0) out.push(pop(queue));
    expect(out.map((waiter) => waiter?.arrival)).toEqual(waiters.map(({ arrival }) => arrival));
  });

  test('stays small beside one that waits for long, however many come and give up', () => {
    for (const staying of [0, 1, 5]) {
      const queue = priorityQueue<Waiter>();
      const parked = added(queue, 0);
      const others: Waiter[] = [];
      let most = 0;
      for (let i = 0; i < 333_333; i++) {
        others.push(added(queue, i));
        const gone = others.length > staying ? others.shift() : undefined;
        if (gone) remove(queue, gone.lane, gone);
        most = Math.max(most, queue.lanes.standard.get(undefined)?.ring.values.length ?? 0);
      }
      expect(most).toBeLessThanOrEqual(8 * (staying + 2));
      expect(queue.size).toBe(staying + 1);
      expect(pop(queue)).toBe(parked);
    }
  });

  test('is small again after a flood of one lane, and forgets the lanes of a flood of keys, but none that is waited in', () => {
    const queue = priorityQueue<Waiter>();
    const parked = PRIORITIES.map((priority) => added(queue, 0, { priority, key: 'parked' }));
    const flood = Array.from({ length: 10_000 }, (_, i) => added(queue, i, { priority: 'batch' }));
    for (const waiter of flood) remove(queue, waiter.lane, waiter);
    expect(capacityOf(queue)).toBeLessThanOrEqual(5 * 4);

    const keys = Array.from({ length: 10_000 }, (_, key) => added(queue, -1, { priority: 'batch', key }));
    expect(keys.every((waiter) => pop(queue) === waiter)).toBe(true);
    for (let i = 0; i < 10_000; i++) {
      const waiter = added(queue, 1, { priority: PRIORITIES[i % 4], key: `made up ${i}` });
      remove(queue, waiter.lane, waiter);
    }
    for (const priority of PRIORITIES) expect(queue.lanes[priority].size).toBeLessThanOrEqual(2 * 4 + 256);
    expect(isTidy(queue)).toBe(true);
    for (const { lane } of parked) expect(sizeOf(queue, lane)).toBe(1);
    expect(parked.map(() => pop(queue))).toEqual(parked);
  });
});
