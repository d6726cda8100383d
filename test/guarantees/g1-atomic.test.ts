/** G1: all charges of an admission or none; a refusal charges nothing; concurrent admissions equal some serial order. */
import {
  type Admission,
  type AdmitRequest,
  type Alternative,
  createTollgate,
  type Decision,
  type Meter,
  memoryStore,
  type Scope,
  slidingWindow,
  type Tollgate,
  tokenBucket,
} from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { check } from '../helpers/oracle-log.js';

const USERS = ['ann', 'bob'];
const FEATURES = ['chat', 'embed'];

type Caps = readonly [global: number, user: number, feature: number];

/** Three layers that count permits, and three of the same shape that count output tokens. */
function threeLayers([global, user, feature]: Caps, tokens: Caps = [1e9, 1e9, 1e9]): Tollgate {
  const window = '1m';
  const unit = 'outputTokens';
  return createTollgate({
    clock: manualClock(),
    store: memoryStore(),
    limits: [
      slidingWindow({ name: 'global', limit: global, window }),
      tokenBucket({ name: 'user', by: 'user', capacity: user, refill: '1/h' }),
      slidingWindow({ name: 'feature', by: ['user', 'feature'], limit: feature, window }),
      slidingWindow({ name: 'global-tokens', unit, limit: tokens[0], window }),
      tokenBucket({ name: 'user-tokens', by: 'user', unit, capacity: tokens[1], refill: '1/h' }),
      slidingWindow({ name: 'feature-tokens', by: ['user', 'feature'], unit, limit: tokens[2], window }),
    ],
  });
}

/** What every counter of the gate stands at. */
async function counters(gate: Tollgate): Promise<Record<string, number>> {
  const all: Record<string, number> = {};
  for (const user of USERS) {
    for (const feature of FEATURES) {
      for (const { layer, key, used } of (await gate.inspect({ user }, { feature })).limits)
        all[[layer, ...key].join('/')] = used;
    }
  }
  return all;
}

/** The counters that a request meets, in the order of the limits. */
function keysOf({ user, feature }: Who): string[] {
  return ['', '-tokens'].flatMap((unit) => [
    `global${unit}`,
    `user${unit}/${user}`,
    `feature${unit}/${user}/${feature}`,
  ]);
}

/** What the counters come to with a charge of `permits` and `tokens`. */
function plus(before: Record<string, number>, who: Who, permits: number, tokens: number): Record<string, number> {
  const after = { ...before };
  keysOf(who).forEach((key, i) => {
    after[key] += i < 3 ? permits : tokens;
  });
  return after;
}

interface Who {
  readonly user: string;
  readonly feature: string;
}

function requestOf({ user, feature }: Who, permits: number, outputTokens = 0): AdmitRequest {
  return { subject: { user }, feature, permits, estimate: { outputTokens } };
}

function admission(decision: Decision): Admission {
  if (!decision.admitted) throw new Error(decision.refusal.detail);
  return decision.admission;
}

const who = fc.record({ user: fc.constantFrom(...USERS), feature: fc.constantFrom(...FEATURES) });
const cap = fc.integer({ min: 0, max: 30 });
const caps: fc.Arbitrary<Caps> = fc.tuple(cap, cap, cap);
const cost = fc.integer({ min: 0, max: 12 });

