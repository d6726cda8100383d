/** Settlings that the store has failed: caught up in their order, faster than others come, and held up by none of them. */
import { manualClock } from '@tollgate/core/testing';
import { createUnsettled, type Settling } from '../../packages/core/src/ledger/unsettled.js';
import type { Entry } from '../../packages/core/src/store/store.js';
import { charge, makeMeters, START, WINDOW } from '../conformance/store/charges.js';
import { flush, SECOND } from './support.js';

const { window } = makeMeters();

function entryOf(user: string): Entry {
  return { charge: charge(window, WINDOW, [user], 1).charge, who: [user], cost: 1, place: 0, used: undefined };
}

function settling(entries: readonly Entry[], actual: number): Settling {
  return { receipt: entries, actual: entries.map(() => actual), goesOn: false };
}

/** Of a store that answers what it was asked when it is told to: by failing what `fails`. */
function kept({ isDown = true } = {}) {
  const clock = manualClock(START);
  const asked: { settling: Settling; resolve(): void; reject(error: Error): void }[] = [];
  const gaveUp = jest.fn();
  const unsettled = createUnsettled(
    clock,
    (settling) => new Promise((resolve, reject) => asked.push({ settling, resolve, reject })),
    () => isDown,
    gaveUp,
  );
  const answer = async (fails: (settling: Settling) => boolean = () => false) => {
    const round = asked.splice(0);
    for (const { settling, resolve, reject } of round) {
      if (fails(settling)) reject(new Error('down'));
      else resolve();
    }
    await flush();
    return round.map(({ settling }) => settling.actual[0]);
  };
  const nextSecond = async () => {
    clock.advance(SECOND);
    await flush();
  };
  return { unsettled, gaveUp, answer, nextSecond };
}

test('a store that is down is asked by one of them a second, each in turn', async () => {
  const { unsettled, answer, nextSecond } = kept();
  for (let i = 0; i < 2; i++) unsettled.add(settling([entryOf(`${i}`)], i));
  for (const next of [0, 1, 0]) {
    expect(await answer()).toEqual([]);
    await nextSecond();
    expect(await answer(() => true)).toEqual([next]);
  }
});

test.each([true, false])(
  'one that always fails holds up no other, where the store is down (%p) or is not',
  async (isDown) => {
    const { unsettled, gaveUp, answer, nextSecond } = kept({ isDown });
    const [bad, good] = [entryOf('bad'), entryOf('good')];
    const isBad = ({ receipt }: Settling) => receipt.includes(bad);
    unsettled.add(settling([bad], 0));
    unsettled.add(settling([good], 1));
    unsettled.add(settling([bad, good], 2));
    const settled: number[] = [];
    for (let second = 0; second < 3; second++) {
      await nextSecond();
      for (let turn = 0; turn < 3; turn++) settled.push(...(await answer(isBad)));
    }
    expect(settled.filter((actual) => actual > 0)).toEqual([1]);
    expect([unsettled.holds([entryOf('bad')]), unsettled.holds([good])]).toEqual([false, true]);
    await nextSecond();
    expect(await answer()).toEqual([0]);
    expect(await answer()).toEqual([2]);
    expect(unsettled.holds([bad, good])).toBe(false);
    expect(gaveUp).not.toHaveBeenCalled();
  },
);

test('once it answers they are caught up, though more come meanwhile than it answers one by one', async () => {
  const { unsettled, gaveUp, answer, nextSecond } = kept();
  let count = 0;
  const come = (more: number) => {
    for (let i = 0; i < more; i++) unsettled.add(settling([entryOf(`${count}`)], count++));
  };
  come(9_000);
  await nextSecond();
  const settled: number[] = [];
  for (let turn = 0; turn < 100; turn++) {
    come(2);
    settled.push(...(await answer()));
  }
  settled.push(...(await answer()));
  expect(await answer()).toEqual([]);
  expect(gaveUp).not.toHaveBeenCalled();
  expect(settled).toEqual(Array.from({ length: count }, (_, i) => i));
});

test('those of one admission are settled in turn, whichever fails', async () => {
  const { unsettled, answer, nextSecond } = kept();
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map(entryOf);
  for (const [entries, actual] of [
    [[a], 1],
    [[b, c], 2],
    [[d], 3],
    [[c], 4],
    [[a], 5],
  ] as const)
    unsettled.add(settling(entries, actual));
  await nextSecond();
  expect(await answer()).toEqual([1]);
  expect(await answer(({ actual }) => actual[0] === 2)).toEqual([2, 3]);
  expect(await answer()).toEqual([5]);
  expect(await answer()).toEqual([]);
  await nextSecond();
  expect(await answer()).toEqual([2]);
  expect(await answer()).toEqual([4]);
  expect(unsettled.holds([a, b, c, d])).toBe(false);
});

test('that there are too many is told once for each time, and the oldest are given up', async () => {
  const { unsettled, gaveUp, answer, nextSecond } = kept();
  for (const times of [1, 2]) {
    for (let i = 0; i < 10_050; i++) unsettled.add(settling([entryOf(`${i}`)], i));
    expect(gaveUp).toHaveBeenCalledTimes(times);
    await nextSecond();
    const settled: number[] = [];
    for (let more = await answer(); more.length > 0; more = await answer()) settled.push(...more);
    expect(settled).toEqual(Array.from({ length: 10_000 }, (_, i) => i + 50));
  }
});
