/** What a replay tells of a configuration that is not the recorded one. */
import { budget, concurrency, slidingWindow, type TollgateConfig } from '@tollgate/core';
import type { TrafficEvent, TrafficLine } from '@tollgate/core/traffic';
import { replay, trafficLines } from 'tollgate';

const START = Date.UTC(2026, 0, 1);
const COST = { requests: 1, permits: 1, inputTokens: 0, outputTokens: 0, usd: 0, worstUsd: 0 };

const at = (ms: number, event: TrafficEvent): TrafficLine => ({ at: START + ms, ...event });

/** A request for one permit, and what it asks for beside. */
const asked = (ms: number, id: string, user: string, more = {}) =>
  at(ms, {
    event: 'asked',
    id,
    kind: 'request',
    request: { subject: { user }, permits: 1, ...more },
    body: undefined,
    more: undefined,
  });

const admitted = (ms: number, id: string, model?: string) =>
  at(ms, { event: 'admitted', id, model, waitedMs: 0, cost: COST });

const refused = (ms: number, id: string) => at(ms, { event: 'refused', id, reason: 'limit', layer: 'old' });

const settled = (ms: number, id: string, more: Partial<Extract<TrafficEvent, { event: 'settled' }>> = {}) => {
  const unknown = { model: undefined, usage: undefined, usd: undefined, overloaded: undefined, actual: undefined };
  return at(ms, { event: 'settled', id, outcome: 'succeeded', provisional: false, ...unknown, ...more });
};

const limit = (limit: number): TollgateConfig => ({
  limits: [slidingWindow({ name: 'user', by: 'user', limit, window: '1m' })],
});

test('who would have been refused, by which layer', async () => {
  const lines = [
    asked(0, '1', 'a'),
    admitted(0, '1'),
    asked(1, '2', 'a'),
    admitted(1, '2'),
    asked(2, '3', 'b'),
    admitted(2, '3'),
  ];
  const replayed = await replay(limit(1), lines);
  expect(replayed).toMatchObject({
    asked: 3,
    admitted: 2,
    refused: 1,
    reasons: { limit: 1 },
    from: START,
    to: START + 2,
  });
  expect(replayed.layers).toEqual({ user: { refused: 1, shadowRefused: 0, delayed: 0 } });
  expect(replayed.changed).toEqual({ 'admitted → refused by user': 1 });
});

test('who would have been admitted, and holds its slot as long as others of its feature', async () => {
  const slots: TollgateConfig = { queue: { concurrency: 1, maxWait: '1m' } };
  const chat = { feature: 'chat' };
  const lines = [
    ...[asked(0, '1', 'a', chat), admitted(0, '1'), settled(3000, '1')],
    ...[
      asked(4000, '2', 'a', chat),
      refused(4000, '2'),
      asked(4001, '3', 'a', chat),
      admitted(4001, '3'),
      settled(9000, '3'),
    ],
    asked(20_000, '4', 'a', chat),
  ];
  const replayed = await replay(slots, lines);
  expect(replayed.changed).toEqual({ 'refused by old → admitted': 1 });
  expect(replayed.waits).toMatchObject({ count: 1, longest: 2999 });
});

test('who left the line by the log, and is admitted, leaves the slot again at that time', async () => {
  const config: TollgateConfig = { limits: [concurrency({ name: 'runs', limit: 1 })] };
  const lines = [
    asked(0, '1', 'a'),
    asked(1, '2', 'a'),
    at(5000, { event: 'withdrawn', id: '2' }),
    at(5000, { event: 'withdrawn', id: '1' }),
    asked(5001, '3', 'a'),
    admitted(5001, '3'),
  ];
  const replayed = await replay(config, lines);
  expect(replayed).toMatchObject({ admitted: 2, refused: 1, withdrawn: 0, skipped: {} });
  expect(replayed.changed).toEqual({ 'withdrawn → admitted': 1, 'withdrawn → refused by runs': 1 });
});

