/** `replay`: runs a log of traffic through a configuration. */
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { TrafficLine } from '@tollgate/core/traffic';
import { SingleBar } from 'cli-progress';
import { exportedBy, loadConfig, UsageError } from '../config-file.js';
import { jsonText, type OutputOptions } from '../output.js';
import { type AccessLogMapping, accessLogTraffic } from '../replay/access-log.js';
import { replay } from '../replay/replay.js';
import { replayReport } from '../replay/report.js';
import { trafficLines } from '../replay/traffic-log.js';

export interface ReplayCommandOptions extends OutputOptions {
  /** A module that maps lines of an access log to requests. */
  readonly map?: string;
}

export async function replayCommand(file: string, log: string, { map, json }: ReplayCommandOptions): Promise<string> {
  const config = await loadConfig(file);
  const mapping = map === undefined ? undefined : await mappingIn(map);
  const reading = await linesOf(log);
  const lines: AsyncIterable<TrafficLine> = mapping
    ? accessLogTraffic(reading.lines, mapping)
    : trafficLines(reading.lines);
  const bar = progressBar();
  bar?.start(100, 0);
  try {
    const report = await replay(config, lines, { onProgress: () => bar?.update(reading.percent()) });
    bar?.update(100);
    return json ? jsonText(report) : replayReport(report);
  } finally {
    bar?.stop();
  }
}

/** On stderr, where that is a terminal. */
function progressBar(): SingleBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  return new SingleBar({
    format: '{bar} {percentage} %  {eta_formatted} left',
    stream: process.stderr,
    clearOnComplete: true,
  });
}

async function mappingIn(file: string): Promise<AccessLogMapping> {
  const mapping = await exportedBy(file, 'map');
  if (typeof mapping === 'function') return mapping as AccessLogMapping;
  throw new UsageError(
    `${file} has no mapping: export a function that turns a log's entry into a request, as default or as 'map'.`,
  );
}

/** The lines of a file, and how much of it has been read. */
async function linesOf(log: string): Promise<{ lines: AsyncIterable<string>; percent(): number }> {
  const { size } = await stat(log).catch((error: Error) => {
    throw new UsageError(`${log} can't be read: ${error.message}`);
  });
  const input = createReadStream(log, { highWaterMark: 2 ** 20 });
  const lines = createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY });
  return { lines, percent: () => (size === 0 ? 100 : Math.floor((100 * input.bytesRead) / size)) };
}
