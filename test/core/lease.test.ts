/** Leases of slots: what runs on after them is told to stop. */
import { concurrency, memoryStore, type Store, slidingWindow, TollgateError } from '@tollgate/core';
import { gateOf, MINUTE } from './support.js';

const slots = concurrency({ name: 'running', by: 'model', limit: 2, lease: '1m' });
const request = { permits: 1, model: 'm' };

test('the signal aborts when the lease of the slot is over, and others may have it', async () => {
  const { clock, admission, refusal } = gateOf([slots]);
  const [first, second] = [await admission(request), await admission(request)];
  const { signal } = first;
  clock.advance(2 * MINUTE - 1);
  expect(signal.aborted).toBe(false);
  await refusal(request);
  clock.advance(1);
  expect(signal.reason).toBeInstanceOf(TollgateError);
  expect(signal.reason).toMatchObject({ code: 'TOLLGATE_LEASE_OVER', message: expect.stringContaining(first.id) });
  await admission(request);
  // Whoever asks for the signal only then is told at once.
  expect(second.signal.aborted).toBe(true);
});

test('what is settled, or holds no slot, is left alone', async () => {
  const { clock, admission } = gateOf([slots, slidingWindow({ name: 'w', limit: 100, window: '1m' })]);
  const timers = { set: 0, cancelled: 0 };
  jest.spyOn(clock, 'after').mockImplementation(() => {
    timers.set++;
    return () => void timers.cancelled++;
  });
  const settled = await admission(request);
  const { signal } = settled;
  expect(timers).toEqual({ set: 1, cancelled: 0 });
  await settled.settle();
  expect(timers).toEqual({ set: 1, cancelled: 1 });
  clock.advance(5 * MINUTE);
  expect(signal.aborted).toBe(false);
  const { clock: other, admission: admitted } = gateOf([slidingWindow({ name: 'w', limit: 100, window: '1m' })]);
  const without = await admitted(request);
  expect(without.signal.aborted).toBe(false);
  other.advance(60 * MINUTE);
  expect(without.signal.aborted).toBe(false);
});

test("where the clock is ahead of the store's, no lease is over before it has lasted", async () => {
  const inner = memoryStore();
  const behind = (now: number) => now - 30 * MINUTE;
  const store: Store = {
    ...inner,
    take: (request, now) => inner.take(request, behind(now)),
    settle: (receipt, actual, now) => inner.settle(receipt, actual, behind(now)),
  };
  const { clock, admission, gate } = gateOf([slots], { store, queue: { concurrency: 1, lease: '1m', maxWait: '1h' } });
  const first = await admission(request);
  const { signal } = first;
  const waiting = gate.admit(request);
  clock.advance(MINUTE - 1);
  expect(signal.aborted).toBe(false);
  await first.settle();
  const second = await waiting;
  if (!second.admitted) throw new Error('refused');
  clock.advance(MINUTE - 1);
  expect(second.admission.signal.aborted).toBe(false);
  clock.advance(1);
  expect(second.admission.signal.reason).toMatchObject({ code: 'TOLLGATE_LEASE_OVER' });
});

test('slots on trial tell nobody to stop', async () => {
  const { clock, admission } = gateOf([{ ...slots, mode: 'shadow' }]);
  const { signal } = await admission(request);
  clock.advance(60 * MINUTE);
  expect(signal.aborted).toBe(false);
});

test('an admission that is amended goes by the lease of the slot that it has then', async () => {
  const { clock, gate, admission } = gateOf([slots]);
  const open = await admission(request);
  const { signal } = open;
  clock.advance(MINUTE);
  await gate.admit({ ...request, model: 'other' }, { extending: open });
  clock.advance(2 * MINUTE - 1);
  expect(signal.aborted).toBe(false);
  clock.advance(1);
  expect(signal.aborted).toBe(true);
});
