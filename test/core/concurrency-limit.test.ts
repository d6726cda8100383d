/** Concurrency limits of a gate without a line: at most so many at once, each slot given back once. */
import {
  type Admission,
  concurrency,
  createTollgate,
  memoryStore,
  type Outcome,
  slidingWindow,
  type Tollgate,
  tokenBucket,
} from '@tollgate/core';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';
import { gateOf, MINUTE, SECOND } from './support.js';

const subject = { user: 'ann', tenant: 't1' };
const small = { subject, tier: 'small' } as const;

describe('at once', () => {
  it('runs so many of a key and no more, and the next when one has settled', async () => {
    const { admission, refusal, used } = gateOf([concurrency({ name: 'runs', by: 'user', limit: 2 })]);
    const first = await admission(small);
    await admission(small);
    expect(await refusal(small)).toMatchObject({
      reason: 'limit',
      layer: 'runs',
      status: 429,
      violated: [{ layer: 'runs', unit: 'slots', cost: 1, used: 2, limit: 2, remaining: 0 }],
    });
    await admission({ ...small, subject: { user: 'bob' } });
    await first.settle();
    expect(await used(small)).toEqual({ runs: 1 });
    await admission(small);
    expect(await used(small)).toEqual({ runs: 2 });
    await refusal(small);
  });

  it('takes one slot, whatever the tier, permits and tokens', async () => {
    const { admission, used } = gateOf([concurrency({ name: 'runs', limit: 5 })]);
    await admission({ tier: 'xlarge' });
    await admission({ permits: 0, estimate: { inputTokens: 5000 } });
    expect(await used()).toEqual({ runs: 2 });
  });

  it('goes by plan, by a function, or counts without limiting', async () => {
    const { admission, refusal } = gateOf([
      concurrency({ name: 'plan', by: 'user', limit: { free: 1, pro: Number.POSITIVE_INFINITY } }),
      concurrency({ name: 'function', by: 'tenant', limit: ({ tenant }) => (tenant === 'small' ? 2 : 50) }),
    ]);
    const of = (user: string, plan: string, tenant: string) => ({ subject: { user, plan, tenant }, permits: 1 });
    await admission(of('ann', 'free', 'big'));
    expect(await refusal(of('ann', 'free', 'big'))).toMatchObject({ layer: 'plan' });
    for (let i = 0; i < 20; i++) await admission(of('bob', 'pro', 'big'));
    for (let i = 0; i < 2; i++) await admission(of('bob', 'pro', 'small'));
    expect(await refusal(of('cy', 'free', 'small'))).toMatchObject({ layer: 'function' });
  });

  it('charges nothing else where there is no slot, and takes no slot where something else refuses', async () => {
    const { admission, refusal, used } = gateOf([
      slidingWindow({ name: 'window', limit: 2, window: '1h', unit: 'requests' }),
      concurrency({ name: 'runs', limit: 1 }),
    ]);
    const first = await admission(small);
    expect(await refusal(small)).toMatchObject({ layer: 'runs' });
    await first.settle();
    await (await admission(small)).settle();
    expect(await refusal(small)).toMatchObject({ layer: 'window' });
    expect(await used(small)).toEqual({ window: 2, runs: 0 });
  });

  it('on trial counts what it would have admitted, and refuses nothing', async () => {
    const { gate, admission, used } = gateOf([concurrency({ name: 'runs', limit: 1, mode: 'shadow' })]);
    const told = jest.fn();
    gate.on('shadow.refused', told);
    const [first, second] = [await admission(small), await admission(small)];
    expect(told).toHaveBeenCalledTimes(1);
    expect(await used(small)).toEqual({ runs: 1 });
    await second.settle();
    expect(await used(small)).toEqual({ runs: 1 });
    await first.settle();
    expect(await used(small)).toEqual({ runs: 0 });
  });
});

