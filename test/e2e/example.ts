/** Runs the examples as a user would: a process of its own, on what the packages' build made. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';

const EXAMPLES = join(__dirname, '..', '..', 'examples');

/** @param entry the file that the example starts with, such as `demo/src/index.ts` */
export function spawnExample(entry: string, args: readonly string[] = [], env: NodeJS.ProcessEnv = {}): ChildProcess {
  const [folder, ...file] = entry.split('/');
  return spawn(process.execPath, ['--import', 'tsx', file.join('/'), ...args], {
    cwd: join(EXAMPLES, folder),
    env: { ...process.env, NODE_OPTIONS: '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export async function ended(child: ChildProcess): Promise<Ended> {
  const out = { stdout: '', stderr: '' };
  for (const stream of ['stdout', 'stderr'] as const) {
    child[stream]?.setEncoding('utf8').on('data', (text: string) => {
      out[stream] += text;
    });
  }
  const [code] = await once(child, 'close');
  return { code, ...out };
}

/** The address that a server says it listens on. */
export function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        said += text;
        const url = /http:\/\/localhost:\d+/.exec(said);
        if (url) resolve(url[0]);
      });
    }
    child.once('close', (code) => reject(new Error(`It ended with ${code} before it listened:\n${said}`)));
  });
}
