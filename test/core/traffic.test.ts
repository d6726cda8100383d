/** What is recorded of a gate's traffic. */
import { budget, slidingWindow, type TollgateConfig } from '@tollgate/core';
import { recordTraffic, type TrafficLine } from '@tollgate/core/traffic';
import { gateOf } from './support.js';

const limits = [slidingWindow({ name: 'user', by: 'user', limit: 10, window: '1m' })];

/** A gate, and the lines of its traffic. */
function recorded(more: Partial<TollgateConfig> = {}) {
  const { gate, clock } = gateOf(limits, more);
  const lines: TrafficLine[] = [];
  const end = recordTraffic(gate, (line) => lines.push(JSON.parse(line)));
  return { gate, clock, lines, end };
}

test('what was asked, what came of it and how it ended, each at its time', async () => {
  const { gate, clock, lines } = recorded();
  const request = { subject: { user: 'u' }, permits: 8, feature: 'chat' };
  const at = clock.now();
  const decision = await gate.admit(request);
  clock.advance(1000);
  await gate.admit(request);
  if (decision.admitted) await decision.admission.settle({ usage: { outputTokens: 5 }, overloaded: true });
  const [asked, admitted, again, refused, settled] = lines as (TrafficLine & { readonly id: string })[];
  expect(lines).toHaveLength(5);
  expect(asked).toEqual({ at, event: 'asked', id: asked.id, kind: 'request', request });
  expect(admitted).toMatchObject({ at, event: 'admitted', id: asked.id, waitedMs: 0, cost: { permits: 8 } });
  expect(again).toMatchObject({ at: at + 1000, event: 'asked' });
  expect(refused).toEqual({ at: at + 1000, event: 'refused', id: again.id, reason: 'limit', layer: 'user' });
  expect(settled).toMatchObject({ event: 'settled', id: asked.id, usage: { outputTokens: 5 }, overloaded: true });
});

test('changes of an admission, under its own id', async () => {
  const { gate, lines } = recorded();
  const decision = await gate.admit({ subject: { user: 'u' }, permits: 1 });
  if (!decision.admitted) throw new Error('refused');
  const { admission } = decision;
  await gate.admit({ subject: { user: 'u' }, permits: 2 }, { extending: admission });
  await admission.extend({ inputTokens: 7 });
  const asked = lines.filter(({ event }) => event === 'asked');
  expect(asked).toMatchObject([
    { kind: 'request', id: admission.id },
    { kind: 'change', id: admission.id, request: { permits: 2 } },
    { kind: 'more', id: admission.id, more: { inputTokens: 7 } },
  ]);
});

test('of a body what it says of tokens, and not a word', async () => {
  const prices = { m: { input: '$1/M', output: '$1/M' } } as const;
  const { gate, lines } = recorded({ prices, budgets: [budget({ name: 'all', limit: '$5', per: 'day' })] });
  const body = { messages: [{ role: 'user', content: 'the secret of the house' }], max_tokens: 50 };
  await gate.admit({ subject: { user: 'u' }, permits: 1, model: 'm' }, { body });
  expect(lines[0]).toMatchObject({ body: { inputTokens: expect.any(Number), maxOutputTokens: 50 } });
  expect(JSON.stringify(lines)).not.toContain('secret');
});

test('room that budgets were given, and changes of limits', async () => {
  const { gate, lines } = recorded({ budgets: [budget({ name: 'spend', by: 'user', limit: '$5', per: 'day' })] });
  await gate.topUp('spend', { user: 'u' }, '$2');
  await gate.resetBudget('spend', { user: 'u' });
  gate.update({ limits: { user: { limit: 20 } } });
  expect(lines).toMatchObject([
    { event: 'credited', by: 'topUp', budget: 'spend', whom: { user: 'u' }, amount: 2e9 },
    { event: 'credited', by: 'resetBudget', budget: 'spend', whom: { user: 'u' } },
    { event: 'updated', change: { limits: { user: { limit: 20 } } } },
  ]);
});

test('nothing once it has been ended', async () => {
  const { gate, lines, end } = recorded();
  end();
  await gate.admit({ subject: { user: 'u' }, permits: 1 });
  expect(lines).toEqual([]);
});

test('ids that are bigints, as they are counted', async () => {
  const { gate, lines } = recorded();
  await gate.admit({ subject: { user: 2n ** 60n }, permits: 1 });
  expect(lines[0]).toMatchObject({ event: 'asked', request: { subject: { user: '1152921504606846976' } } });
  expect((await gate.inspect({ user: '1152921504606846976' })).limits[0].used).toBe(1);
});
