/**
 * Which period of a calendar a time is in, by the clocks of a time zone. What the zone's clocks do comes from `Intl`; the
 * rest is arithmetic on two kinds of milliseconds: instants (since the epoch), and what clocks show, written as the instant
 * at which clocks on UTC show the same.
 *
 * - A day, week or month begins when the zone's clocks first show it, which is not at midnight where they skip that, and
 *   goes on where they then go back to the one before. A day that they skip altogether is no period.
 * - An hour that clocks show twice is two periods, each a real hour long, so there is a period for each real hour. Where
 *   clocks change by a part of an hour, the hour in which they do it is longer or shorter by that, as a day is on such days.
 *
 * Each period's number is 1 more than that of the one before, and depends on nothing but the zone and when it begins.
 */
import type { CalendarRule } from './calendar.js';

export type Per = 'hour' | 'day' | 'week' | 'month';

/** Milliseconds by which the zone's clocks are ahead of UTC at an instant. */
type Offset = (at: number) => number;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const WEEK = 7 * DAY;
/** The mean of the Gregorian calendar: 400 years have 146,097 days. */
const MONTH = (146_097 * DAY) / 4800;
/** The first Monday, 1970-01-05. */
const MONDAY = 4 * DAY;

/** What begins a day, week or month, on clocks. */
const BEGINNING = {
  day: (shown: number) => floorTo(shown, DAY),
  week: (shown: number) => floorTo(shown - MONDAY, WEEK) + MONDAY,
  month: (shown: number) => new Date(shown).setUTCDate(1) - mod(shown, DAY),
};

const LENGTH = { day: DAY, week: WEEK, month: MONTH };

/** True for the name of a time zone in the IANA database, as far as this Node knows it, such as `'Europe/Berlin'` or `'UTC'`. */
export function isTimeZone(value: unknown): value is string {
  if (typeof value !== 'string' || !/^[a-z]/i.test(value)) return false;
  try {
    offsetIn(value);
    return true;
  } catch {
    return false;
  }
}

/**
 * Gives the rule of the period that a time is in: the same object for as long as the period lasts. Weeks begin on Monday.
 *
 * @param timeZone see {@link isTimeZone}
 * @throws RangeError for what is no time zone, and from the function for what is no time that a `Date` can hold
 */
export function calendarRule(per: Per, timeZone: string): (now: number) => CalendarRule {
  const offset = offsetIn(timeZone);
  const find = per === 'hour' ? hours(offset) : dates(per, offset);
  let rule: CalendarRule = { kind: 'calendar', period: 0, startsAt: 0, resetsAt: 0 };
  return (now) => {
    if (now < rule.startsAt || !(now < rule.resetsAt)) rule = find(now);
    return rule;
  };
}

/** Numbered by the hour of UTC that it begins in. */
function hours(offset: Offset): (now: number) => CalendarRule {
  const startOf = (hour: number) => hour * HOUR + mod(-offset(hour * HOUR), HOUR);
  return (now) => {
    const hour = Math.floor(now / HOUR);
    const period = now < startOf(hour) ? hour - 1 : hour;
    return { kind: 'calendar', period, startsAt: startOf(period), resetsAt: startOf(period + 1) };
  };
}

/** Numbered by the time that has passed since 1970: the calendar has gaps. Half a period is more than clocks ever change. */
function dates(per: 'day' | 'week' | 'month', offset: Offset): (now: number) => CalendarRule {
  const beginning = BEGINNING[per];
  const length = LENGTH[per];
  const epoch = instantOf(beginning(0), offset);
  return (now) => {
    let begins = beginning(now + offset(now));
    let startsAt: number;
    let resetsAt = instantOf(begins, offset);
    // Once, or twice where clocks that show yesterday have shown today before.
    do {
      startsAt = resetsAt;
      begins = beginning(begins + 1.5 * length);
      resetsAt = instantOf(begins, offset);
    } while (resetsAt <= now);
    return { kind: 'calendar', period: Math.round((startsAt - epoch) / length), startsAt, resetsAt };
  };
}

/** When clocks first show this; where they skip it, when they do. */
function instantOf(shown: number, offset: Offset): number {
  const before = offset(shown - DAY);
  const after = offset(shown + DAY);
  if (offset(shown - before) === before) return shown - before;
  if (offset(shown - after) === after) return shown - after;
  let [earlier, later] = [shown - after, shown - before];
  while (later - earlier > 1) {
    const middle = Math.floor((earlier + later) / 2);
    if (offset(middle) === before) earlier = middle;
    else later = middle;
  }
  return later;
}

function offsetIn(timeZone: string): Offset {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  });
  return (at) => {
    const [month, day, year, hour, minute, second] = format.format(at).split(/\D+/).map(Number);
    return Date.UTC(year, month - 1, day, hour, minute, second) - floorTo(at, 1000);
  };
}

function floorTo(ms: number, unit: number): number {
  return Math.floor(ms / unit) * unit;
}

function mod(ms: number, unit: number): number {
  return ms - floorTo(ms, unit);
}
