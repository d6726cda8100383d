/** Requests a second that an app answers, and the CPU time that one takes, by framework. */
import { drive, wire } from './client.js';
import type { Line } from './goals.js';
import { type Contender, interleave, median, ratio, start } from './harness.js';
import { callers } from './load.js';
import type { SERVERS } from './server.js';

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

type Framework = keyof typeof SERVERS;

/** The contenders, bare first and its control second, then the gate and the peer that it is to be ahead of. */
const NAMES: { readonly [F in Framework]: readonly (keyof (typeof SERVERS)[F])[] } = {
  Express: ['bare', 'bare (A/A)', 'tollgate, 3 layers', 'express-rate-limit, 1 counter', 'rlf ×5'],
  Koa: ['bare', 'bare (A/A)', 'tollgate, 3 layers', 'koa-ratelimit, 1 counter'],
  Fastify: ['bare', 'bare (A/A)', 'tollgate, 3 layers', '@fastify/rate-limit, 1 counter'],
};

/** The part of the bare app's throughput that the gate is to keep at least. */
const GOALS: Readonly<Record<Framework, number>> = { Express: 0.92, Koa: 0.92, Fastify: 0.88 };

const CONNECTIONS = 20;

const REQUESTS = callers(Array.from({ length: 1000 }, (_, i) => i)).map(({ user }) =>
  wire('/chat', { 'x-user': user }),
);

export async function measureHttp(options: HttpOptions): Promise<Line[]> {
  const lines: Line[] = [];
  for (const framework of Object.keys(NAMES) as Framework[]) lines.push(...(await measure(framework, options)));
  return lines;
}

async function measure(framework: Framework, { rounds, seconds }: HttpOptions): Promise<Line[]> {
  const names: readonly string[] = NAMES[framework];
  const contenders: Contender<Sample>[] = [];
  for (const name of names) contenders.push(await startServer(framework, name));
  await interleave(contenders, 2, seconds);
  const samples = await interleave(contenders, rounds, seconds);
  await Promise.all(contenders.map((contender) => contender.stop()));
  const perSecond = samples.map((rounds) => rounds.map((sample) => sample.perSecond));
  const cpu = samples.map((rounds) => rounds.map((sample) => sample.cpu));
  const bound = Math.max(GOALS[framework], ratio(perSecond[3], perSecond[0]));
  const base = names[0];
  return [
    ...names.map((contender, i) => ({
      measure: `${framework}, throughput`,
      contender,
      value: median(perSecond[i]),
      unit: 'req/s',
      ratio: i === 0 ? undefined : ratio(perSecond[i], perSecond[0]),
      base,
      goal: contender.startsWith('tollgate') ? { least: bound } : undefined,
    })),
    ...names.map((contender, i) => ({
      measure: `${framework}, CPU of the server`,
      contender,
      value: median(cpu[i]),
      unit: 'µs/req',
      ratio: i === 0 ? undefined : ratio(cpu[i], cpu[0]),
      base,
    })),
  ];
}

async function startServer(framework: Framework, name: string): Promise<Contender<Sample>> {
  const { contender, ready: port } = await start<number, number>(name, './server.ts', [framework, name]);
  return {
    name,
    async ask(seconds) {
      await contender.ask({});
      const load = { connections: CONNECTIONS, seconds: seconds as number };
      const { answered, seconds: took } = await drive(port, REQUESTS, load);
      const micros = await contender.ask({});
      return { perSecond: answered / took, cpu: micros / answered };
    },
    stop: contender.stop,
  };
}
