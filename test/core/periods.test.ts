/** Calendar periods, judged by what clocks are known to have shown, and by walking through time and looking at a clock. */
import fc from 'fast-check';
import type { CalendarRule } from '../../packages/core/src/meters/calendar.js';
import { calendarRule, isTimeZone, type Per } from '../../packages/core/src/meters/periods.js';
import { check } from '../helpers/oracle-log.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const ms = (time: string) => Date.parse(time);
const hoursOf = ({ startsAt, resetsAt }: CalendarRule) => (resetsAt - startsAt) / HOUR;

/** The period of a time, once its bounds are checked to be what they should. */
function expectPeriod(per: Per, zone: string, at: string, startsAt: string, resetsAt: string): CalendarRule {
  const rule = calendarRule(per, zone)(ms(at));
  const shown = [rule.startsAt, rule.resetsAt].map((time) => new Date(time).toISOString());
  expect(shown).toEqual([startsAt, resetsAt].map((time) => new Date(time).toISOString()));
  expect(rule.kind).toBe('calendar');
  return rule;
}

describe('days', () => {
  it.each<[what: string, zone: string, at: string, startsAt: string, resetsAt: string, hours: number]>([
    ['any', 'UTC', '2026-05-04T17:30Z', '2026-05-04T00:00Z', '2026-05-05T00:00Z', 24],
    ['its first millisecond', 'UTC', '2026-05-04T00:00Z', '2026-05-04T00:00Z', '2026-05-05T00:00Z', 24],
    ['its last millisecond', 'UTC', '2026-05-04T23:59:59.999Z', '2026-05-04T00:00Z', '2026-05-05T00:00Z', 24],
    ['a leap day', 'Asia/Kolkata', '2024-02-28T18:30Z', '2024-02-29T00:00+05:30', '2024-03-01T00:00+05:30', 24],
    [
      'the last of a year',
      'Asia/Kathmandu',
      '2025-12-31T12:00Z',
      '2025-12-31T00:00+05:45',
      '2026-01-01T00:00+05:45',
      24,
    ],
    [
      'summer time begins',
      'Europe/Berlin',
      '2024-03-31T12:00Z',
      '2024-03-31T00:00+01:00',
      '2024-04-01T00:00+02:00',
      23,
    ],
    ['summer time ends', 'Europe/Berlin', '2024-10-27T12:00Z', '2024-10-27T00:00+02:00', '2024-10-28T00:00+01:00', 25],
    ['no midnight', 'America/Sao_Paulo', '2018-11-04T12:00Z', '2018-11-04T01:00-02:00', '2018-11-05T00:00-02:00', 23],
    [
      'back at midnight',
      'America/Sao_Paulo',
      '2018-02-18T02:30Z',
      '2018-02-17T00:00-02:00',
      '2018-02-18T00:00-03:00',
      25,
    ],
    ['no midnight', 'Asia/Beirut', '2022-03-27T12:00Z', '2022-03-27T01:00+03:00', '2022-03-28T00:00+03:00', 23],
    ['back at midnight', 'Asia/Beirut', '2022-10-29T21:30Z', '2022-10-29T00:00+03:00', '2022-10-30T00:00+02:00', 25],
    ['no midnight', 'Africa/Cairo', '2024-04-26T12:00Z', '2024-04-26T01:00+03:00', '2024-04-27T00:00+03:00', 23],
    ['back at midnight', 'Africa/Cairo', '2024-10-31T21:30Z', '2024-10-31T00:00+03:00', '2024-11-01T00:00+02:00', 25],
    ['midnight twice', 'America/Havana', '2024-11-03T05:30Z', '2024-11-03T00:00-04:00', '2024-11-04T00:00-05:00', 25],
    [
      'half an hour',
      'Australia/Lord_Howe',
      '2024-10-06T00:00Z',
      '2024-10-06T00:00+10:30',
      '2024-10-07T00:00+11:00',
      23.5,
    ],
    [
      'half an hour',
      'Australia/Lord_Howe',
      '2024-04-07T00:00Z',
      '2024-04-07T00:00+11:00',
      '2024-04-08T00:00+10:30',
      24.5,
    ],
    [
      'yesterday again',
      'America/St_Johns',
      '2010-11-07T02:45Z',
      '2010-11-07T00:00-02:30',
      '2010-11-08T00:00-03:30',
      25,
    ],
    [
      'before a skipped day',
      'Pacific/Apia',
      '2011-12-30T09:59Z',
      '2011-12-29T00:00-10:00',
      '2011-12-31T00:00+14:00',
      24,
    ],
    [
      'after a skipped day',
      'Pacific/Apia',
      '2011-12-30T10:00Z',
      '2011-12-31T00:00+14:00',
      '2012-01-01T00:00+14:00',
      24,
    ],
  ])('%s: %s at %s', (_, zone, at, startsAt, resetsAt, hours) => {
    expect(hoursOf(expectPeriod('day', zone, at, startsAt, resetsAt))).toBe(hours);
  });

  it('are numbered without a gap where one was skipped', () => {
    const ruleAt = calendarRule('day', 'Pacific/Apia');
    expect(ruleAt(ms('2011-12-31T12:00+14:00')).period).toBe(ruleAt(ms('2011-12-29T12:00-10:00')).period + 1);
  });
});

