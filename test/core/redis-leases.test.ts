/** Leases of windows over a store whose clock is another, and that answers late: what is admitted keeps to the limit. */
import type { Charge, Store, Taken, TakeRequest } from '@tollgate/core';
import fc from 'fast-check';
import { passing } from '../../packages/core/src/store/redis/client.js';
import {
  add,
  ahead,
  createLease,
  type Lease,
  learnRoom,
  letGo,
  putBack,
  spend,
} from '../../packages/core/src/store/redis/lease.js';
import { createLeases } from '../../packages/core/src/store/redis/leases.js';
import type { RedisEntry } from '../../packages/core/src/store/redis/operation.js';
import { charge, makeMeters, START } from '../conformance/store/charges.js';
import { check, sumBetween } from '../helpers/oracle-log.js';

const WINDOW = { kind: 'window', ms: 1_000, parts: 10, partMs: 100 } as const;

interface Lot {
  readonly time: number;
  amount: number;
}

/** What one process does next, and how long each way of a call takes. */
const step = fc.record({
  process: fc.nat(2),
  ms: fc.oneof({ weight: 20, arbitrary: fc.nat(4) }, fc.nat(60), fc.nat(700)),
  there: fc.oneof({ weight: 9, arbitrary: fc.nat(3) }, fc.nat(60)),
  back: fc.oneof({ weight: 9, arbitrary: fc.nat(5) }, fc.nat(90)),
  cost: fc.integer({ min: 1, max: 9 }),
  act: fc.constantFrom('admit', 'admit', 'admit', 'admit', 'refund', 'let go', 'crash'),
});

function entryOf(place: number, cost: number, bookedAt: number): RedisEntry {
  const charge = { rule: WINDOW } as Charge;
  return { charge, who: [], cost, place, used: undefined, origin: { epoch: 1 }, bookedAt, settling: undefined };
}

