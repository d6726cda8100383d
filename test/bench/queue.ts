/** Pushes and pops a second, and whole jobs a second, by how many wait. */
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';
import type { QueueName } from './queues.js';
import type { RunnerName } from './runners.js';

export interface QueueOptions {
  readonly depths: readonly number[];
  readonly rounds: number;
  /** Of a round of one contender. */
  readonly ms: number;
}

interface Race {
  readonly measure: string;
  /** The process of one contender. */
  readonly file: string;
  /** The first is the base. */
  readonly names: readonly string[];
  readonly waiting: number;
  readonly unit: string;
  readonly rounds: number;
  /** Before the first that counts: what does more for a job takes longer to be compiled. */
  readonly warmUps: number;
  /** Of a round of one contender. */
  readonly ms: number;
  /** By contender, how many times as many as the base's there are to be. */
  readonly goals: Readonly<Partial<Record<string, number>>>;
}

const QUEUES: readonly QueueName[] = ['p-queue', 'p-queue (A/A)', 'tollgate priority queue', 'tollgate, 100 tenants'];
const RUNNERS: readonly RunnerName[] = [
  'p-queue',
  'p-queue (A/A)',
  'bottleneck',
  'tollgate line',
  'tollgate line, 100 tenants',
];

/** Of the priority queue, by depth. */
const GOALS: Readonly<Record<number, number>> = { 1000: 2, 100000: 1000 };

/** Jobs that wait while others run. */
const WAITING = 5000;

export async function measureQueues({ depths, rounds, ms }: QueueOptions): Promise<Line[]> {
  const lines: Line[] = [];
  for (const depth of depths) {
    const measure = `queue, ${depth.toLocaleString('en-US')} waiting`;
    const goals = { 'tollgate priority queue': GOALS[depth] };
    const queues = { measure, file: './queues.ts', names: QUEUES, waiting: depth, unit: 'push+pop/s', goals };
    lines.push(...(await race({ ...queues, rounds, warmUps: 2, ms })));
  }
  const measure = `jobs, 100 at once, ${WAITING.toLocaleString('en-US')} waiting`;
  const runners = { measure, file: './runners.ts', names: RUNNERS, waiting: WAITING, unit: 'jobs/s', goals: {} };
  return [...lines, ...(await race({ ...runners, rounds, warmUps: 10, ms: 3 * ms }))];
}

async function race({ names, file, waiting, rounds, warmUps, ms, measure, unit, goals }: Race): Promise<Line[]> {
  const contenders: Contender<number>[] = [];
  for (const name of names) {
    const { contender } = await start<true, number>(name, file, [name, String(waiting)]);
    contenders.push(contender);
  }
  await interleave(contenders, warmUps, ms);
  const perSecond = await interleave(contenders, rounds, ms);
  await Promise.all(contenders.map((contender) => contender.stop()));
  return names.map((name, i) => {
    const goal = goals[name];
    return {
      measure,
      contender: name,
      value: median(perSecond[i]),
      unit,
      ratio: i === 0 ? undefined : ratio(perSecond[i], perSecond[0]),
      base: names[0],
      goal: goal === undefined ? undefined : { least: goal },
    };
  });
}
