/** Starts provider, app and load; shows what the gate does until the time is up; plays an overload, and a provider that fails; sums up. */
import { setTimeout as sleep } from 'node:timers/promises';
import { createLogUpdate } from 'log-update';
import { createApp } from './app.js';
import { createGate, FEATURES, LADDER, MODELS } from './gate.js';
import { startLoad } from './load.js';
import { HELP, type Options, readOptions } from './options.js';
import { compareOverload } from './overload/compare.js';
import { startProvider } from './provider.js';
import { USERS } from './scenario.js';
import { serve } from './serve.js';
import { type Demo, type Summary, summarise } from './summary.js';
import { keepTally } from './tally.js';
import { compareUpstream } from './upstream/compare.js';
import { frame, logLine, page, type Screen, verdict } from './view.js';

const FRAME_MS = 200;
const LOG_MS = 1000;

const { stdout } = process;

async function run({ seconds, seed, json }: Options): Promise<void> {
  const gate = createGate();
  const tally = keepTally(gate);
  const provider = await startProvider(seed);
  const directory = new Map(USERS.map(({ user, tenant, plan }) => [user, { user, tenant, plan }]));
  const app = createApp(gate, directory, provider.url);
  const serving = await serve(app.listener);
  const load = startLoad(serving.url, USERS, seed);
  const demo: Demo = {
    gate,
    users: USERS,
    features: FEATURES,
    models: MODELS,
    ladder: LADDER,
    tally,
    load,
    provider,
    seed,
    startedAt: Date.now(),
  };

  const end = endAfter(seconds);
  if (json) await end;
  else await watch(demo, end);
  await load.stop();
  await app.idle();

  const summary = await summarise(demo);
  const played = { overload: await compareOverload(seed), upstream: await compareUpstream(seed) };
  stdout.write(
    json ? `${JSON.stringify({ ...summary, ...played }, null, 2)}\n` : `\n${page(summary, played, screen())}\n`,
  );
  if (!summary.agrees) {
    process.exitCode = 1;
    if (json) console.error(verdict(summary));
  }
  serving.close();
  provider.close();
  await gate.close();
}

/** Ends when the time is up or at Ctrl-C, of which there may be several: package runners pass on what the terminal sent. */
function endAfter(seconds: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, seconds * 1000);
    const interrupt = () => {
      clearTimeout(timer);
      resolve();
    };
    process.on('SIGINT', interrupt);
    process.on('SIGTERM', interrupt);
  });
}

/** Draws on a terminal, or writes lines to anything else, until the end. */
async function watch(demo: Demo, end: Promise<void>): Promise<void> {
  const ended = end.then(() => true);
  const live = stdout.isTTY ? createLogUpdate(stdout) : undefined;
  const show = (summary: Summary) => (live ? live(frame(summary, screen())) : console.log(logLine(summary)));
  while (!(await Promise.race([ended, sleep(live ? FRAME_MS : LOG_MS, false)]))) show(await summarise(demo));
  live?.clear();
}

/** One row is left to the cursor. */
function screen(): Screen {
  return { columns: stdout.columns ?? 80, rows: (stdout.rows ?? 24) - 1 };
}

let options: Options | 'help';
try {
  options = readOptions(process.argv.slice(2), stdout.isTTY);
} catch (error) {
  console.error(`${(error as Error).message}\n\n${HELP}`);
  process.exit(2);
}
if (options === 'help') console.log(HELP);
else await run(options);
