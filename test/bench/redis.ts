/** Admissions a second by one Redis, what they wait for it, and what they take of its processor. */
import { redisStore } from '@tollgate/core/redis';
import { Redis } from 'ioredis';
import { startRedis } from '../helpers/redis-server.js';
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';
import { callers } from './load.js';
import { userMeters } from './meters.js';
import type { Population, RedisContender, RedisSample, Round } from './redis-contender.js';

export interface RedisOptions {
  readonly rounds: number;
  /** Of a round of one contender. */
  readonly ms: number;
}

const NAMES: readonly RedisContender[] = [
  'rlf ×5, parallel',
  'rlf ×5, one after the other',
  'rate-limit-redis ×5',
  'PING',
  'EVALSHA that does nothing',
  'tollgate take',
  'tollgate take + settle',
];

/** Where the goals hold. */
const SOME: Population = { users: 1_000, tenants: 20 };

/** In a batch hardly any of them meet, so Redis has about a record of its own to read and to write for each meter but two. */
const MANY: Population = { users: 10_000, tenants: 1_000 };

const LOADS: readonly Omit<Round, 'ms'>[] = [
  { inFlight: 1, population: SOME },
  { inFlight: 64, population: SOME },
  { inFlight: 512, population: SOME },
  { inFlight: 512, population: MANY },
];

type Figure = keyof RedisSample;

const UNITS: Readonly<Record<Figure, string>> = { perSecond: '/s', p50: 'ms', p99: 'ms', cpu: 'µs' };

/** What a contender is to be of a base. */
interface Goal {
  readonly inFlight: number;
  readonly figure: Figure;
  readonly contender: RedisContender;
  readonly base: RedisContender;
  readonly goal: NonNullable<Line['goal']>;
}

const GOALS: readonly Goal[] = [
  goal(512, 'perSecond', 'tollgate take', 'rlf ×5, parallel', { least: 15 }),
  goal(512, 'perSecond', 'tollgate take', 'PING', { least: 1.6 }),
  goal(512, 'perSecond', 'tollgate take + settle', 'rlf ×5, parallel', { least: 8 }),
  goal(512, 'cpu', 'tollgate take', 'rlf ×5, parallel', { most: 0.1 }),
  goal(512, 'p99', 'tollgate take', 'rlf ×5, parallel', { most: 0.15 }),
  goal(1, 'p50', 'tollgate take', 'rlf ×5, one after the other', { most: 0.35 }),
  goal(1, 'p50', 'tollgate take', 'PING', { most: 2 }),
];

/** Most of a user's bucket and three budgets. */
const MOST_BYTES = 260;

function goal(
  inFlight: number,
  figure: Figure,
  contender: RedisContender,
  base: RedisContender,
  goal: NonNullable<Line['goal']>,
): Goal {
  return { inFlight, figure, contender, base, goal };
}

export async function measureRedis({ rounds, ms }: RedisOptions): Promise<Line[]> {
  const server = await startRedis();
  try {
    const contenders: Contender<RedisSample>[] = [];
    for (const name of NAMES) {
      const { contender } = await start<true, RedisSample>(name, './redis-contender.ts', [name, String(server.port)]);
      contenders.push(contender);
    }
    const lines: Line[] = [];
    for (const load of LOADS) {
      await interleave(contenders, 2, { ...load, ms } satisfies Round);
      const samples = await interleave(contenders, rounds, { ...load, ms } satisfies Round);
      lines.push(...linesOf(load, samples));
    }
    await Promise.all(contenders.map((contender) => contender.stop()));
    return [...lines, await bytesLine(server.port)];
  } finally {
    await server.stop();
  }
}

function linesOf({ inFlight, population }: Omit<Round, 'ms'>, samples: readonly RedisSample[][]): Line[] {
  const of = population === SOME ? '' : `, ${population.users.toLocaleString('en-US')} users`;
  return (Object.keys(UNITS) as Figure[]).flatMap((figure) => {
    const values = samples.map((rounds) => rounds.map((sample) => sample[figure]));
    const line = (contender: RedisContender, base: RedisContender, goal: Line['goal']): Line => {
      const [own, others] = [contender, base].map((name) => values[NAMES.indexOf(name)]);
      return {
        measure: `Redis, ${inFlight} in flight${of}, ${figure === 'perSecond' ? 'throughput' : figure}`,
        contender,
        value: median(own),
        unit: UNITS[figure],
        ratio: contender === base ? undefined : ratio(own, others),
        base,
        goal,
      };
    };
    const goals = GOALS.filter((goal) => population === SOME && goal.inFlight === inFlight && goal.figure === figure);
    const plain = NAMES.filter((name) => !goals.some(({ contender, base }) => contender === name && base === NAMES[0]));
    return [
      ...plain.map((name) => line(name, NAMES[0], undefined)),
      ...goals.map(({ contender, base, goal }) => line(contender, base, goal)),
    ];
  });
}

/** What Redis keeps of a user. */
async function bytesLine(port: number): Promise<Line> {
  const client = new Redis(port);
  await client.flushall();
  const store = redisStore(client);
  const users = callers(Array.from({ length: 100 }, (_, i) => i));
  const requestOf = userMeters(Date.now());
  for (const caller of users) await store.take(requestOf(caller), Date.now());
  const names = (await client.keys('*')).filter((name) => users.some(({ user }) => name.includes(user)));
  let bytes = 0;
  for (const name of names) bytes += Number(await client.memory('USAGE', name, 'SAMPLES', 0));
  await client.quit();
  const value = bytes / users.length;
  return {
    measure: 'Redis, memory',
    contender: 'tollgate',
    value,
    unit: 'B/user',
    ratio: value / MOST_BYTES,
    base: `${MOST_BYTES} B`,
    goal: { most: 1 },
  };
}