describe('weeks', () => {
  it.each<[what: string, zone: string, at: string, startsAt: string, resetsAt: string, hours: number]>([
    ['Monday begins one', 'UTC', '2026-05-04T00:00Z', '2026-05-04T00:00Z', '2026-05-11T00:00Z', 168],
    ['Sunday ends one', 'UTC', '2026-05-03T23:59:59.999Z', '2026-04-27T00:00Z', '2026-05-04T00:00Z', 168],
    ['over the year end', 'Asia/Tokyo', '2025-01-01T00:00Z', '2024-12-30T00:00+09:00', '2025-01-06T00:00+09:00', 168],
    ['over a leap day', 'Asia/Kolkata', '2024-02-29T12:00Z', '2024-02-26T00:00+05:30', '2024-03-04T00:00+05:30', 168],
    [
      'summer time begins',
      'Europe/Berlin',
      '2024-03-31T12:00Z',
      '2024-03-25T00:00+01:00',
      '2024-04-01T00:00+02:00',
      167,
    ],
    ['summer time ends', 'Europe/Berlin', '2024-10-21T12:00Z', '2024-10-21T00:00+02:00', '2024-10-28T00:00+01:00', 169],
    ['a skipped day', 'Pacific/Apia', '2011-12-31T12:00Z', '2011-12-26T00:00-10:00', '2012-01-02T00:00+14:00', 144],
  ])('%s: %s at %s', (_, zone, at, startsAt, resetsAt, hours) => {
    expect(hoursOf(expectPeriod('week', zone, at, startsAt, resetsAt))).toBe(hours);
  });
});

describe('months', () => {
  it.each<[what: string, zone: string, at: string, startsAt: string, resetsAt: string, days: number]>([
    ['31 days', 'UTC', '2026-01-31T23:59:59.999Z', '2026-01-01T00:00Z', '2026-02-01T00:00Z', 31],
    ['30 days', 'UTC', '2026-04-01T00:00Z', '2026-04-01T00:00Z', '2026-05-01T00:00Z', 30],
    ['28 days', 'UTC', '2025-02-28T12:00Z', '2025-02-01T00:00Z', '2025-03-01T00:00Z', 28],
    ['a leap year', 'UTC', '2024-02-29T12:00Z', '2024-02-01T00:00Z', '2024-03-01T00:00Z', 29],
    ['a century', 'UTC', '2100-02-28T12:00Z', '2100-02-01T00:00Z', '2100-03-01T00:00Z', 28],
    ['the year end', 'America/New_York', '2026-01-01T04:59Z', '2025-12-01T00:00-05:00', '2026-01-01T00:00-05:00', 31],
    [
      'summer time begins',
      'Europe/Berlin',
      '2024-03-10T12:00Z',
      '2024-03-01T00:00+01:00',
      '2024-04-01T00:00+02:00',
      31 - 1 / 24,
    ],
    [
      'no midnight',
      'America/Asuncion',
      '2023-10-05T12:00Z',
      '2023-10-01T01:00-03:00',
      '2023-11-01T00:00-03:00',
      31 - 1 / 24,
    ],
    ['a skipped day', 'Pacific/Apia', '2011-12-02T12:00Z', '2011-12-01T00:00-10:00', '2012-01-01T00:00+14:00', 30],
  ])('%s: %s at %s', (_, zone, at, startsAt, resetsAt, days) => {
    expect(hoursOf(expectPeriod('month', zone, at, startsAt, resetsAt)) / 24).toBe(days);
  });
});

