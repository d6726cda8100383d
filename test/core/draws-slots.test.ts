/** Draws of admissions that have a slot: when it is free again, and what it learns from their calls. */
import { type Admission, concurrency, type Draw } from '@tollgate/core';
import { gateOf, MINUTE } from './support.js';

async function drawn(admission: Admission): Promise<Draw> {
  const one = await admission.draw({});
  if (!one.admitted) throw new Error('refused');
  return one.draw;
}

test('a call that outlasts the slot of its admission hears of that, though the admission has ended; and frees no other', async () => {
  const runs = concurrency({ name: 'runs', limit: 1, lease: '1m' });
  const { admission, refusal, clock, used } = gateOf([runs]);
  const first = await admission({ permits: 1 });
  const { signal } = first;
  const draw = await drawn(first);
  await first.conclude();
  clock.advance(MINUTE - 1);
  expect(signal.aborted).toBe(false);
  await refusal({ permits: 1 });
  clock.advance(MINUTE + 1);
  expect(signal.aborted).toBe(true);
  await admission({ permits: 1 });
  draw.settle();
  expect(await used()).toEqual({ runs: 1 });
});

test.each(['before', 'after'] as const)(
  'an overload that a draw tells of %s the end leaves fewer slots',
  async (when) => {
    const slots = concurrency({ name: 'slots', limit: { min: 1, max: 8, initial: 4 } });
    const { admission, gate } = gateOf([slots]);
    const limit = async () => (await gate.inspect({})).limits[0].limit;
    const one = await admission({ permits: 1 });
    const draw = await drawn(one);
    expect(await limit()).toBe(4);
    if (when === 'after') await one.conclude();
    draw.settle({ outcome: 'failed', overloaded: true });
    if (when === 'before') await one.conclude();
    expect(await limit()).toBeLessThan(4);
  },
);
