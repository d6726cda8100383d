/** Refusals that are known to hold: the store is not asked again, and nobody is refused who would be admitted. */

import {
  memoryStore,
  type NotTaken,
  type Receipt,
  type Store,
  slidingWindow,
  type Taken,
  tokenBucket,
} from '@tollgate/core';
import fc from 'fast-check';
import { denyCache } from '../../packages/core/src/store/deny-cache.js';
import { ClassStore } from '../helpers/class-store.js';
import { check } from '../helpers/oracle-log.js';
import { flush, gateOf, MINUTE, SECOND } from './support.js';

const limits = [
  slidingWindow({ name: 'all', limit: 20, window: '10s' }),
  tokenBucket({ name: 'user', by: 'user', capacity: 6, refill: '1/s' }),
];

/** A store that counts how often it is asked to take, and keeps what it gave last. */
function counting(store: Store) {
  const counted = {
    ...store,
    asked: 0,
    last: [] as Receipt,
    take(...asked: Parameters<Store['take']>) {
      counted.asked++;
      const result = store.take(...asked) as Taken | NotTaken;
      if ('receipt' in result) counted.last = result.receipt;
      return result;
    },
  };
  return counted;
}

function setUp() {
  const store = counting(memoryStore());
  return { store, ...gateOf(limits, { store: denyCache(store) }) };
}

const ann = { subject: { user: 'ann' }, permits: 3 };
const bob = { subject: { user: 'bob' }, permits: 3 };

test('who asks again for the same is refused without the store, for a tenth of a second', async () => {
  const { store, clock, admission, refusal } = setUp();
  await (await admission({ ...ann, permits: 6 })).settle();
  const first = await refusal(ann);
  const asked = store.asked;
  clock.advance(99);
  const again = await refusal(ann);
  expect(store.asked).toBe(asked);
  expect(again).toMatchObject({ layer: 'user', retryAfterMs: (first.retryAfterMs ?? 0) - 99 });
  clock.advance(1);
  await refusal(ann);
  expect(store.asked).toBe(asked + 1);
});

test('holds no longer than the refusal does, whatever limits on trial say', async () => {
  const onTrial = slidingWindow({ name: 'trial', by: 'user', limit: 1, window: '1h', mode: 'shadow' });
  const { clock, admission, refusal } = gateOf([...limits, onTrial], { store: denyCache(memoryStore()) });
  await admission({ ...ann, permits: 1 });
  await (await admission({ ...ann, permits: 5 })).settle();
  clock.advance(950);
  expect(await refusal({ ...ann, permits: 6 })).toMatchObject({ layer: 'user' });
  await (await admission({ ...ann, permits: 0 })).settle();
  const { retryAfterMs = 0 } = await refusal({ ...ann, permits: 1 });
  expect(retryAfterMs).toBeLessThan(100);
  clock.advance(retryAfterMs - 1);
  await refusal({ ...ann, permits: 1 });
  clock.advance(1);
  await admission({ ...ann, permits: 1 });
});

test('others, other costs and other limits are asked for', async () => {
  const { store, gate, admission, refusal } = setUp();
  await admission({ ...ann, permits: 6 });
  await refusal(ann);
  await admission(bob);
  await admission({ ...ann, permits: 0 });
  await refusal({ ...ann, permits: 2 });
  const asked = store.asked;
  gate.update({ limits: { user: { refill: '2/s' } } });
  expect(await refusal(ann)).toMatchObject({ retryAfterMs: 1500 });
  gate.update({ limits: { user: { capacity: 12 } } });
  await admission(ann);
  expect(store.asked).toBe(asked + 2);
});

test('who has another plan by then is asked for', async () => {
  const limit = { free: 1, pro: 2 };
  const planned = slidingWindow({ name: 'user', by: 'user', limit, window: '1m' });
  const { admission, refusal } = gateOf([planned], { store: denyCache(memoryStore()) });
  const as = (plan: string) => ({ subject: { user: 'ann', plan }, permits: 1 });
  await admission(as('free'));
  await refusal(as('free'));
  await admission(as('pro'));
});

test('what is given back here is there at once, and elsewhere within a tenth of a second', async () => {
  const { store, clock, admission, refusal } = setUp();
  const here = await admission({ ...ann, permits: 6 });
  await refusal(ann);
  await here.settle({ outcome: 'ignored' });
  await admission({ ...ann, permits: 6 });
  await refusal(ann);
  const elsewhere = store.last;
  await store.settle(
    elsewhere,
    elsewhere.map(() => 0),
    clock.now(),
  );
  clock.advance(99);
  await refusal(ann);
  clock.advance(1);
  await admission(ann);
});