describe('G1 atomic: admit', () => {
  const ann = { user: 'ann', feature: 'chat' };

  it.each<[string, Caps]>([
    ['global window', [100, 1e6, 1e6]],
    ['user bucket', [1e6, 100, 1e6]],
    ['user and feature window', [1e6, 1e6, 100]],
  ])('admits exactly 100 of 1000 concurrent requests where the %s caps them', async (_, sizes) => {
    const gate = threeLayers(sizes);
    const before = await counters(gate);
    const decisions = await Promise.all(Array.from({ length: 1000 }, () => gate.admit(requestOf(ann, 1))));
    expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(100);
    expect(await counters(gate)).toEqual(plus(before, ann, 100, 0));
  });

  it('charges every layer, or leaves every counter as it was', async () => {
    await check(
      fc.asyncProperty(
        caps,
        caps,
        fc.array(fc.tuple(who, cost, cost), { maxLength: 25, size: 'max' }),
        async (a, b, requests) => {
          const gate = threeLayers(a, b);
          for (const [subject, permits, tokens] of requests) {
            const before = await counters(gate);
            const { admitted } = await gate.admit(requestOf(subject, permits, tokens));
            const wanted = plus(before, subject, permits, tokens);
            expect(admitted).toBe(keysOf(subject).every((key, i) => wanted[key] <= [...a, ...b][i]));
            expect(await counters(gate)).toEqual(admitted ? wanted : before);
          }
        },
      ),
      70,
    );
  });

  it('decides concurrent requests as if they had come one after the other', async () => {
    await check(
      fc.asyncProperty(caps, fc.array(fc.tuple(who, cost), { maxLength: 25, size: 'max' }), async (sizes, requests) => {
        const [together, apart] = [threeLayers(sizes), threeLayers(sizes)];
        const concurrent = await Promise.all(
          requests.map(([subject, permits]) => together.admit(requestOf(subject, permits))),
        );
        for (const [i, [subject, permits]] of requests.entries()) {
          expect((await apart.admit(requestOf(subject, permits))).admitted).toBe(concurrent[i].admitted);
        }
        expect(await counters(together)).toEqual(await counters(apart));
      }),
      50,
    );
  });

  it('charges nothing for what it explains', async () => {
    const gate = threeLayers([10, 10, 10]);
    const before = await counters(gate);
    expect((await gate.explain(requestOf(ann, 5))).admitted).toBe(true);
    expect((await gate.explain(requestOf(ann, 11))).admitted).toBe(false);
    expect(await counters(gate)).toEqual(before);
  });
});

describe('G1 atomic: extend', () => {
  it('charges every layer, or leaves every counter as it was and the admission open', async () => {
    const steps = fc.array(fc.tuple(who, cost), { minLength: 1, maxLength: 15, size: 'max' });
    await check(
      fc.asyncProperty(caps, steps, async (sizes, extensions) => {
        const gate = threeLayers([1e9, 1e9, 1e9], sizes);
        for (const [subject, tokens] of extensions) {
          const admitted = admission(await gate.admit(requestOf(subject, 1)));
          const before = await counters(gate);
          const extended = await admitted.extend({ outputTokens: tokens });
          const wanted = plus(before, subject, 0, tokens);
          const fits = keysOf(subject).every((key, i) => i < 3 || wanted[key] <= sizes[i - 3]);
          expect(extended.admitted).toBe(tokens === 0 || fits);
          expect(await counters(gate)).toEqual(extended.admitted ? wanted : before);
          // Still open: settling to what it used gives back the rest.
          if (!extended.admitted) await admitted.settle({ outcome: 'ignored' });
          if (!extended.admitted) expect(await counters(gate)).toEqual(plus(before, subject, -1, 0));
        }
      }),
      100,
    );
  });

  it('is bounded by the limit, however many extensions run at once', async () => {
    const gate = threeLayers([10, 10, 10], [1e6, 1e6, 100]);
    const ann = { user: 'ann', feature: 'chat' };
    const before = await counters(gate);
    const open = admission(await gate.admit(requestOf(ann, 1)));
    const decisions = await Promise.all(Array.from({ length: 500 }, () => open.extend({ outputTokens: 3 })));
    expect(decisions.filter(({ admitted }) => admitted)).toHaveLength(33);
    expect(await counters(gate)).toEqual(plus(before, ann, 1, 99));
    await open.settle({ outcome: 'ignored' });
    expect(await counters(gate)).toEqual(before);
  });
});

