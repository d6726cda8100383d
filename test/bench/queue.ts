/** Pushes and pops a second, by how many wait. */
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';
import type { QueueName } from './queues.js';

export interface QueueOptions {
  readonly depths: readonly number[];
  readonly rounds: number;
  /** Of a round of one contender. */
  readonly ms: number;
}

const TOLLGATE: QueueName = 'tollgate priority queue';
const NAMES: readonly QueueName[] = ['p-queue', 'p-queue (A/A)', TOLLGATE, 'tollgate, 100 tenants'];
/** By depth, how many times as many as p-queue's there are to be. */
const GOALS: Readonly<Record<number, number>> = { 1000: 2, 100000: 1000 };

export async function measureQueues({ depths, rounds, ms }: QueueOptions): Promise<Line[]> {
  const lines: Line[] = [];
  for (const depth of depths) lines.push(...(await measure(depth, rounds, ms)));
  return lines;
}

async function measure(depth: number, rounds: number, ms: number): Promise<Line[]> {
  const contenders: Contender<number>[] = [];
  for (const name of NAMES) {
    const { contender } = await start<true, number>(name, './queues.ts', [name, String(depth)]);
    contenders.push(contender);
  }
  await interleave(contenders, 2, ms);
  const perSecond = await interleave(contenders, rounds, ms);
  await Promise.all(contenders.map((contender) => contender.stop()));
  const goal = GOALS[depth];
  return NAMES.map((name, i) => ({
    measure: `queue, ${depth.toLocaleString('en-US')} waiting`,
    contender: name,
    value: median(perSecond[i]),
    unit: 'push+pop/s',
    ratio: i === 0 ? undefined : ratio(perSecond[i], perSecond[0]),
    base: NAMES[0],
    goal: name === TOLLGATE && goal !== undefined ? { least: goal } : undefined,
  }));
}
