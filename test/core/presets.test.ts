/** Each preset turns on what its stage needs, and nothing more; and each makes a gate that does that. */
import {
  type AdmitRequest,
  createTollgate,
  type Decision,
  memoryStore,
  presets,
  type Store,
  type TollgateConfig,
} from '@tollgate/core';
import { manualClock } from '@tollgate/core/testing';
import { quiet } from '../helpers/http-server.js';
import { recordWarnings } from '../helpers/http-warnings.js';
import { keyStore } from '../helpers/key-store.js';

recordWarnings();

const STAGES = ['prototype', 'earlyProduction', 'growth', 'scale'] as const;
type Stage = (typeof STAGES)[number];

const presetOf = (stage: Stage): TollgateConfig =>
  stage === 'scale' ? presets.scale({ store: keyStore().join() }) : presets[stage]();

const gateOf = (stage: Stage) => {
  const clock = manualClock();
  const log: string[] = [];
  const alerts = { log: (line: string) => void log.push(line) };
  return { clock, log, gate: createTollgate({ ...presetOf(stage), clock, alerts }) };
};

/** What a stage has turned on. */
function featuresOf({ limits = [], budgets = [], queue, store, ...others }: TollgateConfig) {
  return {
    limits: limits.map(({ name, mode = 'enforce' }) => `${name} ${mode}`),
    budgets: budgets.map(({ name, mode = 'enforce', alertAt }) => `${name} ${mode}${alertAt ? ' alerts' : ''}`),
    hasLine: queue !== undefined,
    sheds: queue?.shedding,
    isShared: store !== undefined,
    others: Object.keys(others),
  };
}

const LAYERED = {
  limits: ['global enforce', 'user enforce', 'feature enforce'],
  budgets: ['spend enforce alerts', 'user-spend enforce'],
  others: ['prices'],
};

test.each<[Stage, ReturnType<typeof featuresOf>]>([
  [
    'prototype',
    {
      limits: ['user enforce'],
      budgets: ['spend shadow alerts'],
      hasLine: false,
      sheds: undefined,
      isShared: false,
      others: ['prices'],
    },
  ],
  ['earlyProduction', { ...LAYERED, hasLine: false, sheds: undefined, isShared: false }],
  ['growth', { ...LAYERED, hasLine: true, sheds: false, isShared: false }],
  ['scale', { ...LAYERED, hasLine: true, sheds: true, isShared: true }],
])('%s turns on exactly what its stage needs', (stage, features) => {
  expect(featuresOf(presetOf(stage))).toEqual(features);
});

const ask = (more: Partial<AdmitRequest> = {}): AdmitRequest => ({ tier: 'small', subject: { user: 'ann' }, ...more });
const said = (decision: Decision) =>
  decision.admitted ? 'admitted' : `${decision.refusal.reason} ${decision.refusal.layer}`;

describe.each(STAGES)('a gate of %s', (stage) => {
  test('gives each user 100 permits at once, and as many an hour', async () => {
    const { gate, clock } = gateOf(stage);
    const one = ask({ permits: 100, feature: 'chat' });
    const dear = ask({ permits: 50, feature: 'chat' });
    const wants = stage === 'prototype' ? [one] : [dear, { ...dear, feature: 'search' }];
    for (const want of wants) {
      const decision = await gate.admit(want);
      expect(said(decision)).toBe('admitted');
      if (decision.admitted) await decision.admission.settle();
    }
    expect(said(await gate.admit(ask()))).toBe('limit user');
    expect(said(await gate.admit(ask({ subject: { user: 'bob' } })))).toBe('admitted');
    await clock.advance(36_000);
    expect(said(await gate.admit(ask()))).toBe('admitted');
    await gate.close();
  });
});

test('a preset can be spread and changed, and what it names stays known to the compiler', async () => {
  const clock = manualClock();
  const tiers = { cheap: 1, dear: 10 };
  const gate = createTollgate({ ...presets.prototype(), tiers, clock });
  gate.update({ limits: { user: { capacity: 5 } }, tiers: { cheap: 2 } });
  // @ts-expect-error: no such limit
  expect(() => gate.update({ limits: { users: { capacity: 5 } } })).toThrow('users');
  // @ts-expect-error: no such tier
  await expect(async () => gate.admit({ tier: 'small' })).rejects.toThrow('small');
  await gate.close();
});

test('prototype tells what is spent and refuses nobody for it', async () => {
  const { gate, log } = gateOf('prototype');
  for (let i = 0; i < 3; i++) expect(said(await gate.admit(ask({ usd: '$10' })))).toBe('admitted');
  await quiet();
  expect(log.length).toBeGreaterThan(0);
});

test.each(['earlyProduction', 'growth', 'scale'] as const)('%s caps what a user spends, and all', async (stage) => {
  const { gate } = gateOf(stage);
  expect(said(await gate.admit(ask({ usd: '$5' })))).toBe('admitted');
  expect(said(await gate.admit(ask({ usd: '$1' })))).toBe('budget user-spend');
  const others = [];
  for (let i = 0; i < 20; i++) others.push(said(await gate.admit(ask({ subject: { user: `u${i}` }, usd: '$5' }))));
  expect(others.filter((one) => one === 'admitted')).toHaveLength(19);
  expect(others[19]).toBe('budget spend');
  await gate.close();
});

test('earlyProduction caps what all ask for, and what is asked of a feature', async () => {
  const { gate } = gateOf('earlyProduction');
  const chat = ask({ feature: 'chat', permits: 60 });
  expect(said(await gate.admit(chat))).toBe('admitted');
  expect(said(await gate.admit({ ...chat, permits: 1 }))).toBe('limit feature');
  expect(said(await gate.admit({ ...chat, permits: 1, feature: 'search' }))).toBe('admitted');
  const others = [];
  for (let i = 0; i < 10; i++) others.push(said(await gate.admit({ ...chat, subject: { user: `u${i}` } })));
  expect(others.slice(7)).toEqual(['admitted', 'limit global', 'limit global']);
});

describe.each(['growth', 'scale'] as const)('%s', (stage) => {
  test('runs 64 at once; the others wait, the urgent first', async () => {
    const { gate } = gateOf(stage);
    const running = [];
    for (let i = 0; i < 64; i++) running.push(await gate.admit(ask({ subject: { user: `u${i}` } })));
    expect(running.every(({ admitted }) => admitted)).toBe(true);
    const order: string[] = [];
    const waiting = (['batch', 'interactive'] as const).map((priority) =>
      gate.admit(ask({ subject: { user: 'late' }, priority })).then((decision) => {
        order.push(`${priority} ${said(decision)}`);
        return decision;
      }),
    );
    await quiet();
    expect(order).toEqual([]);
    for (const decision of running.slice(0, 2)) if (decision.admitted) await decision.admission.settle();
    await Promise.all(waiting);
    expect(order).toEqual(['interactive admitted', 'batch admitted']);
    await gate.close();
  });
});

test('scale says so where its store is none that processes share', () => {
  const stores: unknown[] = [undefined, memoryStore(), {}, 'redis://localhost'];
  for (const store of stores) {
    const make = () => presets.scale({ store: store as Store });
    expect(make).toThrow(/presets\.scale: store: got .*; expected a store that processes share, such as redisStore/);
  }
});
