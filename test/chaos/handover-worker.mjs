/** A worker: takes up the admissions that it reads of, settles each, and writes what it has settled. */
import { createInterface } from 'node:readline';
import { budget, createTollgate } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';

const [url, prefix, cents] = process.argv.slice(2);
const client = new Redis(url);
const gate = createTollgate({
  name: 'jobs',
  store: redisStore(client, { prefix, timeoutMs: 20_000 }),
  budgets: [budget({ name: 'spend', by: 'user', limit: '$1000', per: 'month' })],
});
gate.on('settled', ({ id }) => process.stdout.write(`${JSON.stringify({ id, cents: Number(cents) })}\n`));

async function work(id) {
  const admission = await gate.resume(id).catch(({ code }) => {
    if (code !== 'TOLLGATE_ADMISSION_SETTLED') throw new Error(code);
  });
  await admission?.settle({ usd: `$${cents / 100}` });
}

const jobs = [];
for await (const id of createInterface(process.stdin)) jobs.push(work(id));
await Promise.all(jobs);
await gate.close();
await client.quit();
