/** Reads a log that `recordTraffic` wrote. */
import type { TrafficLine } from '@tollgate/core/traffic';
import { UsageError } from '../config-file.js';

const EVENTS = new Set(['asked', 'admitted', 'refused', 'withdrawn', 'settled', 'updated', 'credited']);

/** @throws UsageError for a line that is not recorded traffic, with its number */
export async function* trafficLines(lines: AsyncIterable<string> | Iterable<string>): AsyncIterable<TrafficLine> {
  let number = 0;
  for await (const text of lines) {
    number++;
    if (text.trim() !== '') yield parsed(text, number);
  }
}

function parsed(text: string, number: number): TrafficLine {
  const line = read(text);
  if (isTraffic(line)) return line;
  const shown = text.length > 80 ? `${text.slice(0, 80)}…` : text;
  throw new UsageError(`Line ${number} is not recorded traffic: ${shown}`);
}

function read(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function isTraffic(line: unknown): line is TrafficLine {
  if (typeof line !== 'object' || line === null) return false;
  const { at, event } = line as Partial<TrafficLine>;
  return Number.isFinite(at) && EVENTS.has(event as string);
}