describe('hours', () => {
  it.each<[what: string, zone: string, at: string, startsAt: string, resetsAt: string]>([
    ['any', 'UTC', '2026-05-04T17:59:59.999Z', '2026-05-04T17:00Z', '2026-05-04T18:00Z'],
    ['by its own clocks', 'Asia/Kolkata', '2026-05-04T12:15Z', '2026-05-04T17:00+05:30', '2026-05-04T18:00+05:30'],
    ['by its own clocks', 'Asia/Kathmandu', '2026-05-04T12:15Z', '2026-05-04T18:00+05:45', '2026-05-04T19:00+05:45'],
    ['once', 'Europe/Berlin', '2024-10-27T02:30+02:00', '2024-10-27T02:00+02:00', '2024-10-27T02:00+01:00'],
    ['and again', 'Europe/Berlin', '2024-10-27T02:30+01:00', '2024-10-27T02:00+01:00', '2024-10-27T03:00+01:00'],
    [
      'before a skipped one',
      'Europe/Berlin',
      '2024-03-31T01:30+01:00',
      '2024-03-31T01:00+01:00',
      '2024-03-31T03:00+02:00',
    ],
    [
      'one and a half',
      'Australia/Lord_Howe',
      '2024-04-07T01:45+10:30',
      '2024-04-07T01:00+11:00',
      '2024-04-07T02:00+10:30',
    ],
    [
      'half of one',
      'Australia/Lord_Howe',
      '2024-10-06T02:45+11:00',
      '2024-10-06T02:30+11:00',
      '2024-10-06T03:00+11:00',
    ],
  ])('%s: %s at %s', (_, zone, at, startsAt, resetsAt) => {
    expectPeriod('hour', zone, at, startsAt, resetsAt);
  });

  it.each(['Europe/Berlin', 'Asia/Kolkata', 'Australia/Lord_Howe'])(
    'are as many as real ones over a year: %s',
    (zone) => {
      const ruleAt = calendarRule('hour', zone);
      let rule = ruleAt(ms('2024-01-15T00:00Z'));
      const last = ruleAt(rule.startsAt + 366 * DAY);
      for (let count = 1; count <= 366 * 24; count++) {
        const next = ruleAt(rule.resetsAt);
        if (next.startsAt !== rule.resetsAt || next.period !== rule.period + 1)
          expect([rule, next]).toBe('consecutive');
        rule = next;
      }
      expect(rule).toEqual(last);
    },
  );
});

/** A zone and years in which its clocks did something unusual. */
const WALKS: readonly (readonly [zone: string, from: string, to: string])[] = [
  ['America/New_York', '2023-12-20', '2025-01-10'],
  ['America/Sao_Paulo', '2018-01-01', '2019-03-05'],
  ['Asia/Beirut', '2022-03-01', '2022-11-05'],
  ['Africa/Cairo', '2024-04-01', '2024-11-05'],
  ['Australia/Lord_Howe', '2024-03-01', '2024-11-05'],
  ['Pacific/Apia', '2011-09-01', '2012-05-01'],
  ['Pacific/Kwajalein', '1993-07-01', '1993-10-01'],
  ['America/St_Johns', '2010-03-01', '2010-12-01'],
  ['America/Havana', '2024-03-01', '2024-12-01'],
  ['America/Nuuk', '2023-03-01', '2024-11-01'],
  ['Africa/Casablanca', '2024-02-01', '2024-05-01'],
];

describe.each(WALKS)('who looks at a clock in %s every quarter of an hour', (zone, from, to) => {
  /** What a calendar on the wall shows: year, month and day, which sort as they follow each other. */
  const format = new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short' });
  const looks: [time: number, date: string][] = [];
  for (let time = ms(from); time < ms(to); time += 15 * MINUTE) looks.push([time, format.format(time)]);

  const name: Record<'day' | 'week' | 'month', (date: string) => string> = {
    day: (date) => date,
    week: (date) => {
      const monday = new Date(date);
      while (monday.getUTCDay() !== 1) monday.setUTCDate(monday.getUTCDate() - 1);
      return monday.toISOString().slice(0, 10);
    },
    month: (date) => date.slice(0, 7),
  };

  it.each(['day', 'week', 'month'] as const)('sees each %s begin when we say, numbered one after the other', (per) => {
    const ruleAt = calendarRule(per, zone);
    let newest = name[per](looks[0][1]);
    let rule = ruleAt(looks[0][0]);
    let begun = 0;
    for (const [time, date] of looks) {
      const now = ruleAt(time);
      const shown = name[per](date);
      if (shown > newest) {
        newest = shown;
        begun++;
        expect([now.startsAt, now.period]).toEqual([rule.resetsAt, rule.period + 1]);
        expect(time - now.startsAt).toBeLessThan(15 * MINUTE);
        rule = now;
      } else if (now !== rule) expect([date, now]).toBe(rule);
    }
    expect(begun).toBeGreaterThan(1);
  });
});