test('a refusal that is told of after something was given back is not remembered', async () => {
  let answer: () => void = () => {};
  const memory = memoryStore();
  const slow: Store = {
    ...memory,
    async take(request, now) {
      const result = memory.take(request, now);
      if (request.alternatives[0].who[0] === 'ann') await new Promise<void>((resolve) => (answer = resolve));
      return result;
    },
  };
  const { gate, admission } = gateOf([slidingWindow({ name: 'all', by: 'plan', limit: 5, window: '1m' }), limits[1]], {
    store: denyCache(slow),
  });
  const open = await admission({ ...bob, permits: 5 });
  const late = gate.admit(ann);
  await open.settle({ outcome: 'ignored' });
  answer();
  expect(await late).toMatchObject({ admitted: false });
  const again = gate.admit(ann);
  await flush();
  answer();
  expect(await again).toMatchObject({ admitted: true });
});

test('routes that one user asks for in turn are each refused without the store', async () => {
  const { store, admission, refusal } = setUp();
  await admission({ ...ann, permits: 6 });
  for (const permits of [1, 2]) await refusal({ ...ann, permits });
  const asked = store.asked;
  for (const permits of [1, 2, 1, 2])
    expect(await refusal({ ...ann, permits })).toMatchObject({ violated: [{ cost: permits }] });
  expect(store.asked).toBe(asked);
});

test('tells how long it is until there is more room, by what has passed', async () => {
  const { clock, admission, refusal } = setUp();
  await admission({ ...ann, permits: 6 });
  const [before] = (await refusal(ann)).violated;
  clock.advance(40);
  const [after] = (await refusal(ann)).violated;
  expect(before.refillMs).toBeGreaterThan(40);
  expect(after.refillMs).toBe(before.refillMs - 40);
});

test('keeps 10,000 refusals, and with one more forgets them all', async () => {
  const { store, refusal } = setUp();
  const user = (i: number) => ({ subject: { user: `user ${i}` }, permits: 7 });
  for (let i = 0; i < 10_000; i++) await refusal(user(i));
  await refusal(user(0));
  await refusal(user(9_999));
  expect(store.asked).toBe(10_000);
  await refusal(user(10_000));
  await refusal(user(0));
  expect(store.asked).toBe(10_002);
});

test('a store that is an object of a class keeps its methods', async () => {
  const store = new ClassStore();
  const cached = denyCache(store);
  const { gate, admission } = gateOf(limits, { store: cached });
  await (await admission(ann)).settle();
  await gate.inspect({});
  await gate.close();
  expect(store.isClosed).toBe(true);
  expect(cached.shared).toBe(store.shared);
});

test('a clock that is set back does not keep a refusal alive', async () => {
  const { store, clock, admission, refusal } = setUp();
  await admission({ ...ann, permits: 6 });
  await refusal(ann);
  const asked = store.asked;
  clock.set(clock.now() - MINUTE);
  await refusal(ann);
  expect(store.asked).toBe(asked + 1);
});

test('nobody is refused who would be admitted without it', async () => {
  const step = fc.record({
    user: fc.constantFrom('ann', 'bob', 'cy'),
    cost: fc.constantFrom(0, 1, 3, 3, 6, 7),
    advance: fc.constantFrom(0, 0, 1, 40, 60, 99, 100, SECOND, 10 * SECOND),
    end: fc.option(fc.record({ which: fc.nat(20), actual: fc.constantFrom(0, 1, 3, 9) }), { nil: undefined }),
  });
  await check(
    fc.asyncProperty(fc.array(step, { maxLength: 120, size: 'max' }), async (steps) => {
      const [cached, plain] = [memoryStore(), memoryStore()].map((store, i) =>
        gateOf([...limits, slidingWindow({ name: 'out', by: 'user', unit: 'tokens', limit: 9, window: '5s' })], {
          store: i === 0 ? denyCache(store) : store,
        }),
      );
      const open: Awaited<ReturnType<typeof cached.admission>>[][] = [];
      for (const { user, cost, advance, end } of steps) {
        for (const { clock } of [cached, plain]) clock.advance(advance);
        const request = { subject: { user }, permits: cost, estimate: { inputTokens: cost } };
        const decisions = await Promise.all([cached, plain].map(({ gate }) => gate.admit(request)));
        expect(decisions[0].admitted).toBe(decisions[1].admitted);
        if (decisions[0].admitted) open.push(decisions.flatMap((one) => (one.admitted ? [one.admission] : [])));
        const ended = end && open.length > 0 ? open.splice(end.which % open.length, 1)[0] : [];
        const outcome = end?.actual === 0 ? 'ignored' : 'succeeded';
        for (const one of ended) await one.settle({ outcome, usage: { inputTokens: end?.actual } });
      }
    }),
    40,
  );
});
