/** Many that wait for a provider's requests and its tokens at once: what it has is used, in the order of priorities. */
import { type Admission, createTollgate, headroom, type Priority, type Tollgate } from '@tollgate/core';
import { type ManualClock, manualClock } from '@tollgate/core/testing';
import { flush, MINUTE, START } from './support.js';

const RPM = 600;
const TPM = 600_000;
const USERS = 50;

/** The same numbers each time, from 0 up to 1. */
function randoms(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A provider with limits of its own: what is left comes back evenly, and what is too much is refused. */
function providerOf(clock: ManualClock) {
  let [requests, tokens, at] = [0, 0, clock.now()];
  const counted = { requests: 0, tokens: 0, refused: 0 };

  /** Returns what is left, as its headers say. */
  function ask(cost: number): { readonly rpm: number; readonly tpm: number } {
    const ms = clock.now() - at;
    at = clock.now();
    requests = Math.max(0, requests - (ms * RPM) / MINUTE);
    tokens = Math.max(0, tokens - (ms * TPM) / MINUTE);
    if (requests + 1 > RPM || tokens + cost > TPM) counted.refused++;
    else {
      requests++;
      tokens += cost;
      counted.requests++;
      counted.tokens += cost;
    }
    return { rpm: Math.floor(RPM - requests), tpm: Math.floor(TPM - tokens) };
  }

  return { counted, ask };
}

/** A request: when it asked, and when it began. */
interface Begun {
  readonly priority: Priority;
  readonly askedAt: number;
  readonly at: number;
}

/** Users who ask again soon after each answer: they want half as much again as the provider has. */
function load(gate: Tollgate, clock: ManualClock, meanTokens: number) {
  const random = randoms(7);
  const provider = providerOf(clock);
  const begun: Begun[] = [];
  const passing = (ms: number) => new Promise<void>((resolve) => void clock.after(ms, resolve));

  async function answer(admission: Admission, cost: number): Promise<void> {
    const { rpm, tpm } = provider.ask(cost);
    await passing(500);
    await admission.observe([
      { layer: 'rpm', limit: RPM, remaining: rpm },
      { layer: 'tpm', limit: TPM, remaining: tpm },
    ]);
    await passing(500);
    await admission.settle({ usage: { inputTokens: cost, outputTokens: 0 } });
  }

  async function user(i: number): Promise<void> {
    const priority: Priority = i % 5 === 0 ? 'interactive' : 'batch';
    for (;;) {
      const cost = Math.ceil(2 * meanTokens * random());
      const askedAt = clock.now();
      const decision = await gate.admit({ permits: 0, priority, estimate: { inputTokens: cost, outputTokens: 0 } });
      if (!decision.admitted) throw new Error(decision.refusal.detail);
      begun.push({ priority, askedAt, at: askedAt + decision.admission.waitedMs });
      await answer(decision.admission, cost);
      await passing(4_600 * random());
    }
  }

  // Those that wait when the gate is closed are turned away, and ask no more.
  for (let i = 0; i < USERS; i++) user(i).catch(() => {});
  return { counted: provider.counted, begun };
}

async function pass(clock: ManualClock, ms: number): Promise<void> {
  for (let passed = 0; passed < ms; passed += 20) {
    clock.advance(20);
    await flush();
  }
}

/** How often one that had waited began before a more urgent one that waited then. */
function overtakings(begun: readonly Begun[]): number {
  const urgent = begun.filter(({ priority }) => priority === 'interactive');
  const others = begun.filter(({ priority, askedAt, at }) => priority === 'batch' && at > askedAt);
  return others.filter((one) => urgent.some(({ askedAt, at }) => askedAt < one.at && one.at < at)).length;
}

it.each([
  ['requests and tokens alike', 1_000],
  ['requests first', 800],
  ['tokens first', 1_200],
])(
  'where it runs out of %s, all that a provider has is used, it hardly refuses, and the urgent go first',
  async (_, meanTokens) => {
    const clock = manualClock(START);
    const gate = createTollgate({
      clock,
      // A little less than there is: what is sent takes now longer and now less to be counted.
      limits: [
        headroom({ name: 'rpm', limit: 0.98 * RPM, window: '1m' }),
        headroom({ name: 'tpm', unit: 'tokens', limit: 0.98 * TPM, window: '1m' }),
      ],
      queue: { maxWait: '10m', ageing: '1h', shedding: false },
    });
    const { counted, begun } = load(gate, clock, meanTokens);
    // What there is at first is used up, and all wait.
    await pass(clock, 2 * MINUTE);
    const before = { ...counted };
    await pass(clock, MINUTE);
    const requests = (counted.requests - before.requests) / RPM;
    const tokens = (counted.tokens - before.tokens) / TPM;
    expect(Math.max(requests, tokens)).toBeGreaterThan(0.95);
    expect(Math.min(requests, tokens)).toBeGreaterThan(0.95 * Math.min(meanTokens / 1_000, 1_000 / meanTokens));
    expect(counted.refused).toBeLessThan(begun.length / 500);
    expect(overtakings(begun)).toBe(0);
    const waited = begun.filter(({ askedAt, at, priority }) => priority === 'batch' && at > askedAt);
    expect(waited.length).toBeGreaterThan(150);
    await gate.close();
  },
  120_000,
);

test.each([100, Number.POSITIVE_INFINITY])(
  'a call that can’t wait until a key is open again is refused at once, behind one that waits (limit %s)',
  async (limit) => {
    const clock = manualClock(START);
    const rpm = headroom({ name: 'rpm', by: 'key', unit: 'requests', window: '1m', limit });
    const gate = createTollgate({ clock, limits: [rpm], queue: { maxWait: '1m' } });
    const told: (number | undefined)[] = [];
    gate.on('queued', ({ expectedWaitMs }) => told.push(expectedWaitMs));
    const request = { permits: 0, subject: { key: 'k' } };
    const first = await gate.admit(request);
    if (!first.admitted) throw new Error('refused');
    await first.admission.observe([{ layer: 'rpm', shutMs: 30_000 }]);
    const waiting = gate.admit(request);
    expect(await gate.admit({ ...request, maxWait: '5s' })).toMatchObject({ refusal: { reason: 'too-long-wait' } });
    const next = gate.admit(request);
    await flush();
    expect(told).toEqual([30_000, 30_000]);
    clock.advance(30_000);
    expect([(await waiting).admitted, (await next).admitted]).toEqual([true, true]);
    await gate.close();
  },
);
