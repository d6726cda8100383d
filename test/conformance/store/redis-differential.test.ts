/** Random histories, asked for one by one and many at once, of the memory store and of Redis: the answers are the same. */
import { type Entry, memoryStore, type NotTaken, type Rule, type Store, type Taken, type Usage } from '@tollgate/core';
import { redisStore } from '@tollgate/core/redis';
import fc from 'fast-check';
import { Redis } from 'ioredis';
import { check } from '../../helpers/oracle-log.js';
import { describeWithRedis, useRedis } from '../../helpers/redis-server.js';
import { alternativeOf, calendar, charge, makeMeters, PAUSES, renew, START } from './charges.js';

const HEADROOM = { kind: 'headroom', ms: 3_000, perMs: 1 / 300 } as const;

/** Fractions of all kinds, so that sums depend on their order. */
const RULES: Record<keyof ReturnType<typeof makeMeters>, (at: number) => Rule> = {
  window: () => ({ kind: 'window', ms: 1_000, parts: 10, partMs: 100 }),
  bucket: () => ({ kind: 'bucket', perMs: 1 / 300 }),
  coarse: () => ({ kind: 'window', ms: 60_000, parts: 60, partMs: 1_000 }),
  // Always the same: a changed one holds from a key's next admission, unless its record was forgotten before.
  other: () => ({ kind: 'bucket', perMs: 0.003 }),
  budget: calendar(1_500),
  longer: calendar(65_000),
  slots: () => ({ kind: 'slots', leaseMs: 1_000 }),
  headroom: () => HEADROOM,
};

const NAMES = ['window', 'bucket', 'coarse', 'other', 'budget', 'longer', 'slots'] as const;
const user = fc.constantFrom('ann', 'bob', undefined);

/** Of what steps are made. */
interface Kind {
  readonly names: readonly (keyof typeof RULES)[];
  /** Beside whole ones. */
  readonly costs: readonly number[];
  readonly limits: fc.Arbitrary<number>;
  readonly shadow: fc.Arbitrary<boolean>;
  readonly mostAlternatives: number;
  /** Of a take: it tells; of a settling: it goes on. */
  readonly option: fc.Arbitrary<boolean>;
}

function stepsOf({ names, costs, limits, shadow, mostAlternatives, option }: Kind) {
  const cost = fc.oneof(fc.nat(8), fc.constantFrom(...costs));
  const one = fc.record({ name: fc.constantFrom(...names), cost, limit: limits, shadow });
  const charges = fc.uniqueArray(one, { selector: ({ name }) => name, maxLength: 8 });
  const alternative = fc.record({ user, feature: fc.constantFrom('x', 'y'), charges });
  const take = fc.record({
    alternatives: fc.array(alternative, { minLength: 1, maxLength: mostAlternatives }),
    tells: option,
  });
  const settle = fc.record({
    from: fc.nat(30),
    count: fc.integer({ min: 1, max: 6 }),
    by: fc.array(cost, { minLength: 6, maxLength: 6 }),
    goesOn: option,
  });
  return { take, settle, peek: fc.record({ peek: alternative }) };
}

const any = stepsOf({
  names: [...NAMES, 'headroom'],
  costs: [0.1, 0.7, 1.3, 2.9],
  limits: fc.integer({ min: 3, max: 25 }),
  shadow: fc.nat(4).map((n) => n === 0),
  mostAlternatives: 3,
  option: fc.boolean(),
});
const observe = fc.record({
  answers: fc.option(fc.nat(5), { nil: undefined }),
  user,
  used: fc.option(fc.oneof(fc.nat(12), fc.constantFrom(0.3, 4.7)), { nil: undefined }),
  limit: fc.constantFrom(10, 11.3, Number.POSITIVE_INFINITY),
  shutMs: fc.constantFrom(undefined, undefined, undefined, 0, 400, 70_000),
});
/** What Redis does at once, where it fits. */
const plain = stepsOf({
  names: NAMES,
  costs: [0.25, 1.5],
  limits: fc.constantFrom(20, 60, 200),
  shadow: fc.constant(false),
  mostAlternatives: 1,
  option: fc.constant(false),
});

const anyBurst = fc.record({
  ms: PAUSES,
  steps: fc.array(
    fc.oneof({ weight: 4, arbitrary: any.take }, { weight: 2, arbitrary: any.settle }, observe, any.peek),
    { minLength: 1, maxLength: 8 },
  ),
});
const plainBurst = fc.record({
  ms: PAUSES,
  steps: fc.array(fc.oneof(plain.take, plain.settle), { minLength: 1, maxLength: 30 }),
});

type Burst = typeof anyBurst | typeof plainBurst extends fc.Arbitrary<infer B> ? B : never;

