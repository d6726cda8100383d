/**
 * G6 in an overload: what is given up is given up from the bottom, whatever the load, the ageing and the shares; and nobody
 * who asks for no more than a share loses anything to somebody who floods.
 */
import type { Priority } from '@tollgate/core';
import fc from 'fast-check';
import { dice, type Ended, play, type Traffic } from '../helpers/line-load.js';
import { check } from '../helpers/oracle-log.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const PRIORITIES: readonly Priority[] = ['interactive', 'standard', 'batch', 'background'];
const RUNS_MS = { interactive: 2 * SECOND, standard: 4 * SECOND, batch: 4 * SECOND, background: 3 * SECOND };

/** By tenant, the part of a priority's requests that is theirs. */
type Spread = Readonly<Record<string, number>>;
const EVEN: Spread = { acme: 1 / 3, orbit: 1 / 3, hog: 1 / 3 };
const MOSTLY_HOG: Spread = { acme: 0.1, orbit: 0.1, hog: 0.8 };

/** So much of each priority, steadily: 1 is all that there is. */
function steady(
  asks: Readonly<Partial<Record<Priority, number>>>,
  spreads: Readonly<Partial<Record<Priority, Spread>>>,
  minutes: number,
): Traffic[] {
  return PRIORITIES.flatMap((priority) =>
    Object.entries(spreads[priority] ?? EVEN).flatMap(([tenant, part]) => {
      const own = (asks[priority] ?? 0) * part;
      return own === 0
        ? []
        : [{ priority, tenant, asks: own, runsMs: RUNS_MS[priority], from: 0, to: minutes * MINUTE }];
    }),
  );
}

/** The part that was admitted of those that came after the first minutes. */
function admitted(ends: readonly Ended[], of: Partial<Pick<Ended, 'priority' | 'tenant'>>): number {
  const own = ends.filter(
    ({ priority, tenant, cameAt }) =>
      cameAt >= 3 * MINUTE && priority === (of.priority ?? priority) && tenant === (of.tenant ?? tenant),
  );
  expect(own.length).toBeGreaterThan(20);
  return own.filter(({ refusal }) => refusal === undefined).length / own.length;
}

/** That of each priority that was asked for, from the most urgent. */
function shares(ends: readonly Ended[]): number[] {
  const asked = PRIORITIES.filter((one) => ends.some(({ priority }) => priority === one));
  return asked.map((priority) => admitted(ends, { priority }));
}

/** True within ten seconds after a time. */
function isSoonAfter(time: number, at: number): boolean {
  return time <= at && at - time < 10 * SECOND;
}

/**
 * Requests that came within ten seconds after the latest one above them had been turned away: how many they are, and how
 * many of them were admitted. Where tenants have shares, each is judged by its own: what one is refused beyond its share
 * says nothing of another.
 */
function inversions(ends: readonly Ended[], hasShares: boolean) {
  const latest = new Map<string, Ended>();
  const found = { of: 0, admitted: 0 };
  for (const end of ends.toSorted((a, b) => a.cameAt - b.cameAt)) {
    const whose = hasShares ? end.tenant : 'all';
    const above = PRIORITIES.slice(0, PRIORITIES.indexOf(end.priority)).map((one) => latest.get(`${one} ${whose}`));
    if (above.some((one) => one?.refusal && isSoonAfter(one.cameAt + one.waitedMs, end.cameAt))) {
      found.of++;
      if (end.refusal === undefined) found.admitted++;
    }
    latest.set(`${end.priority} ${whose}`, end);
  }
  return found;
}

/** Loads of each tenant and priority that change every few minutes, between nothing and twice of what there is in all. */
function changing(seed: number, minutes: number): Traffic[] {
  const roll = dice(seed);
  const tenants = ['acme', 'orbit', 'hog'].slice(0, 1 + Math.floor(3 * roll()));
  return PRIORITIES.flatMap((priority) => {
    const runsMs = SECOND + 4 * SECOND * roll();
    return tenants.flatMap((tenant) => {
      const traffic: Traffic[] = [];
      for (let from = 0; from < minutes * MINUTE; ) {
        const to = Math.min(from + (0.5 + 3 * roll()) * MINUTE, minutes * MINUTE);
        const asks = roll() < 0.3 ? 0 : (2 * roll() ** 2) / tenants.length;
        if (asks > 0.01) traffic.push({ priority, tenant, asks, runsMs, from, to });
        from = to;
      }
      return traffic;
    });
  });
}

const queues = fc.record({
  concurrency: fc.integer({ min: 8, max: 32 }),
  ageing: fc.constantFrom('5m' as const, '1m' as const, '30s' as const),
  maxDepth: fc.constantFrom(1000, 1000, 150, 50),
  fairBy: fc.constantFrom('tenant', undefined),
});

