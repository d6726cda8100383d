/** When budgets begin anew, through the gate. The instants were written down by hand from what the zones' clocks do. */
import { type BudgetOptions, budget } from '@tollgate/core';
import { gateOf } from './support.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

type Period = Pick<BudgetOptions, 'per' | 'timeZone'>;

/** A gate whose one budget is exhausted from `from` on. */
async function exhausted(period: Period, from: string) {
  const made = gateOf([], { budgets: [budget({ name: 'b', limit: '$1', ...period })] });
  made.clock.set(Date.parse(from));
  await made.admission({ permits: 0, usd: '$1' });
  return made;
}

const ONE_MORE = { permits: 0, usd: '$0.000000001' } as const;

describe.each<[string, Period, string, string]>([
  ['a month of 31 days', { per: 'month' }, '2026-01-01T00:00:00Z', '2026-02-01T00:00:00Z'],
  ['a month of 30 days', { per: 'month' }, '2026-04-30T23:59:59.998Z', '2026-05-01T00:00:00Z'],
  ['February', { per: 'month' }, '2026-02-01T00:00:00Z', '2026-03-01T00:00:00Z'],
  ['February of a leap year', { per: 'month' }, '2028-02-01T00:00:00Z', '2028-03-01T00:00:00Z'],
  ['February of a century that leaps', { per: 'month' }, '2000-02-28T12:00:00Z', '2000-03-01T00:00:00Z'],
  ['February of a century that does not', { per: 'month' }, '2100-02-28T12:00:00Z', '2100-03-01T00:00:00Z'],
  ['December', { per: 'month' }, '2026-12-31T12:00:00Z', '2027-01-01T00:00:00Z'],
  ['the day before a leap day', { per: 'day' }, '2028-02-28T00:00:00Z', '2028-02-29T00:00:00Z'],
  ['a leap day', { per: 'day' }, '2028-02-29T00:00:00Z', '2028-03-01T00:00:00Z'],
  ['28 February where there is no other', { per: 'day' }, '2026-02-28T00:00:00Z', '2026-03-01T00:00:00Z'],
  ['a week', { per: 'week' }, '2026-01-05T00:00:00Z', '2026-01-12T00:00:00Z'],
  ['a week, from its Sunday', { per: 'week' }, '2026-01-11T23:59:59.998Z', '2026-01-12T00:00:00Z'],
  ['a week over a year', { per: 'week' }, '2026-12-28T00:00:00Z', '2027-01-04T00:00:00Z'],
  [
    'a day of 23 hours in New York',
    { per: 'day', timeZone: 'America/New_York' },
    '2026-03-08T05:00:00Z',
    '2026-03-09T04:00:00Z',
  ],
  [
    'a day of 25 hours in New York',
    { per: 'day', timeZone: 'America/New_York' },
    '2026-11-01T04:00:00Z',
    '2026-11-02T05:00:00Z',
  ],
  [
    'a day of 23 hours in Berlin',
    { per: 'day', timeZone: 'Europe/Berlin' },
    '2026-03-28T23:00:00Z',
    '2026-03-29T22:00:00Z',
  ],
  [
    'a day of 25 hours in Berlin',
    { per: 'day', timeZone: 'Europe/Berlin' },
    '2026-10-24T22:00:00Z',
    '2026-10-25T23:00:00Z',
  ],
  [
    'a week of 167 hours in Berlin',
    { per: 'week', timeZone: 'Europe/Berlin' },
    '2026-03-22T23:00:00Z',
    '2026-03-29T22:00:00Z',
  ],
  [
    'a month that begins in winter in New York',
    { per: 'month', timeZone: 'America/New_York' },
    '2026-03-01T05:00:00Z',
    '2026-04-01T04:00:00Z',
  ],
  [
    'the hour that clocks in Berlin show first',
    { per: 'hour', timeZone: 'Europe/Berlin' },
    '2026-10-25T00:00:00Z',
    '2026-10-25T01:00:00Z',
  ],
  [
    'the same hour, shown again',
    { per: 'hour', timeZone: 'Europe/Berlin' },
    '2026-10-25T01:00:00Z',
    '2026-10-25T02:00:00Z',
  ],
  [
    'the hour before the one that is skipped',
    { per: 'hour', timeZone: 'America/New_York' },
    '2026-03-08T06:00:00Z',
    '2026-03-08T07:00:00Z',
  ],
  ['a day in India', { per: 'day', timeZone: 'Asia/Kolkata' }, '2026-01-01T18:30:00Z', '2026-01-02T18:30:00Z'],
  ['an hour in India', { per: 'hour', timeZone: 'Asia/Kolkata' }, '2026-01-01T18:30:00Z', '2026-01-01T19:30:00Z'],
  ['an hour in Nepal', { per: 'hour', timeZone: 'Asia/Kathmandu' }, '2026-01-01T18:15:00Z', '2026-01-01T19:15:00Z'],
  [
    'a day of 24½ hours on Lord Howe',
    { per: 'day', timeZone: 'Australia/Lord_Howe' },
    '2026-04-04T13:00:00Z',
    '2026-04-05T13:30:00Z',
  ],
  [
    'an hour and a half on Lord Howe, where clocks go back by half an hour',
    { per: 'hour', timeZone: 'Australia/Lord_Howe' },
    '2026-04-04T14:00:00Z',
    '2026-04-04T15:30:00Z',
  ],
  [
    'a month on the Chatham Islands',
    { per: 'month', timeZone: 'Pacific/Chatham' },
    '2026-06-30T11:15:00Z',
    '2026-07-31T11:15:00Z',
  ],
])('%s', (_, period, first, end) => {
  const resetsAt = Date.parse(end);

  test('ends to the millisecond', async () => {
    const { gate, clock, admission, refusal } = await exhausted(period, first);
    for (const at of [Date.parse(first), resetsAt - 1]) {
      clock.set(at);
      const expected = { reason: 'budget', status: 402, layer: 'b', resetsAt, retryAfterMs: resetsAt - at };
      expect(await refusal(ONE_MORE)).toMatchObject(expected);
      expect((await gate.inspect({})).budgets).toMatchObject([{ used: 1e9, remaining: 0, resetsAt }]);
    }
    clock.set(resetsAt);
    await admission({ permits: 0, usd: '$1' });
    await refusal(ONE_MORE);
  });
});

