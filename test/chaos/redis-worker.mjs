/** An instance of an app: asks for admissions as fast as it can, and writes down those that it was given. */
import { budget, createTollgate, slidingWindow, tokenBucket } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';

const [url, prefix, caps] = process.argv.slice(2);
const { windowLimit, windowMs, bucketCapacity, budget: cents, seed } = JSON.parse(caps);
const client = new Redis(url);
const gate = createTollgate({
  store: redisStore(client, { prefix, timeoutMs: 10_000 }),
  limits: [
    slidingWindow({ name: 'window', limit: windowLimit, window: `${windowMs}ms` }),
    tokenBucket({ name: 'bucket', by: 'user', capacity: bucketCapacity, refill: '1/d' }),
  ],
  budgets: [budget({ name: 'budget', by: 'tenant', limit: `$${cents / 100}`, per: 'month' })],
});

let state = seed;
function random(count) {
  state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
  return Math.floor((state / 2 ** 31) * count);
}

/** Times are by the clock of the machine, which is Redis's too. */
async function visit() {
  const subject = { user: `user-${random(40)}`, tenant: `tenant-${random(4)}` };
  const settles = random(3) === 0;
  const from = Date.now();
  const decision = await gate.admit({ subject, permits: 1, usd: '$0.01' });
  if (!decision.admitted) return;
  process.stdout.write(`${JSON.stringify({ from, to: Date.now(), ...subject })}\n`);
  if (settles) await decision.admission.settle();
}

const end = Date.now() + 4 * windowMs;
const loop = async () => {
  while (Date.now() < end) await visit();
};
await Promise.all(Array.from({ length: 16 }, loop));
await gate.close();
await client.quit();
