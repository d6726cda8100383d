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

const tell = (what) => process.stdout.write(`${JSON.stringify({ at: Date.now(), ...what })}\n`);
let isEnding = false;
process.stdin.on('data', () => {
  isEnding = true;
});

let count = 0;
async function visit() {
  const decision = await gate.admit({ permits: 1, priority });
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  const id = count++;
  tell({ begins: id });
  await new Promise((resolve) => setTimeout(resolve, holdMs * (0.5 + Math.random())));
  tell({ ends: id });
  await decision.admission.settle();
}

const loop = async () => {
  while (!isEnding) await visit();
};
await Promise.all(Array.from({ length: visitors }, loop));
await gate.close();
await client.quit();
process.exit();
