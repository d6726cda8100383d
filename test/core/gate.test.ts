import { createTollgate, memoryStore, slidingWindow } from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { gateOf } from './support.js';

test('a gate shows the store and the clock that it was given, for a further gate to go by', async () => {
  const [store, clock] = [memoryStore(), manualClock()];
  const gate = createTollgate({ name: 'api', store, clock, limits: [] });
  expect(gate.store).toBe(store);
  expect(gate.clock).toBe(clock);

  const limits = [slidingWindow({ name: 'calls', limit: 1, window: '1m' })];
  const further = createTollgate({ name: 'further', store: gate.store, clock: gate.clock, limits });
  await gate.close();
  expect((await further.admit({ permits: 1 })).admitted).toBe(true);
  expect((await further.admit({ permits: 1 })).admitted).toBe(false);
});

test('an admission tells on whose behalf it was asked for, also after it was changed', async () => {
  const { gate, admission } = gateOf([]);
  const asked = await admission({ permits: 1, subject: { user: 'u1' }, feature: 'chat', priority: 'batch' });
  expect(asked.request).toMatchObject({ subject: { user: 'u1' }, feature: 'chat', priority: 'batch' });
  await gate.admit({ permits: 1, subject: { user: 'u1' }, feature: 'search' }, { extending: asked });
  expect(asked.request.feature).toBe('search');
});
