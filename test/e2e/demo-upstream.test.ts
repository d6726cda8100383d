import { ended, spawnExample } from './example.js';

interface Fared {
  asked: number;
  sent: number;
  refused: number;
  failed: number;
  inTime: number;
  p95Ms: number;
}

interface Upstream {
  seed: number;
  inTimeMs: number;
  tollgate: Fared;
  twoRetries: Fared;
  thenTheOther: Fared;
}

async function upstreamOf(seed: number): Promise<Upstream> {
  const args = ['--seconds', '0.1', '--seed', String(seed), '--json'];
  const { code, stdout, stderr } = await ended(spawnExample('demo/src/index.ts', args));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(stdout).upstream;
}

describe.each([1, 348])('two providers, of which one refuses and then dies, seed %i', (seed) => {
  let upstream: Upstream;

  beforeAll(async () => {
    upstream = await upstreamOf(seed);
  }, 120_000);

  test('the same seed gives the same figures', async () => {
    expect(upstream.seed).toBe(seed);
    expect(await upstreamOf(seed)).toEqual(upstream);
  }, 120_000);

  test('all ways are asked for the same, and the first provider alone can do but a part of it', () => {
    const { tollgate, twoRetries, thenTheOther } = upstream;
    for (const { asked, sent, failed, inTime } of [tollgate, twoRetries, thenTheOther]) {
      expect(asked).toBe(tollgate.asked);
      expect(asked).toBeGreaterThan(200);
      expect(sent).toBeGreaterThanOrEqual(asked);
      expect(inTime).toBeLessThanOrEqual(asked - failed);
    }
    expect(twoRetries.failed).toBeGreaterThan(tollgate.asked / 2);
    expect(twoRetries.refused).toBeGreaterThan(tollgate.asked / 4);
  });

  test('with Tollgate no call fails, hardly any meets a 429, and the answers are in time', () => {
    const { asked, refused, failed, inTime, p95Ms } = upstream.tollgate;
    expect(failed).toBe(0);
    expect(refused).toBeLessThanOrEqual(asked / 100);
    expect(inTime).toBeGreaterThanOrEqual(0.99 * asked);
    expect(p95Ms).toBeLessThanOrEqual(upstream.inTimeMs);
  });

  test('and a provider that is dead is hardly asked; retries ask it again and again, also where the other one helps', () => {
    const { tollgate, twoRetries, thenTheOther } = upstream;
    expect(tollgate.sent).toBeLessThanOrEqual(1.05 * tollgate.asked);
    expect(twoRetries.sent).toBeGreaterThan(2 * tollgate.asked);
    expect(thenTheOther.sent).toBeGreaterThan(2 * tollgate.asked);
    expect(thenTheOther.inTime).toBeLessThan(tollgate.inTime / 2);
  });
});