describe('a slot is given back', () => {
  it.each(['succeeded', 'failed', 'ignored'] as const)(
    'by an outcome that %s, with usage or without',
    async (outcome) => {
      const { admission, used } = gateOf([
        concurrency({ name: 'runs', limit: 3 }),
        slidingWindow({ name: 'tokens', unit: 'tokens', limit: 1000, window: '1m' }),
      ]);
      const request = { ...small, estimate: { inputTokens: 10, outputTokens: 20 } };
      const open = [await admission(request), await admission(request), await admission(request)];
      await open[0].settle({ outcome });
      await open[1].settle({ outcome, usage: { inputTokens: 5 } });
      expect((await used(small)).runs).toBe(1);
      await open[2].settle({ outcome, usage: { inputTokens: 500, outputTokens: 500 } });
      expect((await used(small)).runs).toBe(0);
    },
  );

  it('once, however often the admission is settled', async () => {
    const { admission, used } = gateOf([concurrency({ name: 'runs', limit: 5 })]);
    const [one] = [await admission(small), await admission(small), await admission(small)];
    await one.conclude();
    expect(await used(small)).toEqual({ runs: 2 });
    await one.settle({ usage: { outputTokens: 50 } });
    await one.settle();
    await one.conclude();
    expect(await used(small)).toEqual({ runs: 2 });
  });

  it('when the lease ends, and not a second time when the admission is settled then', async () => {
    const { clock, admission, refusal, used } = gateOf([concurrency({ name: 'runs', limit: 1, lease: '1m' })]);
    const lost = await admission(small);
    clock.advance(MINUTE - 1);
    await refusal(small);
    clock.advance(MINUTE + 1);
    await admission(small);
    await lost.settle();
    expect(await used(small)).toEqual({ runs: 1 });
    await refusal(small);
  });

  it('at the latest when the refusal says: whoever waits that long, alone, is admitted', async () => {
    const { clock, admission, refusal } = gateOf([concurrency({ name: 'runs', limit: 2, lease: '90s' })]);
    clock.advance(17 * SECOND);
    await admission(small);
    clock.advance(80 * SECOND);
    await admission(small);
    const { retryAfterMs = 0 } = await refusal(small);
    clock.advance(retryAfterMs - 1);
    await refusal(small);
    clock.advance(1);
    await admission(small);
  });

  it('after ten minutes at the earliest unless a lease is given', async () => {
    const { clock, admission, refusal } = gateOf([concurrency({ name: 'runs', limit: 1 })]);
    await admission(small);
    clock.advance(10 * MINUTE - 1);
    await refusal(small);
    clock.advance(10 * MINUTE + 1);
    await admission(small);
  });
});

describe('an admission that changes', () => {
  it('takes no further slot for what it is extended by', async () => {
    const { admission, used } = gateOf([
      concurrency({ name: 'runs', limit: 1 }),
      slidingWindow({ name: 'tokens', unit: 'tokens', limit: 1000, window: '1m' }),
    ]);
    const one = await admission({ ...small, estimate: { inputTokens: 10 } });
    for (let i = 0; i < 3; i++) expect((await one.extend({ inputTokens: 100 })).admitted).toBe(true);
    expect(await used(small)).toEqual({ runs: 1, tokens: 310 });
    await one.settle();
    expect(await used(small)).toEqual({ runs: 0, tokens: 310 });
  });

  it('keeps its slot where another toll asks for more, also where all are in use', async () => {
    const { gate, admission, refusal, used } = gateOf([
      concurrency({ name: 'runs', limit: 1 }),
      tokenBucket({ name: 'bucket', capacity: 10, refill: '1/h' }),
    ]);
    const one = await admission(small);
    const amended = await gate.admit({ ...small, tier: 'medium' }, { extending: one });
    expect(amended).toMatchObject({ admitted: true });
    expect(await used(small)).toEqual({ runs: 1, bucket: 3 });
    await refusal(small);
    await one.settle();
    expect(await used(small)).toEqual({ runs: 0, bucket: 3 });
  });

  it('gives its slot back where it is refused what it is changed to', async () => {
    const { gate, admission, used } = gateOf([
      concurrency({ name: 'runs', limit: 1 }),
      tokenBucket({ name: 'bucket', capacity: 10, refill: '1/h' }),
    ]);
    const one = await admission(small);
    await gate.admit({ permits: 20 }, { extending: one });
    expect(await used(small)).toEqual({ runs: 0, bucket: 0 });
  });

  it('moves to the slots of another key, with those it had given back', async () => {
    const { gate, admission, refusal, used } = gateOf([concurrency({ name: 'runs', by: 'feature', limit: 1 })]);
    const one = await admission({ permits: 1, feature: 'chat' });
    await gate.admit({ permits: 1, feature: 'search' }, { extending: one });
    expect([await used({ feature: 'chat' }), await used({ feature: 'search' })]).toEqual([{ runs: 0 }, { runs: 1 }]);
    await refusal({ permits: 1, feature: 'search' });
    await one.settle();
    expect(await used({ feature: 'search' })).toEqual({ runs: 0 });
  });
});

