/** G8 of budgets that shards share: while nobody can be asked, what is leased is spent, and no more; G4 holds throughout. */
import {
  type Admission,
  budget,
  createTollgate,
  memoryStore,
  type NotTaken,
  type Store,
  slidingWindow,
  type Taken,
} from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import fc from 'fast-check';
import { passing } from '../../packages/core/src/store/redis/client.js';
import { shardedStore } from '../../packages/core/src/store/redis/shards.js';
import { flush, START } from '../core/support.js';
import { check } from '../helpers/oracle-log.js';
import { storeById } from '../helpers/store-by-id.js';

/** In microdollars, which is what a unit of cost is here. */
const LIMIT = 100_000;
const usd = (amount: number) => `$${amount / 1_000_000}` as const;

/** Shards that answer all processes, or none. */
function shards() {
  const memories = Array.from({ length: 64 }, storeById);
  const state = { isUp: true };
  const up = () => {
    if (!state.isUp) throw new Error('it is down');
  };
  const shard = (number: number): Store => ({
    ...memories[number],
    close() {},
    async take(request, now) {
      up();
      const result = (await memories[number].take(request, now)) as Taken | NotTaken;
      if ('receipt' in result)
        for (const entry of result.receipt) Object.assign(entry, { origin: { epoch: 1 }, bookedAt: now });
      return result;
    },
    async settle(...settling) {
      up();
      await memories[number].settle(...settling);
    },
    async peek(...asking) {
      up();
      return memories[number].peek(...asking);
    },
  });
  const open = (clock: ManualClock) => {
    const later = () => passing(1_000);
    const sharding = { shardBy: 'tenant', shared: ['company'], isTimeGiven: true, later } as const;
    const store = shardedStore(shard, memoryStore(), sharding);
    const gate = createTollgate({
      store,
      clock,
      limits: [slidingWindow({ name: 'own', by: 'tenant', limit: 1_000_000, window: '1m' })],
      budgets: [budget({ name: 'company', limit: usd(LIMIT), per: 'day', alertAt: [] })],
    });
    gate.on('store.failed', () => {});
    return gate;
  };
  return { state, open };
}

const step = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant('admit' as const),
      process: fc.nat(2),
      cost: fc.integer({ min: 1, max: 400 }),
      times: fc.integer({ min: 1, max: 30 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('settle' as const),
      open: fc.nat(99),
      share: fc.integer({ min: 0, max: 4 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('break' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mend' as const) }) },
);

test('G4 G8 what is leased is spent while nobody can be asked, never more, and all of it is booked', async () => {
  let spentAlone = 0;
  const play = async (steps: (typeof step extends fc.Arbitrary<infer T> ? T : never)[]) => {
    const clock = manualClock(START);
    const { state, open } = shards();
    const gates = [open(clock), open(clock), open(clock)];
    const lots: { admission: Admission; process: number; cost: number; isOpen: boolean }[] = [];
    const booked = () => lots.reduce((sum, { cost }) => sum + cost, 0);
    const alone = [0, 0, 0];

    async function mend(): Promise<void> {
      state.isUp = true;
      alone.fill(0);
      clock.advance(1_000);
      await flush();
    }

    for (const next of steps) {
      if (next.kind === 'break') state.isUp = false;
      else if (next.kind === 'mend') await mend();
      else if (next.kind === 'admit') {
        const { process, cost } = next;
        const tenant = `${process}`;
        for (let i = 0; i < next.times; i++) {
          const decision = await gates[process].admit({ subject: { tenant }, permits: 0, usd: usd(cost) });
          if (!decision.admitted) continue;
          lots.push({ admission: decision.admission, process, cost, isOpen: true });
          expect(booked()).toBeLessThanOrEqual(LIMIT);
          if (state.isUp) continue;
          alone[process] += cost;
          spentAlone += cost;
          expect(alone[process]).toBeLessThanOrEqual(LIMIT / 16);
        }
      } else {
        const lot = lots.filter(({ isOpen }) => isOpen)[next.open];
        if (lot === undefined) continue;
        const actual = Math.floor((lot.cost * next.share) / 4);
        if (!state.isUp) alone[lot.process] -= lot.cost - actual;
        lot.isOpen = false;
        lot.cost = actual;
        await lot.admission.settle({ usd: usd(actual) });
      }
    }

    await mend();
    await mend();
    await Promise.all(gates.map((gate) => gate.close()));
    const { budgets } = await open(clock).inspect({});
    expect(budgets[0].used).toBe(booked() * 1_000);
  };
  await check(fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40, size: 'max' }), play), 12);
  expect(spentAlone).toBeGreaterThan(0);
}, 60_000);

test('G8 a budget is closed once what is leased is spent, and as before where nothing is', async () => {
  const clock = manualClock(START);
  const { state, open } = shards();
  const [gate, other] = [open(clock), open(clock)];
  const ask = async (by: typeof gate) => by.admit({ subject: { tenant: 'a' }, permits: 1, usd: usd(10) });
  for (let i = 0; i < 200; i++) await ask(gate);
  state.isUp = false;
  let admitted = 0;
  for (;;) {
    const decision = await ask(gate);
    if (decision.admitted) admitted++;
    else {
      expect(decision.refusal).toMatchObject({ status: 503, reason: 'store-down' });
      break;
    }
  }
  expect(admitted).toBeGreaterThan(10);
  expect(10 * admitted).toBeLessThanOrEqual(LIMIT / 16);
  expect(await ask(other)).toMatchObject({ admitted: false, refusal: { reason: 'store-down' } });
  state.isUp = true;
  clock.advance(1_000);
  expect((await ask(other)).admitted).toBe(true);
  await Promise.all([gate.close(), other.close()]);
});

test('G8 what is leased is kept for a minute after somebody has last asked in vain', async () => {
  jest.useFakeTimers();
  try {
    const clock = manualClock(START);
    const { state, open } = shards();
    const gate = open(clock);
    const ask = async () => (await gate.admit({ subject: { tenant: 'a' }, permits: 0, usd: usd(10) })).admitted;
    for (let i = 0; i < 200; i++) await ask();
    state.isUp = false;
    for (const [ms, isAdmitted] of [
      [0, true],
      [59_000, true],
      [59_000, true],
      [62_000, false],
    ] as const) {
      await jest.advanceTimersByTimeAsync(ms);
      expect(await ask()).toBe(isAdmitted);
    }
    state.isUp = true;
    await gate.close();
  } finally {
    jest.useRealTimers();
  }
});
