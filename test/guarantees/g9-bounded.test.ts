/** G9: memory is bounded, and at the bound no flood resets a live limit, spills over, or is served twice. */
import { createTollgate, memoryStore, type Store, slidingWindow, tokenBucket } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { histories, play } from '../helpers/oracle-history.js';
import { check, hasLeft, isHeldNoLonger, sumBetween } from '../helpers/oracle-log.js';

const W = 60_000;
const PART = 6_000;

function perUser(maxKeys: number) {
  const clock = manualClock();
  const user = slidingWindow({ name: 'user', by: 'user', limit: 5, window: W });
  const gate = createTollgate({ clock, store: memoryStore({ maxKeys }), limits: [user] });
  const admits = async (user: string, permits: number) => (await gate.admit({ subject: { user }, permits })).admitted;
  const used = async (user: string) => (await gate.inspect({ user })).limits[0].used;
  return { clock, admits, used };
}

describe('G9 bounded', () => {
  it('holds every live limit through a flood of a million new keys, in one dimension alone', async () => {
    const maxKeys = 10_000;
    const clock = manualClock();
    // The flood's own limit is wide, so that all of it is charged.
    const limit = { flood: 1e9, default: 5 };
    const limits = [
      slidingWindow({ name: 'user', by: 'user', limit, window: W }),
      slidingWindow({ name: 'tenant', by: 'tenant', limit, window: W }),
    ];
    const gate = createTollgate({ clock, store: memoryStore({ maxKeys }), limits });
    const admits = async (user: string, tenant: string, permits: number) =>
      (await gate.admit({ subject: { user, tenant }, permits })).admitted;
    const known = Array.from({ length: 100 }, (_, i) => `known-${i}`);
    for (const user of known) await admits(user, `of-${user}`, 3);

    for (let i = 0; i < 1_000_000; i++) {
      await gate.admit({ subject: { user: `flood-${i}`, tenant: 'flood', plan: 'flood' }, permits: 1 });
    }

    for (const user of known) {
      expect((await gate.inspect({ user, tenant: `of-${user}` })).limits).toMatchObject([{ used: 3 }, { used: 3 }]);
      expect(await admits(user, `of-${user}`, 3)).toBe(false);
      expect(await admits(user, `of-${user}`, 2)).toBe(true);
    }
    // Whoever is new shares one record with all of the flood that found no room.
    expect((await gate.inspect({ user: 'new' })).limits).toMatchObject([
      { used: 1_000_000 - (maxKeys - known.length) },
    ]);
    expect((await gate.inspect({ user: 'flood-1' })).limits).toMatchObject([{ used: 1 }]);
    // Tenants are far from their bound: new ones are counted apart.
    expect((await gate.inspect({ tenant: 'new-1' })).limits).toMatchObject([{ used: 0 }]);
    clock.advance(W + PART);
    for (const name of ['later-1', 'later-2']) expect(await admits(name, name, 5)).toBe(true);
  });

  it('shares one record among the keys above the bound, until that has drained', async () => {
    const { clock, admits, used } = perUser(2);
    expect(await admits('a', 5)).toBe(true);
    expect(await admits('b', 5)).toBe(true);
    expect(await admits('c', 3)).toBe(true);
    expect(await admits('d', 3)).toBe(false);
    expect(await used('e')).toBe(3);
    clock.advance(W / 2);
    expect(await admits('d', 2)).toBe(true);
    // The records of a and b have drained, yet c and d are still counted together: they would be served twice.
    clock.advance(W / 2 + PART);
    expect(await used('a')).toBe(0);
    expect(await admits('d', 4)).toBe(false);
    expect(await admits('c', 3)).toBe(true);
    clock.advance(W + PART);
    for (const user of ['c', 'd']) {
      expect(await used(user)).toBe(0);
      expect(await admits(user, 5)).toBe(true);
    }
    expect(await used('c')).toBe(5);
  });

  it('gives a key that was counted in the shared record no second helping', async () => {
    const limits = fc.integer({ min: 5, max: 30 });
    const history = histories({
      users: ['a', 'b', 'c', 'd', 'e', 'f'],
      costs: fc.integer({ min: 0, max: 12 }),
      steps: fc.oneof(fc.integer({ min: 0, max: 2 * PART }), fc.constantFrom(W / 2, W, W + PART)),
      every: PART,
      changes: limits,
    });
    await check(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), limits, history, async (maxKeys, first, commands) => {
        const clock = manualClock();
        const tokens = slidingWindow({ name: 'tokens', by: 'user', unit: 'outputTokens', limit: first, window: W });
        const gate = createTollgate({ clock, store: memoryStore({ maxKeys }), limits: [tokens] });
        let limit = first;
        await play(gate, clock, commands, {
          isVoid: hasLeft(PART, W / PART),
          admitted({ lots }, cost, now) {
            if (cost > 0) expect(sumBetween(lots, now - W, now) + cost).toBeLessThanOrEqual(limit);
          },
          refused() {},
          change(to) {
            limit = to;
            gate.update({ limits: { tokens: { limit } } });
          },
        });
      }),
      100,
    );
  });

  it('gives none in a bucket either', async () => {
    const history = histories({
      users: ['a', 'b', 'c', 'd', 'e', 'f'],
      costs: fc.integer({ min: 0, max: 12 }),
      steps: fc.oneof(fc.integer({ min: 0, max: 10_000 }), fc.constantFrom(W, 10 * W, 20 * W, 40 * W)),
      every: 15 * W,
      changes: fc.constant(undefined),
    });
    await check(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), history, async (maxKeys, commands) => {
        const clock = manualClock();
        const tokens = tokenBucket({ name: 'tokens', by: 'user', unit: 'outputTokens', capacity: 20, refill: '2/m' });
        const gate = createTollgate({ clock, store: memoryStore({ maxKeys }), limits: [tokens] });
        await play(gate, clock, commands, {
          isVoid: isHeldNoLonger,
          admitted({ lots }, cost, now) {
            for (const { time: from } of cost > 0 ? lots : []) {
              const bound = 20 + (2 / W) * (now - from);
              expect(sumBetween(lots, from, now) + cost).toBeLessThanOrEqual(bound * (1 + 1e-6));
            }
          },
          refused() {},
          change() {},
        });
      }),
      100,
    );
  });

  it('forgets keys in the end whose cost became known only after their record was forgotten', async () => {
    const clock = manualClock();
    const tokens = tokenBucket({ name: 'tokens', by: 'user', unit: 'outputTokens', capacity: 10, refill: '10/m' });
    const gate = createTollgate({ clock, store: memoryStore({ maxKeys: 8 }), limits: [tokens] });
    const admit = (user: string, outputTokens: number) =>
      gate.admit({ subject: { user }, permits: 0, estimate: { outputTokens } });
    for (let i = 0; i < 8; i++) {
      const decision = await admit(`once-${i}`, 0);
      for (let j = 0; j < 8; j++) await admit(`other-${i}-${j}`, 0);
      if (decision.admitted) await decision.admission.settle({ usage: { outputTokens: 5 } });
    }
    clock.advance(86_400_000);
    for (const user of ['a', 'b', 'c', 'd']) expect((await admit(user, 10)).admitted).toBe(true);
  });

  it('counts a caller with an enormous id as one, by a key of bounded length', async () => {
    const longest: number[] = [];
    const inner = memoryStore();
    const store: Store = {
      ...inner,
      take(request, now) {
        for (const { who } of request.alternatives) longest.push(...who.map((value) => value?.length ?? 0));
        return inner.take(request, now);
      },
    };
    const gate = createTollgate({
      clock: manualClock(),
      store,
      limits: [slidingWindow({ name: 'user', by: ['user', 'feature'], limit: 5, window: W })],
    });
    const admits = async (user: string, feature: string) =>
      (await gate.admit({ subject: { user }, feature, permits: 3 })).admitted;
    const huge = (last: string) => 'x'.repeat(100_000) + last;
    expect(await admits(huge('a'), huge('f'))).toBe(true);
    expect(await admits(huge('a'), huge('f'))).toBe(false);
    expect(await admits(huge('b'), huge('f'))).toBe(true);
    expect(await admits(huge('a'), huge('g'))).toBe(true);
    expect((await gate.inspect({ user: huge('a') }, { feature: huge('f') })).limits).toMatchObject([{ used: 3 }]);
    expect(Math.max(...longest)).toBeLessThan(200);
  });
});