test.each<[string, Period, string, string]>([
  ['in New York', { per: 'day', timeZone: 'America/New_York' }, '2026-03-08T05:00:00Z', '2026-03-08T04:59:59.999Z'],
  ['in India', { per: 'hour', timeZone: 'Asia/Kolkata' }, '2026-01-01T18:30:00Z', '2026-01-01T18:29:59.999Z'],
  ['of a leap day', { per: 'day' }, '2028-02-29T00:00:00Z', '2028-02-28T23:59:59.999Z'],
])('what was spent a millisecond before the beginning %s is of the period before', async (_, period, first, before) => {
  const { clock, admission } = await exhausted(period, before);
  clock.set(Date.parse(first));
  await admission({ permits: 0, usd: '$1' });
});

test('the hours of a day in which clocks change are as many as there are', async () => {
  const hourly = { per: 'hour', timeZone: 'Europe/Berlin' } as const;
  for (const [day, hours] of [
    ['2026-03-28T23:00:00Z', 23],
    ['2026-10-24T22:00:00Z', 25],
  ] as const) {
    const { clock, admission, gate } = await exhausted({ per: 'day', timeZone: 'Europe/Berlin' }, day);
    const [{ resetsAt = 0, windowMs }] = (await gate.inspect({})).budgets;
    expect(windowMs).toBe(hours * HOUR);
    const byHour = await exhausted(hourly, day);
    for (let at = Date.parse(day) + HOUR; at < resetsAt; at += HOUR) {
      byHour.clock.set(at - 1);
      await byHour.refusal(ONE_MORE);
      byHour.clock.set(at);
      await byHour.admission({ permits: 0, usd: '$1' });
    }
    clock.set(resetsAt);
    await admission({ permits: 0, usd: '$1' });
  }
});

test('budgets of one gate keep to their own zones', async () => {
  const zones = ['America/New_York', 'Europe/Berlin', 'Asia/Kolkata', 'Pacific/Chatham'];
  const budgets = zones.map((timeZone) =>
    budget({ name: timeZone.replace('/', '-'), limit: '$1', per: 'day', timeZone }),
  );
  const { clock, gate, admission } = gateOf([], { budgets });
  clock.set(Date.parse('2026-10-25T11:00:00Z'));
  await admission({ permits: 0, usd: '$1' });
  const ends = ['2026-10-26T04:00Z', '2026-10-25T23:00Z', '2026-10-25T18:30Z', '2026-10-26T10:15Z'].map(Date.parse);
  expect((await gate.inspect({})).budgets.map(({ resetsAt }) => resetsAt)).toEqual(ends);
  for (let i = 0; i < ends.length; i++) {
    const { refusal } = await gate.explain(ONE_MORE);
    expect(refusal).toMatchObject({ reason: 'budget', retryAfterMs: Math.max(...ends) - clock.now() });
    clock.advance(DAY / 12);
  }
  for (const end of ends.toSorted((a, b) => a - b)) {
    expect((await gate.explain(ONE_MORE)).admitted).toBe(false);
    clock.set(end);
  }
  expect((await gate.explain(ONE_MORE)).admitted).toBe(true);
});