describe('changed while it runs', () => {
  it('admits up to the new limit, and what runs beyond it ends by itself', async () => {
    const { gate, admission, refusal, used } = gateOf([concurrency({ name: 'runs', limit: 1 })]);
    const open = [await admission(small)];
    gate.update({ limits: { runs: { limit: 3 } } });
    open.push(await admission(small), await admission(small));
    expect(await refusal(small)).toMatchObject({ violated: [{ used: 3, limit: 3 }] });
    gate.update({ limits: { runs: { limit: 2 } } });
    await open[0].settle();
    expect(await refusal(small)).toMatchObject({ violated: [{ used: 2, limit: 2 }] });
    await open[1].settle();
    open.push(await admission(small));
    for (const one of open) await one.settle();
    expect(await used(small)).toEqual({ runs: 0 });
  });

  it('goes on trial and back', async () => {
    const { gate, admission, refusal } = gateOf([concurrency({ name: 'runs', limit: 1 })]);
    await admission(small);
    gate.update({ limits: { runs: { mode: 'shadow' } } });
    await admission(small);
    gate.update({ limits: { runs: { mode: 'enforce' } } });
    await refusal(small);
  });
});

describe('how it stands', () => {
  it('is told like that of any limit, with the lease for a window', async () => {
    const { gate, admission } = gateOf([concurrency({ name: 'runs', by: 'user', limit: 3, lease: '2m' })]);
    await admission(small);
    const { limits } = await gate.inspect({ user: 'ann' });
    expect(limits).toMatchObject([
      { layer: 'runs', unit: 'slots', used: 1, limit: 3, share: undefined, remaining: 2, windowMs: 2 * MINUTE },
    ]);
    expect(limits[0].resetsAt).toBeUndefined();
  });

  it('is no matter of tokens: bodies are not read for it', () => {
    expect(createTollgate({ limits: [concurrency({ name: 'runs', limit: 1 })] }).countsTokens).toBe(false);
  });
});

describe("the queue's own slots", () => {
  it('are taken by all together, and given back once', async () => {
    const { admission, refusal, used } = gateOf([], { queue: { concurrency: 2, lease: '1m' } });
    const small = { subject, tier: 'small', maxWait: '0s' } as const;
    const [first, second] = [await admission(small), await admission({ permits: 0, subject: { user: 'bob' } })];
    // What may not wait is refused as if there were no line.
    expect(await refusal(small)).toMatchObject({ reason: 'limit', layer: 'concurrency', status: 429 });
    await first.conclude();
    await first.settle();
    expect(await used()).toEqual({ concurrency: 1 });
    await second.settle({ outcome: 'ignored' });
    expect(await used()).toEqual({ concurrency: 0 });
  });
});

