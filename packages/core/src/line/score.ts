/**
 * The order of the line. A waiter's score is the time from which it counts as waiting and how far its priority is behind
 * `interactive`. Of two waiters that grow old together neither gains on the other, so a score never changes: it is worked
 * out once, and the queue keeps the order. The lowest score goes first, and among equal ones the first that came.
 */
import type { Priority } from '../request.js';
import { isRecord, reading } from '../schema.js';
import { type Duration, parseDuration } from '../units.js';

/** How many milliseconds each priority is behind `interactive`: having waited that much longer, it goes first. */
export type Ageing = Readonly<Record<Priority, number>>;

/** After how long `batch` has caught up with `interactive`, or how long each priority takes to. */
export type AgeingInput =
  | Duration
  | { readonly standard: Duration; readonly batch: Duration; readonly background: Duration };

const DEFAULT: Duration = '5m';
const A_DURATION = "a duration such as '30s', '5m' or '1h'";
/** The priorities that are behind, as they follow each other. */
const BEHIND = ['standard', 'batch', 'background'] as const;

/** The milliseconds, since 1970, that a waiter is ordered by. `since` is when it began to wait, in the same. */
export function scoreOf(ageing: Ageing, priority: Priority, since: number): number {
  return since + ageing[priority];
}

/** Equal steps: `standard` is half as far behind as `batch`, and `background` one and a half times as far. */
export function evenAgeing(batchMs: number): Ageing {
  return { interactive: 0, standard: batchMs / 2, batch: batchMs, background: 1.5 * batchMs };
}

/** The field `ageing` of a configuration; `'5m'` unless given. */
export const ageingField = reading((value: unknown = DEFAULT, context): Ageing => {
  const read = (given: unknown, expected: string, path: string[], least = 0): number => {
    const ms = parseDuration(given);
    if (ms !== undefined && ms >= least) return ms;
    context.addIssue({ code: 'custom', message: expected, path });
    return Number.NaN;
  };
  if (!isRecord(value)) {
    return evenAgeing(read(value, `${A_DURATION}, or { standard, batch, background } with one each`, []));
  }
  for (const name of Object.keys(value).filter((name) => !BEHIND.some((priority) => priority === name))) {
    context.addIssue({
      code: 'custom',
      message: "no such field; there are 'standard', 'batch' and 'background'",
      path: [name],
    });
  }
  const standard = read(value.standard, A_DURATION, ['standard']);
  const batch = read(value.batch, `${A_DURATION}, no less than standard's`, ['batch'], standard || 0);
  const background = read(value.background, `${A_DURATION}, no less than batch's`, ['background'], batch || 0);
  return { interactive: 0, standard, batch, background };
});
