/** `pnpm bench [--quick] [decisions | queue | http | keys | redis | upstream]`: the gate beside its peers, in one run. */
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { measureDecisions } from './decisions.js';
import { isMet, tableOf } from './goals.js';
import { measureHttp } from './http.js';
import { measureKeys } from './keys.js';
import { measureQueues } from './queue.js';
import { measureRedis } from './redis.js';
import { measureUpstream } from './upstream.js';

const args = process.argv.slice(2);
const quick = args.includes('--quick');
const wanted = (part: string) =>
  args.includes(part) || !['decisions', 'queue', 'http', 'keys', 'redis', 'upstream'].some((one) => args.includes(one));

const decisions = quick
  ? { users: [10_000], rounds: 7, decisions: 40_000 }
  : { users: [1, 10_000, 1_000_000], rounds: 9, decisions: 70_000 };
const queue = { depths: [10, 1000, 100_000], rounds: quick ? 7 : 15, ms: 100 };
const redis = quick ? { rounds: 5, ms: 500 } : { rounds: 11, ms: 1000 };
const keys = { rounds: quick ? 7 : 15, shown: 100_000 };
const upstream = { rounds: quick ? 7 : 15, reads: 20_000 };
const http = quick ? { rounds: 5, seconds: 1 } : { rounds: 9, seconds: 1 };

const lines = [
  ...(wanted('decisions') ? await measureDecisions(decisions) : []),
  ...(wanted('queue') ? await measureQueues(queue) : []),
  ...(wanted('http') ? await measureHttp(http) : []),
  ...(wanted('keys') ? await measureKeys(keys) : []),
  ...(wanted('redis') ? await measureRedis(redis) : []),
  ...(wanted('upstream') ? await measureUpstream(upstream) : []),
];

const results = {
  node: process.version,
  cpu: cpus()[0]?.model,
  quick,
  lines: lines.map((line) => ({ ...line, met: isMet(line) })),
};
const file = new URL('../../bench-results.json', import.meta.url);
await writeFile(file, `${JSON.stringify(results, undefined, 2)}\n`);

console.log(`Medians of interleaved rounds, ratios of the same round; A/A is the same contender twice: the noise.
rlf: rate-limiter-flexible's memory limiter, ×5: five of them, one after the other. Node ${process.version}.
`);
console.log(tableOf(lines));
