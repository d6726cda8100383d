/** How long somebody would wait at a station: what the line knows of its pace, or the meter of its time. */
import { type Bill, type Usage, type Who, whoHas } from '../meters/meter.js';
import { andThen, type May } from '../request.js';
import { paceOf } from './pace.js';
import type { Pending, Station } from './station.js';

/** Where somebody would wait for a meter, and how long, in milliseconds. */
export interface Outlook {
  /** What the meter says. */
  readonly usage: Usage;
  /** From 1, who is next. */
  readonly position: number;
  /** It can't be less, as far as is known, whoever comes after. */
  readonly leastMs: number;
  /** About so long; `undefined` where nothing has begun here yet by which to tell. */
  readonly expectedMs: number | undefined;
}

/** What meters would say to a bill; `undefined` if that can't be told. */
export type Peek = (who: Who, bills: readonly Bill[]) => May<readonly Usage[] | undefined>;

/**
 * What wait for slots begin as others end: at the pace of late, and where that isn't known it is taken to be quick. What
 * waits for time is told by the meter, of all that wait before together.
 *
 * @param station `undefined`: nobody waits there, and nothing is known of it
 * @param ahead who goes first, and what they cost
 */
export function outlookAt<W extends object>(
  station: Station<W> | undefined,
  usage: Usage,
  ahead: Readonly<Pending>,
  now: number,
  peek: Peek,
): May<Outlook> {
  const position = ahead.count + 1;
  const { charge } = usage;
  if (charge.rule.kind === 'slots') {
    const rate = station === undefined ? 0 : paceOf(station.pace, now);
    if (rate === 0) return { usage, position, leastMs: 0, expectedMs: undefined };
    return { usage, position, leastMs: ahead.cost / rate, expectedMs: (ahead.cost + charge.cost) / rate };
  }
  return andThen(ahead.cost === 0 ? usage.waitMs : timeFor(usage, ahead.cost + charge.cost, now, peek), (waitMs) => {
    return { usage, position, leastMs: waitMs, expectedMs: waitMs };
  });
}

/** Milliseconds until so much has begun: what the meter holds as a whole, as often as that takes, and what is left then. */
function timeFor({ charge, key, used, waitMs }: Usage, total: number, now: number, peek: Peek): May<number> {
  const { rule, limit, meter } = charge;
  const { scope } = meter;
  if (limit === 0) return 0;
  if (limit === Number.POSITIVE_INFINITY) return waitMs;
  const wholes = Math.ceil(total / limit) - 1;
  const rest = total - wholes * limit;
  const waitFor = (cost: number) =>
    andThen(
      peek(whoHas(key, scope), [{ scope, charges: [{ ...charge, cost }] }]),
      (usages) => usages?.[0]?.waitMs ?? 0,
    );
  switch (rule.kind) {
    case 'bucket':
      return Math.max(0, Math.ceil((used + total - limit) / rule.perMs));
    case 'headroom':
      // While it is shut it doesn't say what is used.
      if (Number.isNaN(used)) return andThen(waitFor(rest), (ms) => ms + wholes * rule.ms);
      return Math.max(waitMs, Math.ceil((used + total - limit) / rule.perMs));
    case 'calendar':
      return (used + rest > limit ? rule.resetsAt - now : 0) + wholes * (rule.resetsAt - rule.startsAt);
    case 'window':
      // Room comes back as a part of the window ends, so what has waited begins with a part, which counts to its end.
      return andThen(waitFor(rest), (ms) => ms + wholes * (rule.ms + rule.partMs));
    case 'slots':
      return 0;
  }
}
