/** The process of one contender: `decider.ts <name> <users>`. Meets every user once, then reports what that took. */
import { setTimeout } from 'node:timers/promises';
import { DECIDERS, type DeciderName } from './deciders.js';
import { serve } from './harness.js';
import { type Caller, callers, someCallers } from './load.js';

export interface Filled {
  /** Bytes for each user, all its records together. */
  readonly bytesPerUser: number;
}

const STEP = 10_000;

const [name, count] = process.argv.slice(2);
const users = Number(count);
const make = DECIDERS[name as DeciderName];
// Code is compiled before the counting begins. What is met here and kept or forgotten is so before and after it.
await make(users)(callersFrom(0, STEP));
const before = await bytes();
const decide = make(users);
for (let from = 0; from < users; from += STEP) {
  await decide(callersFrom(from, Math.min(STEP, users - from)));
}
const ready: Filled = { bytesPerUser: ((await bytes()) - before) / users };

serve(ready, async (decisions: number) => {
  const load = someCallers(users, decisions);
  globalThis.gc?.();
  return (await decide(load)) / decisions;
});

/** Callers with `count` numbers in a row, each of another user. */
function callersFrom(from: number, count: number): Caller[] {
  return callers(Array.from({ length: count }, (_, i) => from + i));
}

/** Once no code is being compiled any more: that holds what it was compiled for. */
async function bytes(): Promise<number> {
  await setTimeout(100);
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
