/** What it takes to tell whose key is shown, where it is known already. */
import type { Line } from './goals.js';
import { interleave, median, start } from './harness.js';
import type { VerifierName } from './key-verifier.js';

export interface KeyOptions {
  readonly rounds: number;
  /** Keys that are shown in a round. */
  readonly shown: number;
}

const NAMES: readonly VerifierName[] = ['memory', 'shared store', 'shared store, pepper', 'malformed'];

/** Microseconds that a key may take. */
const GOAL = 5;

export async function measureKeys({ rounds, shown }: KeyOptions): Promise<Line[]> {
  const started = await Promise.all(NAMES.map((name) => start<true, number>(name, './key-verifier.ts', [name])));
  const contenders = started.map(({ contender }) => contender);
  await interleave(contenders, 3, shown);
  const taken = await interleave(contenders, rounds, shown);
  await Promise.all(contenders.map((contender) => contender.stop()));
  return NAMES.map((name, i) => ({
    measure: 'verify a key, 1,000 keys',
    contender: name,
    value: median(taken[i].map((ns) => ns / 1000)),
    unit: 'µs of CPU',
    ratio: undefined,
    base: '',
    goal: { most: GOAL },
  }));
}
