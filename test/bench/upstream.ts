/** What reading the usage of an answer adds to reading the answer. */
import type { Line } from './goals.js';
import { interleave, median, start } from './harness.js';
import type { KindName, Taken } from './tapper.js';

export interface UpstreamOptions {
  readonly rounds: number;
  /** Events, or answers, of a round. */
  readonly reads: number;
}

const STREAMS: readonly KindName[] = ['chat', 'chat, usage dropped', 'messages', 'Gemini'];
const ANSWERS: readonly KindName[] = ['JSON of 2 KB'];

/** Microseconds that an event may take. */
const GOAL = 5;

export async function measureUpstream(options: UpstreamOptions): Promise<Line[]> {
  return [
    ...(await added('tap, for each event of a stream', STREAMS, options, GOAL)),
    ...(await added('tap, for each answer', ANSWERS, options, undefined)),
  ];
}

async function added(
  measure: string,
  names: readonly KindName[],
  { rounds, reads }: UpstreamOptions,
  most: number | undefined,
): Promise<Line[]> {
  const started = await Promise.all(names.map((name) => start<true, Taken>(name, './tapper.ts', [name])));
  const contenders = started.map(({ contender }) => contender);
  await interleave(contenders, 3, reads);
  const taken = await interleave(contenders, rounds, reads);
  await Promise.all(contenders.map((contender) => contender.stop()));
  return names.map((name, i) => ({
    measure,
    contender: name,
    value: median(taken[i].map(({ bare, tapped }) => (tapped - bare) / 1000)),
    unit: 'µs more',
    ratio: undefined,
    base: 'no tap',
    goal: most === undefined ? undefined : { most },
  }));
}