describe('G1 atomic: admit, extending', () => {
  it('changes the total to what the new request costs, or gives all of it back', async () => {
    const room = fc.integer({ min: 8, max: 60 });
    const wide: fc.Arbitrary<Caps> = fc.tuple(room, room, room);
    const change = fc.tuple(fc.constantFrom(...FEATURES), cost, cost);
    const others = fc.array(fc.tuple(who, cost, cost), { maxLength: 5 });
    await check(
      fc.asyncProperty(
        wide,
        wide,
        others,
        change,
        fc.array(change, { minLength: 1, maxLength: 4 }),
        async (...input) => {
          const [a, b, others, first, changes] = input;
          const gate = threeLayers(a, b);
          for (const [subject, permits, tokens] of others) await gate.admit(requestOf(subject, permits, tokens));
          const without = await counters(gate);
          const [feature, permits, tokens] = first;
          const decision = await gate.admit(requestOf({ user: 'ann', feature }, permits, tokens));
          if (!decision.admitted) return;
          for (const [feature, permits, tokens] of changes) {
            const request = requestOf({ user: 'ann', feature }, permits, tokens);
            const amended = await gate.admit(request, { extending: decision.admission });
            if (!amended.admitted) {
              expect(await counters(gate)).toEqual(without);
              return;
            }
            expect(amended.admission).toBe(decision.admission);
            expect(await counters(gate)).toEqual(plus(without, { user: 'ann', feature }, permits, tokens));
          }
          await decision.admission.settle({ outcome: 'ignored' });
          expect(await counters(gate)).toEqual(without);
        },
      ),
      300,
    );
  });

  it('settles to what was used, after extensions and changes', async () => {
    const gate = threeLayers([100, 100, 100], [100, 100, 100]);
    const before = await counters(gate);
    const ann = { user: 'ann', feature: 'chat' };
    const open = admission(await gate.admit(requestOf(ann, 10, 10)));
    admission(await open.extend({ outputTokens: 20 }));
    admission(await gate.admit(requestOf(ann, 3, 25), { extending: open }));
    expect(await counters(gate)).toEqual(plus(before, ann, 3, 25));
    admission(await gate.admit(requestOf(ann, 12, 45), { extending: open }));
    expect(await counters(gate)).toEqual(plus(before, ann, 12, 45));
    await open.settle({ usage: { outputTokens: 40 } });
    expect(await counters(gate)).toEqual(plus(before, ann, 12, 40));
  });

  it('names a wait that is exact, though the admission was charged long before', async () => {
    const clock = manualClock(0);
    const gate = createTollgate({ clock, limits: [slidingWindow({ name: 'global', limit: 20, window: '1m' })] });
    const open = admission(await gate.admit({ permits: 10 }));
    clock.set(6_000);
    await gate.admit({ permits: 10 });
    const refused = await gate.admit({ permits: 15 }, { extending: open });
    if (refused.admitted) throw new Error('expected a refusal');
    clock.advance((refused.refusal.retryAfterMs ?? 0) - 1_000);
    expect((await gate.admit({ permits: 15 })).admitted).toBe(false);
    clock.advance(1_000);
    expect((await gate.admit({ permits: 15 })).admitted).toBe(true);
  });
});

describe('G1 atomic: alternatives', () => {
  const scopes: Scope[] = [
    { by: ['user'], at: [0] },
    { by: ['model'], at: [1] },
  ];
  const meters: Meter[] = ['user', 'user-too', 'model'].map((name, i) => ({
    id: name,
    name,
    position: i,
    unit: 'permits',
    scope: scopes[i >> 1],
  }));
  const window = { kind: 'window', ms: 60_000, parts: 10, partMs: 6_000 } as const;
  const bucket = { kind: 'bucket', perMs: 1 / 3_600_000 } as const;
  const now = 1_000_000;

  function alternativeOf(costs: readonly number[], model: string, limit: number): Alternative {
    const charges = meters.map((meter, i) => ({
      meter,
      rule: i === 1 ? bucket : window,
      cost: costs[i],
      limit,
      whole: limit,
      whenFull: 'refuse' as const,
      shadow: false,
    }));
    const bills = [
      { scope: scopes[0], charges: charges.slice(0, 2) },
      { scope: scopes[1], charges: charges.slice(2) },
    ];
    return { name: model, who: ['ann', model], bills };
  }

  it('charges the first that fits as a whole, and nothing of the others', async () => {
    const costs = fc.tuple(cost, cost, cost);
    const requests = fc.array(
      fc.array(fc.tuple(costs, fc.constantFrom('large', 'small')), { minLength: 1, maxLength: 4 }),
      {
        maxLength: 12,
      },
    );
    await check(
      fc.asyncProperty(cap, requests, async (limit, requests) => {
        const store = memoryStore();
        const used = new Map([
          ['large', [0, 0, 0]],
          ['small', [0, 0, 0]],
        ]);
        for (const request of requests) {
          const alternatives = request.map(([costs, model]) => alternativeOf(costs, model, limit));
          const result = await store.take({ alternatives }, now);
          const fitting = request.findIndex(([costs, model]) =>
            costs.every((c, i) => (used.get(model)?.[i] ?? 0) + c <= limit),
          );
          expect('taken' in result ? result.taken : -1).toBe(fitting);
          if (fitting >= 0) {
            const [costs, model] = request[fitting];
            for (const [one, sums] of used) for (const i of [0, 1, 2]) sums[i] += i < 2 || one === model ? costs[i] : 0;
          }
          for (const [model, sums] of used) {
            const { who, bills } = alternativeOf([0, 0, 0], model, limit);
            const usages = await store.peek(who, bills, now);
            expect(usages.map((usage) => usage.used)).toEqual(sums);
          }
        }
      }),
      150,
    );
  });
});
