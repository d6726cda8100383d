/** An instance of an app whose requests share eight slots with those of others: asks without end, and writes down what it is given. */
import { createTollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';

const [url, prefix, options] = process.argv.slice(2);
const { priority, visitors, slots, leaseMs, holdMs } = JSON.parse(options);
const client = new Redis(url);
const gate = createTollgate({
  store: redisStore(client, { prefix, timeoutMs: 10_000 }),
  limits: [],
  queue: { concurrency: slots, lease: `${leaseMs}ms`, ageing: '1h', maxWait: '10m', shedding: false },
});

/** In microseconds, by a clock that all processes of the machine have in common. */
const now = () => Number(process.hrtime.bigint() / 1_000n);
const tell = (begins) => process.stdout.write(`${JSON.stringify({ at: now(), begins })}\n`);
let isEnding = false;
process.stdin.on('data', () => {
  isEnding = true;
});

async function visit() {
  const decision = await gate.admit({ permits: 1, priority });
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  tell(true);
  await new Promise((resolve) => setTimeout(resolve, holdMs * (0.5 + Math.random())));
  tell(false);
  await decision.admission.settle();
}

const loop = async () => {
  while (!isEnding) await visit();
};
await Promise.all(Array.from({ length: visitors }, loop));
await gate.close();
await client.quit();
process.exit();
