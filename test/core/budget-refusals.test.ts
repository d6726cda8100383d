/** A refused request leaves every counter as it was, whichever of them refused. */
import { type Budget, budget, type Limit, slidingWindow, tokenBucket } from '@tollgate/core';
import fc from 'fast-check';
import { gateOf } from './support.js';

const NAMES = ['window', 'bucket', 'tokens', 'company', 'user', 'feature', 'model'] as const;
type Name = (typeof NAMES)[number];

const prices = {
  best: { input: '$0.002/M', output: '$0.002/M' },
  cheap: { input: '$0.001/M', output: '$0.001/M' },
} as const;

const ASKED = { permits: 3, estimate: { inputTokens: 100 } };
const FACTS = { feature: 'search', model: 'best' };
const SUBJECT = { user: 'u' };

/** One of each kind of layer; those that are named are full once a request has passed, the others never. */
function gateWith(full: ReadonlySet<Name>, shadow: ReadonlySet<Name>) {
  const common = <N extends Name>(name: N) => ({ name, mode: shadow.has(name) ? 'shadow' : 'enforce' }) as const;
  const size = (name: Name, count: number) => (full.has(name) ? count : 1_000_000);
  const dollars = (name: Name, limit: '$0.000000250') => (full.has(name) ? limit : '$1');
  const limits: Limit[] = [
    slidingWindow({ ...common('window'), by: 'user', limit: size('window', 5), window: '1m' }),
    tokenBucket({ ...common('bucket'), capacity: size('bucket', 5), refill: '1/h' }),
    slidingWindow({ ...common('tokens'), by: 'model', unit: 'tokens', limit: size('tokens', 150), window: '1h' }),
  ];
  const budgets: Budget[] = [
    budget({ ...common('company'), limit: dollars('company', '$0.000000250'), per: 'month' }),
    budget({ ...common('user'), by: 'user', limit: dollars('user', '$0.000000250'), per: 'day', degradeAt: [0.9] }),
    budget({ ...common('feature'), by: ['user', 'feature'], limit: dollars('feature', '$0.000000250'), per: 'hour' }),
    budget({ ...common('model'), by: 'model', limit: dollars('model', '$0.000000250'), per: 'week' }),
  ];
  return gateOf(limits, { budgets, prices, ladders: [['best', 'cheap']], alerts: { log: false } });
}

const names = (from: readonly Name[]) => fc.subarray([...from]).map((some) => new Set<Name>(some));

test('a new request', async () => {
  await fc.assert(
    fc.asyncProperty(names(NAMES), names(NAMES), fc.nat(3), async (full, shadow, before) => {
      const { gate } = gateWith(full, shadow);
      const state = async () => [
        await gate.inspect(SUBJECT, FACTS),
        await gate.inspect(SUBJECT, { ...FACTS, model: 'cheap' }),
      ];
      for (let i = 0; i <= before; i++) await gate.admit({ ...FACTS, ...ASKED, subject: SUBJECT });
      const earlier = await state();
      const decision = await gate.admit({ ...FACTS, ...ASKED, estimate: { inputTokens: 200 }, subject: SUBJECT });
      // Where one model's own budget is full, the other one's is not.
      const enforced = [...full].filter((name) => name !== 'model' && !shadow.has(name));
      if (enforced.length > 0) expect(decision.admitted).toBe(false);
      if (!decision.admitted) expect(await state()).toEqual(earlier);
    }),
  );
});

test.each(NAMES)("one that '%s' alone refuses, by the one model that may serve it", async (name) => {
  const { gate, admission, refusal } = gateWith(new Set([name]), new Set());
  const request = { ...FACTS, ...ASKED, subject: SUBJECT, degrade: false };
  await admission(request);
  const earlier = await gate.inspect(SUBJECT, FACTS);
  expect((await refusal(request)).violated.map(({ layer }) => layer)).toEqual([name]);
  expect(await gate.inspect(SUBJECT, FACTS)).toEqual(earlier);
});

test.each(NAMES)("an extension that '%s' alone refuses", async (name) => {
  const { gate, admission } = gateWith(new Set([name]), new Set());
  const open = await admission({ ...FACTS, ...ASKED, permits: 1, subject: SUBJECT });
  const earlier = await gate.inspect(SUBJECT, FACTS);
  const decision = await open.extend({ inputTokens: 100 });
  const isCounted = name !== 'window' && name !== 'bucket';
  expect(decision.admitted).toBe(!isCounted);
  if (isCounted) expect(await gate.inspect(SUBJECT, FACTS)).toEqual(earlier);
  else expect(await gate.inspect(SUBJECT, FACTS)).not.toEqual(earlier);
});

test('a request that replaces another one gives back all of the other', async () => {
  const { gate, admission } = gateWith(new Set(['user']), new Set());
  const untouched = await gate.inspect(SUBJECT, FACTS);
  const open = await admission({ ...FACTS, ...ASKED, subject: SUBJECT });
  const request = { ...FACTS, ...ASKED, estimate: { inputTokens: 251 }, subject: SUBJECT };
  expect(await gate.admit(request, { extending: open })).toMatchObject({
    admitted: false,
    refusal: { reason: 'too-costly', layer: 'user' },
  });
  expect((await gate.inspect(SUBJECT, FACTS)).budgets).toEqual(untouched.budgets);
});

test('a budget on trial is charged neither what does not fit it nor what others refuse', async () => {
  const shadow = budget({ name: 'trial', by: 'user', limit: '$0.000000250', per: 'day', mode: 'shadow' });
  const user = budget({ name: 'user', by: 'user', limit: '$0.000000600', per: 'day' });
  const { gate, admission, refusal, used } = gateOf([], { budgets: [shadow, user], prices, alerts: { log: false } });
  const told: unknown[] = [];
  gate.on('shadow.refused', ({ layer: { layer, cost, used } }) => told.push([layer, cost, used]));
  const request = (inputTokens: number) => ({ subject: SUBJECT, permits: 0, model: 'best', estimate: { inputTokens } });
  await admission(request(100));
  const uncounted = await admission(request(100));
  expect(await used({ subject: SUBJECT })).toEqual({ trial: 200, user: 400 });
  await refusal(request(101));
  expect(await used({ subject: SUBJECT })).toEqual({ trial: 200, user: 400 });
  await uncounted.settle({ usage: { inputTokens: 250, outputTokens: 0 } });
  expect(await used({ subject: SUBJECT })).toEqual({ trial: 200, user: 700 });
  expect(told).toEqual([['trial', 200, 200]]);
});

test('budgets are listed in the order of the configuration, however they are counted', async () => {
  const { gate } = gateWith(new Set(), new Set());
  const { limits, budgets } = await gate.inspect(SUBJECT, FACTS);
  expect([...limits, ...budgets].map(({ layer }) => layer)).toEqual(NAMES);
});
