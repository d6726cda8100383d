/** Adaptive slots by key: each as if it were alone, whatever is lost, and no more of them than there is room for. */
import fc from 'fast-check';
import { type Begun, type Concurrency, createConcurrency } from '../../packages/core/src/line/concurrency.js';
import { createSlotsByKey, MAX_KEYS, type Running } from '../../packages/core/src/line/slots-by-key.js';
import { check } from '../helpers/oracle-log.js';

const OPTIONS = { min: 1, max: 64, initial: 4 };
const LEASE = 1000;
const BORNE = { outcome: 'succeeded' } as const;
const REFUSED = { outcome: 'overloaded', retryAfterMs: 60_000 } as const;

const slotsByKey = () => createSlotsByKey(OPTIONS, LEASE);
const INITIAL = slotsByKey().state(['nobody']);

/** Lets a key know more than a new one does. */
function teach(slots: ReturnType<typeof slotsByKey>, key: readonly string[], now: number): void {
  slots.ended(slots.began(key, now), REFUSED, now);
}

it('begins with what it is given, for a key that it never met', () => {
  const slots = slotsByKey();
  expect([slots.max, slots.limit(['a'], 5), slots.limit([undefined], 5)]).toEqual([64, 4, 4]);
  expect(slots.state(['a'])).toEqual({ limit: 4, inFlight: 0, shutUntil: Number.NEGATIVE_INFINITY });
});

it('lets a key rest after an overload, and no other', () => {
  const slots = slotsByKey();
  const running = slots.began(['a', 'x'], 1000);
  slots.ended(running, REFUSED, 1100);
  expect(slots.limit(['a', 'x'], 1200)).toBe(0);
  expect(slots.limit(['a', undefined], 1200)).toBe(4);
  expect(slots.limit(['a', 'x'], 1100 + 60_000)).toBeGreaterThan(0);
});

it('ends what runs once', () => {
  const slots = slotsByKey();
  const [first] = [slots.began(['a'], 0), slots.began(['a'], 0)];
  slots.ended(first, BORNE, 10);
  slots.ended(first, REFUSED, 20);
  expect(slots.state(['a'])).toMatchObject({ inFlight: 1, shutUntil: Number.NEGATIVE_INFINITY });
});

describe('what is never ended', () => {
  it('runs no longer than its lease can last, and says nothing of the load when it is ended then', () => {
    const slots = slotsByKey();
    const [lost, late] = [slots.began(['a'], 0), slots.began(['a'], 500)];
    slots.began(['a'], 2 * LEASE - 1);
    expect(slots.state(['a']).inFlight).toBe(3);
    slots.began(['a'], 2 * LEASE);
    expect(slots.state(['a']).inFlight).toBe(3);
    slots.ended(lost, REFUSED, 2 * LEASE);
    expect(slots.limit(['a'], 2 * LEASE)).toBe(4);
    slots.ended(late, BORNE, 2 * LEASE);
    expect(slots.state(['a']).inFlight).toBe(2);
  });

  it('keeps no room from others where its key is not asked for any more', () => {
    const slots = slotsByKey();
    slots.began(['steady'], 0);
    for (let i = 0; i < MAX_KEYS; i++) slots.began([`lost ${i}`], 0);
    slots.began(['steady'], LEASE);
    const now = 2 * LEASE;
    for (let i = 0; i < MAX_KEYS; i++) slots.began([`new ${i}`], now);
    expect(slots.state(['lost 0'])).toEqual(INITIAL);
    expect(slots.state([`lost ${MAX_KEYS - 1}`])).toEqual(INITIAL);
    expect(slots.state(['steady']).inFlight).toBe(2);
  });
});

describe('of more keys than there is room for', () => {
  it('forgets those for which nothing has run for longest', () => {
    const slots = slotsByKey();
    for (const [i, key] of ['a', 'b', 'c'].entries()) teach(slots, [key], i);
    teach(slots, ['a'], 10);
    for (let i = 0; i < MAX_KEYS - 2; i++) teach(slots, [`other ${i}`], 100);
    expect(slots.state(['b'])).toEqual(INITIAL);
    for (const key of ['a', 'c', 'other 0']) expect(slots.state([key])).not.toEqual(INITIAL);
    teach(slots, ['one more'], 100);
    expect(slots.state(['c'])).toEqual(INITIAL);
    expect(slots.state(['a'])).not.toEqual(INITIAL);
  });

  it('lets what was ended before its key was forgotten change nothing for who came since', () => {
    const slots = slotsByKey();
    const before = slots.began(['a'], 0);
    slots.ended(before, REFUSED, 0);
    for (let i = 0; i < MAX_KEYS; i++) teach(slots, [`other ${i}`], 1);
    slots.began(['a'], 2);
    slots.ended(before, REFUSED, 3);
    expect(slots.state(['a'])).toEqual({ ...INITIAL, inFlight: 1 });
  });

  it('forgets none that runs', () => {
    const slots = slotsByKey();
    const first = slots.began(['a'], 0);
    const running = Array.from({ length: MAX_KEYS + 50 }, (_, i) => slots.began([`other ${i}`], 0));
    for (let i = 0; i < MAX_KEYS; i++) teach(slots, [`brief ${i}`], 1);
    expect(slots.state(['a']).inFlight).toBe(1);
    for (let i = 0; i < running.length; i++) expect(slots.state([`other ${i}`]).inFlight).toBe(1);
    slots.ended(first, BORNE, 10);
    expect(slots.state(['a'])).toEqual(INITIAL);
    for (const one of running) slots.ended(one, REFUSED, 10);
    const known = running.filter((_, i) => slots.limit([`other ${i}`], 10) === 0);
    expect(known).toHaveLength(MAX_KEYS);
  });
});

it('is to each key what slots of its own would be', async () => {
  const step = fc.record({
    key: fc.constantFrom('a', 'b', 'c'),
    begins: fc.boolean(),
    nth: fc.nat(20),
    ending: fc.constantFrom(
      { ...BORNE, outputTokens: 50 },
      BORNE,
      { outcome: 'failed' } as const,
      { outcome: 'overloaded' } as const,
      { ...REFUSED, retryAfterMs: 500 },
    ),
    ms: fc.nat(400),
  });
  const property = fc.property(fc.array(step, { maxLength: 80, size: 'max' }), (steps) => {
    const slots = slotsByKey();
    const alone = new Map<string, Concurrency>();
    let open: { key: string; at: number; running: Running; begun: Begun }[] = [];
    let now = 0;
    for (const { key, begins, nth, ending, ms } of steps) {
      now += ms;
      const own = alone.get(key) ?? createConcurrency(OPTIONS);
      alone.set(key, own);
      const one = open[nth % Math.max(1, open.length)];
      if (begins) {
        const lost = open.filter((one) => one.key === key && now - one.at >= 2 * LEASE);
        for (const { begun } of lost) own.ended(begun, { outcome: 'failed' }, now);
        open = open.filter((one) => !lost.includes(one));
        open.push({ key, at: now, running: slots.began([key], now), begun: own.began(now) });
      } else if (one !== undefined) {
        slots.ended(one.running, ending, now);
        alone.get(one.key)?.ended(one.begun, ending, now);
        open = open.filter((other) => other !== one);
      }
      for (const [key, own] of alone) {
        expect(slots.limit([key], now)).toBe(own.limit(now));
        expect(slots.state([key])).toEqual(own.state());
      }
    }
  });
  await check(property, 60);
});
