/**
 * Reads access logs in the Common or the Combined Log Format, as Apache, nginx and morgan write them, and makes traffic of
 * them. What they don't tell (tiers, features, models, tokens) is told by a mapping.
 */
import type { AdmitRequest } from '@tollgate/core';
import type { TrafficLine } from '@tollgate/core/traffic';

/** A line of an access log. */
export interface AccessLogEntry {
  readonly ip: string;
  /** As the server has authenticated it; `undefined` for `-`. */
  readonly user: string | undefined;
  /** Milliseconds since 1970, in whole seconds as such logs have them. */
  readonly at: number;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly status: number;
  readonly bytes: number;
  readonly referer: string | undefined;
  readonly userAgent: string | undefined;
}

/** What a request is that a line tells of; `undefined` for what no toll stands before. */
export type AccessLogMapping = (
  entry: AccessLogEntry,
) => (AdmitRequest & { /** How long it took; 1000 unless given. */ readonly durationMs?: number }) | undefined;

const quoted = (name: string) => `"(?<${name}>(?:[^"\\\\]|\\\\.)*)"`;
const TIME = '(?<day>\\d\\d)/(?<month>\\w{3})/(?<year>\\d{4}):(?<clock>\\d\\d:\\d\\d:\\d\\d) (?<zone>[+-]\\d{4})';
const LINE = new RegExp(
  `^(?<ip>\\S+) \\S+ (?<user>\\S+) \\[${TIME}\\] ${quoted('request')} (?<status>\\d{3}) (?<bytes>\\d+|-)(?: ${quoted('referer')} ${quoted('userAgent')})?`,
);
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `undefined` for what is no such line. */
export function accessLogEntry(text: string): AccessLogEntry | undefined {
  const found = LINE.exec(text)?.groups;
  if (found === undefined) return undefined;
  const { ip, user, request, status, bytes, referer, userAgent } = found;
  const at = timeOf(found);
  const [method, path] = request.split(' ');
  if (path === undefined || at === undefined) return undefined;
  return {
    ip,
    user: given(user),
    at,
    method,
    path,
    status: Number(status),
    bytes: bytes === '-' ? 0 : Number(bytes),
    referer: given(referer),
    userAgent: given(userAgent),
  };
}

function timeOf({ day, month, year, clock, zone }: Readonly<Record<string, string>>): number | undefined {
  const number = String(MONTHS.indexOf(month) + 1).padStart(2, '0');
  const at = Date.parse(`${year}-${number}-${day}T${clock}${zone.slice(0, 3)}:${zone.slice(3)}`);
  return Number.isNaN(at) ? undefined : at;
}

function given(text: string | undefined): string | undefined {
  return text === undefined || text === '-' ? undefined : text;
}

/** Requests as they came, and as they ended: what failed (5xx) is told so. Lines that are none are left out. */
export async function* accessLogTraffic(
  lines: AsyncIterable<string> | Iterable<string>,
  mapping: AccessLogMapping,
): AsyncIterable<TrafficLine> {
  const ends: (TrafficLine & { readonly event: 'settled' })[] = [];
  let id = 0;
  for await (const text of lines) {
    const entry = accessLogEntry(text);
    const mapped = entry && mapping(entry);
    if (entry === undefined || mapped === undefined) continue;
    const { durationMs = 1000, ...request } = mapped;
    const { at, status } = entry;
    while (ends.length > 0 && ends[0].at <= at) yield ends.shift() as TrafficLine;
    const name = (id++).toString(36);
    yield { at, event: 'asked', id: name, kind: 'request', request, body: undefined, more: undefined };
    insert(ends, endOf(name, at + durationMs, status));
  }
  yield* ends;
}

function endOf(id: string, at: number, status: number): TrafficLine & { readonly event: 'settled' } {
  const outcome = status >= 500 ? 'failed' : 'succeeded';
  const unknown = { model: undefined, usage: undefined, usd: undefined, overloaded: undefined, actual: undefined };
  return { at, event: 'settled', id, outcome, provisional: false, ...unknown };
}

/** Into its place by time: mostly the last, since most take about as long. */
function insert<T extends { readonly at: number }>(sorted: T[], item: T): void {
  let place = sorted.length;
  while (place > 0 && sorted[place - 1].at > item.at) place--;
  sorted.splice(place, 0, item);
}
