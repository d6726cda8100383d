/** The process of one runner: `runners.ts <name> <waiting>`. 100 jobs run at once; each that ends is followed by another. */
import { setImmediate as turn } from 'node:timers/promises';
import { createTollgate, type Priority } from '@tollgate/core';
import Bottleneck from 'bottleneck';
import PQueue from 'p-queue';
import { serve } from './harness.js';

/** Runs a job when its turn has come; resolves when it has ended. `rank` 0 is the most urgent of four. */
type Run = (job: () => Promise<void>, rank: number, tenant: string) => Promise<unknown>;

const CONCURRENCY = 100;
const PRIORITIES: readonly Priority[] = ['interactive', 'standard', 'batch', 'background'];
const TENANTS = Array.from({ length: 100 }, (_, i) => `tenant ${i}`);

const RUNNERS = {
  'p-queue': pQueue,
  'p-queue (A/A)': pQueue,
  bottleneck,
  'tollgate line': () => tollgate(undefined),
  'tollgate line, 100 tenants': () => tollgate('tenant'),
} satisfies Record<string, () => Run>;

export type RunnerName = keyof typeof RUNNERS;

function pQueue(): Run {
  const queue = new PQueue({ concurrency: CONCURRENCY });
  return (job, rank) => queue.add(job, { priority: -rank });
}

function bottleneck(): Run {
  const limiter = new Bottleneck({ maxConcurrent: CONCURRENCY });
  return (job, rank) => limiter.schedule({ priority: rank }, job);
}

/** With room and time for all, so that nothing is refused. */
function tollgate(fairBy: 'tenant' | undefined): Run {
  const queue = { concurrency: CONCURRENCY, maxDepth: 1_000_000, maxWait: '1d' } as const;
  const gate = createTollgate({ queue: fairBy === undefined ? queue : { ...queue, fairBy } });
  return async (job, rank, tenant) => {
    const decision = await gate.admit({ subject: { tenant }, permits: 1, priority: PRIORITIES[rank] });
    if (!decision.admitted) throw new Error(decision.refusal.detail);
    await job();
    await decision.admission.settle();
  };
}

/** Jobs between two looks at the clock. */
const BATCH = 32;

const [name, count] = process.argv.slice(2);
const jobs = Number(count) + CONCURRENCY;
const run = RUNNERS[name as RunnerName]();

let state = 1;

/** A whole number below `count`, all as often, in no order (D. H. Lehmer's generator). */
function random(count: number): number {
  state = (state * 48_271) % 2_147_483_647;
  return Math.floor((state / 2_147_483_647) * count);
}

/** Between rounds the jobs that run are held up, and the others wait on. */
let rest: Promise<void> | undefined;
let goOn = stop();
let ended = 0;
/** Ends the round when it is time. */
let look = () => {};

/** Returns what lets them go on. */
function stop(): () => void {
  let resume = () => {};
  rest = new Promise((resolve) => {
    resume = resolve;
  });
  return () => {
    rest = undefined;
    resume();
  };
}

async function job(): Promise<void> {
  await turn();
  if (rest !== undefined) await rest;
}

async function again(): Promise<never> {
  for (;;) {
    await run(job, random(PRIORITIES.length), TENANTS[random(TENANTS.length)]);
    if (++ended % BATCH === 0) look();
  }
}

for (let i = 0; i < jobs; i++) void again();

/** Jobs that end a second. */
serve(
  true,
  (ms: number) =>
    new Promise<number>((resolve) => {
      const before = ended;
      const begin = process.hrtime.bigint();
      look = () => {
        const spent = Number(process.hrtime.bigint() - begin);
        if (spent < ms * 1e6 || rest !== undefined) return;
        goOn = stop();
        resolve(((ended - before) / spent) * 1e9);
      };
      goOn();
    }),
);
