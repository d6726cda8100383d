/** G3: what is kept in any interval is at most the capacity and what the refill's rate gives in its length. */
import { createTollgate, type Tollgate, tokenBucket } from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { type Account, histories, play } from '../helpers/oracle-history.js';
import { check, isHeldNoLonger } from '../helpers/oracle-log.js';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
/** Longer than any hold: two generations of 15 minutes. */
const HOLDS_END = 30 * MINUTE;

interface Settings {
  readonly capacity: number;
  readonly perMinute: number;
}

function bucketGate({ capacity, perMinute }: Settings): { gate: Tollgate; clock: ManualClock } {
  const clock = manualClock();
  const limits = [
    tokenBucket({ name: 'tokens', by: 'user', unit: 'outputTokens', capacity, refill: `${perMinute}/m` }),
  ];
  return { gate: createTollgate({ clock, limits }), clock };
}

function change(gate: Tollgate, { capacity, perMinute }: Settings): void {
  gate.update({ limits: { tokens: { capacity, refill: `${perMinute}/m` } } });
}

const settings = fc.record({
  capacity: fc.integer({ min: 5, max: 60 }),
  perMinute: fc.constantFrom(0.5, 2, 7, 60, 600),
});
const history = histories({
  costs: fc.oneof(fc.integer({ min: 0, max: 25 }), fc.constantFrom(0.1, 0.7, 100)),
  steps: fc.oneof(
    { weight: 4, arbitrary: fc.integer({ min: 0, max: 10 * SECOND }) },
    { weight: 3, arbitrary: fc.integer({ min: 0, max: 5 * MINUTE }) },
    { weight: 2, arbitrary: fc.integer({ min: 10 * MINUTE, max: 40 * MINUTE }) },
    { weight: 1, arbitrary: fc.integer({ min: -60 * MINUTE, max: 0 }) },
  ),
  every: 15 * MINUTE,
  changes: settings,
});

/**
 * An exact log of one user's admissions with the rate in force at each. A raised rate holds at once and a lowered one
 * from the next admission, so between two admissions the greater of their rates bounds the refill.
 */
interface Charged {
  readonly time: number;
  readonly perMs: number;
}

/** What the refill may have given from `from` until the last admission. */
function refilled(admissions: readonly Charged[], from: number): number {
  return admissions.slice(1).reduce((sum, { time, perMs }, i) => {
    const before = admissions[i];
    return sum + Math.max(0, time - Math.max(from, before.time)) * Math.max(perMs, before.perMs);
  }, 0);
}