describe('calendarRule', () => {
  const pers: readonly Per[] = ['hour', 'day', 'week', 'month'];
  const zones = ['UTC', 'America/Sao_Paulo', 'Asia/Kolkata', 'Australia/Lord_Howe', 'Pacific/Apia', 'America/St_Johns'];

  it.each(pers)('gives the same %s for as long as it lasts', (per) => {
    const ruleAt = calendarRule(per, 'Europe/Berlin');
    const rule = ruleAt(ms('2026-03-29T12:34Z'));
    for (const share of [0, 0.25, 0.5, 0.999]) {
      expect(ruleAt(rule.startsAt + Math.floor(share * (rule.resetsAt - rule.startsAt)))).toBe(rule);
    }
    expect(ruleAt(rule.resetsAt - 1)).toBe(rule);
    expect(ruleAt(rule.resetsAt)).not.toBe(rule);
  });

  it('is right wherever the clock goes: back, or far away', async () => {
    const time = fc.oneof(
      fc.integer({ min: 0, max: ms('2200-01-01') }),
      fc.integer({ min: ms('2011-12-20'), max: ms('2012-01-10') }),
    );
    const near = fc
      .tuple(time, fc.integer({ min: -3 * HOUR, max: 3 * HOUR }))
      .map(([at, by]) => [at, Math.max(0, at + by)]);
    const property = fc.property(
      fc.constantFrom(...pers),
      fc.constantFrom(...zones),
      fc.array(near, { minLength: 1, maxLength: 6 }),
      (per, zone, pairs) => {
        const ruleAt = calendarRule(per, zone);
        const rules = pairs.flat().map((now) => {
          const rule = ruleAt(now);
          expect(rule.startsAt).toBeLessThanOrEqual(now);
          expect(rule.resetsAt).toBeGreaterThan(now);
          expect(rule).toEqual(calendarRule(per, zone)(now));
          return rule;
        });
        rules.sort((a, b) => a.startsAt - b.startsAt);
        for (const [i, rule] of rules.entries()) {
          if (i === 0) continue;
          const apart = rule.period - rules[i - 1].period;
          if (rule.startsAt === rules[i - 1].startsAt) expect(apart).toBe(0);
          else if (rule.startsAt === rules[i - 1].resetsAt) expect(apart).toBe(1);
          else expect(apart).toBeGreaterThan(1);
        }
      },
    );
    await check(property, 200);
  });

  it('takes times with fractions of a millisecond', () => {
    const rule = calendarRule('day', 'Asia/Kolkata')(ms('2026-05-04T18:30Z') - 0.25);
    expect(rule.resetsAt).toBe(ms('2026-05-05T00:00+05:30'));
  });

  it('throws for what is no time zone, and for what is no time', () => {
    expect(() => calendarRule('day', 'Europe/Atlantis')).toThrow(RangeError);
    expect(() => calendarRule('day', 'UTC')(Number.NaN)).toThrow(RangeError);
    expect(() => calendarRule('hour', 'UTC')(Number.NaN)).toThrow(RangeError);
  });
});

describe('isTimeZone', () => {
  it.each(['UTC', 'Europe/Berlin', 'America/Argentina/Buenos_Aires', 'Asia/Calcutta', 'Etc/GMT+5', 'europe/berlin'])(
    'knows %s',
    (value) => expect(isTimeZone(value)).toBe(true),
  );

  it.each([
    ['Europe/Atlantis'],
    ['Berlin'],
    [''],
    [' UTC'],
    ['+01:00'],
    ['-0800'],
    ['UTC+1'],
    [undefined],
    [null],
    [60],
    [{ timeZone: 'UTC' }],
    [['UTC']],
  ])('knows no %p', (value) => expect(isTimeZone(value)).toBe(false));
});