describe('adaptive slots', () => {
  const adaptive = (max: number) => [concurrency({ name: 'runs', by: 'provider', limit: { min: 1, max } })];
  const at = (provider: string) => ({ permits: 1, provider });

  it('are as few as they begin with, and more where they are used and borne, of each key by itself', async () => {
    const { gate, clock, admission, refusal } = gateOf(adaptive(4));
    await admission(at('a'));
    let open: Admission[] = [];
    for (let round = 0; round < 8; round++) {
      const decisions = await Promise.all(Array.from({ length: 10 }, () => gate.admit(at('b'))));
      open = decisions.flatMap((one) => (one.admitted ? [one.admission] : []));
      if (round === 0) expect(open).toHaveLength(1);
      clock.advance(SECOND);
      for (const one of open) await one.settle();
    }
    expect(open).toHaveLength(4);
    gate.update({ limits: { runs: { onStoreError: 'open' } } });
    expect((await gate.inspect({}, { provider: 'b' })).limits).toMatchObject([{ used: 0, limit: 4 }]);
    expect(await refusal(at('a'))).toMatchObject({ violated: [{ used: 1, limit: 1 }] });
  });

  it.each<[string, Outcome, number]>([
    ['an overload', { outcome: 'failed', overloaded: true }, 2],
    ['an overload of what was given back', { outcome: 'ignored', overloaded: {} }, 2],
    ['an overload with a time', { overloaded: { retryAfterMs: 5000 } }, 0],
    ['a failure', { outcome: 'failed' }, 4],
    ['what was never sent', { outcome: 'ignored' }, 4],
    ['no overload', { overloaded: false, outcome: 'failed' }, 4],
  ])('after %s, %j, are %p of 4', async (_, outcome, left) => {
    const { gate, clock, admission } = gateOf([
      concurrency({ name: 'runs', by: 'provider', limit: { min: 1, max: 8, initial: 4 } }),
    ]);
    const [one] = [await admission(at('a')), await admission(at('a'))];
    clock.advance(SECOND);
    await one.settle(outcome);
    // What rests after an overload is back within some epochs.
    clock.advance(4 * SECOND - 1);
    const limitOf = async (provider: string) => (await gate.inspect({}, { provider })).limits[0].limit;
    expect(await limitOf('a')).toBe(left);
    expect(await limitOf('b')).toBe(4);
  });

  it('learn once of an end that is told twice, and nothing of slots that an admission left for others', async () => {
    const { gate, clock, admission, used } = gateOf(adaptive(4));
    const one = await admission(at('a'));
    clock.advance(SECOND);
    expect(await gate.admit(at('b'), { extending: one })).toMatchObject({ admitted: true });
    expect([await used(at('a')), await used(at('b'))]).toEqual([{ runs: 0 }, { runs: 1 }]);
    clock.advance(SECOND);
    await one.conclude();
    await one.settle({ overloaded: { retryAfterMs: MINUTE } });
    const limitOf = async (provider: string) => (await gate.inspect({}, { provider })).limits[0].limit;
    expect([await limitOf('a'), await limitOf('b')]).toEqual([1, 2]);
  });

  it.each<[string, string, (gate: Tollgate, one: Admission) => Promise<unknown>]>([
    ['left for others', 'a', (gate, one) => gate.admit(at('b'), { extending: one })],
    [
      'taken for an admission that was settled meanwhile',
      'b',
      async (gate, one) => {
        const amending = gate.admit(at('b'), { extending: one });
        await one.settle({ outcome: 'ignored' });
        await expect(amending).rejects.toMatchObject({ code: 'TOLLGATE_ADMISSION_SETTLED' });
      },
    ],
  ])('know that nothing runs in slots that were %s', async (_, provider, change) => {
    const { gate, clock, admission } = gateOf([
      concurrency({ name: 'runs', by: 'provider', limit: { min: 1, max: 8, initial: 4 } }),
    ]);
    for (let i = 0; i < 3; i++) await change(gate, await admission(at('a')));
    const one = await admission(at(provider));
    clock.advance(SECOND);
    await one.settle();
    // Were all four in use, there would be more now.
    expect((await gate.inspect({}, { provider })).limits).toMatchObject([{ used: 0, limit: 4 }]);
  });

  it('know what runs also where extensions and other tolls change it', async () => {
    const { gate, clock, admission } = gateOf([
      ...adaptive(4),
      slidingWindow({ name: 'tokens', unit: 'tokens', limit: 1000, window: '1m' }),
    ]);
    const one = await admission(at('a'));
    await one.extend({ inputTokens: 5 });
    await gate.admit({ ...at('a'), permits: 9 }, { extending: one });
    clock.advance(SECOND);
    await one.settle();
    expect((await gate.inspect({}, { provider: 'a' })).limits).toMatchObject([{ used: 0, limit: 2 }, {}]);
  });
});

it('never runs more than the limit at once, nor fewer than it could, over any history', async () => {
  const step = fc.record({
    user: fc.constantFrom('ann', 'bob'),
    what: fc.constantFrom('admit', 'admit', 'settle', 'conclude', 'ignore', 'extend'),
    nth: fc.nat(10),
    ms: fc.oneof({ weight: 4, arbitrary: fc.nat(2000) }, { weight: 1, arbitrary: fc.nat(70_000) }),
  });
  const property = fc.asyncProperty(
    fc.array(step, { maxLength: 60, size: 'max' }),
    fc.integer({ min: 1, max: 3 }),
    async (steps, limit) => {
      const lease = 30 * SECOND;
      const { gate, clock } = gateOf([concurrency({ name: 'runs', by: 'user', limit, lease: '30s' })], {
        store: memoryStore({ maxKeys: 64 }),
      });
      /** All that was admitted: until when it holds a slot, by the second boundary of leases. */
      const all: { user: string; ends: number; admission: Admission }[] = [];
      const running = (user: string) => all.filter((one) => one.user === user && clock.now() < one.ends).length;
      for (const { user, what, nth, ms } of steps) {
        clock.advance(ms);
        const one = all[nth % Math.max(1, all.length)];
        if (what === 'admit') {
          const decision = await gate.admit({ permits: 1, subject: { user } });
          expect(decision.admitted).toBe(running(user) < limit);
          const ends = (Math.floor(clock.now() / lease) + 2) * lease;
          if (decision.admitted) all.push({ user, ends, admission: decision.admission });
        } else if (one !== undefined && what === 'extend') {
          await one.admission.extend({ inputTokens: 1 }).catch(() => {});
        } else if (one !== undefined) {
          if (what === 'conclude') await one.admission.conclude();
          else await one.admission.settle(what === 'ignore' ? { outcome: 'ignored' } : {});
          one.ends = 0;
        }
        for (const user of ['ann', 'bob']) {
          const { limits } = await gate.inspect({ user });
          expect(limits).toMatchObject([{ used: running(user) }]);
        }
      }
    },
  );
  await check(property, 40);
});