test('who would have been served by a cheaper model, and what that comes to', async () => {
  const config: TollgateConfig = {
    budgets: [budget({ name: 'spend', by: 'user', limit: '$1', per: 'day', degradeAt: [0.5], alertAt: [0.5] })],
    ladders: [['opus', 'haiku']],
    prices: { opus: { input: '$5/M', output: '$25/M' }, haiku: { input: '$1/M', output: '$5/M' } },
  };
  const ask = (ms: number, id: string) =>
    asked(ms, id, 'a', { model: 'opus', estimate: { inputTokens: 0, outputTokens: 16_000 } });
  const usage = { inputTokens: 0, outputTokens: 20_000 };
  const lines = ['1', '2'].flatMap((id, i) => [
    ask(i * 10, id),
    admitted(i * 10, id, 'opus'),
    settled(i * 10 + 5, id, { model: 'opus', usage }),
  ]);
  const replayed = await replay(config, lines);
  expect(replayed.degraded).toEqual({ 'opus → haiku': 1 });
  expect(replayed.models).toEqual({ opus: { requests: 1, usd: 0.5e9 }, haiku: { requests: 1, usd: 0.1e9 } });
  expect(replayed.cost).toEqual({ usd: 0.6e9, inputTokens: 0, outputTokens: 40_000 });
  expect(replayed.alerts).toEqual({ 'spend 50 %': 1 });
});

test('what a limit on trial would have refused', async () => {
  const trial: TollgateConfig = { limits: [slidingWindow({ name: 'user', limit: 1, window: '1m', mode: 'shadow' })] };
  const replayed = await replay(trial, [asked(0, '1', 'a'), admitted(0, '1'), asked(1, '2', 'b'), admitted(1, '2')]);
  expect([replayed.admitted, replayed.layers.user.shadowRefused]).toEqual([2, 1]);
});

test('what can’t be replayed is counted by what was wrong, and the rest goes on', async () => {
  const lines = [
    asked(0, '1', 'a', { permits: undefined, tier: 'huge' }),
    asked(1, '2', 'a'),
    settled(2, 'unheard of'),
  ];
  const replayed = await replay(limit(5), lines);
  expect(replayed.admitted).toBe(1);
  expect(Object.entries(replayed.skipped)).toEqual([[expect.stringContaining('huge'), 1]]);
});

test('so is what fails later: room for a budget that isn’t there, and more for what has ended', async () => {
  const credited = at(0, { event: 'credited', by: 'topUp', budget: 'gone', whom: { user: 'a' }, amount: 1e9 });
  const request = { subject: { user: 'a' }, permits: 1 };
  const more = at(3, { event: 'asked', id: '1', kind: 'more', request, body: undefined, more: { inputTokens: 5 } });
  const lines = [credited, asked(1, '1', 'a'), admitted(1, '1'), settled(2, '1', { provisional: true }), more];
  const replayed = await replay(limit(5), lines);
  expect(replayed.admitted).toBe(1);
  expect(Object.keys(replayed.skipped)).toEqual([expect.stringContaining('gone'), expect.stringContaining('settled')]);
});

test('a clock that steps back in the log stands still', async () => {
  const lines = [asked(1000, '1', 'a'), asked(0, '2', 'a')];
  expect(await replay(limit(5), lines)).toMatchObject({ admitted: 2, to: START + 1000 });
});

test('a line that is no traffic is an error that names it', async () => {
  const play = (text: string) => replay(limit(5), trafficLines([JSON.stringify(asked(0, '1', 'a')), '', text]));
  await expect(play('GET / 200')).rejects.toThrow('Line 3 is not recorded traffic: GET / 200');
  await expect(play('{"at":"now","event":"asked"}')).rejects.toThrow('Line 3');
  await expect(play(`{"at":1,"event":"${'x'.repeat(500)}"}`)).rejects.toThrow(/^.{0,140}$/);
});
