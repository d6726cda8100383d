/** A replay gives the very answers that the live run gave, and tells what another configuration would have done. */
import {
  type Admission,
  type AdmitRequest,
  budget,
  concurrency,
  createTollgate,
  slidingWindow,
  type TollgateConfig,
  tokenBucket,
} from '@tollgate/core';
import { recordTraffic, type TrafficLine } from '@tollgate/core/traffic';
import fc from 'fast-check';
import { replay, trafficLines } from 'tollgate';
import { followed, liveClock } from '../helpers/live-clock.js';

const BODY = { messages: [{ role: 'user', content: 'x'.repeat(400) }], max_tokens: 900 };
const START = Date.UTC(2026, 0, 1);

const config: TollgateConfig = {
  limits: [
    slidingWindow({ name: 'global', limit: 400, window: '1m', whenFull: 'wait' }),
    tokenBucket({ name: 'user', by: 'user', capacity: 60, refill: '600/h' }),
    slidingWindow({ name: 'tpm', unit: 'tokens', limit: 60_000, window: '1m', whenFull: 'wait' }),
    concurrency({ name: 'runs', limit: { min: 2, max: 8 } }),
  ],
  budgets: [budget({ name: 'spend', by: 'user', limit: '$0.60', per: 'hour', degradeAt: [0.5] })],
  ladders: [['opus', 'haiku']],
  prices: { opus: { input: '$5/M', output: '$25/M' }, haiku: { input: '$1/M', output: '$5/M' } },
  queue: {
    maxWait: { interactive: '10s', standard: '30s', batch: '5m', background: '5m' },
    fairBy: 'user',
    maxDepth: 50,
  },
};

const step = fc.record({
  afterMs: fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 3000 })),
  user: fc.constantFrom('a', 'b', 'c', '__proto__'),
  tier: fc.constantFrom('small', 'medium', 'large'),
  priority: fc.constantFrom('interactive', 'standard', 'batch', 'background'),
  feature: fc.constantFrom('chat', 'search', undefined),
  maxTokens: fc.integer({ min: 1, max: 4000 }),
  runsMs: fc.integer({ min: 0, max: 20_000 }),
  end: fc.constantFrom('succeeded', 'failed', 'ignored', 'concluded', 'overloaded', 'never'),
  outputTokens: fc.integer({ min: 0, max: 6000 }),
  more: fc.constantFrom(undefined, 'extend', 'change'),
  leaves: fc.boolean(),
});

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** Runs the traffic live, and gives the lines that were recorded of it. */
async function live(steps: readonly Step[]): Promise<string[]> {
  const clock = liveClock(START);
  const gate = createTollgate({ ...config, clock, alerts: { log: false } });
  const lines: string[] = [];
  recordTraffic(gate, (line) => lines.push(line));
  for (const one of steps) {
    await clock.goTo(clock.now() + one.afterMs);
    const { user, tier, priority, feature } = one;
    const request: AdmitRequest = { subject: { user }, tier, priority, feature, model: 'opus' };
    const leaving = new AbortController();
    const body = { ...BODY, max_tokens: one.maxTokens };
    void gate.admit(request, { signal: leaving.signal, body }).then(
      (decision) => (decision.admitted ? run(decision.admission, one, request) : undefined),
      () => undefined,
    );
    await followed();
    // Not as windows let go of what they count: who of both was first, the log doesn't say.
    if (one.leaves) clock.after((clock.now() + 500) % 6_000 === 0 ? 501 : 500, () => leaving.abort());
  }
  await clock.goTo(clock.now() + 600_000);
  return lines;

  async function run(admission: Admission, one: Step, request: AdmitRequest): Promise<void> {
    if (one.more === 'extend') await admission.extend({ outputTokens: 500 });
    if (one.more === 'change') await gate.admit({ ...request, tier: 'small' }, { extending: admission, body: BODY });
    clock.after(one.runsMs, () => {
      const usage = { inputTokens: 120, outputTokens: one.outputTokens };
      if (one.end === 'overloaded') void admission.settle({ outcome: 'failed', overloaded: { retryAfterMs: 900 } });
      else if (one.end === 'concluded') {
        void admission.conclude();
        clock.after(50, () => void admission.settle({ usage }));
      } else if (one.end !== 'never') void admission.settle({ outcome: one.end, usage });
    });
  }
}

test('the same configuration gives every request the answer that it got, and costs the same', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 20, maxLength: 60 }), async (steps) => {
      const lines = await live(steps);
      const replayed = await replay(config, trafficLines(lines));
      const recorded = lines.map((line) => JSON.parse(line) as TrafficLine);
      const count = (event: TrafficLine['event']) => recorded.filter((line) => line.event === event).length;
      expect([replayed.changed, replayed.skipped]).toEqual([{}, {}]);
      expect(replayed.asked).toBe(steps.length);
      expect(replayed.withdrawn).toBe(count('withdrawn'));
      expect(replayed.cost.usd).toBe(spent(recorded));
    }),
    { numRuns: 12, endOnFailure: true },
  );
}, 120_000);

/** What all admissions came to in the end, by the log. */
function spent(lines: readonly TrafficLine[]): number {
  const last = new Map<string, number>();
  for (const line of lines) if (line.event === 'settled') last.set(line.id, line.actual?.usd ?? 0);
  return [...last.values()].reduce((sum, usd) => sum + usd, 0);
}
