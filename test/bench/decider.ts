/** The process of one contender: `decider.ts <name> <users>`. Meets every user once, then reports what that took. */
import { DECIDERS, type DeciderName } from './deciders.js';
import { serve } from './harness.js';
import { callers, someCallers } from './load.js';

export interface Filled {
  /** Bytes for each user, all its records together. */
  readonly bytesPerUser: number;
}

const STEP = 10_000;

const [name, count] = process.argv.slice(2);
const users = Number(count);
const make = DECIDERS[name as DeciderName];
// Code is compiled before the counting begins, for one user alone, who doesn't count whether kept or forgotten.
await make(users)(someCallers(1, STEP));
const before = bytes();
const decide = make(users);
for (let from = 0; from < users; from += STEP) {
  await decide(callers(Array.from({ length: Math.min(STEP, users - from) }, (_, i) => from + i)));
}
const ready: Filled = { bytesPerUser: (bytes() - before) / users };

serve(ready, async (decisions: number) => {
  const load = someCallers(users, decisions);
  globalThis.gc?.();
  return (await decide(load)) / decisions;
});

function bytes(): number {
  for (let i = 0; i < 3; i++) globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