/** Without the places: a store that has forgotten a row may name others for what is void. */
function told(result: unknown): unknown {
  if (typeof result === 'boolean') return result;
  if (Array.isArray(result)) return result.map(usageTold);
  const { taken, receipt, shadowRefused, usages, refused } = result as Partial<Taken & NotTaken>;
  if (refused) return refused.map((usages) => usages.map(usageTold));
  return {
    taken,
    receipt: receipt?.map(({ cost, used, charge }) => [charge.meter.name, cost, used]),
    shadowRefused: shadowRefused?.map(usageTold),
    usages: usages?.map(usageTold),
  };
}

function usageTold({ charge, key, used, waitMs, refillMs }: Usage): unknown {
  return [charge.meter.name, key, used, waitMs, refillMs];
}

describeWithRedis('memory and Redis', () => {
  const url = useRedis();
  let client: Redis;
  let count = 0;
  beforeAll(() => {
    client = new Redis(url());
  });
  afterAll(() => client.disconnect());

  it.each<[string, fc.Arbitrary<Burst>]>([
    ['whatever they are asked', anyBurst],
    ['where all that is asked at once is plain', plainBurst],
  ])(
    'give the same answers, and every key has a time to live, %s',
    async (_, burst) => {
      await check(
        fc.asyncProperty(fc.array(burst, { minLength: 1, maxLength: 15 }), async (bursts) => {
          const prefix = `differential ${process.pid} ${count++}`;
          const stores = [memoryStore(), redisStore(client, { prefix, clock: 'gate', timeoutMs: 60_000 })];
          const meters = makeMeters();
          const receipts: Entry[][] = [[], []];
          let [clock, now] = [START, 0];
          for (const { ms, steps } of bursts) {
            clock += ms;
            now = Math.max(now, clock);
            const answers = await Promise.all(stores.map((store, i) => play(store, receipts[i], steps, clock)));
            expect(answers[1]).toEqual(answers[0]);
            expect(receipts[1].map(({ cost, used }) => [cost, used])).toEqual(
              receipts[0].map(({ cost, used }) => [cost, used]),
            );
          }
          for (const key of await client.keys(`{${prefix}}*`)) expect(await client.pttl(key)).not.toBe(-1);

          /** Asks for all steps at once, then waits for the answers. */
          async function play(store: Store, receipt: Entry[], steps: Burst['steps'], clock: number) {
            const open = receipt.length;
            const busy = new Set<Entry>();
            // What is settled and observed comes first, as Redis does it.
            const isFirst = (step: object) => 'from' in step || 'answers' in step;
            const ordered = [...steps.filter(isFirst), ...steps.filter((step) => !isFirst(step))];
            const asked = ordered.map((step) => {
              if ('alternatives' in step) {
                const ways = step.alternatives.map((way, i) => alternativeOf(chargesOf(way), `${i}`));
                return store.take({ alternatives: ways, tells: step.tells }, clock);
              }
              if ('answers' in step) {
                const { headroom: meter } = meters;
                const { answers = -1, user, used, limit, shutMs } = step;
                const rule = { ...HEADROOM, perMs: limit / HEADROOM.ms };
                const entry = receipt.slice(0, open).filter(({ charge }) => charge.meter === meter)[answers];
                const who = entry?.who ?? [undefined, user];
                return store.observe?.([{ meter, who, rule, entry, used, limit, shutMs }], clock);
              }
              if ('peek' in step) {
                const { who, bills } = alternativeOf(chargesOf(step.peek));
                return store.peek(who, bills, clock);
              }
              // Not twice at once: what the first came to would be known to one store alone.
              const entries = receipt
                .slice(0, open)
                .slice(step.from % Math.max(1, open))
                .slice(0, step.count)
                .filter((entry) => !busy.has(entry));
              for (const entry of entries) {
                busy.add(entry);
                renew(entry, RULES[entry.charge.meter.name as keyof typeof RULES](now));
              }
              return store.settle(
                entries,
                entries.map((entry, i) => amountFor(entry.charge.meter.unit, step.by[i])),
                clock,
                step.goesOn,
              );
            });
            const answers = await Promise.all(asked);
            return answers.map((answer) => {
              if (answer === undefined) return undefined;
              if (typeof answer === 'object' && 'receipt' in answer) receipt.push(...answer.receipt);
              return told(answer);
            });
          }

          function chargesOf({
            user,
            feature,
            charges,
          }: {
            user: string | undefined;
            feature: string;
            charges: { name: keyof typeof RULES; cost: number; limit: number; shadow: boolean }[];
          }) {
            const sorted = charges.toSorted((a, b) => meters[a.name].scope.by.length - meters[b.name].scope.by.length);
            return sorted.map(({ name, cost, limit, shadow }) => {
              const meter = meters[name];
              const key = meter.scope.by.length === 1 ? [user] : [user, feature];
              return charge(meter, RULES[name](now), key, amountFor(meter.unit, cost), limit, shadow);
            });
          }
        }),
        400,
      );
    },
    300_000,
  );
});

/** Money and slots are whole. */
function amountFor(unit: string, amount: number): number {
  return unit === 'permits' ? amount : Math.ceil(amount);
}
