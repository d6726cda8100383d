/** The same jobs through both entrances, and how each kind of them fared. */
import type { Clock, Priority } from '@tollgate/core';
import { percentile } from '../percentile.js';
import { type Entered, type Entrance, firstComeFirstServed, throughTollgate } from './entrances.js';
import { createSimulation } from './simulation.js';
import { CHEAPER_SPEED, type Job, jobsOf, KINDS, type Kind, MINUTES, SLOTS } from './traffic.js';

export interface KindFared {
  kind: string;
  priority: Priority;
  requests: number;
  admitted: number;
  /** Of the admitted, those that a cheaper model served. */
  degraded: number;
  /** Turned away since their priority was not served when they came. */
  shed: number;
  /** Turned away since they would have begun too late, or had waited for as long as they may. */
  late: number;
  /** Of the admitted; 0 where there are none. */
  waitMs: { p50: number; p95: number };
}

export interface Overload {
  seed: number;
  slots: number;
  /** In which requests come; simulated. */
  minutes: number;
  tollgate: KindFared[];
  firstComeFirstServed: KindFared[];
}

/** Of a seed always the same figures. Time is played too, and takes none to speak of. */
export async function compareOverload(seed: number): Promise<Overload> {
  const jobs = jobsOf(seed);
  return {
    seed,
    slots: SLOTS,
    minutes: MINUTES,
    tollgate: await play(jobs, throughTollgate),
    firstComeFirstServed: await play(jobs, firstComeFirstServed),
  };
}

interface End {
  readonly job: Job;
  readonly entered: Entered;
}

async function play(jobs: readonly Job[], open: (clock: Clock) => Entrance): Promise<KindFared[]> {
  const { clock, run } = createSimulation();
  const start = clock.now();
  const entrance = open(clock);
  const ends: End[] = [];

  async function serve(job: Job): Promise<void> {
    const entered = await entrance.enter(job);
    ends.push({ job, entered });
    if (entered.admitted) clock.after(job.runsMs / (entered.degraded ? CHEAPER_SPEED : 1), entered.end);
  }

  function comes(index: number): void {
    const job = jobs[index];
    if (job === undefined) return;
    clock.after(start + job.at - clock.now(), () => {
      comes(index + 1);
      void serve(job);
    });
  }

  comes(0);
  await run();
  return KINDS.map((kind) => fared(kind, ends));
}

function fared({ kind, priority }: Kind, ends: readonly End[]): KindFared {
  const own = ends.filter(({ job }) => job.kind.kind === kind).map(({ entered }) => entered);
  const admitted = own.filter((entered) => entered.admitted);
  const turnedAway = own.filter((entered) => !entered.admitted);
  const waits = admitted.map(({ waitedMs }) => waitedMs).sort((a, b) => a - b);
  return {
    kind,
    priority,
    requests: own.length,
    admitted: admitted.length,
    degraded: admitted.filter(({ degraded }) => degraded).length,
    shed: turnedAway.filter(({ turnedAway }) => turnedAway === 'shed').length,
    late: turnedAway.filter(({ turnedAway }) => turnedAway === 'late').length,
    waitMs: { p50: percentile(waits, 0.5), p95: percentile(waits, 0.95) },
  };
}
