/** Contenders in processes of their own, asked in turn: what one does to the optimiser or the heap is not the others' cost. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';

export interface Contender<Sample> {
  readonly name: string;
  /** Has it do one round. */
  ask(message: unknown): Promise<Sample>;
  stop(): Promise<void>;
}

/** Starts `file`; resolves with what it reports as soon as it is ready. */
export async function start<Ready, Sample>(
  name: string,
  file: string,
  args: readonly string[],
): Promise<{ contender: Contender<Sample>; ready: Ready }> {
  const execArgv = ['--expose-gc', '--max-old-space-size=8192', '--import', 'tsx'];
  const child = fork(new URL(file, import.meta.url), args, { execArgv });
  const ready = await reply<Ready>(child);
  return {
    ready,
    contender: {
      name,
      ask(message) {
        child.send(message as object);
        return reply(child);
      },
      async stop() {
        child.kill();
        await once(child, 'exit');
      },
    },
  };
}

function reply<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    const died = (code: number | null) => reject(new Error(`a contender ended with exit code ${code}`));
    child.once('exit', died);
    child.once('message', (message) => {
      child.off('exit', died);
      resolve(message as T);
    });
  });
}

/** The other side: reports that it is ready, then does a round for each message. Timers keep no contender alive. */
export function serve<Ready, Message, Sample>(ready: Ready, round: (message: Message) => Promise<Sample>): void {
  process.on('message', async (message) => process.send?.(await round(message as Message)));
  process.on('disconnect', () => process.exit());
  process.send?.(ready);
}

/** All contenders in every round, each time beginning with another one. `samples[contender][round]`. */
export async function interleave<Sample>(
  contenders: readonly Contender<Sample>[],
  rounds: number,
  message: unknown,
): Promise<Sample[][]> {
  const samples: Sample[][] = contenders.map(() => []);
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < contenders.length; i++) {
      const turn = (round + i) % contenders.length;
      samples[turn].push(await contenders[turn].ask(message));
    }
  }
  return samples;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The median over the rounds of each round's own ratio: what slows a whole round down cancels out. */
export function ratio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / base[round]));
}