describe('G6 in an overload', () => {
  it('admits hardly anything while what is above it is turned away, whatever comes', async () => {
    let all = 0;
    await check(
      fc.asyncProperty(fc.nat(1_000_000), queues, async (seed, { fairBy, ...queue }) => {
        const ends = await play(changing(seed, 6), { ...queue, ...(fairBy && { fairBy }) }, seed);
        const { of, admitted } = inversions(ends, fairBy !== undefined);
        all += of;
        expect(admitted).toBeLessThanOrEqual(10 + 0.05 * of);
      }),
      10,
    );
    expect(all).toBeGreaterThan(2_000);
  }, 120_000);

  it('costs those above nothing that what is below may be delayed, whatever comes', async () => {
    await check(
      fc.asyncProperty(fc.nat(1_000_000), queues, async (seed, { fairBy, ...queue }) => {
        const terms = { ...queue, ...(fairBy && { fairBy }) };
        const load = changing(seed, 6);
        const patient = load.map((one) =>
          one.priority === 'batch' || one.priority === 'background' ? { ...one, whenShed: 'delay' as const } : one,
        );
        const refused = (ends: readonly Ended[]) => ends.filter(({ refusal }) => refusal).length;
        const [without, with_] = await Promise.all([play(load, terms, seed), play(patient, terms, seed)]);
        for (const priority of ['interactive', 'standard'] as const) {
          const own = (ends: readonly Ended[]) => ends.filter((end) => end.priority === priority);
          expect(refused(own(with_))).toBeLessThanOrEqual(10 + refused(own(without)) + 0.08 * own(without).length);
        }
      }),
      3,
    );
  }, 120_000);

  it.each([
    ['nobody has shares', undefined, EVEN],
    ['one tenant floods with batch work', 'tenant', { acme: 0.2, orbit: 0.2, hog: 0.6 }],
    ['one tenant floods with all', 'tenant', MOSTLY_HOG],
  ] as const)(
    'admits from the top, steadily at twice of what there is, where %s',
    async (_, fairBy, spread) => {
      const above = spread === MOSTLY_HOG ? MOSTLY_HOG : EVEN;
      const load = steady(
        { interactive: 0.3, standard: 0.4, batch: 0.6, background: 0.7 },
        { interactive: above, standard: above, batch: spread, background: spread },
        20,
      );
      const [interactive, standard, batch, background] = shares(
        await play(load, { concurrency: 16, ...(fairBy && { fairBy }) }),
      );
      expect(interactive).toBe(1);
      expect(standard).toBeGreaterThanOrEqual(0.99);
      // There is room for half of it.
      expect(batch).toBeGreaterThan(0.4);
      expect(batch).toBeLessThan(0.65);
      expect(background).toBeLessThan(0.03);
    },
    60_000,
  );

  it.each(['tenant', undefined] as const)(
    'keeps chat while batch work is patient and soon as old as it, fair by %s',
    async (fairBy) => {
      const load = steady({ interactive: 0.8, standard: 0.4, batch: 0.6, background: 0.2 }, {}, 20);
      const queue = { ageing: '1m', maxWait: { batch: '1h', background: '4h' } } as const;
      const [interactive, standard, batch, background] = shares(
        await play(load, { concurrency: 16, ...queue, ...(fairBy && { fairBy }) }),
      );
      expect(interactive).toBeGreaterThanOrEqual(0.995);
      expect(standard).toBeGreaterThan(0.35);
      expect(batch).toBeLessThan(0.05);
      expect(background).toBeLessThan(0.05);
    },
    60_000,
  );

  it.each([
    ['standard', 'batch', 4],
    ['batch', undefined, 4],
  ] as const)(
    'gives polite tenants all that they ask for, beside one that floods with %s',
    async (flooded, below, times) => {
      const polite = 0.25 / times;
      const spread = { acme: polite, orbit: polite, hog: 1 - 2 * polite };
      const load = steady(
        { interactive: 0.1, [flooded]: times, ...(below && { [below]: 0.2 }) },
        { [flooded]: spread, ...(below && { [below]: { hog: 1 } }) },
        15,
      );
      const ends = await play(load, { concurrency: 16, fairBy: 'tenant' });
      for (const tenant of ['acme', 'orbit']) {
        expect(admitted(ends, { priority: flooded, tenant })).toBeGreaterThanOrEqual(0.99);
      }
      expect(admitted(ends, { priority: flooded, tenant: 'hog' })).toBeLessThan(0.25);
      // None of what it asks below that either, while what it floods with is turned away.
      if (below) expect(admitted(ends, { priority: below, tenant: 'hog' })).toBeLessThan(0.05);
    },
    60_000,
  );

  it.each(['tenant', undefined] as const)(
    'turns no chat away for a line that is full of the rest, fair by %s',
    async (fairBy) => {
      const load = steady({ interactive: 0.6, standard: 0.4, batch: 0.6, background: 0.7 }, {}, 15);
      const ends = await play(load, { concurrency: 16, maxDepth: 20, ...(fairBy && { fairBy }) });
      const [interactive, standard, batch, background] = shares(ends);
      expect(interactive).toBe(1);
      expect(standard).toBeGreaterThan(0.7);
      expect(batch).toBeLessThan(0.1);
      expect(background).toBeLessThan(0.03);
      expect(ends.some(({ refusal, waitedMs }) => refusal?.reason === 'line-full' && waitedMs > 0)).toBe(true);
    },
    60_000,
  );

  it('keeps chat while batch work comes back that was delayed', async () => {
    const heavy = steady({ interactive: 0.7, standard: 0.5 }, {}, 6);
    const after = steady({ interactive: 0.3, standard: 0.2 }, {}, 20).map((one) => ({ ...one, from: 6 * MINUTE }));
    const batch = { priority: 'batch', asks: 0.6, runsMs: 4 * SECOND, from: 0, to: 10 * MINUTE } as const;
    const patient = ['acme', 'hog'].map((tenant) => ({ ...batch, tenant, whenShed: 'delay' as const }));
    const queue = { concurrency: 16, ageing: '1m', maxWait: { batch: '30m' } } as const;
    const ends = await play([...heavy, ...after, ...patient], queue);
    const delayed = ends.filter(({ priority }) => priority === 'batch');
    expect(delayed.filter(({ waitedMs, refusal }) => waitedMs > 3 * MINUTE && !refusal).length).toBeGreaterThan(100);
    const chat = ends.filter(({ priority }) => priority === 'interactive');
    expect(chat.every(({ refusal }) => refusal === undefined)).toBe(true);
    expect(Math.max(...chat.map(({ waitedMs }) => waitedMs))).toBeLessThan(5 * SECOND);
  }, 60_000);
});
