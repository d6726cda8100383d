/** Requests a second that an Express app answers, and the CPU time that one takes. */
import autocannon from 'autocannon';
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';
import { callers } from './load.js';
import type { ServerName } from './server.js';

export interface HttpOptions {
  readonly rounds: number;
  /** Of a round of one contender. */
  readonly seconds: number;
}

interface Sample {
  readonly perSecond: number;
  /** Of the server, in microseconds a request. */
  readonly cpu: number;
}

const NAMES: readonly ServerName[] = [
  'bare',
  'bare (A/A)',
  'tollgate, 3 layers',
  'express-rate-limit, 1 counter',
  'rlf ×5',
];

const CONNECTIONS = 20;

const REQUESTS = callers(Array.from({ length: 1000 }, (_, i) => i)).map(({ user }) => ({
  path: '/chat',
  headers: { 'x-user': user },
}));

export async function measureHttp({ rounds, seconds }: HttpOptions): Promise<Line[]> {
  const contenders: Contender<Sample>[] = [];
  for (const name of NAMES) contenders.push(await startServer(name));
  await interleave(contenders, 1, seconds);
  const samples = await interleave(contenders, rounds, seconds);
  await Promise.all(contenders.map((contender) => contender.stop()));
  const perSecond = samples.map((rounds) => rounds.map((sample) => sample.perSecond));
  const cpu = samples.map((rounds) => rounds.map((sample) => sample.cpu));
  const bound = Math.max(0.92, ratio(perSecond[3], perSecond[0]));
  const base = NAMES[0];
  return [
    ...NAMES.map((contender, i) => ({
      measure: 'HTTP throughput',
      contender,
      value: median(perSecond[i]),
      unit: 'req/s',
      ratio: i === 0 ? undefined : ratio(perSecond[i], perSecond[0]),
      base,
      goal: contender.startsWith('tollgate') ? { least: bound } : undefined,
    })),
    ...NAMES.map((contender, i) => ({
      measure: 'CPU of the server',
      contender,
      value: median(cpu[i]),
      unit: 'µs/req',
      ratio: i === 0 ? undefined : ratio(cpu[i], cpu[0]),
      base,
    })),
  ];
}

async function startServer(name: ServerName): Promise<Contender<Sample>> {
  const { contender, ready: port } = await start<number, number>(name, './server.ts', [name]);
  return {
    name,
    async ask(seconds) {
      await contender.ask({});
      const result = await autocannon({
        url: `http://127.0.0.1:${port}`,
        connections: CONNECTIONS,
        duration: seconds as number,
        requests: REQUESTS,
      });
      if (result.errors + result.non2xx > 0) throw new Error(`${name}: ${result.errors + result.non2xx} failed`);
      const micros = await contender.ask({});
      return { perSecond: result.requests.total / result.duration, cpu: micros / result.requests.total };
    },
    stop: contender.stop,
  };
}