describe('G3 bucket', () => {
  it('keeps in every interval at most the capacity and its refill, by what is in force at each admission', async () => {
    await check(
      fc.asyncProperty(settings, history, async (first, commands) => {
        const { gate, clock } = bucketGate(first);
        const admissions = new Map<Account, Charged[]>();
        let current = first;
        await play(gate, clock, commands, {
          isVoid: isHeldNoLonger,
          admitted(account, cost, now) {
            const charged = admissions.get(account) ?? [];
            admissions.set(account, charged);
            charged.push({ time: now, perMs: current.perMinute / MINUTE });
            const { lots } = account;
            for (const { time: from } of lots) {
              const kept = lots.reduce((sum, { time, amount }) => (time >= from ? sum + amount : sum), cost);
              const bound = current.capacity + refilled(charged, from);
              if (cost > 0) expect(kept).toBeLessThanOrEqual(bound * (1 + 1e-6));
            }
            expect(cost).toBeLessThanOrEqual(current.capacity);
          },
          refused() {},
          change(to) {
            current = to;
            change(gate, to);
          },
        });
      }),
      150,
    );
  });

  it('fills up again, though admissions were never settled and others used more than estimated', async () => {
    await check(
      fc.asyncProperty(settings, history, async (first, commands) => {
        const { gate, clock } = bucketGate(first);
        const { now } = await play(gate, clock, commands, {
          isVoid: isHeldNoLonger,
          admitted() {},
          refused() {},
          change(to) {
            change(gate, to);
          },
        });
        change(gate, first);
        // Whatever was used at all, overage included, is at most what 90 commands can have come to.
        const most = 90 * 100;
        clock.set(now() + HOLDS_END);
        await gate.admit({ subject: { user: 'ann' }, permits: 0 });
        await gate.admit({ subject: { user: 'bob' }, permits: 0 });
        clock.advance(Math.ceil((most / first.perMinute) * MINUTE));
        for (const user of ['ann', 'bob']) {
          expect((await gate.inspect({ user })).limits).toMatchObject([{ used: 0, remaining: first.capacity }]);
        }
      }),
      60,
    );
  });

  it('gives back all of a refund at once, and no more than that', async () => {
    await check(
      fc.asyncProperty(
        settings,
        fc.array(fc.tuple(fc.integer({ min: 1, max: 10 }), fc.nat(20 * MINUTE)), {
          minLength: 1,
          maxLength: 20,
          size: 'max',
        }),
        async (first, steps) => {
          const { gate, clock } = bucketGate({ ...first, capacity: 100 });
          const used = async () => (await gate.inspect({ user: 'ann' })).limits[0].used;
          for (const [cost, ms] of steps) {
            const before = await used();
            const decision = await gate.admit({
              subject: { user: 'ann' },
              permits: 0,
              estimate: { outputTokens: cost },
            });
            if (!decision.admitted) continue;
            expect(await used()).toBeCloseTo(before + cost, 6);
            // No longer than 15 minutes, so the hold stands.
            clock.advance(Math.min(ms, 15 * MINUTE));
            const held = await used();
            await decision.admission.settle({ outcome: 'ignored' });
            expect(await used()).toBeCloseTo(held - cost, 6);
          }
        },
      ),
      150,
    );
  });

  it('refills nothing below what is held, so a refund is no second refill', async () => {
    const { gate, clock } = bucketGate({ capacity: 10, perMinute: 1 });
    const admit = (outputTokens: number) =>
      gate.admit({ subject: { user: 'ann' }, permits: 0, estimate: { outputTokens } });
    const first = await admit(10);
    clock.advance(10 * MINUTE);
    // Kept, the first would have been refilled; held, it may yet be given back, and then nothing was missing.
    expect((await admit(1)).admitted).toBe(false);
    if (first.admitted) await first.admission.settle({ outcome: 'ignored' });
    expect((await admit(10)).admitted).toBe(true);
    expect((await admit(1)).admitted).toBe(false);
  });

  it('counts a hold as kept after two generations, and a refund after that is void', async () => {
    const { gate, clock } = bucketGate({ capacity: 10, perMinute: 1 });
    const admit = (outputTokens: number) =>
      gate.admit({ subject: { user: 'ann' }, permits: 0, estimate: { outputTokens } });
    const first = await admit(10);
    clock.advance(HOLDS_END);
    const second = await admit(10);
    if (second.admitted) await second.admission.settle();
    if (first.admitted) await first.admission.settle({ outcome: 'ignored' });
    expect((await admit(1)).admitted).toBe(false);
  });

  it('lets a raised rate hold at once, and a lowered one from the next admission', async () => {
    const { gate, clock } = bucketGate({ capacity: 100, perMinute: 1 });
    const admit = async (outputTokens: number) => {
      const decision = await gate.admit({ subject: { user: 'ann' }, permits: 0, estimate: { outputTokens } });
      if (decision.admitted) await decision.admission.settle();
      return decision.admitted;
    };
    const used = async () => (await gate.inspect({ user: 'ann' })).limits[0].used;
    await admit(100);
    clock.advance(MINUTE);
    change(gate, { capacity: 100, perMinute: 10 });
    expect(await used()).toBeCloseTo(90, 6);
    expect(await admit(10)).toBe(true);
    change(gate, { capacity: 100, perMinute: 1 });
    clock.advance(MINUTE);
    expect(await used()).toBeCloseTo(90, 6);
    expect(await admit(10)).toBe(true);
    clock.advance(MINUTE);
    expect(await used()).toBeCloseTo(99, 6);
  });

  it('judges by the capacity in force, and keeps what was used', async () => {
    const { gate } = bucketGate({ capacity: 100, perMinute: 1 });
    const admit = (outputTokens: number) =>
      gate.admit({ subject: { user: 'ann' }, permits: 0, estimate: { outputTokens } });
    await admit(60);
    change(gate, { capacity: 50, perMinute: 1 });
    expect((await admit(1)).admitted).toBe(false);
    change(gate, { capacity: 61, perMinute: 1 });
    expect((await admit(1)).admitted).toBe(true);
  });
});
