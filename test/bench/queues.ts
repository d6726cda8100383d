/** The process of one queue: `queues.ts <name> <depth>`. As many wait all the time; each that comes lets one begin. */
import { pop, priorityQueue, push } from '../../packages/core/src/line/priority-queue.js';
import { evenAgeing, scoreOf } from '../../packages/core/src/line/score.js';
import { serve } from './harness.js';

interface Queue {
  push(priority: number, tenant: number, now: number): void;
  pop(): unknown;
}

const PRIORITIES = ['interactive', 'standard', 'batch', 'background'] as const;
const TENANTS = Array.from({ length: 100 }, (_, i) => `tenant ${i}`);

const QUEUES = {
  'p-queue': pQueue,
  'p-queue (A/A)': pQueue,
  'tollgate priority queue': () => tollgate([undefined]),
  'tollgate, 100 tenants': () => tollgate(TENANTS),
} satisfies Record<string, () => Queue | Promise<Queue>>;

export type QueueName = keyof typeof QUEUES;

function tollgate(keys: readonly (string | undefined)[]): Queue {
  const ageing = evenAgeing(60_000);
  const queue = priorityQueue<typeof task>();
  return {
    push(rank, tenant, now) {
      const priority = PRIORITIES[rank];
      push(queue, { priority, key: keys[tenant % keys.length] }, scoreOf(ageing, priority, now), task);
    },
    pop: () => pop(queue),
  };
}

interface PQueueOwn {
  enqueue(run: () => void, options: { priority: number }): void;
  dequeue(): unknown;
}

/** The queue inside p-queue, which it doesn't export: by itself, without the promises around it. It knows no ageing. */
async function pQueue(): Promise<Queue> {
  const file = new URL('priority-queue.js', import.meta.resolve('p-queue'));
  const { default: PriorityQueue }: { default: new () => PQueueOwn } = await import(file.href);
  const queue = new PriorityQueue();
  return {
    push: (priority) => queue.enqueue(task, { priority: -priority }),
    pop: () => queue.dequeue(),
  };
}

function task(): void {}

/** Pushes and pops between two looks at the clock: few, for there are queues that take long. */
const BATCH = 32;

const [name, count] = process.argv.slice(2);
const depth = Number(count);
const queue = await QUEUES[name as QueueName]();
let now = Date.UTC(2026, 0, 1);
let state = 1;

/** A whole number below `count`, all as often, in no order (D. H. Lehmer's generator). */
function random(count: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return Math.floor((state / 2_147_483_647) * count);
}

/** Drawn before, for a draw takes longer than a push. As many as a power of two. */
const DRAWS = 65_536;
const priorities = Uint8Array.from({ length: DRAWS }, () => random(PRIORITIES.length));
const tenants = Uint8Array.from({ length: DRAWS }, () => random(TENANTS.length));
let drawn = 0;

// The most urgent first, a millisecond apart: then p-queue appends, and is filled quickly.
const first = Array.from({ length: depth }, () => random(PRIORITIES.length)).sort((a, b) => a - b);
for (const priority of first) queue.push(priority, random(TENANTS.length), now++);

serve(true, async (ms: number) => {
  const begin = process.hrtime.bigint();
  const end = begin + BigInt(ms) * 1_000_000n;
  let at = begin;
  let done = 0;
  while (at < end) {
    for (let i = 0; i < BATCH; i++) {
      queue.push(priorities[drawn], tenants[drawn], now++);
      drawn = (drawn + 1) % DRAWS;
      queue.pop();
    }
    done += BATCH;
    at = process.hrtime.bigint();
  }
  return (done / Number(at - begin)) * 1e9;
});
