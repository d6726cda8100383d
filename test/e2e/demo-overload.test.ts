import { ended, spawnExample } from './example.js';

interface Fared {
  kind: string;
  priority: string;
  requests: number;
  admitted: number;
  degraded: number;
  shed: number;
  late: number;
  waitMs: { p50: number; p95: number };
}

interface Overload {
  seed: number;
  tollgate: Fared[];
  firstComeFirstServed: Fared[];
}

async function overloadOf(seed: number): Promise<Overload> {
  const args = ['--seconds', '0.1', '--seed', String(seed), '--json'];
  const { code, stdout, stderr } = await ended(spawnExample('demo/src/index.ts', args));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout).overload;
}

const turnedAwayShare = ({ requests, admitted }: Fared) => (requests - admitted) / requests;

describe.each([1, 348])('four kinds of traffic at twice the capacity, seed %i', (seed) => {
  let overload: Overload;

  beforeAll(async () => {
    overload = await overloadOf(seed);
  }, 120_000);

  test('the same seed gives the same figures, and others belong to another', async () => {
    expect(overload.seed).toBe(seed);
    expect(await overloadOf(seed)).toEqual(overload);
    expect((await overloadOf(seed + 1)).tollgate).not.toEqual(overload.tollgate);
  }, 120_000);

  test('both let in the same load, and each request is admitted, shed or too late', () => {
    const { tollgate, firstComeFirstServed } = overload;
    expect(tollgate.map(({ priority }) => priority)).toEqual(['interactive', 'standard', 'batch', 'background']);
    const load = (fared: readonly Fared[]) => fared.map(({ kind, requests }) => ({ kind, requests }));
    expect(load(tollgate)).toEqual(load(firstComeFirstServed));
    for (const { requests, admitted, degraded, shed, late, waitMs } of [...tollgate, ...firstComeFirstServed]) {
      expect(requests).toBeGreaterThan(100);
      expect(admitted + shed + late).toBe(requests);
      expect(degraded).toBeLessThanOrEqual(admitted);
      expect(waitMs.p50).toBeLessThanOrEqual(waitMs.p95);
    }
  });

  test('chat stays quick and is turned away by nobody; first come, first served hardly serves it', () => {
    const [chat] = overload.tollgate;
    const [queued] = overload.firstComeFirstServed;
    expect(chat).toMatchObject({ admitted: chat.requests, degraded: 0 });
    expect(chat.waitMs.p95).toBeLessThan(queued.waitMs.p95 / 5);
    expect(turnedAwayShare(queued)).toBeGreaterThan(0.9);
  });

  test('what is given up is given up from the bottom, and batch work still finishes', () => {
    const [chat, documents, summaries, indexing] = overload.tollgate.map(turnedAwayShare);
    expect(documents).toBeGreaterThanOrEqual(chat);
    expect(summaries).toBeGreaterThanOrEqual(documents);
    expect(indexing).toBeGreaterThanOrEqual(summaries);
    expect(summaries).toBeLessThan(0.5);
    const shed = Object.fromEntries(overload.tollgate.map(({ priority, shed }) => [priority, shed]));
    expect(shed.interactive).toBe(0);
    expect(shed.background).toBeGreaterThan(0);
    expect(documents).toBeLessThan(0.15);
  });

  test('only standard begins on a cheaper model', () => {
    expect(overload.tollgate.map(({ degraded }) => degraded > 0)).toEqual([false, true, false, false]);
    expect(overload.firstComeFirstServed.map(({ degraded }) => degraded)).toEqual([0, 0, 0, 0]);
  });
});
