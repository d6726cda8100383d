/** Admissions that are handed over while the store fails, or clocks go wrong: none is dropped, and none is settled twice. */
import { budget, createTollgate, memoryStore, type Store, type TollgateEvents } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { flush, SECOND, START } from './support.js';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** A store of which a part fails while it is named. */
function failing() {
  const memory = memoryStore();
  const { records } = memory;
  if (records === undefined) throw new Error('keeps none');
  const down = new Set<'put' | 'settle'>();
  const check = (part: 'put' | 'settle') => {
    if (down.has(part)) throw new Error(`${part} fails`);
  };
  const store: Store = {
    ...memory,
    settle(...how) {
      check('settle');
      return memory.settle(...how);
    },
    records: {
      ...records,
      put(...how) {
        check('put');
        return records.put(...how);
      },
    },
  };
  return { store, down };
}

function bench() {
  const clock = manualClock(START);
  const { store, down } = failing();
  const settled: TollgateEvents['settled'][] = [];
  const gate = createTollgate({ store, clock, budgets: [budget({ name: 'spend', limit: '$9', per: 'week' })] });
  gate.on('settled', (event) => settled.push(event));
  gate.on('store.failed', () => {});
  async function admit() {
    const decision = await gate.admit({ permits: 0, usd: '$1' });
    if (!decision.admitted) throw new Error(decision.refusal.detail);
    return decision.admission;
  }
  const spent = async () => (await gate.inspect({})).budgets[0].used / 1e9;
  return { clock, down, settled, gate, admit, spent };
}

test('what could not be handed over is settled where it was made, however late', async () => {
  const { clock, down, admit, spent } = bench();
  const admission = await admit();
  down.add('put');
  await expect(admission.handOver({ within: '1m' })).rejects.toThrow('put fails');
  down.clear();
  clock.advance(2 * HOUR);
  await admission.settle({ usd: '$5' });
  expect(await spent()).toBe(5);
});

test('what could not be handed over can be once more', async () => {
  const { down, admit, gate, spent } = bench();
  const admission = await admit();
  down.add('put');
  await expect(admission.handOver()).rejects.toThrow('put fails');
  down.clear();
  await (await gate.resume(await admission.handOver())).settle({ usd: '$2' });
  await admission.settle({ usd: '$5' });
  expect(await spent()).toBe(2);
});

test('is told of once, by whoever has settled it, also where both had to wait for the store', async () => {
  const { clock, down, settled, gate, admit, spent } = bench();
  const [first, admission] = [await admit(), await admit()];
  const resumed = await gate.resume(await admission.handOver());
  const other = await gate.resume(await first.handOver());
  down.add('settle');
  for (const one of [first, other, resumed, admission]) await one.settle({ usd: '$3' });
  expect(settled).toEqual([]);
  down.clear();
  clock.advance(SECOND);
  await flush();
  clock.advance(SECOND);
  await flush();
  expect(settled.map(({ id }) => id).sort()).toEqual([first.id, admission.id].sort());
  expect(await spent()).toBe(6);
});

test('is settled once where the clock is set back after its time', async () => {
  const { clock, gate, admit, spent } = bench();
  const admission = await admit();
  await (await gate.resume(await admission.handOver({ within: '1h' }))).settle({ usd: '$2' });
  clock.advance(DAY);
  for (let i = 0; i < 3; i++) await (await admit()).handOver();
  clock.set(START + HOUR / 2);
  await admission.settle({ usd: '$4' });
  expect(await spent()).toBe(2 + 3);
});