describe('a lease', () => {
  it('admits in no interval more than the limit, whatever clocks and delays are', async () => {
    let drawnAtAll = 0;
    await check(
      fc.property(
        fc.array(step, { minLength: 1, maxLength: 300, size: 'max' }),
        fc.integer({ min: 20, max: 900 }),
        fc.integer({ min: -5_000, max: 5_000 }),
        (steps, limit, offset) => {
          /** By the store: what it was charged, by sub-bucket of its own clock. */
          const charged = new Map<number, number>();
          /** By the world's clock: what was admitted, and when. */
          const admitted: (Lot & { entry: RedisEntry; process: number })[] = [];
          const leases: Lease[] = [createLease(), createLease(), createLease()];
          /** What each process's own clock shows at time 0. */
          const clocks = [12, 70_000, 431];
          let time = 10_000;

          const counted = (place: number) =>
            [...charged].reduce((sum, [at, cost]) => (at >= place - WINDOW.parts ? sum + cost : sum), 0);
          const giveBack = (entry: RedisEntry | undefined, amount = entry?.cost ?? 0) => {
            if (entry) charged.set(entry.place, (charged.get(entry.place) ?? 0) - amount);
          };
          const admit = (process: number, entry: RedisEntry, amount: number) =>
            admitted.push({ time, amount, entry: { ...entry, cost: amount }, process });

          for (const { process, ms, there, back, cost, act } of steps) {
            time += ms;
            const lease = leases[process];
            const own = () => time + clocks[process];
            if (act === 'crash') leases[process] = createLease();
            else if (act === 'let go') giveBack(letGo(lease));
            else if (act === 'refund') {
              const lot = admitted.findLast((lot) => lot.process === process && lot.amount > 0);
              if (lot === undefined) continue;
              if (!putBack(lease, lot.entry, lot.amount, own())) giveBack(lot.entry);
              lot.amount = 0;
              lot.entry.cost = 0;
            } else if (spend(lease, cost, own())) {
              drawnAtAll++;
              const block = lease.block as RedisEntry;
              expect(block.place).toBe(Math.floor((time + offset) / WINDOW.partMs));
              admit(process, block, cost);
            } else {
              const sentAt = own();
              time += there;
              const now = time + offset;
              const place = Math.floor(now / WINDOW.partMs);
              const block = [cost + ahead(lease), cost].find((cost) => counted(place) + cost <= limit);
              if (block !== undefined) charged.set(place, (charged.get(place) ?? 0) + block);
              const room = limit - counted(place);
              // It is admitted as it is charged, though that is known later.
              if (block !== undefined) admit(process, entryOf(place, cost, now), cost);
              time += back;
              learnRoom(lease, room);
              if (block !== undefined) giveBack(add(lease, entryOf(place, block, now), cost, sentAt));
            }
            expect(sumBetween(admitted, time - WINDOW.ms + 1, time)).toBeLessThanOrEqual(limit);
          }
        },
      ),
      120,
    );
    expect(drawnAtAll).toBeGreaterThan(1_000);
  });

  it('of a window is used in its sub-bucket alone, by the latest that the time there can be', () => {
    const lease = createLease();
    // Asked for at 500, and charged when it was 250 there: sub-bucket 2 ends 50 later.
    add(lease, entryOf(2, 10, 250), 4, 500);
    expect([spend(lease, 1, 549), spend(lease, 1, 550)]).toEqual([true, false]);
  });

  it('gives back what is left of a sub-bucket as another is charged, and what comes late of an older one', () => {
    const lease = createLease();
    expect(add(lease, entryOf(2, 10, 250), 4, 500)).toBeUndefined();
    expect(add(lease, entryOf(3, 8, 310), 3, 560)).toMatchObject({ place: 2, cost: 6 });
    expect(add(lease, entryOf(2, 7, 299), 2, 549)).toMatchObject({ place: 2, cost: 5 });
    expect(letGo(lease)).toMatchObject({ place: 3, cost: 5 });
    expect(letGo(lease)).toBeUndefined();
  });

  it('grows with what is used, to a sixteenth of the room, and takes nothing ahead where that is less than a unit', () => {
    const lease = createLease();
    const aheads: number[] = [];
    for (let i = 0; i < 6; i++) {
      learnRoom(lease, 1_600);
      aheads.push(ahead(lease));
      add(lease, entryOf(2, 3 + ahead(lease), 210), 3, 0);
      while (spend(lease, 1, 0));
    }
    expect(aheads).toEqual([0, 6, 18, 42, 90, 100]);
    learnRoom(lease, 15);
    expect(ahead(lease)).toBe(0);
  });
});

describe('leases', () => {
  afterEach(() => jest.restoreAllMocks());

  it('are used for all that a request is charged or for nothing, though one ends in that moment', async () => {
    let time = 0;
    jest.spyOn(performance, 'now').mockImplementation(() => time++ / 100);
    const meters = ['a', 'b'].map((id) => ({ ...makeMeters().window, id }));
    const charges = meters.map((meter) => charge(meter, WINDOW, ['ann'], 1, 10_000).charge);
    const store = {
      take({ alternatives: [{ who, bills }] }: TakeRequest): Taken {
        const [charge] = bills[0].charges;
        const entry: RedisEntry = { ...entryOf(0, charge.cost, 0), charge, who };
        const usage = { charge, key: [], used: charge.cost, waitMs: 0, refillMs: 0 };
        return { taken: 0, receipt: [entry], shadowRefused: [], usages: [usage] };
      },
      settle() {},
    } as unknown as Store;
    const leases = createLeases(
      () => store,
      false,
      () => passing(1_000),
    );
    const who = [undefined, 'ann'];
    for (let i = 0; i < 3; i++) for (const charge of charges) await leases.acquire(charge, who, START);
    const taken: number[] = [];
    for (let i = 0; i < 30_000; i++) {
      const entries = leases.takeLeased(charges, who, START);
      taken.push(entries === undefined ? 0 : entries.filter(Boolean).length);
      for (const entry of entries ?? []) if (entry) leases.absorb(entry, 0, START);
    }
    expect(new Set(taken)).toEqual(new Set([2, 0]));
    await leases.close();
  });
});
